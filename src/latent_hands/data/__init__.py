"""Data sets as lists of samples: one file a set, one line in READERS."""

from collections.abc import Callable
from pathlib import Path

from latent_hands.data.images import read_images
from latent_hands.data.rendered import read_rendered
from latent_hands.data.rhd import read_rhd
from latent_hands.data.sample import Sample, read_rgb
from latent_hands.data.store import is_store
from latent_hands.errors import HandsError, did_you_mean

READERS: dict[str, Callable[[Path, str, int | None], list[Sample]]] = {
    "rhd": lambda root, split, limit: read_rhd(root, split, limit=limit),
    "rendered": lambda root, split, limit: read_rendered(root, split, limit),
    "images": lambda root, split, limit: read_images(root, limit),
}
"""Data set name -> reader of (root, split, limit)."""

__all__ = ["READERS", "Sample", "open_data", "read_images", "read_rendered", "read_rgb", "read_rhd"]


def open_data(name: str, root: str | Path, split: str, limit: int | None = None) -> list[Sample]:
    """Read a split ("training" or "evaluation") of a named data set; ``limit`` keeps the first so many.

    A folder of ``images`` has no splits. Raises HandsError for an unknown name, for a packed store, which has
    no pictures, and as the set's reader does.
    """
    if name not in READERS:
        raise HandsError(f'unknown data set "{name}"; {did_you_mean(name, READERS)}')
    if is_store(root):
        raise HandsError(f"{root} is a packed store: it holds windows; give the folder of the pictures")
    return READERS[name](Path(root), split, limit)
