"""Data sets as lists of samples: one file a set, one line in READERS for it and for each of its variants."""

from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from latent_hands.data.coco import read_coco
from latent_hands.data.counterfactual import Counterfactuals, read_counterfactual
from latent_hands.data.freihand import read_freihand
from latent_hands.data.ge2019 import read_ge2019
from latent_hands.data.images import list_images, read_images
from latent_hands.data.rendered import read_rendered
from latent_hands.data.rhd import read_rhd
from latent_hands.data.sample import OnBroken, Sample, check_limit, read_rgb, stop
from latent_hands.data.stb import read_stb
from latent_hands.data.store import is_store
from latent_hands.errors import HandsError, did_you_mean


@runtime_checkable
class Reader(Protocol):
    """Reads a split; the error of a missing or broken sample goes to `on_broken`, which may raise it."""

    def __call__(self, root: Path, split: str, limit: int | None, /, *, on_broken: OnBroken) -> list[Sample]:
        """The samples that could be read; `limit` keeps the first so many."""
        ...


READERS: dict[str, Reader] = {
    "rendered": read_rendered,
    "rhd": lambda root, split, limit, *, on_broken: read_rhd(root, split, None, limit, on_broken),
    "stb": read_stb,
    "stb-left": partial(read_stb, views=("left",)),
    "stb-right": partial(read_stb, views=("right",)),
    "stb-sk": partial(read_stb, views=("sk",)),
    "stb-poses": partial(read_stb, views=("left",), images=False),
    "stb-wrist-middle": partial(read_stb, wrist="middle"),
    "stb-wrist-mean": partial(read_stb, wrist="mean"),
    "freihand": read_freihand,
    "ge2019": read_ge2019,
    "coco": read_coco,
    "images": lambda root, split, limit, *, on_broken: read_images(root, limit, on_broken),
}
"""Data set name -> its reader."""

__all__ = [
    "READERS",
    "Counterfactuals",
    "OnBroken",
    "Reader",
    "Sample",
    "check_limit",
    "find_reader",
    "list_images",
    "open_data",
    "read_coco",
    "read_counterfactual",
    "read_freihand",
    "read_ge2019",
    "read_images",
    "read_rendered",
    "read_rgb",
    "read_rhd",
    "read_stb",
]


def open_data(
    name: str, root: str | Path, split: str, limit: int | None = None, on_broken: OnBroken = stop
) -> list[Sample]:
    """Read a split ("training" or "evaluation") of a named data set; ``limit`` keeps the first so many.

    A folder of ``images`` has no splits. ``on_broken`` takes the error of each sample that is missing or
    broken; by default it raises the first. Raises HandsError for a limit below 1, and as ``find_reader`` and
    the set's reader do.
    """
    check_limit(limit)
    return find_reader(name, root)(Path(root), split, limit, on_broken=on_broken)


def find_reader(name: str, root: str | Path) -> Reader:
    """The reader of a named data set. Raises HandsError for an unknown name and for a packed store."""
    if name not in READERS:
        raise HandsError(f'unknown data set "{name}"; {did_you_mean(name, READERS)}')
    if is_store(root):
        raise HandsError(f"{root} is a packed store: it holds windows; give the folder of the images")
    return READERS[name]
