"""All hands of each image, and the images without hands: what the training of a detector reads."""

from collections.abc import Iterable
from pathlib import Path

from latent_hands.data.readers.rhd import split_folder
from latent_hands.data.sample import Sample


def images_of(root: str | Path, split: str) -> list[Path]:
    """Return all images of a split in RHD's layout, with and without hands, in order of their names.

    Raises HandsError if the split is unknown or the folder is in another layout.
    """
    return sorted((split_folder(root, split) / "color").glob("*.png"))


def hands_by_image(samples: Iterable[Sample], images: Iterable[Path] = ()) -> dict[Path, list[Sample]]:
    """Return the samples of each image, in the order of `images` and then of the samples.

    Args:
        samples: Hands, as the data sets `rhd-hands`, `rendered-hands` and `coco` give them.
        images: Images to list even if they have no hand; their lists are empty.
    """
    hands: dict[Path, list[Sample]] = {image: [] for image in images}
    for sample in samples:
        hands.setdefault(sample.image, []).append(sample)
    return hands
