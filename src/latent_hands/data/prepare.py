"""Cut a data set into a packed store, shard by shard. Intact shards are never cut again.

Several machines may each cut a portion of the shards (`store_portions`).
"""

import hashlib
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from latent_hands.data import Sample, open_data
from latent_hands.data.checks import check_samples
from latent_hands.data.crops import build_windows, convention_of
from latent_hands.data.image_files import check_images, file_of
from latent_hands.data.labelled_images import check_files
from latent_hands.data.readers import WITHOUT_SPLITS
from latent_hands.data.sample import with_handedness
from latent_hands.data.shard_files import encode, open_windows
from latent_hands.data.store import (
    MANIFEST,
    Cut,
    Manifest,
    Shard,
    Split,
    has_manifest,
    is_intact,
    read_manifest,
    shard_path,
    stated,
)
from latent_hands.data.store_portions import join_portions, known_shards, manifest_folder, manifest_in
from latent_hands.errors import HandsError, as_path, check_whole
from latent_hands.files import is_temporary, write_bytes
from latent_hands.lock import one_writer
from latent_hands.portions import FOLDER, Portion
from latent_hands.progress import Progress, renamed, silent
from latent_hands.typed_toml import read, to_table

_LOG = logging.getLogger(__name__)
SHARD_BYTES = 64 * 2**20
"""Bytes of RGB images in a shard. Larger shards lose more work when stopped, smaller ones make many files.

A change of this number makes a new format."""


def prepare(
    root: str | Path,
    out: str | Path,
    cuts: Mapping[str, Cut],
    workers: int = 2,
    progress: Progress = silent,
    handedness: str | None = None,
    shard: str | None = None,
) -> Manifest:
    """Cut splits of a data set into the store `out`; return the manifest of the store, or of the portion.

    Preparing again continues where an earlier call stopped, and gives the same bytes as one call. Existing
    shards are compared with their checksums, and cut again if they are damaged. The sizes of their images are
    compared with the labels, as when windows are cut.

    Args:
        root: folder of the data set.
        out: folder of the store; new, empty or a store.
        cuts: how to cut, by the name of the split.
        workers: number of threads that read images.
        progress: receives each window that is done.
        handedness: the side of hands whose labels name none.
        shard: "I/N" cuts the I-th of N portions of each split's shards; None cuts everything.

    Raises HandsError for fewer than 1 worker, if `out` contains anything else, other windows or other data,
    or if another process writes to it. Also raises the errors of `open_data` and `build_windows`.
    """
    check_whole(workers=workers)
    if workers < 1:
        raise HandsError(f"workers is {workers}; it must be at least 1")
    root, out, portion = as_path(root, "root"), as_path(out, "out"), Portion.parse(shard)
    for name, cut in cuts.items():
        read(Cut, to_table(cut), f"the cut of {name}")  # checks the ranges
    _claim(out)
    with one_writer(out, shared=not portion.whole):
        return _prepare(root, out, cuts, portion, workers, progress, handedness)


def _prepare(
    root: Path,
    out: Path,
    cuts: Mapping[str, Cut],
    portion: Portion,
    workers: int,
    progress: Progress,
    handedness: str | None,
) -> Manifest:
    """Cut a portion into a store that no other process writes to, except other portions."""
    splits: dict[str, tuple[Split, int]] = {}
    if same := {cut.name for cut in cuts.values()} & {*WITHOUT_SPLITS} if len(cuts) > 1 else ():
        _LOG.warning(
            'the data set "%s" has no splits: %s of %s get the same images; --split makes one of them',
            *(", ".join(same), " and ".join(cuts), out),
        )
    for name, cut in cuts.items():
        samples = with_handedness(open_data(cut.name, root, name), handedness)
        check_samples(samples)
        check_images(samples, cut.images)
        split = Split(
            cut,
            source_digest(samples, cut.images),
            _source_bytes(samples, cut.images),
            len(samples),
            convention=stated(cut.name, convention_of(samples)),
        )
        splits[name] = split, len(range(0, len(samples), shard_samples(cut)))
        _cut_missing(out, portion, name, *splits[name], samples, workers, progress)
    if portion.whole:
        shutil.rmtree(out / FOLDER, ignore_errors=True)
    elif not join_portions(out, portion, splits):
        return read_manifest(manifest_folder(out, portion))
    for name, cut in cuts.items():
        open_windows(out, name, cut)
    return read_manifest(out)


def _claim(out: Path) -> None:
    """Raise HandsError if a folder holds files, but no store or portions of one."""
    if has_manifest(out) or (out / FOLDER).is_dir():
        return
    if any(each.is_file() and not is_temporary(each) for each in (out, *out.rglob("*"))):
        raise HandsError(f"{out} exists and is not a packed store; name a new or an empty folder")


def shard_samples(cut: Cut) -> int:
    """Return the number of samples of a full shard."""
    return max(1, SHARD_BYTES // (3 * cut.window_px**2))


def source_digest(samples: Sequence[Sample], images: Sequence[str] = ()) -> str:
    """Return a digest that differs between data sets.

    It covers names, labels, and the file sizes of the RGB images and of the further `images`.
    """
    digest = hashlib.sha256()
    for s in samples:
        digest.update(repr((s.name, s.handedness, s.scene_box, s.image.stat().st_size)).encode())
        further = [file for key in images if (file := file_of(s, key)) is not None]
        digest.update(b"".join(b"%d " % file.stat().st_size for file in further))
        for label in (s.xyz_mm, s.uv_px, s.visible, s.K, s.wrist_px, s.labelled):
            digest.update(b"" if label is None else label.tobytes())
        digest.update(b"" if s.weight is None else repr(s.weight).encode())
    return digest.hexdigest()


def _source_bytes(samples: Sequence[Sample], images: Sequence[str]) -> int:
    """Return the size in bytes of all image files."""
    files = {file_of(sample, key) for key in ("rgb", *images) for sample in samples}
    return sum(file.stat().st_size for file in files if file is not None)


def _cut_missing(
    out: Path,
    portion: Portion,
    name: str,
    split: Split,
    total: int,
    samples: Sequence[Sample],
    workers: int,
    progress: Progress,
) -> None:
    """Write every missing or damaged shard of a portion, and after each of them the manifest."""
    folder, numbers = manifest_folder(out, portion), portion.of(range(total))
    known = known_shards(out, name, split, total, portion)
    shards = [known[number] for number in takewhile(known.__contains__, numbers)]
    for each in (folder, out / name):
        each.mkdir(parents=True, exist_ok=True)
    manifest = manifest_in(folder)

    def keep() -> None:
        splits = manifest.splits | {name: replace(split, shards=tuple(shards))}
        write_bytes(folder / MANIFEST, replace(manifest, splits=splits).as_json().encode())

    keep()
    cut, step = split.cut, shard_samples(split.cut)
    for place, number in enumerate(numbers):
        part, path = samples[number * step : (number + 1) * step], shard_path(out, name, number)
        at = renamed(progress, f"cutting {name}", place * step, min(len(numbers) * step, len(samples)))
        if number in known and is_intact(path, known[number]):
            check_files(part)
            at(name, len(part), None)
            if place < len(shards):
                continue
            shard = known[number]
        else:
            data = encode(
                build_windows(
                    part, cut.crop, cut.margin, cut.window_px, cut.right_hands, cut.images, workers, at
                )
            )
            write_bytes(path, data)
            shard = Shard(len(part), len(data), hashlib.sha256(data).hexdigest())
        shards[place : place + 1] = [shard]
        keep()
