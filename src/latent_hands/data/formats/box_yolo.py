"""Boxes in YOLO's layout: a text file for each image, with lines "class x y width height" as shares of it."""

import logging
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from latent_hands.data.formats.box_label import (
    BoxLabel,
    announce_classes,
    announce_turned,
    check_box,
    hand_classes,
)
from latent_hands.data.formats.box_layout import check_scores, check_shares
from latent_hands.data.formats.image import is_turned, open_image, shown_size
from latent_hands.data.formats.limited import read_limited
from latent_hands.data.formats.numerals import integer_of, number_of
from latent_hands.errors import BROKEN, HandsError
from latent_hands.hand.boxes import Box

MAX_BYTES = 2**20
MOST_FOLDERS = 2000
_OTHERS = ("classes.txt", "obj.names", "readme.txt", "readme.roboflow.txt", "readme.dataset.txt")
_LENGTHS = (6, 5 + 2 * 21, 5 + 3 * 21)
"""Numbers of lines with a score, with 21 keypoints, and with 21 keypoints and their flags."""
_NAME = r"""(?:"([^"\n]*)"|'([^'\n]*)'|([^\s'",\[\]{}][^,\[\]{}\n]*?))"""
"""A name in YAML: in quotes, or plain without the signs that end it."""
_LOG = logging.getLogger(__name__)
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
    another form or with the score in front, for classes without a name among names, and for a missing image.
    A warning counts boxes of classes that are not hands.
    """
    files = label_files(folder)
    if not files:
        raise HandsError(
            f"{folder} has no text file; YOLO's layout has one for each image, such as photo.txt"
        )
    names, others = class_names(folder), Counter[str]()
    given = defaultdict[str, list[Path]](list)
    for image in images:
        given[image.stem].append(image)
    boxes: dict[str, list[BoxLabel]] = {}
    lines, turned = list[_Line](), 0
    for file in files:
        image = nearest(file.with_suffix(""), given.get(file.stem, ())) if given else image_of(file)
        if image is not None:
            name = file.relative_to(folder).with_suffix("").as_posix()
            boxes[name] = []
            size_px, is_other = shown(image)
            lines += _lines(file, name, size_px)
            turned += is_other
    announce_turned(turned, folder)
    _check_layout(lines, str(folder))
    classes = hand_classes(names)
    announce_classes({kind: names[kind] for kind in {line.kind for line in lines} & set(names)}, folder)
    for line in lines:
        check_named(line.kind, names, line.where)
        if not names or line.kind in classes:
            boxes[line.name].append(BoxLabel(line.box(), classes.get(line.kind)))
        else:
            others[names[line.kind]] += 1
    if others:
        text = ", ".join(f'{count:,} of "{name}"' for name, count in others.items())
        _LOG.warning("%s: left out boxes of classes that are not hands: %s", folder, text)
    return boxes


@dataclass(frozen=True)
class _Line:
    """A line of a text file: its class, the shares of its box, and the sixth word, a score."""

    where: str
    name: str
    size_px: tuple[int, int]
    kind: int
    shares: tuple[float, ...]
    score: float | None

    def box(self) -> Box:
        """Return the box in pixels. Raises HandsError as `check_box` does."""
        (x, y, width, height), (wide, high) = self.shares, self.size_px
        corner = (x - width / 2) * wide, (y - height / 2) * high
        return check_box((*corner, width * wide, height * high), f"{self.where}: the box", self.size_px)


def _check_layout(lines: Sequence[_Line], where: str) -> None:
    """Raise HandsError if the boxes seem to be of another form, or if a score may stand before them."""
    if scored := [(*line.shares, line.score) for line in lines if line.score is not None]:
        check_scores(np.array(scored, float), where, _FORM)
    if lines:
        check_shares(np.array([line.shares for line in lines]), where, _FORM)


def label_files(folder: Path) -> list[Path]:
    """Return the text files with labels in a folder and its folders, in order.

    Raises HandsError for more than `MOST_FOLDERS` folders.
    """
    found = []
    for number, (place, folders, names) in enumerate(os.walk(folder)):
        if number > MOST_FOLDERS:
            raise HandsError(
                f"{folder} has more than {MOST_FOLDERS:,} folders; give the one of YOLO's text files alone"
            )
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, n) for n in names if n.endswith(".txt") and n.lower() not in _OTHERS]
    return sorted(found)


def label_lines(file: Path) -> list[tuple[str, str]]:
    """Return the lines of a label file that are not empty, each after where it is, for messages.

    Raises HandsError for a file that is too large, or no text in UTF-8.
    """
    try:
        lines = read_limited(file, MAX_BYTES).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise HandsError(f"{file} is not a text file in UTF-8: {error}") from error
    return [(f"{file}, line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]


def check_named(kind: int, names: Mapping[int, str], where: str) -> None:
    """Raise HandsError for a class without a name, if there are names."""
    if names and kind not in names:
        legal = ", ".join(f"{each} ({name})" for each, name in names.items())
        raise HandsError(f"{where} has the class {kind}, which has no name; named are {legal}")


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


def image_of(file: Path) -> Path:
    """Return the image of a label file, see `read_box_yolo`. Raises HandsError if it is missing."""
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


def shown(path: Path) -> tuple[tuple[int, int], bool]:
    """Return (width, height) of an image as it is shown, and whether it is stored in another way."""
    with open_image(path) as image:
        return shown_size(image), is_turned(image)


def _lines(file: Path, name: str, size_px: tuple[int, int]) -> list[_Line]:
    return [_Line(where, name, size_px, *_parse(line, where)) for where, line in label_lines(file)]


def _parse(line: str, where: str) -> tuple[int, tuple[float, ...], float | None]:
    """Return the class, four shares, and the score if there is one."""
    words = line.split()
    if len(words) > 5 and len(words) not in _LENGTHS:
        raise HandsError(
            f"{where} has {len(words)} numbers, so it is a polygon or a rotated box; it must be {_FORM}, "
            "and may have a score or 21 keypoints after these"
        )
    try:
        kind, shares = integer_of(words[0]), tuple(number_of(word) for word in words[1:5])
        score = number_of(words[5]) if len(words) == 6 else None
        _x, _y, _width, _height = shares
    except BROKEN as error:
        raise HandsError(f'{where} is "{line.strip()[:60]}"; it must be {_FORM}') from error
    if kind < 0:
        raise HandsError(f"{where} has the class {kind}; classes are numbers from 0")
    if not all(0 <= share <= 1 for share in shares):
        raise HandsError(
            f'{where} is "{line.strip()[:60]}", which are no shares of the image; it must be {_FORM}'
        )
    return kind, shares, score


def class_names(folder: Path) -> dict[int, str]:
    """Return the names of the classes, empty without a file of names."""
    for place in (folder, *folder.resolve().parents[:2]):
        for name in ("data.yaml", "dataset.yaml", "classes.txt", "obj.names"):
            file = place / name
            if file.is_file():
                text = read_limited(file, MAX_BYTES).decode("utf-8-sig", "replace")
                names = _names_of_yaml(text) if name.endswith(".yaml") else dict(enumerate(text.split("\n")))
                if name.endswith(".yaml") and not names and re.search(r"^names\s*:", text, re.M):
                    raise HandsError(f'{file} has no readable "names"; write names: [left, right]')
                return {number: each.strip() for number, each in names.items() if each.strip()}
    return {}


def _names_of_yaml(text: str) -> dict[int, str]:
    """Return the entry "names" of a YAML file: a list in brackets, a list of lines, or a table by number."""
    text = re.sub(r"^[ \t]*#.*\n|[ \t]#.*$", "", text, flags=re.M)
    found = re.search(r"^names:[ \t]*(\[.*?\]|\{.*?\}|(?:\n[ \t]*(?:-|\d+[ \t]*:).*)+)", text, re.M | re.S)
    if found is None:
        return {}
    entry = found.group(1)
    if numbered := re.findall(rf"(?:^|[{{,])\s*(\d+)\s*:\s*{_NAME}\s*(?=[,}}\n]|$)", entry, re.M):
        return {int(number): "".join(parts) for number, *parts in numbered}
    start = r"(?:^\[|,)\s*" if entry.startswith("[") else r"^[ \t]*-[ \t]*"
    listed = re.findall(rf"{start}{_NAME}\s*(?=[,\]\n]|$)", entry, re.M)
    return {number: "".join(parts) for number, parts in enumerate(listed)}
