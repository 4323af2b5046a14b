"""Reader of 2D joints in a table: one line a hand, as scripts and spreadsheets write it.

`ROOT/{training,evaluation}.csv` has the columns "file", the image relative to ROOT, and NAME_u_px, NAME_v_px
for the joints (`hand.skeleton.JOINTS`, such as index_tip), in pixels. "palm" may stand for "wrist". Empty
cells and absent columns are joints without label. "handedness" is left or right; "side" or "hand" may stand
for it. "group" is the person or the place, which becomes the block. Other columns are ignored, so the table
of `latent-hands estimate` can be corrected and read.
"""

import logging
import re
from pathlib import Path, PurePath

import numpy as np

from latent_hands.data.formats.box_label import side_cells, side_of_row
from latent_hands.data.formats.csv_file import Row, load_csv
from latent_hands.data.formats.numerals import array_of
from latent_hands.data.readers.coco import check_pixels, hand_names
from latent_hands.data.readers.coco_hands import LEAST_JOINTS
from latent_hands.data.readers.doubtful import announce_doubles, nowhere
from latent_hands.data.readers.outside import hide_outside
from latent_hands.data.readers.reading import OnBroken, check_split, raise_error, read_each
from latent_hands.data.sample import Sample
from latent_hands.errors import AbsentError, HandsError
from latent_hands.hand.skeleton import JOINTS

_PIXELS = re.compile(r".+_[uv]_px")
_LOG = logging.getLogger(__name__)


def read_table(
    root: str | Path, split: str, limit: int | None = None, *, on_broken: OnBroken = raise_error
) -> list[Sample]:
    """Read the hands of a split, in their order. Lines without any joint are left out.

    A joint outside the image counts as invisible. Warnings count these joints, and hands that seem to be
    labelled twice. A warning names columns of pixels that are those of no joint.

    Raises HandsError if the split is unknown, or the table is missing, no CSV file, or lacks the columns.
    `on_broken` receives the errors of lines: an image that is missing or not named, cells that are not
    numbers of pixels, an unknown side, joints without a place (`nowhere`), and fewer than `LEAST_JOINTS`
    labelled joints.
    """
    check_split(split)
    path = Path(root) / f"{split}.csv"
    if not path.is_file():
        raise AbsentError(f"no table of labels at {path}")
    rows, root_joint = _rows(path)
    files = dict.fromkeys(row["file"] for _, row in rows)
    images = [{"id": file, "file_name": file if PurePath(file).name else "unnamed"} for file in files]
    hands = [{"image_id": row["file"], "side": " ".join(side_cells(row)[:1]).lower()} for _, row in rows]
    items = list(zip(hand_names(images, hands), rows, strict=True))[:limit]

    def read(item: tuple[str, tuple[int, Row]]) -> Sample:
        name, (line, row) = item
        return _sample(name, row, Path(root), root_joint, f"{path}, line {line}")

    samples = hide_outside(list(read_each(read, items, on_broken)), path)
    announce_doubles(samples, path)
    return samples


def _rows(path: Path) -> tuple[list[tuple[int, Row]], str]:
    """Return the lines with joints, each with its number, and the name of joint 0, "wrist" or "palm"."""
    table = load_csv(path)
    columns = set(table.columns)
    root_joint = "palm" if "palm_u_px" in columns else "wrist"
    known = [name for name in _joints(root_joint) if {f"{name}_u_px", f"{name}_v_px"} <= columns]
    if "file" not in columns or len(known) < LEAST_JOINTS:
        raise HandsError(
            f'the first line of {path} is "{table.first[:80]}"; it must name the columns file, handedness, '
            f"group (these two may be absent), and NAME_u_px, NAME_v_px of {LEAST_JOINTS} or more joints: "
            f"{', '.join(JOINTS)}"
        )
    cells = [f"{name}_{axis}_px" for name in known for axis in "uv"]
    if unknown := [name for name in table.columns if _PIXELS.fullmatch(name) and name not in cells]:
        text = "%s: ignored columns: %s; the joints are %s"
        _LOG.warning(text, path, ", ".join(unknown), ", ".join(_joints(root_joint)))
    return [(line, row) for line, row in table.rows if any(row.get(cell) for cell in cells)], root_joint


def _joints(root_joint: str) -> tuple[str, ...]:
    return (root_joint, *JOINTS[1:])


def _sample(name: str, row: Row, root: Path, root_joint: str, where: str) -> Sample:
    file = root / row["file"]
    if not row["file"]:
        raise HandsError(f"{where} has joints, but names no file")
    if PurePath(row["file"]).is_absolute() or ".." in PurePath(row["file"]).parts:
        raise HandsError(f'{where}: the file "{row["file"]}" must be relative to {root}, and inside it')
    if not file.is_file():
        advice = f'; write paths relative to {root}, with "/"' if "\\" in row["file"] else ""
        raise HandsError(f"{where}: the image {file} is missing{advice}")
    side = side_of_row(row, where)
    cells = [[row.get(f"{joint}_{axis}_px") or "nan" for axis in "uv"] for joint in _joints(root_joint)]
    try:
        uv_px = array_of(cells).astype(np.float32)
    except ValueError as error:
        raise HandsError(f"{where} has joints that are not numbers: {error}; write decimal points") from error
    if np.isinf(uv_px).any():
        raise HandsError(f"{where} has joints that are not finite; leave the cells of unknown joints empty")
    known = np.isfinite(uv_px)
    labelled = np.asarray(known.all(axis=1))
    if (known.any(axis=1) != labelled).any() or labelled.sum() < LEAST_JOINTS:
        raise HandsError(
            f"{where} has {labelled.sum()} joints with both u and v; a crop needs {LEAST_JOINTS} or more, "
            "and both numbers of a joint or none"
        )
    if (unplaced := nowhere(uv_px, labelled)).any():
        raise HandsError(
            f"{where} has {unplaced.sum()} joints at (0, 0), at (-1, -1) or where others are; leave the "
            "cells of unknown joints empty"
        )
    check_pixels(uv_px[labelled], f"the joints of {where}")
    uv_px = np.where(labelled[:, None], uv_px, uv_px[labelled].mean(axis=0))
    return Sample(
        name,
        file,
        side,
        uv_px=uv_px,
        visible=labelled,
        root="palm" if root_joint == "palm" else "wrist",
        block=row.get("group") or None,
        labelled=None if labelled.all() else labelled,
    )
