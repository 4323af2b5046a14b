"""Boxes in YOLO's layout: a text file for each image, with lines "class x y width height" as shares of it."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image

from latent_hands.data.formats.box_label import BoxLabel, check_box, hand_classes
from latent_hands.data.formats.image import open_image
from latent_hands.data.formats.limited import read_limited
from latent_hands.errors import BROKEN, HandsError
from latent_hands.hand.boxes import Box
from latent_hands.hand.handedness import Handedness

MAX_BYTES = 2**20
MOST_FOLDERS = 2000
_OTHERS = ("classes.txt", "obj.names", "readme.txt", "readme.roboflow.txt", "readme.dataset.txt")
_FORM = '"class x y width height": the box\'s centre and size as shares of the image, from 0 to 1'


def read_box_yolo(folder: Path, images: Iterable[Path] = ()) -> dict[str, list[BoxLabel]]:
    """Read a folder of YOLO's text files, also in folders within it that are not hidden.

    An empty file means that the image has no hand. The keys are paths relative to the folder, without ending.
    The names of the classes are those of data.yaml, classes.txt or obj.names, in the folder or above it. A
    name such as "left" or "right hand" gives the side; without names the sides are unknown. See
    `hand_classes` for classes that are no hands.

    Sizes are those of the upright image. It is one of `images`, files with the same stem; label files without
    one are then left out. Without `images`, it is beside the text file, or in the folder "images" that stands
    where "labels" is in the text file's path.

    Raises HandsError for a folder without text files or with more than `MOST_FOLDERS` folders, for lines of
    another form, and for a missing image.
    """
    files = _label_files(folder)
    if not files:
        raise HandsError(
            f"{folder} has no text file; YOLO's layout has one for each image, such as photo.txt"
        )
    classes = _classes(folder)
    given = defaultdict[str, list[Path]](list)
    for image in images:
        given[image.stem].append(image)
    boxes: dict[str, list[BoxLabel]] = {}
    for file in files:
        image = nearest(file.with_suffix(""), given.get(file.stem, ())) if given else _image_of(file)
        if image is not None:
            name = file.relative_to(folder).with_suffix("").as_posix()
            boxes[name] = _read(file, _upright_size(image), classes)
    return boxes


def _label_files(folder: Path) -> list[Path]:
    """Return the text files with labels in a folder and its folders, in order."""
    found = []
    for number, (place, folders, names) in enumerate(os.walk(folder)):
        if number > MOST_FOLDERS:
            raise HandsError(
                f"{folder} has more than {MOST_FOLDERS:,} folders; give the one of YOLO's text files alone"
            )
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, n) for n in names if n.endswith(".txt") and n.lower() not in _OTHERS]
    return sorted(found)


def nearest(label: Path, images: Iterable[Path]) -> Path | None:
    """Return the image that shares most folders with a label, None without images."""
    return max(images, key=lambda image: shared_parts(image.with_suffix(""), label), default=None)


def shared_parts(first: Path, second: Path) -> int:
    """Return how many parts two paths have in common, counted from their ends."""
    count = 0
    for a, b in zip(reversed(first.parts), reversed(second.parts), strict=False):
        if a != b:
            break
        count += 1
    return count


def _image_of(file: Path) -> Path:
    folders = [file.parent]
    if "labels" in file.parts:
        place = len(file.parts) - 1 - file.parts[::-1].index("labels")
        folders.append(Path(*file.parts[:place], "images", *file.parts[place + 1 : -1]))
    for folder in folders:
        for image in sorted(folder.glob("*")) if folder.is_dir() else ():
            if image.stem == file.stem and image.suffix.lower() in Image.registered_extensions():
                return image
    raise HandsError(
        f"{file} has no image {file.stem}.* in {' or '.join(map(str, folders))}; its boxes need the size"
    )


def _upright_size(path: Path) -> tuple[int, int]:
    with open_image(path) as image:
        width, height = image.size
        turned = image.getexif().get(0x0112, 1) >= 5
        return (height, width) if turned else (width, height)


def _read(file: Path, size_px: tuple[int, int], classes: Mapping[int, Handedness | None]) -> list[BoxLabel]:
    hands = []
    try:
        lines = read_limited(file, MAX_BYTES).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise HandsError(f"{file} is not a text file in UTF-8: {error}") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            kind, box = _parse(line, f"{file}, line {number}", size_px)
            if not classes or kind in classes:
                hands.append(BoxLabel(box, classes.get(kind)))
    return hands


def _parse(line: str, where: str, size_px: tuple[int, int]) -> tuple[int, Box]:
    words = line.split()
    try:
        kind, shares = int(words[0]), [float(word) for word in words[1:5]]
        x, y, width, height = shares
    except BROKEN as error:
        raise HandsError(f'{where} is "{line.strip()[:60]}"; it must be {_FORM}') from error
    if not all(0 <= share <= 1 for share in shares):
        raise HandsError(
            f'{where} is "{line.strip()[:60]}", which are no shares of the image; it must be {_FORM}'
        )
    wide, high = size_px
    corner = (x - width / 2) * wide, (y - height / 2) * high
    return kind, check_box((*corner, width * wide, height * high), f"{where}: the box", size_px)


def _classes(folder: Path) -> dict[int, Handedness | None]:
    """Return the classes that are hands with their sides, empty without a file of names."""
    for place in (folder, *folder.resolve().parents[:2]):
        for name in ("data.yaml", "dataset.yaml", "classes.txt", "obj.names"):
            file = place / name
            if file.is_file():
                text = read_limited(file, MAX_BYTES).decode("utf-8-sig", "replace")
                names = _names_of_yaml(text) if name.endswith(".yaml") else dict(enumerate(text.split("\n")))
                return hand_classes({number: each for number, each in names.items() if each.strip()})
    return {}


def _names_of_yaml(text: str) -> dict[int, str]:
    """Return the entry "names" of a YAML file: a list in brackets, a list of lines, or a table by number."""
    found = re.search(r"^names:[ \t]*(\[.*?\]|(?:\{.*?\})|(?:\n[ \t]*(?:-|\d+:).*)+)", text, re.M | re.S)
    if found is None:
        return {}
    entry = found.group(1)
    quoted = r"""['"]?([^'",\[\]{}\n]+?)['"]?\s*"""
    if numbered := re.findall(rf"(\d+)\s*:\s*{quoted}(?:[,}}\n]|$)", entry):
        return {int(number): name for number, name in numbered}
    parts = re.findall(rf"^[ \t]*-[ \t]*{quoted}$", entry, re.M) or re.findall(rf"{quoted}(?:,|\])", entry)
    return dict(enumerate(part.strip() for part in parts))
