"""The command transfer."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from latent_hands.cli.options import (
    ContentReads,
    Cropped,
    DataSplit,
    OptionalData,
    OptionalHandedness,
    OptionalRoot,
    Run,
    unset,
)
from latent_hands.cli.quick_imports import quick_imports


def transfer(
    run: Run,
    poses: Annotated[tuple[str, ...], unset("4 images of --data", "A ...")] = (),
    contents: Annotated[tuple[str, ...], unset("5 images of --data", "B ...")] = (),
    handedness: OptionalHandedness = None,
    cropped: Cropped = False,
    out: Annotated[Path, arg(metavar="FILE")] = Path("runs/synthesis/transfer.png"),
    data: OptionalData = None,
    root: OptionalRoot = None,
    split: DataSplit = None,
    content_reads: ContentReads = None,
) -> None:
    """Generate a grid of images, every pose in every scene, as in Fig. 6 of the paper.

    $ latent-hands transfer synthesis --poses a.png b.png --contents c.png d.png
    $ latent-hands transfer synthesis --poses 0 9 13 --contents 4 8 --data rendered --root hands
    $ latent-hands transfer synthesis --data rendered --root hands

    Output: one image. The first column gives the poses, the second shows them as 3D skeletons, and the first
    row gives the scenes.

    The model `estimation` finds the hands of image files, and estimates the poses of the rows. Generated
    hands are left ones. A run without a decoder of images is an error.

    Args:
        poses: Rows: photographs of hands, JSON of hands, or with --data numbers or names of images.
        contents: Columns: photographs of hands, or with --data numbers or names of images.
        out: The image to write.
    """
    with quick_imports():
        from latent_hands import draw
        from latent_hands.cli.sources import evenly_spaced, open_sources, samples_of
        from latent_hands.predictor import Model
        from latent_hands.studies.gallery import transfer_grid

    model, texts = Model.load(run), [*poses, *contents]
    model.factors_of("rgb")
    samples = samples_of(data, root, split, texts if poses and contents else [])
    sources = open_sources(model, texts, samples, [out], handedness, cropped, content_reads)
    chosen = poses or evenly_spaced(samples, 4, 1)
    rows, shown = map(sources.pose, chosen), map(sources.image, chosen)
    columns = [sources.content(text) for text in contents or evenly_spaced(samples, 5)]
    draw.save_image(transfer_grid(model, [*rows], columns, sources.content_reads, [*shown]), out)
    print(out)
