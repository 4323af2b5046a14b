"""Readers of data sets: one file a data set, and one entry in READERS for it and for each of its variants."""

from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from latent_hands.data.readers.coco import read_coco
from latent_hands.data.readers.freihand import read_freihand
from latent_hands.data.readers.ge2019 import read_ge2019
from latent_hands.data.readers.images import read_images
from latent_hands.data.readers.reading import OnBroken, check_limit, check_split, raise_error
from latent_hands.data.readers.recognising import with_suggestion
from latent_hands.data.readers.rendered import read_rendered
from latent_hands.data.readers.rendered_hands import read_rendered_hands
from latent_hands.data.readers.rhd import read_rhd, read_rhd_hands
from latent_hands.data.readers.stb import read_stb
from latent_hands.data.readers.table import read_table
from latent_hands.data.readers.yolo import read_yolo
from latent_hands.data.sample import Sample
from latent_hands.data.store import is_store
from latent_hands.errors import HandsError, as_path
from latent_hands.registry import Registry


@runtime_checkable
class Reader(Protocol):
    """A function that reads a split of a data set."""

    def __call__(self, root: Path, split: str, limit: int | None, /, *, on_broken: OnBroken) -> list[Sample]:
        """Return the samples of a split that can be read. `limit` keeps the first samples.

        `on_broken` receives the error of each sample that is missing or broken, and may raise it.
        Raises AbsentError if the data set or the split does not exist, HandsError if it cannot be read.
        """
        ...


def _read_images(root: Path, split: str, limit: int | None, /, *, on_broken: OnBroken) -> list[Sample]:
    check_split(split)
    return read_images(root, limit, on_broken)


READERS: Registry[Reader] = Registry(
    "data set",
    {
        "rendered": read_rendered,
        "rendered-hands": read_rendered_hands,
        "rhd": read_rhd,
        "rhd-hands": read_rhd_hands,
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
        "table": read_table,
        "yolo": read_yolo,
        "images": _read_images,
    },
)
"""The readers, by the name of the data set."""
WITHOUT_SPLITS = ("images",)
"""Data sets whose images are the same in every split."""


def open_data(
    name: str, root: str | Path, split: str, limit: int | None = None, on_broken: OnBroken = raise_error
) -> list[Sample]:
    """Read a split, "training" or "evaluation", of a data set.

    Args:
        name: Name of the data set, a key of READERS.
        root: Folder of the data set.
        split: Which part to read. The data set "images" has no splits: each has all images.
        limit: Keep the first `limit` samples.
        on_broken: Receives the error of each sample that is missing or broken, by default raises it.

    Raises:
        HandsError: if `limit` is below 1, the name is unknown, `root` is a packed store, or the data set
            cannot be read.
    """
    check_limit(limit)
    root = as_path(root, "root")
    return find_reader(name, root)(root, split, limit, on_broken=on_broken)


def find_reader(name: str, root: str | Path) -> Reader:
    """Return the reader of a data set. Raises HandsError if it is unknown or `root` is a packed store."""
    reader = READERS.find(name)
    if is_store(root):
        raise HandsError(f"{root} is a packed store, which contains windows; give the folder of the images")
    return partial(_read, name, reader)


def _read(
    name: str, reader: Reader, root: Path, split: str, limit: int | None, /, *, on_broken: OnBroken
) -> list[Sample]:
    """Read as `reader` does; the error of a wrong folder also says which one may be meant."""
    with with_suggestion(name, root):
        return reader(root, split, limit, on_broken=on_broken)
