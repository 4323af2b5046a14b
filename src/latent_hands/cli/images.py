"""Commands on images: estimate, synthesise, transfer, walk."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from latent_hands.cli.options import (
    BoneMm,
    BoxText,
    DataName,
    HandSide,
    Ids,
    Json,
    Reads,
    Root,
    Run,
    Split,
    ToldSide,
)
from latent_hands.errors import HandsError


def estimate(
    run: Run,
    images: Annotated[tuple[Path, ...], Positional, arg(metavar="IMAGE ...")] = (),
    hand: ToldSide = None,
    bone_mm: BoneMm = None,
    box: BoxText = None,
    focal: Annotated[float | None, arg(metavar="PX")] = None,
    rotations: int = 1,
    draws: Annotated[int, arg(metavar="N")] = 0,
    out: Path = Path("runs/estimates"),
    overlays: Annotated[bool, arg(help_behavior_hint="")] = True,
    json: Json = False,
    data: DataName = None,
    root: Root = None,
    split: Split = "evaluation",
    ids: Ids = (),
) -> bool:
    """Estimate the 3D hands in images: millimetres as JSON, and images to look at.

    $ latent-hands estimate estimation hand.jpg --hand left --box 40,25,128,128
    $ latent-hands estimate runs/mine photos/ --hand right --bone-mm 44 --rotations 8
    $ latent-hands estimate estimation clip.mp4 --hand right --focal 1100 --no-overlays
    $ latent-hands estimate estimation --data rhd --root RHD_published_v2 --ids 0 1 2

    With --data side, bone and box come from the labels, and the error is told. A broken image is skipped
    and named; the exit code is then 1. In the table, "reach mm" is how far the farthest joint is from the
    palm (of an open hand about 3.5 times the bone), "spread mm" that of the samples, the mean over the
    joints. Where the hand is drawn over the image the box decides: no place is measured.

    Args:
        images: Images of one hand each, folders of them, or videos.
        focal: The camera's focal length, pixels of the whole image, its axis in the middle: the answer is
            then in the camera's frame [unknown: in that of the ray through the hand].
        rotations: Average the estimates of so many turned crops.
        draws: Also draw so many hands from the posterior and tell their spread; `estimation` errs as far on
            rendered hands, on photographs 1.6 times as far (docs/assess.md).
        out: Where NAME.json and NAME.png go, for every image.
        overlays: Leave out NAME.png: numbers alone, which is faster.
    """
    from latent_hands.cli.estimating import Told, estimate_all, given_images, given_samples
    from latent_hands.cli.sources import check_outputs, find_samples
    from latent_hands.cli.tables import hands_table
    from latent_hands.predictor import Model

    if bool(images) == (data is not None):
        raise HandsError("give either images or --data NAME --root DIR --ids N ...")
    told, broken = Told(hand, box, bone_mm, focal), list[HandsError]()
    if data is None:
        given = given_images(images, told, broken.append)
    else:
        told.refuse()
        given = given_samples(find_samples(data, root, split, ids, limit=8))
    outputs = [out / f"{each.name}.{kind}" for each in given for kind in ("json", "png")]
    check_outputs((each.image for each in given), (each.labelled for each in given if each.labelled), outputs)
    look = partial(Model.load(run).estimate, rotations=rotations, draws=draws)
    found = estimate_all(given, look, out, overlays, broken.append)
    if not found:
        raise broken[0]
    if json:
        print("[" + ",\n".join(each.to_json() for each in found) + "]")
    else:
        hands_table(found)
        print(f"{len(found)} x JSON {'and image ' if overlays else ''}in {out}")
    for error in broken:
        print(f"latent-hands: skipped: {' '.join(str(error).split())}", file=sys.stderr)
    return not broken


def synthesise(
    run: Run,
    pose: Annotated[str, arg(metavar="A")],
    content: Annotated[str, arg(metavar="B")],
    hand: HandSide = "left",
    out: Path = Path("runs/synthesis/image.png"),
    data: DataName = None,
    root: Root = None,
    split: Split = "evaluation",
    reads: Reads = None,
) -> None:
    """Make one image: the hand's pose from A, the scene (skin, light, background) from B.

    $ latent-hands synthesise synthesis --pose a.png --content b.png
    $ latent-hands synthesise synthesis --pose runs/estimates/hand.json --content b.png --out new.png
    $ latent-hands synthesise synthesis --pose 3 --content 17 --data rendered --root hands

    The shipped synthesis model knows rendered images alone: of a photograph take the pose with `estimate`
    and give it as --pose hand.json.

    Args:
        pose: An image, a hand's JSON as estimate writes it, or with --data a number or name.
        content: An image, or with --data a number or name.
        out: The image to write.
    """
    from latent_hands import draw
    from latent_hands.cli.sources import check_outputs, open_source, samples_of, what_is_read
    from latent_hands.predictor import Model

    model = Model.load(run)
    samples = samples_of(data, root, split, [pose, content])
    check_outputs([pose, content], samples, [out])
    kind = what_is_read(reads, samples, model)
    crop = model.experiment.data.crop
    wanted = open_source(pose, hand, samples, crop)
    scene = open_source(content, hand, samples, crop, kind == "tag")
    draw.save_image(model.synthesise(wanted, scene, kind), out)
    print(out)


def transfer(
    run: Run,
    poses: Annotated[tuple[str, ...], arg(metavar="A ...")] = (),
    contents: Annotated[tuple[str, ...], arg(metavar="B ...")] = (),
    hand: HandSide = "left",
    out: Path = Path("runs/synthesis/transfer.png"),
    data: DataName = None,
    root: Root = None,
    split: Split = "evaluation",
    reads: Reads = None,
) -> None:
    """Every pose in every scene: a grid as in Fig. 6 of the paper.

    $ latent-hands transfer synthesis --poses a.png b.png --contents c.png d.png
    $ latent-hands transfer synthesis --poses 0 9 13 --contents 4 8 --data rendered --root hands
    $ latent-hands transfer synthesis --data rendered --root hands

    The shipped synthesis model knows rendered images alone: of a photograph take the pose with `estimate`
    and give it as --poses hand.json.

    Args:
        poses: Rows: images, JSON of hands, or with --data numbers or names [4, evenly spaced].
        contents: Columns: images, or with --data numbers or names [5, evenly spaced].
        out: The image to write.
    """
    from latent_hands import draw
    from latent_hands.cli.sources import check_outputs, open_source, samples_of, spread, what_is_read
    from latent_hands.predictor import Model
    from latent_hands.studies.gallery import transfer_grid

    model = Model.load(run)
    samples = samples_of(data, root, split, [*poses, *contents] if poses and contents else [])
    check_outputs([*poses, *contents], samples, [out])
    kind = what_is_read(reads, samples, model)
    crop, tags = model.experiment.data.crop, kind == "tag"
    rows = [open_source(text, hand, samples, crop) for text in poses or spread(samples, 4, 1)]
    columns = [open_source(text, hand, samples, crop, tags) for text in contents or spread(samples, 5)]
    draw.save_image(transfer_grid(model, rows, columns, kind), out)
    print(out)


def walk(
    run: Run,
    factor: Annotated[str, arg(metavar="F")],
    start: Annotated[str, arg(name="from", metavar="A")],
    end: Annotated[str, arg(name="to", metavar="B")],
    steps: int = 8,
    hand: HandSide = "left",
    out: Path = Path("runs/synthesis/walk"),
    data: DataName = None,
    root: Root = None,
    split: Split = "evaluation",
) -> None:
    """Walk from one image to another along one factor: a row as in Fig. 4 of the paper, and a GIF.

    $ latent-hands walk synthesis --factor pose --from a.png --to b.png
    $ latent-hands walk synthesis --factor content --from 0 --to 5 --data rendered --root hands --steps 10

    The shipped synthesis model knows rendered images alone, so walks between photographs say little. Poses
    of photographs are read by `estimate` and shown in a scene by `synthesise --pose hand.json`.

    Args:
        factor: A factor of the run by its name, or pose, or content.
        start: An image, or with --data a number or name.
        end: An image, or with --data a number or name.
        steps: Images in the row.
        out: Path of the row without its ending: .png and .gif are written.
    """
    from latent_hands import draw
    from latent_hands.cli.sources import check_outputs, open_source, samples_of
    from latent_hands.predictor import Model
    from latent_hands.studies.gallery import walk_frames, walk_row

    model = Model.load(run)
    samples = samples_of(data, root, split, [start, end])
    written = {ending: out.with_suffix(f".{ending}") for ending in ("png", "gif")}
    check_outputs([start, end], samples, written.values())
    crop = model.experiment.data.crop
    first, last = (open_source(text, hand, samples, crop) for text in (start, end))
    row = walk_row(model.walk(factor, first, last, steps), first, last)
    draw.save_image(row, written["png"])
    draw.save_gif(walk_frames(model.walk(factor, first, last, 2 * steps)), written["gif"])
    print(f"{written['png']} and .gif")
