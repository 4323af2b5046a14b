"""Boxes in JSON files: the annotations of COCO, and lists of files with their boxes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from latent_hands.data.formats.box_label import BoxLabel, check_box, check_side, hand_classes
from latent_hands.data.formats.coco_images import images_by_id
from latent_hands.data.formats.json_file import load_json
from latent_hands.errors import BROKEN, HandsError
from latent_hands.hand.handedness import HANDEDNESS, Handedness

_WHOLE_BODY: dict[Handedness, str] = {side: f"{side}hand" for side in HANDEDNESS}


def read_box_json(path: Path) -> dict[str, list[BoxLabel]]:
    """Read the boxes of a JSON file in the layout of COCO, or of a list of files.

    COCO: "bbox" of each annotation. The side is its key "handedness" or "side", or the name of its category.
    If the name of a category mentions a hand or a side, only such categories are hands. Annotations with
    "iscrowd" are left out. COCO-WholeBody: "lefthand_box" and "righthand_box" where they are valid.

    A list of files: [{"file": "a.jpg", "boxes": [[x, y, width, height], ...], "handedness": ["left", ...]}].
    "handedness" is optional; files whose "boxes" are null are left out.

    Raises HandsError for other layouts, for images with the same id, and for boxes that `check_box` refuses.
    """
    content = load_json(path)
    with _layout(path):
        return _of_list(content, path) if isinstance(content, list) else _of_coco(content, path)


@contextmanager
def _layout(path: Path) -> Iterator[None]:
    """Turn errors of missing keys and wrong types into a HandsError."""
    try:
        yield
    except HandsError:
        raise
    except BROKEN as error:
        raise HandsError(
            f"{path} has neither COCO's layout nor that of a list of files: {error!r}"
        ) from error


def _of_list(records: list[Any], path: Path) -> dict[str, list[BoxLabel]]:
    boxes: dict[str, list[BoxLabel]] = {}
    for record in records:
        if record["boxes"] is None:
            continue
        where = f"{path}: a box of {record['file']}"
        sides = record.get("handedness") or [None] * len(record["boxes"])
        size = _size(record)
        boxes[str(record["file"])] = [
            BoxLabel(check_box(box, where, size), check_side(side, where))
            for box, side in zip(record["boxes"], sides, strict=True)
        ]
    return boxes


def _of_coco(content: dict[str, Any], path: Path) -> dict[str, list[BoxLabel]]:
    images = images_by_id(content["images"], path)
    boxes: dict[str, list[BoxLabel]] = {str(image["file_name"]): [] for image in images.values()}
    classes = hand_classes({each["id"]: str(each["name"]) for each in content.get("categories", [])})
    for label in content["annotations"]:
        if label["image_id"] not in images:
            raise HandsError(
                f"{path}: annotation {label.get('id')} is of image {label['image_id']}, which is absent"
            )
        image = images[label["image_id"]]
        where = f"{path}: annotation {label.get('id')} of {image['file_name']}: the box"
        hands = boxes[str(image["file_name"])]
        if "lefthand_box" in label:
            hands += _of_whole_body(label, where, _size(image))
        elif not label.get("iscrowd") and (not classes or label.get("category_id") in classes):
            side = check_side(label.get("handedness", label.get("side")), where)
            side = side or classes.get(label.get("category_id"))
            hands.append(BoxLabel(check_box(label["bbox"], where, _size(image)), side))
    return boxes


def _of_whole_body(label: dict[str, Any], where: str, size_px: tuple[int, int] | None) -> list[BoxLabel]:
    return [
        BoxLabel(check_box(label[f"{key}_box"], where, size_px), side)
        for side, key in _WHOLE_BODY.items()
        if label.get(f"{key}_valid", True)
    ]


def _size(record: dict[str, Any]) -> tuple[int, int] | None:
    """Return (width, height) of an image if the file names them."""
    width, height = record.get("width"), record.get("height")
    return None if not width or not height else (int(width), int(height))
