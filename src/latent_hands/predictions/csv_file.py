"""Hands as a table: one line a hand."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from latent_hands.files import write_bytes
from latent_hands.hand.rig.articulation import ANGLES
from latent_hands.hand.skeleton import JOINTS
from latent_hands.predictions.image_hands import ImageHands
from latent_hands.predictor import Hand

NAMES = ("palm", *JOINTS[1:])
IMAGE = ("file", "frame", "seconds", "hand", "track")
HAND = ("handedness", "score", "confidence", "x", "y", "width", "height", "bone_mm", "bone_mm_assumed")
PLACE = ("camera_x_mm", "camera_y_mm", "camera_z_mm")
COLUMNS = (
    *(*IMAGE, *HAND, *PLACE),
    *(f"{name}_{axis}_px" for name in NAMES for axis in "uv"),
    *(f"{name}_{axis}_mm" for name in NAMES for axis in "xyz"),
)
"""x, y, width and height are the box; `read_boxes` reads these columns, too. camera_x_mm to camera_z_mm are
the palm's place in the camera frame. Joints in millimetres are relative to the palm."""
ANGLE_COLUMNS = tuple(f"{name}_deg" for name in ANGLES)
"""Columns that exist if any hand has joint angles."""
DECIMALS = 3


def write_csv(path: Path, images: Sequence[ImageHands]) -> Path:
    """Write the table. Unknown numbers are empty. An image without hands has one line with empty numbers."""
    buffer = io.StringIO(newline="")
    angles = any(hand.angles_deg is not None for image in images for hand in image.hands)
    columns = (*COLUMNS, *ANGLE_COLUMNS) if angles else COLUMNS
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for image in images:
        about = {"file": image.file or image.name, "frame": image.frame, "seconds": _number(image.seconds)}
        for number, hand in enumerate(image.hands):
            writer.writerow(about | {"hand": number} | _row(hand))
        if not image.hands:
            writer.writerow(about)
    text = buffer.getvalue()
    return write_bytes(path, text.encode(errors="surrogateescape"))  # names that are not UTF-8


def _row(hand: Hand) -> dict[str, object]:
    palm_mm = [None] * 3 if hand.palm_mm is None else hand.palm_mm.tolist()
    numbers = [*palm_mm, *hand.uv_px.ravel().tolist(), *hand.xyz_mm.ravel().tolist()]
    facts = (hand.track, hand.handedness, *map(_number, (hand.score, hand.confidence, *hand.box_px)))
    facts = (*facts, _number(hand.bone_mm), int(hand.bone_mm_assumed))
    row: dict[str, object] = dict(
        zip(COLUMNS[len(IMAGE) - 1 :], (*facts, *map(_number, numbers)), strict=True)
    )
    angles = [] if hand.angles_deg is None else map(_number, hand.angles_deg.tolist())
    return row | dict(zip(ANGLE_COLUMNS, angles, strict=False))


def _number(value: float | None) -> float | None:
    return None if value is None else float(np.round(value, DECIMALS))
