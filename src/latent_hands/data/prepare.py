"""Cut a data set into a packed store, shard by shard. Intact shards are never cut again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from latent_hands.data import Sample, open_data
from latent_hands.data.crops import build_windows, convention_of
from latent_hands.data.image_files import check_images, file_of
from latent_hands.data.sample import with_handedness
from latent_hands.data.shard_files import encode, open_windows
from latent_hands.data.store import (
    MANIFEST,
    Cut,
    Manifest,
    Shard,
    Split,
    check_cut,
    is_intact,
    is_store,
    read_manifest,
    shard_path,
)
from latent_hands.errors import HandsError
from latent_hands.files import write_bytes
from latent_hands.progress import Advance

SHARD_BYTES = 64 * 2**20
"""Bytes of RGB images in a shard. Larger shards lose more work when stopped, smaller ones make many files.

A change of this number makes a new format."""


def prepare(
    root: str | Path,
    out: str | Path,
    cuts: Mapping[str, Cut],
    workers: int = 2,
    report: Advance | None = None,
    handedness: str | None = None,
) -> Manifest:
    """Cut splits of a data set into the store `out`.

    Preparing again continues where an earlier call stopped, and gives the same bytes as one call. Existing
    shards are compared with their checksums, and cut again if they are damaged.

    Args:
        root: folder of the data set.
        out: folder of the store; new, empty or a store.
        cuts: how to cut, by the name of the split.
        workers: number of threads that read images.
        report: function that is called with (name of the work, windows done, all windows).
        handedness: the side of hands whose labels name none.

    Raises HandsError if `out` contains anything else, other windows or other data. Also raises the errors of
    `open_data` and `build_windows`.
    """
    root, out = Path(root), Path(out)
    manifest = _claim(out)
    for split, cut in cuts.items():
        held = manifest.splits.get(split)
        if held:
            check_cut(f"{split} of {out}", held.cut, cut)
        samples = with_handedness(open_data(cut.name, root, split), handedness)
        check_images(samples, cut.images)
        found = Split(
            cut,
            source_digest(samples, cut.images),
            _source_bytes(samples, cut.images),
            len(samples),
            convention=convention_of(samples),
        )
        if held and held.source != found.source:
            raise HandsError(f"{split} of {out} was cut from other data than {root}; name another folder")
        manifest = _cut_missing(out, manifest, split, held or found, samples, workers, report)
    for split, cut in cuts.items():
        open_windows(out, split, cut)
    return manifest


def _claim(out: Path) -> Manifest:
    """Return the manifest of an existing store, or that of a new one."""
    if is_store(out):
        return read_manifest(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise HandsError(f"{out} exists and is not a packed store; name a new or an empty folder")
    return Manifest()


def source_digest(samples: Sequence[Sample], images: Sequence[str] = ()) -> str:
    """Return a digest that differs between data sets.

    It covers names, labels, and the file sizes of the RGB images and of the further `images`.
    """
    digest = hashlib.sha256()
    for s in samples:
        digest.update(repr((s.name, s.side, s.scene_box, s.image.stat().st_size)).encode())
        further = [file for key in images if (file := file_of(s, key)) is not None]
        digest.update(b"".join(b"%d " % file.stat().st_size for file in further))
        for label in (s.xyz_mm, s.uv_px, s.visible, s.K, s.wrist_px):
            digest.update(b"" if label is None else label.tobytes())
    return digest.hexdigest()


def _source_bytes(samples: Sequence[Sample], images: Sequence[str]) -> int:
    """Return the size in bytes of all image files."""
    files = {file_of(sample, key) for key in ("rgb", *images) for sample in samples}
    return sum(file.stat().st_size for file in files if file is not None)


def _cut_missing(
    out: Path,
    manifest: Manifest,
    name: str,
    split: Split,
    samples: Sequence[Sample],
    workers: int,
    report: Advance | None,
) -> Manifest:
    """Write every missing or damaged shard of a split, and after each of them the manifest."""

    def keep(shards: Sequence[Shard]) -> Manifest:
        splits = manifest.splits | {name: replace(split, shards=tuple(shards))}
        kept = replace(manifest, splits=splits)
        write_bytes(out / MANIFEST, kept.as_json().encode())
        return kept

    out.mkdir(parents=True, exist_ok=True)
    cut, shards, kept = split.cut, list(split.shards), keep(split.shards)
    (out / name).mkdir(exist_ok=True)
    step = max(1, SHARD_BYTES // (3 * cut.window_px**2))
    for number, start in enumerate(range(0, len(samples), step)):
        part, path = samples[start : start + step], shard_path(out, name, number)

        def advance(done: int, _: int, start: int = start) -> None:
            if report:
                report(f"cutting {name}", start + done, len(samples))

        if number < len(shards) and is_intact(path, shards[number]):
            advance(len(part), len(part))
            continue
        data = encode(
            build_windows(
                part, cut.crop, cut.margin, cut.window_px, cut.right_hands, cut.images, workers, advance
            )
        )
        write_bytes(path, data)
        shards[number : number + 1] = [Shard(len(part), len(data), hashlib.sha256(data).hexdigest())]
        kept = keep(shards)
    return kept
