"""The annotations of hands in a COCO label file, as the labelling tools and COCO-WholeBody write them.

A category of 21 keypoints is a hand: `KEYPOINTS`, with any capitals and with "-" or " " for "_". Its side is
its "side" or "handedness", such an attribute of it (CVAT), or a side in the name of its category.
The persons of COCO-WholeBody have their hands in "lefthand_kpts" and "righthand_kpts".
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from latent_hands.data.formats.box_label import side_of
from latent_hands.data.formats.coco_images import categories_by_id, check_id
from latent_hands.errors import HandsError, counted
from latent_hands.hand.handedness import HANDEDNESS

_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
KEYPOINTS = ("wrist", *(f"{finger}{i}" for finger in _FINGERS for i in range(1, 5)))
"""COCO's names of the joints, in the order "mediapipe": each finger from base to tip."""
LEAST_JOINTS = 3
"""Fewer labelled joints determine no crop."""
_WHOLE_BODY = {side: f"{side}hand_kpts" for side in HANDEDNESS}
_LOG = logging.getLogger(__name__)
Annotation = dict[str, Any]


def annotations_of_hands(content: Any, path: Path) -> list[Annotation]:
    """Return an annotation for each hand, with its "side" if that is known; warnings count what is left out.

    Raises HandsError if there is no annotation, or none of a hand.
    """
    categories = categories_by_id(content["categories"], path)
    if not content["annotations"]:
        raise HandsError(f"{path} has no annotations; it must have one for each hand")
    annotations = list(_single(content, path))
    if any(key in label for label in annotations for key in _WHOLE_BODY.values()):
        found = list(_of_persons(annotations, path))
    else:
        found = _of_categories(annotations, categories, path)
    labelled = {label["image_id"] for label in content["annotations"]}
    if bare := sum(image["id"] not in labelled for image in content["images"]):
        _LOG.warning("%s: %d of %d images have no annotation", path, bare, len(content["images"]))
    return found


def _of_categories(
    annotations: list[Annotation], categories: Mapping[Any, dict[str, Any]], path: Path
) -> list[Annotation]:
    legal = f"they must be {', '.join(KEYPOINTS)}"
    hands = {key for key, each in categories.items() if _are_of_hands(each.get("keypoints"))}
    found, others = list[Annotation](), Counter[str]()
    for label in annotations:
        key = label.get("category_id", next(iter(categories), None) if len(categories) == 1 else None)
        category = categories.get(key, {})
        if key in hands:
            where = f"{path}: annotation {label.get('id')}"
            if label.get("keypoints") is None and "xyz_mm" not in label:
                others[f'category "{category.get("name", key)}" without keypoints'] += 1
            else:
                found.append(_with_side(label, str(category.get("name", "")), where))
            continue
        name = f'category "{category.get("name", key)}"'
        if label.get("keypoints") and not category.get("keypoints"):
            raise HandsError(f'{name} of {path} has no list "keypoints", which names its joints; {legal}')
        others[name] += 1
    if not found:
        raise HandsError(f"{path} has no keypoints of hands; {legal}")
    if others:
        text = ", ".join(f"{count:,} of {name}" for name, count in others.items())
        _LOG.warning("%s: left out annotations whose keypoints are not those of hands: %s", path, text)
    if odd := sum(map(_miscounted, found)):
        _LOG.warning(
            '%s: %d of %d hands have another number of flags above 0 than "num_keypoints" states',
            path,
            odd,
            len(found),
        )
    return found


def _single(content: Any, path: Path) -> Iterator[Annotation]:
    """Yield each annotation of one hand once; a warning counts those of crowds, and copies.

    Copies may be of two entries of one image file.
    """
    files = {image["id"]: str(image["file_name"]) for image in content["images"]}
    if (doubled := len(files) - len(set(files.values()))) > 0:
        text = "%s: image files that are listed again under another id: %d"
        _LOG.warning(text, path, doubled)
    copies, crowds, seen = 0, 0, set[int]()
    for label in content["annotations"]:
        image_id = check_id(label["image_id"], f"{path}: the image of an annotation")
        content_hash = hash(repr({**label, "id": None, "image_id": files.get(image_id, image_id)}))
        if label.get("iscrowd"):
            crowds += 1
        elif content_hash in seen:
            copies += 1
        else:
            seen.add(content_hash)
            yield label
    if crowds or copies:
        text = '%s: left out annotations: %d of crowds ("iscrowd"), %d copies of others'
        _LOG.warning(text, path, crowds, copies)


def _miscounted(label: Annotation) -> bool:
    """Return whether an annotation states another number of labelled joints than it has."""
    stated, keypoints = label.get("num_keypoints"), label.get("keypoints")
    if not isinstance(stated, int) or not isinstance(keypoints, list):
        return False
    flags = keypoints[2::3]
    return all(isinstance(flag, int | float) for flag in flags) and stated != sum(flag > 0 for flag in flags)


def _are_of_hands(names: Any) -> bool:
    return tuple(str(n).lower().replace("-", "_").replace(" ", "_") for n in names or ()) == KEYPOINTS


def _with_side(label: Annotation, category: str, where: str) -> Annotation:
    """Return the annotation with the side that it names itself, in an attribute, or by its category.

    Raises HandsError if they contradict each other.
    """
    attributes = label.get("attributes")
    places = (label, attributes) if isinstance(attributes, dict) else (label,)
    named = [_spelled(place.get(key)) for place in places for key in ("side", "handedness")]
    side = side_of(category)
    words = [each for each in HANDEDNESS if each in category.lower()] if side is None else [side]
    sides = [side for side in (*named, *(words if len(words) == 1 else [])) if side is not None]
    if any(side != sides[0] for side in sides):
        text = " and ".join(dict.fromkeys(map(str, sides)))
        raise HandsError(f'{where} of category "{category}" is labelled as {text}; keep one of them')
    return {**label, "side": sides[0] if sides else None}


def _spelled(side: Any) -> Any:
    """Return a side in small letters; None for an empty text and "unknown"."""
    text = side.strip().lower() if isinstance(side, str) else side
    return None if text in ("", "unknown") else text


def _of_persons(persons: list[Annotation], path: Path) -> Iterator[Annotation]:
    """Yield the labelled hands of persons; a warning counts the others."""
    left_out = 0
    for person in persons:
        for side, key in _WHOLE_BODY.items():
            flags = (person.get(key) or [])[2::3]
            if not person.get(f"{side}hand_valid", True) or sum(f > 0 for f in flags) < LEAST_JOINTS:
                left_out += 1
                continue
            kept = {name: person[name] for name in ("id", "image_id")}
            yield {**kept, "side": side, "keypoints": person[key]}
    if left_out:
        text = "%s: left out %s of %s, without labels"
        _LOG.warning(text, path, counted(left_out, "hand"), counted(len(persons), "person"))
