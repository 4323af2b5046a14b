"""Data sets as lists of samples: one file a set, one line in READERS."""

from collections.abc import Callable
from pathlib import Path

from latent_hands.data.counterfactual import Counterfactuals, read_counterfactual
from latent_hands.data.images import read_images
from latent_hands.data.rendered import read_rendered
from latent_hands.data.rhd import read_rhd
from latent_hands.data.sample import Sample, read_rgb
from latent_hands.errors import HandsError, did_you_mean

READERS: dict[str, Callable[[Path, str, int | None], list[Sample]]] = {
    "rhd": lambda root, split, limit: read_rhd(root, split, limit=limit),
    "rendered": lambda root, split, limit: read_rendered(root, split, limit),
    "images": lambda root, split, limit: read_images(root, limit),
}
"""Data set name -> reader of (root, split, limit)."""

__all__ = [
    "READERS",
    "Counterfactuals",
    "Sample",
    "open_data",
    "read_counterfactual",
    "read_images",
    "read_rendered",
    "read_rgb",
    "read_rhd",
]


def open_data(name: str, root: str | Path, split: str, limit: int | None = None) -> list[Sample]:
    """Read a split ("training" or "evaluation") of a named data set; ``limit`` keeps the first so many.

    A folder of ``images`` has no splits. Raises HandsError for an unknown name and as the set's reader does.
    """
    if name not in READERS:
        raise HandsError(f'unknown data set "{name}"; {did_you_mean(name, READERS)}')
    return READERS[name](Path(root), split, limit)
