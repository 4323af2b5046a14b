"""Boxes in JSON files: the annotations of COCO, and lists of files with their boxes."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from latent_hands.data.formats.box_label import (
    FORM,
    BoxLabel,
    announce_classes,
    check_box,
    check_side,
    hand_classes,
    side_of,
)
from latent_hands.data.formats.box_layout import check_pixels
from latent_hands.data.formats.coco_images import categories_by_id, check_id, images_by_id
from latent_hands.data.formats.coco_keypoints import contradict, shares_in_box
from latent_hands.data.formats.json_file import load_json
from latent_hands.data.formats.numerals import integer_of
from latent_hands.errors import BROKEN, HandsError
from latent_hands.hand.boxes import Box
from latent_hands.hand.handedness import HANDEDNESS, Handedness

Sized = tuple[Box, tuple[int, int]]
"""A box, and width and height of its image."""
_FORM_KEYS = ("bbox_mode", "bbox_format", "box_format", "format")
_FORMS = (1, "xywh", "XYWH", "XYWH_ABS", "coco")
"""The values of these keys that mean x,y,width,height in pixels; 1 is that of Detectron2."""
_SIDES = ("handedness", "side")
_LOG = logging.getLogger(__name__)
_WHOLE_BODY: dict[Handedness, str] = {side: f"{side}hand" for side in HANDEDNESS}


def read_box_json(path: Path) -> dict[str, list[BoxLabel]]:
    """Read the boxes of a JSON file in the layout of COCO, or of a list of files.

    COCO: "bbox" of each annotation. The side is its key "handedness" or "side", such an attribute (CVAT), or
    the name of its category.
    If the name of a category mentions a hand or a side, only such categories are hands. A warning counts the
    others, and those with "iscrowd". COCO-WholeBody: "lefthand_box" and "righthand_box" where they are valid.

    A list of files: [{"file": "a.jpg", "boxes": [[x, y, width, height], ...], "handedness": ["left", ...]}].
    "handedness" is optional; files whose "boxes" are null are left out.

    Raises HandsError for other layouts, for images with the same id, for boxes that `check_box` refuses, and
    for boxes that are corners or do not contain the keypoints of their hands.
    """
    return read_sized_box_json(path)[0]


def read_sized_box_json(path: Path) -> tuple[dict[str, list[BoxLabel]], dict[str, tuple[int, int]]]:
    """Read as `read_box_json` does; also return (width, height) of the images, where the file states them."""
    content = load_json(path)
    with _layout(path):
        listed = isinstance(content, list)
        records, key = (content, "file") if listed else (content["images"], "file_name")
        boxes = _of_list(content, path) if listed else _of_coco(content, path)
        sizes = ((str(record[key]), _size(record)) for record in records)
        return boxes, {name: size for name, size in sizes if size is not None}


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
    sized: list[Sized] = []
    for record in records:
        if record["boxes"] is None:
            continue
        where = f"{path}: a box of {record['file']}"
        _check_form(record, where)
        sides = record.get("handedness") or [None] * len(record["boxes"])
        if not (isinstance(record["boxes"], list) and isinstance(sides, list)):
            raise HandsError(f'{where}: "boxes" and "handedness" must be lists, with an entry for each hand')
        size = _size(record)
        hands = [
            BoxLabel(check_box(box, where, size), check_side(side, where))
            for box, side in zip(record["boxes"], sides, strict=True)
        ]
        boxes.setdefault(str(record["file"]), []).extend(hands)
        sized += [(hand.box, size) for hand in hands if size is not None]
    check_pixels(sized, str(path))
    return boxes


def _of_coco(content: dict[str, Any], path: Path) -> dict[str, list[BoxLabel]]:
    images = images_by_id(content["images"], path)
    boxes: dict[str, list[BoxLabel]] = {str(image["file_name"]): [] for image in images.values()}
    categories = categories_by_id(content.get("categories", []), path)
    names = {key: str(each["name"]) for key, each in categories.items()}
    classes, others = hand_classes(names), Counter[str]()
    used = {label.get("category_id") for label in content["annotations"]}
    announce_classes({key: name for key, name in names.items() if key in used}, path)
    if unread := {key for label in content["annotations"] for key in _unread_sides(label)}:
        text = '%s: ignored keys of annotations: %s; those of their sides are "handedness" and "side"'
        _LOG.warning(text, path, ", ".join(sorted(unread)))
    sized, shares = list[Sized](), list[float]()
    for label in content["annotations"]:
        if check_id(label["image_id"], f"{path}: the image of an annotation") not in images:
            raise HandsError(
                f"{path}: annotation {label.get('id')} is of image {label['image_id']}, which is absent"
            )
        image = images[label["image_id"]]
        where = f"{path}: annotation {label.get('id')} of {image['file_name']}: the box"
        hands = boxes[str(image["file_name"])]
        if "lefthand_box" in label:
            hands += _of_whole_body(label, where, _size(image))
        elif label.get("iscrowd"):
            others["crowds"] += 1
        elif classes and label.get("category_id") not in classes:
            others[f'category "{names.get(label.get("category_id"), label.get("category_id"))}"'] += 1
        else:
            _check_form(label, where)
            box, size = check_box(label["bbox"], where, _size(image)), _size(image)
            hands.append(BoxLabel(box, _side(label, classes.get(label.get("category_id")), where)))
            sized += [] if size is None else [(box, size)]
            shares += shares_in_box(box, label.get("keypoints"))
    if others:
        text = ", ".join(f"{count:,} of {name}" for name, count in others.items())
        _LOG.warning("%s: left out annotations that are not hands: %s", path, text)
    check_pixels(sized, str(path))
    if contradict(shares):
        raise HandsError(
            f"{path}: {np.median(shares):.0%} of the keypoints lie in the boxes of their hands (median of "
            f'{len(shares)}), so "bbox" is not {FORM}'
        )
    return boxes


def _side(label: dict[str, Any], of_category: Handedness | None, where: str) -> Handedness | None:
    """Return the side of an annotation. Raises HandsError if its category names the other one."""
    attributes = label.get("attributes")
    places = (label, attributes) if isinstance(attributes, dict) else (label,)
    named: list[Handedness | None] = [check_side(place.get(key), where) for place in places for key in _SIDES]
    sides: set[Handedness] = {side for side in named if side is not None}
    if len(sides) > 1:
        raise HandsError(f"{where} has two sides; keep one of them")
    side = next(iter(sides), None)
    if side and of_category and side != of_category:
        raise HandsError(f"{where} has the handedness {side}, but a category of {of_category} hands")
    return side or of_category


def _unread_sides(label: dict[str, Any]) -> list[str]:
    """Return keys of an annotation, or of its attributes, that seem to state a side and are not read."""
    attributes = label.get("attributes")
    places = (label, attributes) if isinstance(attributes, dict) else (label,)
    if "lefthand_box" in label:  # COCO-WholeBody
        return []
    return [
        key
        for place in places
        for key, value in place.items()
        if key not in _SIDES and (side_of(key) or side_of(value if isinstance(value, str) else ""))
    ]


def _check_form(label: dict[str, Any], where: str) -> None:
    """Raise HandsError if a box says of itself that it is rotated, or not x,y,width,height."""
    attributes = label.get("attributes")
    angle = attributes.get("rotation", 0) if isinstance(attributes, dict) else 0
    if angle:
        raise HandsError(f"{where} is rotated by {angle} degrees (CVAT); it must be upright, {FORM}")
    for key in _FORM_KEYS:
        if (form := label.get(key)) is not None and form not in _FORMS:
            raise HandsError(f'{where} has "{key}": {form!r}; it must be {FORM} (xywh)')


def _of_whole_body(label: dict[str, Any], where: str, size_px: tuple[int, int] | None) -> list[BoxLabel]:
    return [
        BoxLabel(check_box(label[f"{key}_box"], where, size_px), side)
        for side, key in _WHOLE_BODY.items()
        if label.get(f"{key}_valid", True)
    ]


def _size(record: dict[str, Any]) -> tuple[int, int] | None:
    """Return (width, height) of an image if the file names them."""
    width, height = record.get("width"), record.get("height")
    return None if not width or not height else (integer_of(width), integer_of(height))
