"""The packed store: the windows of a data set on disk, cut once for all trainings.

    OUT/store.json                how every split was cut, and the size and checksum of its shards
    OUT/SPLIT/00000.safetensors   a number of windows with all their labels (`shard_files`)

Shards are mapped into memory, and only the labels are read when a store is opened. A set may therefore be
larger than memory, and processes on one machine share it. Opening checks the manifest, the size and header of
every file, and the labels. `verify` reads everything and checks the SHA-256 of every shard.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from latent_hands.errors import BROKEN, HandsError
from latent_hands.hand.conventions import read_recorded, recorded
from latent_hands.typed_toml import Range, read, to_table

MANIFEST = "store.json"
FORMAT = 3
CONVENTIONS = {
    "joints": "RHD's order, the palm in the wrist's place",
    "frame": "camera: x right, y down, z forward; row vectors",
    "units": "xyz_mm and bone_mm millimetres, pose bone lengths, uv_px and K pixels of the window",
    "pixels": "8-bit RGB, channels first, pixel centres at integers",
    "depth": "8-bit, one channel: the palm at 128, nearer brighter, 127 levels are 150 mm, 0 is background",
}
"""Conventions of the files, for readers. A change of any of them makes a new format."""
FORMAT_2_KEYS = {"pictures": "images", "side": "right_hands"}
MAX_MANIFEST_BYTES = 64 * 2**20
Count = Annotated[int, Range(1, 10**15)]


@dataclass(frozen=True)
class Cut:
    """The cut of windows: the name of the data set, and the arguments of `build_windows`."""

    name: str
    crop: Literal["box", "scene"]
    right_hands: Literal["mirror", "condition"]
    margin: Annotated[float, Range(1.0, 4.0)]
    window_px: Annotated[int, Range(8, 1024)]
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shard:
    """A file of the store: its number of samples, its size in bytes and its SHA-256."""

    samples: Count
    bytes: Count
    sha256: str


@dataclass(frozen=True)
class Split:
    """A split of the store. An unfinished split lacks shards.

    Attributes:
        cut: how its windows were cut.
        source: digest of the samples that it was cut from (`prepare.source_digest`).
        source_bytes: size of their image files.
        samples: number of samples of the finished split.
        shards: its files, in order.
        convention: joint convention of the labels as `stated`, None if it is unknown.
    """

    cut: Cut
    source: str
    source_bytes: Count
    samples: Count
    shards: tuple[Shard, ...] = ()
    convention: str | None = None

    @property
    def bytes(self) -> int:
        """Return the size of its shards in bytes."""
        return sum(shard.bytes for shard in self.shards)

    def labelled_in(self, where: str) -> str | None:
        """Return the name of the joint convention of the labels; `where` names the store in errors."""
        if self.convention is None or _defines(self.cut.name, self.convention):
            return self.convention
        return read_recorded(self.convention, where)

    @property
    def written(self) -> int:
        """Return the number of samples in its shards."""
        return sum(shard.samples for shard in self.shards)

    @property
    def finished(self) -> bool:
        """Return whether every sample has its window."""
        return self.written == self.samples


@dataclass(frozen=True)
class Manifest:
    """The content of store.json."""

    format: int = FORMAT
    conventions: dict[str, str] = field(default_factory=lambda: dict(CONVENTIONS))
    splits: dict[str, Split] = field(default_factory=dict)

    def as_json(self) -> str:
        """Return the text of store.json."""
        return json.dumps(to_table(self), indent=1, sort_keys=True) + "\n"


def has_manifest(folder: str | Path) -> bool:
    """Return whether a folder is one packed store, finished or not."""
    return (Path(folder) / MANIFEST).is_file()


def stores_in(root: str | Path) -> tuple[Path, ...]:
    """Return a packed store itself, or the stores in a folder of nothing but stores, by name; else nothing.

    Links to stores count, so that one set may lie on several disks.
    """
    root = Path(root)
    if has_manifest(root) or not root.is_dir():
        return (root,) if has_manifest(root) else ()
    inside = sorted(each for each in root.iterdir() if not each.name.startswith("."))
    return tuple(inside) if all(map(has_manifest, inside)) else ()


def stated(name: str, convention: str | None) -> str | None:
    """Return the text by which a store of the data set `name` states the joint convention of its labels.

    It has no checksum if the data set defines the convention: then no table placed the joints.
    """
    return convention if convention is None or _defines(name, convention) else recorded(convention)


def is_store(root: str | Path) -> bool:
    """Return whether a folder is a packed store, finished or not, or contains nothing but stores."""
    return bool(stores_in(root))


def _defines(name: str, convention: str) -> bool:
    return name.split("-")[0] == convention


def shard_path(root: Path, split: str, number: int) -> Path:
    """Return the path of a shard."""
    return root / split / f"{number:05d}.safetensors"


def read_manifest(root: str | Path) -> Manifest:
    """Read the manifest of a store. Raises HandsError if it is missing, broken, or of another version."""
    path = Path(root) / MANIFEST
    if not path.is_file():
        raise HandsError(f"{root} is not a packed store: it has no {MANIFEST}")
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise HandsError(f"{path} has {path.stat().st_size} bytes; it must have at most {MAX_MANIFEST_BYTES}")
    try:
        table = json.loads(path.read_bytes())
    except BROKEN as error:
        raise HandsError(f"{path} is broken ({error}); prepare the store in a new folder") from error
    version = table.get("format") if isinstance(table, dict) else None
    if version == 2:  # format 3 differs in these keys only
        table = _from_format_2(table)
    elif version != FORMAT:
        raise HandsError(
            f"{path} has the format {version!r}; this version of latent-hands reads {FORMAT}: prepare again"
        )
    return read(Manifest, table, str(path))


def _from_format_2(table: dict[str, Any]) -> dict[str, Any]:
    splits = table.get("splits")
    for split in splits.values() if isinstance(splits, dict) else ():
        cut = split.get("cut") if isinstance(split, dict) else None
        if isinstance(cut, dict):
            split["cut"] = {FORMAT_2_KEYS.get(key, key): value for key, value in cut.items()}
    return {**table, "format": FORMAT}


def find_splits(root: str | Path, name: str) -> dict[Path, Split]:
    """Return a split of each store in `root` that has it, by the store's folder (see `stores_in`).

    Raises HandsError if no store has it, if one is not finished, or if their joint conventions differ.
    """
    stores = stores_in(root) or (Path(root),)
    having = [store for store in stores if len(stores) == 1 or name in read_manifest(store).splits]
    if not having:
        raise HandsError(f'none of the {len(stores)} stores in {root} has a split "{name}"')
    found = {store: find_split(store, name) for store in having}
    conventions = {split.labelled_in(str(store)): store for store, split in found.items()}
    if len(conventions) > 1:
        texts = (f"{convention or 'unknown'} in {store}" for convention, store in conventions.items())
        raise HandsError(f"the stores in {root} have different joint conventions: {', '.join(texts)}")
    return found


def find_split(root: Path, name: str) -> Split:
    """Return a split of one store. Raises HandsError if it is missing or not finished."""
    splits = read_manifest(root).splits
    if name not in splits:
        raise HandsError(f'{root} has no split "{name}"; it has: {", ".join(splits) or "none"}')
    if not splits[name].finished:
        raise HandsError(f"{name} of {root} is not finished: repeat its `latent-hands prepare`")
    return splits[name]


def check_cut(where: str, held: Cut, wanted: Cut) -> None:
    """Raise HandsError, which names both cuts, if they differ. Images that are not wanted do not matter."""
    found, asked = asdict(held), asdict(wanted)
    names = [n for n in asked if found[n] != asked[n]]
    if set(wanted.images) <= {"rgb", *held.images}:
        names = [n for n in names if n != "images"]
    if names:
        have, want = (", ".join(f"{n} = {values[n]}" for n in names) for values in (found, asked))
        raise HandsError(
            f"{where} was prepared with {have}; requested is {want}: prepare it in another folder"
        )


def verify(root: str | Path) -> None:
    """Read every byte of a store. Raises HandsError naming the first file with another checksum."""
    for store in stores_in(root) or (Path(root),):
        for name in read_manifest(store).splits:
            for number, shard in enumerate(find_split(store, name).shards):
                path = shard_path(store, name, number)
                if not is_intact(path, shard):
                    raise HandsError(
                        f"{path} is missing, or its SHA-256 differs from the manifest: "
                        "prepare the store again"
                    )


def is_intact(path: Path, shard: Shard) -> bool:
    """Return whether a shard exists with the bytes that were written."""
    if not path.is_file() or path.stat().st_size != shard.bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == shard.sha256
