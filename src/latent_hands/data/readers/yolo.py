"""Reader of hands in the layout of YOLO pose (Ultralytics): 21 keypoints in the order of MediaPipe.

`ROOT/labels/{train,val}/NAME.txt` has a line for each hand of `ROOT/images/{train,val}/NAME.*`: "class x y
width height", then 21 times "u v flag" or "u v". All are shares of the image's width and height, the flag
excepted. The folders of Roboflow, `ROOT/{train,valid,test}/{labels,images}`, are read, too. The names of the
classes in data.yaml, such as "left hand", give the sides. Flags have the meaning of COCO's (`readers.coco`).
"""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from latent_hands.data.formats.box_label import announce_turned, hand_classes
from latent_hands.data.formats.box_yolo import (
    check_named,
    class_names,
    image_of,
    label_files,
    label_lines,
    shown,
)
from latent_hands.data.formats.numerals import integer_of, number_of
from latent_hands.data.readers.coco import SHARES, VISIBLE, hands_of
from latent_hands.data.readers.coco_hands import KEYPOINTS
from latent_hands.data.readers.export_record import read_record
from latent_hands.data.readers.reading import OnBroken, check_split, raise_error
from latent_hands.data.sample import Sample
from latent_hands.errors import BROKEN, AbsentError, HandsError, counted

FOLDERS = {"training": ("train",), "evaluation": ("val", "valid", "test")}
"""Names of the folder of a split; the first one that exists is read."""
_FORM = 'must be "class x y width height" and 21 keypoints, each "u v flag" or "u v", as shares of the image'
_LOG = logging.getLogger(__name__)


def read_yolo(
    root: str | Path, split: str, limit: int | None = None, *, on_broken: OnBroken = raise_error
) -> list[Sample]:
    """Read the hands of a split, in the order of their files.

    Without "flag", a keypoint at (0, 0) is not labelled. Warnings count boxes of classes that are not hands,
    and what `read_coco` counts.

    Raises HandsError if the split is unknown or has no label files, for lines of another form, for classes
    without a name among names, and for a missing image. `on_broken` receives the errors of `read_coco`.
    """
    check_split(split)
    root = Path(root)
    folder = _labels(root, split)
    names = class_names(folder)
    classes = hand_classes(names)
    images, annotations, others = [], [], Counter[str]()
    turned = 0
    for file in label_files(folder):
        image = image_of(file)
        (width, height), is_turned = shown(image)
        turned += is_turned
        name = image.relative_to(root).as_posix()
        images.append({"id": name, "file_name": name, "width": width, "height": height})
        for where, kind, numbers in _lines(file):
            check_named(kind, names, where)
            if names and kind not in classes:
                others[names[kind]] += 1
                continue
            label = _label(numbers, width, height, where)
            annotations.append(label | {"id": where, "image_id": name, "side": classes.get(kind)})
    announce_turned(turned, folder)
    if others:
        text = ", ".join(f'{count:,} of "{name}"' for name, count in others.items())
        _LOG.warning("%s: left out hands of classes that are not hands: %s", folder, text)
    category = {"id": 0, "name": "hand", "keypoints": list(KEYPOINTS)}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    record = read_record(root, "yolo")
    samples = hands_of(content, folder, root, record is not None, limit, on_broken)
    convention = (record or {}).get("convention")
    return [replace(sample, convention=convention) for sample in samples]


def _labels(root: Path, split: str) -> Path:
    """Return the folder of the label files of a split. Raises AbsentError if there is none."""
    places = [place for name in FOLDERS[split] for place in (root / "labels" / name, root / name / "labels")]
    for place in places:
        if place.is_dir() and label_files(place):
            return place
    raise AbsentError(f"no label files NAME.txt in {' or '.join(map(str, places))}")


def _lines(file: Path) -> Iterator[tuple[str, int, list[float]]]:
    """Iterate over the lines of a label file: where it is, the class, and the numbers after it."""
    for where, line in label_lines(file):
        words = line.split()
        try:
            kind, numbers = integer_of(words[0]), [number_of(word) for word in words[1:]]
        except BROKEN as error:
            raise HandsError(f"{where} is not made of numbers: {error}; it {_FORM}") from error
        if len(numbers) not in (4 + 2 * 21, 4 + 3 * 21):
            raise HandsError(f"{where} has {counted(len(words), 'number')}; it {_FORM}")
        yield where, kind, numbers


def _label(numbers: list[float], width: int, height: int, where: str) -> dict[str, Any]:
    """Return box and keypoints of a hand in pixels, as in COCO. Raises HandsError for labels in pixels."""
    x, y, wide, high = numbers[:4]
    step = (len(numbers) - 4) // 21
    largest = max(abs(number) for start in (0, 1) for number in (*numbers[:4], *numbers[4 + start :: step]))
    if largest > SHARES:
        raise HandsError(f"{where} has the number {largest:g}, which is no share of the image; it {_FORM}")
    points = [numbers[i : i + step] for i in range(4, len(numbers), step)]
    keypoints = [n for u, v, *flag in points for n in (u * width, v * height, *(flag or [VISIBLE]))]
    box = [(x - wide / 2) * width, (y - high / 2) * height, wide * width, high * height]
    return {"category_id": 0, "bbox": box, "keypoints": keypoints}
