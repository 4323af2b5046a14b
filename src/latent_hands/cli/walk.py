"""The command walk."""

from functools import partial
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from latent_hands.cli.options import (
    Cropped,
    DataSplit,
    OptionalData,
    OptionalHandedness,
    OptionalRoot,
    Run,
    unset,
)
from latent_hands.cli.quick_imports import quick_imports
from latent_hands.errors import HandsError


def walk(
    run: Run,
    start: Annotated[str, arg(metavar="A")],
    end: Annotated[str, arg(metavar="B")],
    factor: Annotated[str | None, unset("none, with --rotate", "F")] = None,
    rotate: bool = False,
    steps: Annotated[int, arg(metavar="N")] = 8,
    handedness: OptionalHandedness = None,
    cropped: Cropped = False,
    out: Annotated[Path, arg(metavar="PATH")] = Path("runs/synthesis/walk"),
    data: OptionalData = None,
    root: OptionalRoot = None,
    split: DataSplit = None,
) -> None:
    """Interpolate a factor between two images (Fig. 4 of the paper), or rotate a hand.

    $ latent-hands walk synthesis --factor pose --start a.png --end b.png
    $ latent-hands walk synthesis --factor content --start 0 --end 5 --data rendered --root hands --steps 10
    $ latent-hands walk synthesis --rotate --start 0 --end 5 --data rendered --root hands

    Output: PATH.png, a row of images, and PATH.gif, an animation. Only the chosen factor changes; all others
    are those of A.

    A factor changes on a straight line in the latent. With --rotate, the hand of A rotates to the viewpoint
    of B in equal angular steps, and each viewpoint is encoded. Its canonical pose does not change.

    The model `estimation` finds the hand of an image file. The shipped models learned mostly from rendered
    images, so they only approximate photographs. An unknown factor is an error that names the factors of
    the run.

    Args:
        start: A photograph of a hand, or with --data the number or name of an image.
        end: A photograph of a hand, or with --data the number or name of an image; with --rotate also the
            JSON of a hand.
        factor: A factor of the run, or `pose`, or `content`.
        rotate: Rotate the hand of A to the viewpoint of B, instead of --factor.
        steps: Number of images in the row.
        out: The path of the outputs, without ending.
    """
    with quick_imports():
        from latent_hands import draw
        from latent_hands.cli.sources import open_sources, samples_of
        from latent_hands.predictor import Model
        from latent_hands.studies.gallery import walk_frames, walk_row

    if rotate == (factor is not None):
        raise HandsError("give either --factor F or --rotate")
    if not out.name:
        raise HandsError(f"out is {out}; it must be the path of a file without its ending, such as runs/walk")
    model, texts = Model.load(run), [start, end]
    samples = samples_of(data, root, split, texts)
    name = out.name.removesuffix(".png").removesuffix(".gif")
    png, gif = (out.with_name(f"{name}.{ending}") for ending in ("png", "gif"))
    sources = open_sources(model, texts, samples, [png, gif], handedness, cropped)
    first, last = sources.image(start), (sources.pose if rotate else sources.image)(end)
    moved = partial(model.walk, factor) if factor is not None else model.rotate
    draw.save_image(walk_row(moved(first, last, steps), first, last), png)
    draw.save_gif(walk_frames(moved(first, last, 2 * steps)), gif)
    print(f"{png} and .gif")
