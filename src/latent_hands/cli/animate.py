"""The command animate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from latent_hands.cli.estimate import RunOption, Smooth
from latent_hands.cli.options import BoneMm, FocalPx, Json, MaxHands, OptionalHandedness, Zoom, unset
from latent_hands.errors import HandsError, counted

if TYPE_CHECKING:
    from latent_hands.animation import Clip

ENDINGS = (".glb", ".bvh", ".npz")


def animate(
    clip: Annotated[str, Positional, arg(metavar="CLIP")],
    out: Annotated[Path, Positional, arg(metavar="OUT")],
    run: RunOption = None,
    handedness: OptionalHandedness = None,
    bone_mm: BoneMm = None,
    focal_px: FocalPx = None,
    max_hands: MaxHands = None,
    zoom: Zoom = 1,
    smooth: Smooth = None,
    fps: Annotated[float | None, unset("that of CLIP, or 30", "F")] = None,
    min_frames: Annotated[int, arg(metavar="N")] = 1,
    limit: Annotated[int | None, unset("all", "N")] = None,
    json: Json = False,
) -> None:
    """Animate a hand mesh by a video or an image, for Blender and robot hands.

    $ latent-hands animate clip.mp4 hands.glb
    $ latent-hands animate photo.jpg hand.glb
    $ latent-hands estimate clip.mp4 --out results
    $ latent-hands animate results/clip.jsonl hands.bvh --min-frames 10

    Output: OUT, whose ending names its format, and a table of the hands with their fit errors.

    * .glb: skinned meshes with animations, for Blender, game engines and web pages (glTF 2.0).
    * .bvh: motion capture. With several hands, one file each: OUT_left_0.bvh, OUT_right_1.bvh.
    * .npz: joints in metres and angles in degrees, for robot hands.

    The arm is cut behind the wrist. Sizes are right if the length of a bone is given with --bone-mm. A hand
    that is absent for up to half a second is interpolated. Longer, it is hidden (.glb), rests (.bvh), or is
    marked as absent (.npz). The documentation has recipes: docs/animation.md.

    Args:
        clip: A video, an image, or the .json, .jsonl or .npz of hands that `latent-hands estimate` wrote.
        out: The file to write: .glb, .bvh or .npz.
        smooth: Smoothing of the hands of a video.
        fps: Frames per second, instead of the times of the frames.
        min_frames: Leave out hands with fewer frames.
        limit: Use only the first N frames.
    """
    from latent_hands.animation import clip_of
    from latent_hands.cli.estimate_inputs import Given
    from latent_hands.cli.tables import print_json, print_table
    from latent_hands.data.readers.reading import check_limit

    if out.suffix not in ENDINGS:
        raise HandsError(f"{out} does not end in {', '.join(ENDINGS)}; the ending names the format")
    check_limit(limit)
    if out.resolve() == Path(clip).resolve():
        raise HandsError(f"{out} is the input and would be overwritten; give another OUT")
    given = Given.typed(handedness, (), None, bone_mm, focal_px, 1, 16, smooth, False, max_hands, zoom)
    images = hands_of_clip(clip, run, given, limit)
    found = clip_of(images, fps, min_frames)
    written = write_clip(out, found)
    if json:
        print_json({"out": [str(path) for path in written], "hands": summary(found)})
        return
    rows = [[each["name"], f"{each['frames']}", f"{each['fit_error_mm']:.1f} mm"] for each in summary(found)]
    title = f"{', '.join(map(str, written))}: {counted(len(found.seconds), 'frame')}, {found.duration:.2f} s"
    print_table(["hand", "frames", "fit error"], rows, title)


def hands_of_clip(clip: str, run: str | None, given: Any, limit: int | None) -> list[Any]:
    """Return the images of a clip with their hands, read from predictions or estimated.

    Raises HandsError for a path that is no file, and for options of an estimation beside predictions.
    """
    from latent_hands.predictions import read_images

    path = Path(clip)
    if path.suffix not in (".json", ".jsonl", ".npz"):
        return _estimated(clip, run, given, limit)
    options = {
        "--run": run,
        "--handedness": given.handedness,
        "--bone-mm": given.bone_mm,
        "--focal-px": given.focal_px,
        "--max-hands": given.max_hands,
        "--zoom": None if given.zoom == 1 else given.zoom,
        "--smooth": given.smooth,
    }
    for option, value in options.items():
        if value is not None:
            raise HandsError(
                f"{option} is {value}, but {path} has estimates; give the video to estimate again"
            )
    return read_images(path)[:limit]


def write_clip(out: Path, clip: "Clip") -> list[Path]:
    """Write a clip in the format that the ending of `out` names. Return the files."""
    from latent_hands.animation import write_bvh, write_glb, write_joints

    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".glb":
        return [write_glb(out, clip.hands, clip.duration, clip.gltf_camera())]
    if out.suffix == ".npz":
        return [write_joints(out, clip)]
    times, frame_seconds = clip.even_times()
    several = len(clip.hands) > 1
    return [
        write_bvh(out.with_stem(f"{out.stem}_{hand.name}") if several else out, hand.at(times), frame_seconds)
        for hand in clip.hands
    ]


def summary(clip: "Clip") -> list[dict[str, Any]]:
    """Return name, number of frames and fit error of each hand."""
    return [
        {"name": hand.name, "frames": len(hand.seconds), "fit_error_mm": error}
        for hand, error in zip(clip.hands, clip.errors_mm, strict=True)
    ]


def _estimated(clip: str, run: str | None, given: Any, limit: int | None) -> list[Any]:
    """Return the images of a video, or the one image, with their estimated hands."""
    from collections import deque
    from itertools import islice
    from threading import Event

    from latent_hands.cli.estimate_images import find_hands
    from latent_hands.cli.estimate_inputs import DEFAULT_RUN, split_inputs
    from latent_hands.cli.estimate_videos import Read, follow, image_of, reading
    from latent_hands.predictions import ImageHands
    from latent_hands.predictor import Model
    from latent_hands.predictor.checks import opened
    from latent_hands.progress import progress_bars

    def refuse(error: HandsError) -> None:
        raise error

    inputs, videos = split_inputs([clip], None, refuse)
    if len(inputs) + len(videos) != 1:
        raise HandsError(
            f"{clip} has {len(inputs)} images; give one image or a video, or the .npz of their hands"
        )
    given.check_smooth(videos)
    model = Model.load(run or DEFAULT_RUN)
    if inputs:
        image = opened(inputs[0].image)
        hands = tuple(find_hands(model, image, inputs[0], given))
        size_px = image.rgb.shape[1], image.rgb.shape[0]
        return [ImageHands(inputs[0].name, size_px, hands, inputs[0].image)]
    [video], read, images = videos, deque[Read](), []
    with progress_bars() as progress:
        frames = islice(reading(video, read, Event(), lambda n: progress("frames", n, None)), limit)
        for number, hands in enumerate(follow(model, frames, given, "offline")):
            images.append(image_of(video, number, read.popleft(), hands))
    return images
