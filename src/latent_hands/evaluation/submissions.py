"""Submissions to the servers of FreiHAND and HO-3D: joints and vertices of all images of a split."""

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from latent_hands.data.formats.json_file import parse_json
from latent_hands.data.formats.limited import read_limited
from latent_hands.data.readers.reading import MM_PER_METRE
from latent_hands.errors import BROKEN, HandsError
from latent_hands.evaluation.benchmarks import MAX_BYTES, finite_array
from latent_hands.files import write_bytes

PREDICTIONS = "pred.json"
"""The name of the file in a submission."""


class Submission(NamedTuple):
    """The content of a submission: the path for messages, joints in mm, and vertices as they are."""

    path: Path
    xyz_mm: Float[np.ndarray, "n 21 3"]
    verts: Any


def as_submitted(metres: Float[np.ndarray, "n k 3"]) -> Float[np.ndarray, "n k 3"]:
    """Return points with the decimals of a submission."""
    return np.round(metres, 6)


def of_joints(path: Path, xyz: Float[np.ndarray, "n 21 3"]) -> Submission:
    """Return the submission that `write_submission` writes of joints in metres."""
    return Submission(path, finite_array(xyz, (21, 3), path) * MM_PER_METRE, list(xyz))


def write_submission(path: Path, xyz: Float[np.ndarray, "n 21 3"], verts: Float[np.ndarray, "n k 3"]) -> Path:
    """Write a zip with pred.json, [joints, vertices] of all images in metres, as the servers read it."""
    text = json.dumps([as_submitted(xyz).tolist(), as_submitted(verts).tolist()])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo(PREDICTIONS), text, zipfile.ZIP_DEFLATED)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_bytes(path, buffer.getvalue())


def read_submission(path: Path) -> Submission:
    """Return the content of a pred.json, or of a zip with one.

    Raises HandsError for other files.
    """
    if not path.is_file():
        raise HandsError(f"no predictions at {path}")
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as file:
                if file.getinfo(PREDICTIONS).file_size > MAX_BYTES:
                    raise HandsError(f"{PREDICTIONS} of {path} has more than {MAX_BYTES:,} bytes")
                content = parse_json(file.read(PREDICTIONS), str(path))
        else:
            content = parse_json(read_limited(path, MAX_BYTES), str(path))
        xyz, verts = content
    except (zipfile.BadZipFile, *BROKEN) as error:
        raise HandsError(f"{path} must be [joints, vertices] of all images: {error}") from error
    return Submission(path, finite_array(xyz, (21, 3), path) * MM_PER_METRE, verts)


def mesh_of(verts: Any, count: int, path: Path) -> Float[np.ndarray, "n k 3"]:
    """Return the vertices of a submission of `count` hands in mm; an empty list has none.

    Raises HandsError if not all hands have as many.
    """
    if not isinstance(verts, Sequence) or len(verts) not in (0, count):
        found = len(verts) if isinstance(verts, Sequence) else f"a {type(verts).__name__}"
        raise HandsError(f"the vertices of {path} must be a list of {count} hands, or empty, not {found}")
    if not verts:
        return np.empty((count, 0, 3), np.float32)
    try:
        points = len(verts[0])
    except TypeError as error:
        raise HandsError(f"the vertices of a hand of {path} must be a list: {error}") from error
    return finite_array(verts, (points, 3), path) * MM_PER_METRE
