"""The records of a rendered set: one line of JSON an image.

Whoever renders a whole set writes `OUT/SPLIT/factors_SPLIT.jsonl`. Each portion writes
`OUT/portions/I-of-N/factors_SPLIT.jsonl`. The last portion joins them and writes RHD's annotations.
"""

import contextlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from latent_hands.data.formats.rhd_files import encode_annotations
from latent_hands.errors import BROKEN
from latent_hands.files import append_text, write_bytes
from latent_hands.portions import FOLDER, WHOLE, Portion
from latent_hands.rendering.sets.plan import Plan

FINISHED = "finished"
"""Empty file of a portion that has rendered everything."""
Lines = Mapping[int, str]
"""Lines of records, by the number of the image."""


def portion_folder(out: Path, portion: Portion) -> Path:
    """Return the folder of a portion's records."""
    return out / FOLDER / portion.name


def records_file(out: Path, split: str, portion: Portion) -> Path:
    """Return the file of the records that a writer adds to."""
    return (out / split if portion.whole else portion_folder(out, portion)) / f"factors_{split}.jsonl"


def read_lines(paths: Iterable[Path]) -> dict[int, str]:
    """Return the lines of some files, if they exist, without incomplete lines of a killed writer."""
    lines = {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
            for line in file:
                with contextlib.suppress(*BROKEN):
                    lines[json.loads(line)["index"]] = line.rstrip("\n") + "\n"
    return lines


def known_lines(out: Path, split: str, portion: Portion) -> dict[int, str]:
    """Return the lines of a writer and of the whole set; those of all portions for the whole set."""
    name = records_file(out, split, WHOLE).name
    further = sorted(out.glob(f"{FOLDER}/*/{name}")) if portion.whole else [records_file(out, split, portion)]
    return read_lines([*further, out / split / name])


def keep_lines(out: Path, split: str, portion: Portion, lines: Lines) -> None:
    """Let these lines be the only ones of a writer."""
    write_bytes(records_file(out, split, portion), "".join(lines.values()).encode())


def add_records(out: Path, split: str, portion: Portion, records: Iterable[dict[str, Any]]) -> None:
    """Add records to those of a writer."""
    text = "".join(json.dumps(record) + "\n" for record in records)
    append_text(records_file(out, split, portion), text)


def finish(out: Path, plan: Plan, splits: Sequence[str], portion: Portion) -> None:
    """Note that a writer has rendered everything; join all records if it was the last one.

    Of portions that end at the same time, at least one joins; they would write the same bytes.
    """
    if not portion.whole and all((out / split / f"anno_{split}.pickle").is_file() for split in splits):
        shutil.rmtree(portion_folder(out, portion))  # the set was complete; its records are unchanged
        return
    if not portion.whole:
        (portion_folder(out, portion) / FINISHED).touch()
        if not all((portion_folder(out, each) / FINISHED).is_file() for each in portion.all()):
            return
    lines = {split: known_lines(out, split, WHOLE) for split in splits}
    if any(len(found) < plan.images_of(split) for split, found in lines.items()):
        return  # another portion has just joined them, and removed the files that are missing here
    for split, found in lines.items():
        ordered = [found[number] for number in sorted(found)]
        write_bytes(out / split / f"anno_{split}.pickle", encode_annotations(map(json.loads, ordered)))
        keep_lines(out, split, WHOLE, {number: found[number] for number in sorted(found)})
    shutil.rmtree(out / FOLDER, ignore_errors=True)
