"""The command walk."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from latent_hands.cli.options import Handedness, OptionalData, OptionalRoot, Run, Split


def walk(
    run: Run,
    factor: Annotated[str, arg(metavar="F")],
    start: Annotated[str, arg(metavar="A")],
    end: Annotated[str, arg(metavar="B")],
    steps: Annotated[int, arg(metavar="N")] = 8,
    handedness: Handedness = "left",
    out: Annotated[Path, arg(metavar="PATH")] = Path("runs/synthesis/walk"),
    data: OptionalData = None,
    root: OptionalRoot = None,
    split: Split = "evaluation",
) -> None:
    """Interpolate one factor between two images, as in Fig. 4 of the paper.

    $ latent-hands walk synthesis --factor pose --start a.png --end b.png
    $ latent-hands walk synthesis --factor content --start 0 --end 5 --data rendered --root hands --steps 10

    Output: PATH.png, a row of images, and PATH.gif, an animation. Only the chosen factor changes; all others
    are those of A.

    The shipped synthesis model was trained on rendered images, so walks between photographs show little. An
    unknown factor is an error that names the factors of the run.

    Args:
        factor: A factor of the run, or `pose`, or `content`.
        start: An image, or with --data the number or name of an image.
        end: An image, or with --data the number or name of an image.
        steps: Number of images in the row.
        out: The output without its ending.
    """
    from latent_hands import draw
    from latent_hands.cli.sources import open_sources, samples_of
    from latent_hands.predictor import Model
    from latent_hands.studies.gallery import walk_frames, walk_row

    model, texts = Model.load(run), [start, end]
    samples = samples_of(data, root, split, texts)
    png, gif = (out.with_suffix(f".{ending}") for ending in ("png", "gif"))
    sources = open_sources(model, handedness, texts, samples, [png, gif])
    first, last = map(sources.pose, texts)
    draw.save_image(walk_row(model.walk(factor, first, last, steps), first, last), png)
    draw.save_gif(walk_frames(model.walk(factor, first, last, 2 * steps)), gif)
    print(f"{png} and .gif")
