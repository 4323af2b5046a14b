"""Exporting: from the samples of a data set to a new data set in another layout.

A set is written into a hidden folder, which is renamed when it is complete. A stopped export leaves nothing
that looks complete, and the same call continues it. A finished export is not written again.
"""

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from latent_hands.data import Sample, open_data
from latent_hands.data.checks import check_samples
from latent_hands.data.crops import convention_of
from latent_hands.data.export.coco import COCO
from latent_hands.data.export.freihand import FREIHAND
from latent_hands.data.export.layout import Layout, Record
from latent_hands.data.export.rhd import RHD
from latent_hands.data.export.yolo import YOLO
from latent_hands.data.prepare import source_digest
from latent_hands.data.readers.export_record import RECORD
from latent_hands.data.readers.reading import SPLITS
from latent_hands.data.sample import with_wrist
from latent_hands.errors import AbsentError, HandsError, as_list, as_path
from latent_hands.files import write_bytes
from latent_hands.hand.conventions import recorded
from latent_hands.interrupt import uninterrupted
from latent_hands.lock import new_folder
from latent_hands.progress import Progress, shown
from latent_hands.registry import Registry

LAYOUTS: Registry[Layout] = Registry("layout", {"rhd": RHD, "freihand": FREIHAND, "coco": COCO, "yolo": YOLO})
"""The layouts, by name."""


@dataclass(frozen=True)
class Exported:
    """The content of export.json: where the images came from.

    Attributes:
        layout: Name of the layout.
        data: Name of the source data set.
        convention: Joint convention of the labels; None if it is not known.
        names: Names in the source of the hands of each split, in the order of the export.
        sources: Digest of the source of each split.
        notes: Sentences about labels that were changed or lost.
    """

    layout: str
    data: str
    convention: str | None
    names: dict[str, list[str]]
    sources: dict[str, str]
    notes: list[str]

    def __repr__(self) -> str:
        """Return one line: the layout, and the number of hands of each split."""
        counts = ", ".join(f"{len(names)} {split}" for split, names in self.names.items())
        return f"Exported({self.layout}, {counts} hands of {self.data}, {len(self.notes)} notes)"


def export_data(
    data: str,
    root: str | Path,
    out: str | Path,
    layout: str,
    split: str | Sequence[str] | None = None,
    limit: int | None = None,
    workers: int = 2,
    progress: Progress | bool = False,
) -> Exported:
    """Write splits of a data set as a new data set in another layout.

    Args:
        data: Name of the source data set (`lh.data_sets()`).
        root: Its folder.
        out: Folder of the new data set: new, empty, or with the same export.
        layout: "rhd", "freihand", "coco" or "yolo" (docs/export.md), or a layout that was registered.
        split: One or more splits to write, by default all that exist.
        limit: Number of samples of each split to write, from the first; all by default.
        workers: Number of threads that read and write.
        progress: True shows progress bars; a function receives (name of the work, hands done, all hands).

    Returns what was written: names, checksums, the joint convention, and `notes` on labels that were changed
    or lost.

    Raises:
        HandsError: if the layout is unknown, `out` has other content, the rest of another export is in the
            way, another process writes the same export, labels are missing or not finite, or the source
            cannot be read.

    >>> exported = lh.export_data("rendered", "hands", "hands_coco", layout="coco")          # doctest: +SKIP
    """
    chosen = LAYOUTS.find(layout)
    root, out = as_path(root, "root"), as_path(out, "out")
    splits = [split] if isinstance(split, str) else split
    splits = None if splits is None else as_list(splits, "split", "one or more names of splits")
    if splits is not None and not all(splits or [""]):
        raise HandsError(f"split is {split!r}; name one or more splits, or leave it out to write all")
    read = _read(data, root, splits, limit)
    hands = {split: _writable(samples, layout, split) for split, samples in read.items()}
    exported = Exported(
        layout,
        data,
        convention_of([sample for samples in read.values() for sample in samples]),
        names={split: [sample.name for sample in samples] for split, samples in hands.items()},
        sources={split: source_digest(samples) for split, samples in hands.items()},
        notes=[
            f"{split}: {note}"
            for split, samples in hands.items()
            for note in _notes(samples, len(read[split]), chosen, data)
        ],
    )
    record = _record(exported)
    if (out / RECORD).is_file() and (out / RECORD).read_bytes() == record:
        return exported
    with new_folder(out, keep=True) as part, shown(progress) as progress:
        _claim(part, record)
        for split, samples in hands.items():
            labels = _write_hands(part / split, samples, chosen, workers, progress)
            chosen.write_labels(part, split, labels)
    return exported


def _read(name: str, root: Path, splits: Sequence[str] | None, limit: int | None) -> dict[str, list[Sample]]:
    """Read the given splits, or all that exist. A split that exists must be readable."""
    if splits is not None:
        return {split: open_data(name, root, split, limit) for split in splits}
    found, absent = {}, {}
    for split in SPLITS:
        try:
            found[split] = open_data(name, root, split, limit)
        except AbsentError as error:
            if len(absent) == len(SPLITS) - 1:
                raise
            absent[split] = error
    for split, error in absent.items():
        logging.getLogger(__name__).warning("no %s split to write: %s", split, error)
    return found


def _writable(samples: list[Sample], layout: str, split: str) -> list[Sample]:
    """Return the samples that the layout can represent."""
    chosen = LAYOUTS.find(layout)
    check_samples(samples)
    for sample in samples:
        _check(sample, chosen.needs)
    writable = [sample for sample in samples if chosen.holds(sample)]
    if not writable:
        raise HandsError(f"the layout {layout} can represent no hand of {split}: {chosen.refuses}")
    return writable


def _notes(samples: list[Sample], count: int, layout: Layout, source: str) -> list[str]:
    """Return remarks on the samples that are written, out of `count` samples."""
    notes = layout.notes(samples)
    if len(samples) < count:
        notes.append(f"{count - len(samples):,} of {count:,} hands are left out: {layout.refuses}")
    if any(sample.root == "palm" for sample in samples):
        notes.append(f'the palm is labelled, not the wrist: joint 0 is the wrist by the rule of "{source}"')
    return notes


def _check(sample: Sample, needs: Sequence[str]) -> None:
    for key in needs:
        if getattr(sample, key) is None:
            raise HandsError(f"{sample.where} has no {key}, which the layout needs")
    for key in ("xyz_mm", "uv_px", "K"):
        label = getattr(sample, key)
        if label is not None and not np.isfinite(label).all():
            raise HandsError(f"{sample.where}: {key} contains values that are not finite")
    with_wrist(sample)


def _record(exported: Exported) -> bytes:
    """Return the content of export.json."""
    convention = None if exported.convention is None else recorded(exported.convention)
    return json.dumps(asdict(exported) | {"convention": convention}, indent=1).encode()


def _claim(part: Path, record: bytes) -> None:
    """Start the hidden folder of an export, or check that it is that of the same export, stopped."""
    if not any(part.iterdir()):
        write_bytes(part / RECORD, record)
    elif not (part / RECORD).is_file() or (part / RECORD).read_bytes() != record:
        raise HandsError(f"{part} is left from another export, or from another state of the data; remove it")


def _write_hands(
    folder: Path, samples: list[Sample], layout: Layout, workers: int, progress: Progress
) -> list[Record]:
    labels = []
    pool = ThreadPoolExecutor(max(1, workers))  # Pillow decodes and encodes outside the GIL
    try:
        numbers = layout.image_numbers(samples)
        with uninterrupted:  # the pool would not wait for a thread whose start was interrupted
            written = pool.map(partial(layout.write_hand, folder), numbers, samples)
        for label in written:
            labels.append(label)
            progress(f"writing {folder.name}", len(labels), len(samples))
    finally:
        pool.shutdown(cancel_futures=True)
    return labels
