"""Data sets as lists of samples: one file a set, one line in READERS for it and for each of its variants."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from latent_hands.data.counterfactual import Counterfactuals, read_counterfactual
from latent_hands.data.freihand import read_freihand
from latent_hands.data.ge2019 import read_ge2019
from latent_hands.data.images import read_images
from latent_hands.data.rendered import read_rendered
from latent_hands.data.rhd import read_rhd
from latent_hands.data.sample import Sample, read_rgb
from latent_hands.data.stb import read_stb
from latent_hands.data.store import is_store
from latent_hands.errors import HandsError, did_you_mean

READERS: dict[str, Callable[[Path, str, int | None], list[Sample]]] = {
    "rendered": read_rendered,
    "rhd": lambda root, split, limit: read_rhd(root, split, limit=limit),
    "stb": read_stb,
    "stb-left": partial(read_stb, views=("left",)),
    "stb-right": partial(read_stb, views=("right",)),
    "stb-sk": partial(read_stb, views=("sk",)),
    "stb-poses": partial(read_stb, views=("left",), pictures=False),
    "stb-wrist-middle": partial(read_stb, wrist="middle"),
    "stb-wrist-mean": partial(read_stb, wrist="mean"),
    "freihand": read_freihand,
    "ge2019": read_ge2019,
    "images": lambda root, split, limit: read_images(root, limit),
}
"""Data set name -> reader of (root, split, limit)."""

__all__ = [
    "READERS",
    "Counterfactuals",
    "Sample",
    "open_data",
    "read_counterfactual",
    "read_freihand",
    "read_ge2019",
    "read_images",
    "read_rendered",
    "read_rgb",
    "read_rhd",
    "read_stb",
]


def open_data(name: str, root: str | Path, split: str, limit: int | None = None) -> list[Sample]:
    """Read a split ("training" or "evaluation") of a named data set; ``limit`` keeps the first so many.

    A folder of ``images`` has no splits. Raises HandsError for an unknown name, for a limit below 1, for a
    packed store, which has no pictures, and as the set's reader does.
    """
    if name not in READERS:
        raise HandsError(f'unknown data set "{name}"; {did_you_mean(name, READERS)}')
    if limit is not None and limit < 1:
        raise HandsError(f"limit is {limit}; legal: 1 or more")
    if is_store(root):
        raise HandsError(f"{root} is a packed store: it holds windows; give the folder of the pictures")
    return READERS[name](Path(root), split, limit)
