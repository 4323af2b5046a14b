"""Hands as COCO keypoints: a data set with copies of the images, which `open_data("coco", ...)` reads."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from latent_hands.data.export.coco import CATEGORY, INFO
from latent_hands.data.export.image_copies import keep_image, own_suffix
from latent_hands.data.export.layout import numbers
from latent_hands.data.formats.image import read_rgb
from latent_hands.data.readers.coco import HIDDEN, VISIBLE
from latent_hands.data.readers.coco_hands import KEYPOINTS
from latent_hands.errors import HandsError
from latent_hands.files import write_text
from latent_hands.hand.conventions import recorded
from latent_hands.predictions.image_hands import ImageHands
from latent_hands.predictor import Hand

SPLIT = "evaluation"
CATEGORIES = {"left": 1, "right": 2}
_INFO = {
    "description": "hands predicted by latent-hands estimate",
    "score": "the detector's probability of a hand",
    "confidence": "the expected share of joints within 30 mm",
    "bbox": "the box of the keypoints, and area its area",
}


def write_coco(folder: Path, images: Sequence[ImageHands], convention: str | None = None) -> Path:
    """Write `folder`/annotations/evaluation.json and copies of the images in `folder`/evaluation.

    Keypoints have the order of COCO-WholeBody: wrist, then thumb to little finger from base to tip. They are
    marked as hidden (1) outside the image, otherwise as visible (2). Categories are left_hand and right_hand.
    "side", "xyz_mm", "K" and "convention" are the keys of `latent-hands export`; "xyz_mm" and "K" need the
    palm's place in the camera frame. "score" and "confidence" are those of `Hand`.

    `convention` is the joint convention of all hands, by default that of each. Raises HandsError for frames
    of videos and cameras, which have no image file.
    """
    records, labels = [], []
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / SPLIT).mkdir(exist_ok=True)
    for number, image in enumerate(images):
        if image.path is None or image.frame is not None:
            raise HandsError(f"{image.name} is a frame of a video; the format coco needs image files")
        name, (width, height) = _copy(folder / SPLIT, image), image.size_px
        records.append({"id": number, "file_name": name, "width": width, "height": height})
        for hand in image.hands:
            labels.append(annotation(hand, len(labels) + 1, number, image.size_px, convention))
    content = {
        "info": INFO | _INFO,
        "images": records,
        "annotations": labels,
        "categories": categories(),
    }
    return write_text(folder / "annotations" / f"{SPLIT}.json", json.dumps(content))


def categories() -> list[dict[str, Any]]:
    """Return the categories left_hand and right_hand."""
    return [CATEGORY | {"id": number, "name": f"{side}_hand"} for side, number in CATEGORIES.items()]


def _copy(folder: Path, image: ImageHands) -> str:
    """Copy the image file, or encode it if other readers would not decode it alike; return its name."""
    assert image.path is not None
    name = image.name.removesuffix(image.path.suffix) + (own_suffix(image.path) or ".png")
    keep_image(folder / name, image.path, read_rgb(image.path))
    return name


def annotation(
    hand: Hand, number: int, image: int, size_px: tuple[int, int], convention: str | None
) -> dict[str, Any]:
    """Return the annotation of a hand: its number, its image's number, and the image's (width, height)."""
    joints = hand.in_order("mediapipe")
    uv_px = joints.uv_px
    inside = ((uv_px >= -0.5) & (uv_px <= np.array(size_px) - 0.5)).all(axis=1)
    keypoints = np.column_stack([uv_px, np.where(inside, VISIBLE, HIDDEN)])
    box = [round(value, 3) for value in hand.box_px]
    label: dict[str, Any] = {
        "id": number,
        "image_id": image,
        "category_id": CATEGORIES[hand.handedness],
        "iscrowd": 0,
        "bbox": box,
        "area": round(box[2] * box[3], 3),
        "num_keypoints": len(KEYPOINTS),
        "keypoints": numbers(keypoints.ravel()),
        "side": hand.handedness,
    }
    sure = {"score": hand.score, "confidence": hand.confidence}
    label |= {name: round(value, 6) for name, value in sure.items() if value is not None}
    if joints.camera_xyz_mm is not None and hand.K is not None:
        label |= {"xyz_mm": numbers(joints.camera_xyz_mm), "K": numbers(hand.K)}
    return label | {"convention": recorded(convention or hand.convention)}
