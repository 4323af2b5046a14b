"""Cutting a data set into a packed store, shard by shard: what is there and intact is never cut twice."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from latent_hands.data import Sample, open_data
from latent_hands.data.crops import build_windows, convention_of
from latent_hands.data.image_files import check_images, file_of
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

SHARD_BYTES = 64 * 2**20
"""Images in a shard: little to lose when stopped, few files. Another number makes a new format."""

Report = Callable[[str, int, int], None]


def prepare(
    root: str | Path, out: str | Path, cuts: Mapping[str, Cut], workers: int = 2, report: Report | None = None
) -> Manifest:
    """Cut splits of a data set, `cuts` by split, into the store `out`; `report` is told (what, done, all).

    One that was stopped goes on where it was, and gives the same bytes as one that was not. Whatever `out`
    holds already is checked against its checksums, and cut again where it is damaged. `workers` threads read.
    Raises HandsError for a folder that holds something else, other windows or other data, and as reading
    and cutting do.
    """
    root, out = Path(root), Path(out)
    manifest = _claim(out)
    for split, cut in cuts.items():
        held = manifest.splits.get(split)
        if held:
            check_cut(f"{split} of {out}", held.cut, cut)
        samples = open_data(cut.name, root, split)
        check_images(samples, cut.images)
        told = {"source_bytes": _source_bytes(samples, cut.images), "convention": convention_of(samples)}
        found = Split(cut, source_digest(samples, cut.images), samples=len(samples), **told)
        if held and held.source != found.source:
            raise HandsError(f"{split} of {out} was cut from other data than {root}; give another folder")
        manifest = _cut_missing(out, manifest, split, held or found, samples, workers, report)
    for split, cut in cuts.items():
        open_windows(out, split, cut)
    return manifest


def _claim(out: Path) -> Manifest:
    """The manifest of a store to go on with, or of one that is yet to be made."""
    if is_store(out):
        return read_manifest(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise HandsError(f"{out} exists and is no packed store; give a new or an empty folder")
    return Manifest()


def source_digest(samples: Sequence[Sample], images: Sequence[str] = ()) -> str:
    """A digest of names, labels and the sizes in bytes of photographs and of such further images: enough to
    tell data sets apart."""
    digest = hashlib.sha256()
    for s in samples:
        digest.update(repr((s.name, s.side, s.scene_box, s.image.stat().st_size)).encode())
        further = [file for key in images if (file := file_of(s, key)) is not None]
        digest.update(b"".join(b"%d " % file.stat().st_size for file in further))
        for label in (s.xyz_mm, s.uv_px, s.visible, s.K, s.wrist_px):
            digest.update(b"" if label is None else label.tobytes())
    return digest.hexdigest()


def _source_bytes(samples: Sequence[Sample], images: Sequence[str]) -> int:
    files = {file_of(sample, key) for key in ("rgb", *images) for sample in samples}
    return sum(file.stat().st_size for file in files if file is not None)


def _cut_missing(
    out: Path,
    manifest: Manifest,
    name: str,
    split: Split,
    samples: Sequence[Sample],
    workers: int,
    report: Report | None,
) -> Manifest:
    """Write every shard of a split that is not there intact; the manifest, after each of them."""

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

        def told(done: int, _: int, start: int = start) -> None:
            if report:
                report(f"cutting {name}", start + done, len(samples))

        if number < len(shards) and is_intact(path, shards[number]):
            told(len(part), len(part))
            continue
        data = encode(
            build_windows(
                part, cut.crop, cut.margin, cut.window_px, cut.right_hands, cut.images, workers, told
            )
        )
        write_bytes(path, data)
        shards[number : number + 1] = [Shard(len(part), len(data), hashlib.sha256(data).hexdigest())]
        kept = keep(shards)
    return kept
