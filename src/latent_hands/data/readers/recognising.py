"""The layout of a folder, recognised by its files: for messages about folders that a reader cannot read."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from latent_hands.data.readers.rendered_record import RECORD
from latent_hands.errors import BROKEN, HandsError
from latent_hands.mistaken_paths import meant

SIGNS: dict[str, tuple[str, ...]] = {
    "rendered": (RECORD,),
    "rhd": ("training/anno_*.pickle", "evaluation/anno_*.pickle"),
    "stb": ("labels/*_BB.mat", "labels/*_SK.mat"),
    "ge2019": ("pose_gt.mat",),
    "coco": ("annotations/*.json",),
    "yolo": ("labels/train", "labels/val", "train/labels", "valid/labels"),
    "freihand": ("training/rgb", "evaluation/rgb", "training_xyz.json", "evaluation_xyz.json"),
    "table": ("training.csv", "evaluation.csv"),
}
"""Layout -> patterns of files; one of them is enough. The first layout that fits counts."""
_OTHERS = {
    "experiment.toml": "a run folder, not a data set",
    "detector.toml": "a detector, not a data set",
    "model.json": "an exported model, not a data set",
}
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_MOST_FOLDERS = 100


def layout_of(folder: Path) -> str | None:
    """Return the name of the layout of a folder, a key of `SIGNS`; None if it is none of them."""
    if not folder.is_dir():
        return None
    return next((name for name, signs in SIGNS.items() if any(_has(folder, each) for each in signs)), None)


@contextmanager
def with_suggestion(name: str, root: str | Path) -> Iterator[None]:
    """Let an error in the block, which reads the data set `name` from `root`, also say what may be meant."""
    try:
        yield
    except HandsError as error:
        if hint := suggestion(name, Path(root)):
            raise type(error)(f"{error}{hint}") from error
        raise


def suggestion(name: str, root: Path) -> str:
    """Return the end of a message about a data set `name` that cannot be read from `root`.

    It says what `root` is instead, and which folder or layout may be meant; it is "" without a guess.
    """
    try:
        return _suggestion(name, root)
    except (OSError, *BROKEN):
        return ""


def _suggestion(name: str, root: Path) -> str:
    if not root.exists():
        return meant(root)
    if not root.is_dir():
        return _of_file(root)
    wanted, found = name.split("-")[0], layout_of(root)
    if found == wanted or {found, wanted} == {"rendered", "rhd"}:
        return ""
    if found is not None:
        return f'; {root} has the layout of "{found}" (--data {found})'
    if not any(root.iterdir()):
        return f"; {root} is empty"
    other = next((text for file, text in _OTHERS.items() if (root / file).is_file()), None)
    if other is not None:
        return f"; {root} is {other}"
    near = _near(root, wanted)
    return f"; did you mean {near}?" if near else ""


def _of_file(root: Path) -> str:
    if root.suffix.lower() in _ARCHIVES:
        return f"; {root} is an archive: unpack it, and give the folder"
    return f"; {root} is a file: give the folder of the data set"


def _near(root: Path, wanted: str) -> str:
    """Return the folder of a data set one or two levels above or below, one of the wanted layout first."""
    found = [(place, layout) for place in _around(root) if (layout := layout_of(place)) is not None]
    found.sort(key=lambda each: each[1] != wanted)
    return next((f"{place} (--data {layout})" for place, layout in found), "")


def _around(root: Path) -> Iterator[Path]:
    above = root.absolute()
    yield from (above.parent, above.parent.parent)
    folders = [each for each in islice(sorted(root.iterdir()), _MOST_FOLDERS) if each.is_dir()]
    yield from folders
    for folder in folders:
        yield from (each for each in islice(folder.iterdir(), _MOST_FOLDERS) if each.is_dir())


def _has(folder: Path, pattern: str) -> bool:
    return next(folder.glob(pattern), None) is not None
