"""Portions of a packed store: each has a manifest in `OUT/portions/I-of-N/`, the last one joins them."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from latent_hands.data.store import MANIFEST, Manifest, Shard, Split, check_cut, has_manifest, read_manifest
from latent_hands.errors import HandsError
from latent_hands.files import write_bytes
from latent_hands.portions import FOLDER, WHOLE, Portion


def manifest_folder(out: Path, portion: Portion) -> Path:
    """Return the folder of a portion's manifest. That of the whole work is the store."""
    return out if portion.whole else out / FOLDER / portion.name


def manifest_in(folder: Path) -> Manifest:
    """Return the manifest of a store or portion; an empty one if there is none, or no longer one."""
    try:
        return read_manifest(folder) if has_manifest(folder) else Manifest()
    except HandsError:
        if has_manifest(folder):
            raise
        return Manifest()  # another portion has just joined them


def known_shards(out: Path, name: str, wanted: Split, total: int, portion: Portion) -> dict[int, Shard]:
    """Return the shards of a split that are written, by number, of `total`.

    They are those of the store and of the portion; of all portions for the whole work. Raises HandsError if
    one was cut in another way or from other data.
    """
    if portion.whole:
        portions = [Portion.parse(each.name.replace("-of-", "/")) for each in sorted(out.glob(f"{FOLDER}/*"))]
    else:
        portions = [portion]
    known: dict[int, Shard] = {}
    for each in (*portions, WHOLE):
        folder = manifest_folder(out, each)
        if held := manifest_in(folder).splits.get(name):
            check_same(folder, name, held, wanted)
            known |= dict(zip(each.of(range(total)), held.shards, strict=False))
    return known


def check_same(folder: Path, name: str, held: Split, wanted: Split) -> None:
    """Raise HandsError if a split was cut in another way or from other data."""
    check_cut(f"{name} of {folder}", held.cut, wanted.cut)
    if held.source != wanted.source:
        raise HandsError(f"{name} of {folder} was cut from other data; name another folder")


def join_portions(out: Path, portion: Portion, splits: Mapping[str, tuple[Split, int]]) -> bool:
    """Write the manifest of the store if all portions have cut all their shards; return whether it is there.

    Args:
        out: the folder of the store.
        portion: one of the portions.
        splits: each split without shards, and its number of shards.

    Of portions that end at the same time, at least one joins; they would write the same bytes.
    """
    kept = manifest_in(out)
    joined = {name: _joined(out, portion, name, *split) for name, split in splits.items()}
    complete = {name: split for name, split in joined.items() if split is not None}
    done = {name for name in splits if name in kept.splits and kept.splits[name].finished}
    if complete.keys() | done != splits.keys():
        return False
    if not done.issuperset(splits):
        manifest = replace(kept, splits=kept.splits | complete)
        write_bytes(out / MANIFEST, manifest.as_json().encode())
    shutil.rmtree(out / FOLDER, ignore_errors=True)
    return True


def _joined(out: Path, portion: Portion, name: str, wanted: Split, total: int) -> Split | None:
    """Return a split with the shards of all portions; None if shards are missing."""
    shards: list[Shard] = []
    for each in portion.all():
        folder = manifest_folder(out, each)
        held = manifest_in(folder).splits.get(name)
        if held is None or len(held.shards) < len(each.of(range(total))):
            return None
        check_same(folder, name, held, wanted)
        shards += held.shards
    return replace(wanted, shards=tuple(shards))
