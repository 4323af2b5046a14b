"""Commands on pictures: estimate, synthesise, transfer, walk."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from latent_hands.cli.options import BoneMm, BoxText, DataName, HandSide, Ids, Json, Reads, Root, Run, Split
from latent_hands.errors import HandsError


def estimate(
    run: Run,
    images: Annotated[tuple[Path, ...], Positional, arg(metavar="IMAGE ...")] = (),
    hand: HandSide = "left",
    bone_mm: BoneMm = None,
    box: BoxText = None,
    rotations: int = 1,
    out: Path = Path("runs/estimates"),
    json: Json = False,
    data: DataName = None,
    root: Root = None,
    split: Split = "evaluation",
    ids: Ids = (),
) -> None:
    """Estimate the 3D hands in pictures: millimetres as JSON, and pictures to look at.

    $ latent-hands estimate estimation hand.jpg --hand left --box 40,25,128,128
    $ latent-hands estimate runs/mine photos/ --hand right --bone-mm 44 --rotations 8
    $ latent-hands estimate estimation --data rhd --root RHD_published_v2 --ids 0 1 2

    With --data side, bone and box come from the labels, and the error is told.

    Args:
        images: Pictures of one hand each, folders of them, or videos.
        rotations: Average the estimates of so many turned crops.
        out: Where NAME.json and NAME.png go, for every picture.
    """
    from latent_hands.cli.sources import check_outputs, find_samples, name_files, parse_box, write_estimate
    from latent_hands.cli.tables import hands_table
    from latent_hands.data import read_images
    from latent_hands.gallery import error_mm
    from latent_hands.predictor import Model, Photo, photo_of

    if bool(images) == (data is not None):
        raise HandsError("give either pictures or --data NAME --root DIR --ids N ...")
    samples = find_samples(data, root, split, ids, limit=8) if data else []
    files = {} if data else name_files(sample.image for sample in read_images(images))
    names = [*files, *(sample.name for sample in samples)]
    check_outputs(files.values(), samples, [out / f"{n}.{kind}" for n in names for kind in ("json", "png")])
    given = {n: Photo.open(file, hand, parse_box(box), None, bone_mm) for n, file in files.items()}
    photos = given | {sample.name: photo_of(sample) for sample in samples}
    model = Model.load(run)
    hands = {name: model.estimate(photo, rotations=rotations) for name, photo in photos.items()}
    labelled = {sample.name: sample for sample in samples}
    for name, found in hands.items():
        write_estimate(out / name, photos[name], found, labelled.get(name))
    if json:
        print("[" + ",\n".join(found.to_json() for found in hands.values()) + "]")
        return
    hands_table(hands, {name: error_mm(hands[name], sample) for name, sample in labelled.items()})
    print(f"{len(hands)} x JSON and picture in {out}")


def synthesise(
    run: Run,
    pose: Annotated[str, arg(metavar="A")],
    content: Annotated[str, arg(metavar="B")],
    hand: HandSide = "left",
    out: Path = Path("runs/synthesis/picture.png"),
    data: DataName = None,
    root: Root = None,
    split: Split = "evaluation",
    reads: Reads = None,
) -> None:
    """Make one picture: the hand's pose from A, the scene (skin, light, background) from B.

    $ latent-hands synthesise synthesis --pose a.png --content b.png
    $ latent-hands synthesise synthesis --pose runs/estimates/hand.json --content b.png --out new.png
    $ latent-hands synthesise synthesis --pose 3 --content 17 --data rendered --root hands

    Args:
        pose: A picture, a hand's JSON as estimate writes it, or with --data a number or name.
        content: A picture, or with --data a number or name.
        out: The picture to write.
    """
    from latent_hands import draw
    from latent_hands.cli.sources import check_outputs, open_source, samples_of, what_is_read
    from latent_hands.predictor import Model

    model = Model.load(run)
    samples = samples_of(data, root, split, [pose, content])
    check_outputs([pose, content], samples, [out])
    kind = what_is_read(reads, samples, model)
    wanted, scene = open_source(pose, hand, samples), open_source(content, hand, samples, kind == "tag")
    draw.save_picture(model.synthesise(wanted, scene, kind), out)
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

    Args:
        poses: Rows: pictures, JSON of hands, or with --data numbers or names [4, evenly spaced].
        contents: Columns: pictures, or with --data numbers or names [5, evenly spaced].
        out: The picture to write.
    """
    from latent_hands import draw
    from latent_hands.cli.sources import check_outputs, open_source, samples_of, spread, what_is_read
    from latent_hands.gallery import transfer_grid
    from latent_hands.predictor import Model

    model = Model.load(run)
    samples = samples_of(data, root, split, [*poses, *contents] if poses and contents else [])
    check_outputs([*poses, *contents], samples, [out])
    kind = what_is_read(reads, samples, model)
    rows = [open_source(text, hand, samples) for text in poses or spread(samples, 4, 1)]
    columns = [open_source(text, hand, samples, kind == "tag") for text in contents or spread(samples, 5)]
    draw.save_picture(transfer_grid(model, rows, columns, kind), out)
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
    """Walk from one picture to another along one factor: a row as in Fig. 4 of the paper, and a GIF.

    $ latent-hands walk synthesis --factor pose --from a.png --to b.png
    $ latent-hands walk synthesis --factor content --from 0 --to 5 --data rendered --root hands --steps 10

    Args:
        factor: A factor of the run by its name, or pose, or content.
        start: A picture, or with --data a number or name.
        end: A picture, or with --data a number or name.
        steps: Pictures in the row.
        out: Path of the row without its ending: .png and .gif are written.
    """
    from latent_hands import draw
    from latent_hands.cli.sources import check_outputs, open_source, samples_of
    from latent_hands.gallery import walk_frames, walk_row
    from latent_hands.predictor import Model

    model = Model.load(run)
    samples = samples_of(data, root, split, [start, end])
    written = {ending: out.with_suffix(f".{ending}") for ending in ("png", "gif")}
    check_outputs([start, end], samples, written.values())
    first, last = (open_source(text, hand, samples) for text in (start, end))
    row = walk_row(model.walk(factor, first, last, steps), first, last)
    draw.save_picture(row, written["png"])
    draw.save_gif(walk_frames(model.walk(factor, first, last, 2 * steps)), written["gif"])
    print(f"{written['png']} and .gif")
