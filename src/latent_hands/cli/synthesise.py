"""The command synthesise."""

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
)
from latent_hands.cli.quick_imports import quick_imports


def synthesise(
    run: Run,
    pose: Annotated[str, arg(metavar="A")],
    content: Annotated[str, arg(metavar="B")],
    out: Annotated[Path, arg(metavar="FILE")] = Path("runs/synthesis/image.png"),
    handedness: OptionalHandedness = None,
    cropped: Cropped = False,
    data: OptionalData = None,
    root: OptionalRoot = None,
    split: DataSplit = None,
    content_reads: ContentReads = None,
) -> None:
    """Generate an image with the hand pose of A and the scene of B.

    $ latent-hands synthesise synthesis --pose a.png --content b.png
    $ latent-hands synthesise synthesis --pose runs/estimates/hand.json --content b.png --out new.png
    $ latent-hands synthesise synthesis --pose 3 --content 17 --data rendered --root hands

    Output: the image, a file.

    The model `estimation` finds the hand of an image file, and estimates the pose of A. The generated hand is
    a left one: mirror the image for a right hand. A run without a decoder of images is an error.

    Args:
        pose: A photograph of a hand, the JSON of a hand that `latent-hands estimate` wrote, or with --data
            the number or the name of an image.
        content: A photograph of a hand, or with --data the number or name of an image.
        out: The image to write.
    """
    with quick_imports():
        from latent_hands import draw
        from latent_hands.cli.sources import open_sources, samples_of
        from latent_hands.predictor import Model

    model, texts = Model.load(run), [pose, content]
    model.factors_of("rgb")
    samples = samples_of(data, root, split, texts)
    sources = open_sources(model, texts, samples, [out], handedness, cropped, content_reads)
    image = model.synthesise(sources.pose(pose), sources.content(content), sources.content_reads)
    draw.save_image(image, out)
    print(out)
