"""The command estimate."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from latent_hands.cli.options import (
    RUN_HELP,
    BoneMm,
    DataSplit,
    FocalPx,
    Ids,
    Json,
    MaxHands,
    OptionalData,
    OptionalHandedness,
    OptionalRoot,
    Rotations,
    Zoom,
    unset,
)
from latent_hands.cli.quick_imports import quick_imports
from latent_hands.errors import HandsError

RunOption = Annotated[
    str | None,
    unset("estimation", "RUN", RUN_HELP),
]
Images = Annotated[tuple[str, ...], Positional, arg(metavar="IMAGE ...", help_behavior_hint="")]
Boxes = Annotated[Path | None, unset("none", "FILE")]
OneBox = Annotated[
    UseAppendAction[tuple[str, ...]], arg(metavar="X,Y,W,H", help_behavior_hint="(may be repeated)")
]
Formats = Annotated[tuple[Literal["json", "csv", "npz", "coco"], ...], arg(metavar="{json,csv,npz,coco} ...")]
Smooth = Annotated[
    Literal["online", "offline", "none"] | None, unset("offline; a camera: online", "{online,offline,none}")
]
Limit = Annotated[int | None, unset("all", "N")]


def estimate(
    images: Images = (),
    out: Annotated[Path, arg(metavar="DIR")] = Path("runs/estimates"),
    bone_mm: BoneMm = None,
    zoom: Zoom = 1,
    handedness: OptionalHandedness = None,
    formats: Formats = ("json",),
    overlays: Annotated[bool, arg(help_behavior_hint="(default: write them)")] = True,
    panels: bool = False,
    angles: bool = False,
    json: Json = False,
    box: OneBox = (),
    boxes: Boxes = None,
    max_hands: MaxHands = None,
    focal_px: FocalPx = None,
    camera: Annotated[str | None, unset("none", "DEVICE")] = None,
    smooth: Smooth = None,
    limit: Limit = None,
    run: RunOption = None,
    detector: Annotated[Path | None, unset("the shipped one", "DIR")] = None,
    rotations: Rotations = 1,
    draws: Annotated[int, arg(metavar="N")] = 16,
    data: OptionalData = None,
    root: OptionalRoot = None,
    split: DataSplit = None,
    ids: Ids = (),
) -> bool:
    """Find the hands in images and videos, and estimate them in 3D.

    $ latent-hands estimate photo.jpg
    $ latent-hands estimate photos/ clip.mp4 --bone-mm 44 --formats json csv coco
    $ latent-hands estimate photos/ --boxes labels.csv --focal-px 1100
    $ latent-hands estimate hand.jpg --box 40,25,128,128 --handedness left --run runs/mine
    $ latent-hands estimate --camera 0 --out runs/webcam
    $ latent-hands estimate --data rhd --root RHD_published_v2 --ids 0 1 2

    Output: a table, and in the folder of --out NAME.json, the hands of an image, and NAME.png, the hands
    drawn over the image. For a video or a camera: NAME.jsonl (one line per frame), NAME.npz and NAME.mp4.
    docs/outputs.md describes all formats.

    Most used: --bone-mm gives the size of the hand, which a photograph does not show; --zoom 2 also finds
    small hands; --out and --formats choose the files.

    The detector finds the hands and the model decides their sides, unless you give them. In the table,
    "distance mm" is the distance of the palm from the camera and its standard deviation, "spread mm" is the
    mean standard deviation of the joints over draws, and "confidence" is the expected share of joints within
    30 mm.

    With --data, the labels give handedness, bone length, box and camera, and the table shows the error.

    The exit code is 1 if an image has no hand, or if a broken image was skipped.

    Args:
        images: Images, folders of images, videos, or camera:0. The first argument may be a run, as with
            --run.
        box: Box of a hand: the smallest rectangle around its joints, in pixels from the upper left corner.
        boxes: Boxes, and optionally sides, of all images: a CSV file with the columns
            file,x,y,width,height[,handedness], COCO annotations (.json), or a folder of YOLO text files.
        detector: A detector that `latent-hands detector train` wrote.
        draws: Number of draws from the posterior for spreads, sides and confidence: 0, or 2 to 1000.
        camera: Read a camera until Ctrl-C, by its number (0 is the first one) or its name.
        smooth: Smoothing of the hands of a video: with the frames so far (online), with all frames (offline),
            or none.
        limit: Use only the first N images, or frames of each video.
        out: The folder of the outputs.
        formats: Files to write. json: one file per image. csv, npz: all hands in one file. coco: a data set.
        overlays: Do not write NAME.png and NAME.mp4, which is faster.
        panels: Also draw the 3D hands beside the image.
        angles: Also write the joint angles in degrees (docs/joint_angles.md), about 0.2 s per hand.
    """
    with quick_imports():
        from latent_hands.cli.estimate_images import estimate_images
        from latent_hands.cli.estimate_inputs import (
            Given,
            inputs_of_samples,
            split_inputs,
            split_run,
            with_boxes,
        )
        from latent_hands.cli.estimate_outputs import Outputs
        from latent_hands.cli.estimate_tables import report
        from latent_hands.cli.estimate_videos import estimate_videos
        from latent_hands.cli.sources import check_outputs, check_unnamed, find_samples
        from latent_hands.predictor import Model

    run, images = split_run(run, images)
    named = (*images, *([] if camera is None else [f"camera:{camera}"]))
    if bool(named) == (data is not None):
        raise HandsError("give images, videos or a camera, or --data NAME --root DIR --ids ID ...")
    given = Given.typed(
        handedness, box, boxes, bone_mm, focal_px, rotations, draws, smooth, angles, max_hands, zoom
    )
    outputs, broken = Outputs(out, formats, overlays, panels), list[HandsError]()
    check_unnamed(data, root=root, split=split, ids=" ".join(ids) or None)
    if ids and limit is not None:
        raise HandsError(f"--limit is {limit}, but --ids choose the images: leave one of them out")
    if data is None:
        inputs, videos = split_inputs(named, limit, broken.append)
        inputs = with_boxes(inputs, boxes)
        given.check_zoom(inputs, videos)
    else:
        given.refuse_labels()
        count = 8 if limit is None else limit
        samples = find_samples(data, root, split or "evaluation", ids, count)
        inputs, videos = inputs_of_samples(samples), []
    given.check_smooth(videos)
    check_outputs([*outputs.inputs(inputs, videos)], outputs.samples(inputs), outputs.paths(inputs, videos))
    model = Model.load(run)
    if detector is not None:
        model.detector = model.load_detector(detector)
    done = estimate_images(model, inputs, given, outputs, broken.append)
    recorded = estimate_videos(model, videos, given, outputs, limit, broken.append)
    hint = (
        "For small hands, try --zoom 2." if zoom == 1 and boxes is None and not box and data is None else ""
    )
    return report(done, recorded, outputs, broken, json, hint)
