"""Boxes of hands from files of other tools: CSV, COCO, YOLO."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from latent_hands.data.formats.box_csv import HEADER, read_box_csv
from latent_hands.data.formats.box_json import read_sized_box_json
from latent_hands.data.formats.box_label import BoxLabel, announce_turned, check_box
from latent_hands.data.formats.box_layout import check_pixels
from latent_hands.data.formats.box_yolo import nearest, read_box_yolo, shared_parts
from latent_hands.data.formats.image import is_turned, open_image, shown_size
from latent_hands.errors import HandsError, as_path

__all__ = ["BoxLabel", "MatchedBoxes", "check_box", "match_boxes", "read_boxes"]

MOST_SIZED = 200
"""The most boxes that are compared with their images."""
_LOG = logging.getLogger(__name__)
Rank = tuple[int, bool]


def read_boxes(path: str | Path, images: Iterable[Path] = ()) -> dict[str, list[BoxLabel]]:
    """Read the boxes of hands from a file, as {name of the image: boxes}. The ending names the format.

    * `.csv`: one line per hand, with the columns file,x,y,width,height[,handedness] (`read_box_csv`).
    * `.json`: COCO's annotations, or a list of files with their boxes (`read_box_json`).
    * A folder: YOLO's text files (`read_box_yolo`), whose keys have no ending. It needs the `images`, or
      finds them by YOLO's rule.

    Boxes are in pixels from the upper left corner. An image that is listed without a hand has an empty list.
    Duplicate boxes count once. Raises HandsError, naming the place and what is legal, if the file
    is missing or of another form, if a box is not valid or does not fit its image, or if boxes seem to be
    corners x1,y1,x2,y2, centres or percentages.

    >>> written = lh.write_hands("hands.csv", {photo: [hand]})
    >>> [label.handedness for label in lh.read_boxes("hands.csv")[photo]]
    ['left']
    """
    path = as_path(path, "path")
    if path.is_dir():
        return _without_copies(read_box_yolo(path, images), path)
    if not path.is_file():
        raise HandsError(f"no file of boxes at {path}")
    ending = path.suffix.lower()
    if ending not in (".csv", ".json"):
        raise HandsError(
            f"{path} is not a file of boxes; legal are a .csv file ({HEADER}), a .json file in COCO's "
            "layout, and a folder of YOLO's text files"
        )
    read, sizes = read_sized_box_json(path) if ending == ".json" else (read_box_csv(path), {})
    boxes = _without_copies(read, path)
    _check_in_images(boxes, sizes, path, images)
    return boxes


def _without_copies(boxes: dict[str, list[BoxLabel]], path: Path) -> dict[str, list[BoxLabel]]:
    """Return the boxes, each once an image; a warning counts copies.

    Raises HandsError for a box that is labelled with two sides.
    """
    single = {name: list(dict.fromkeys(hands)) for name, hands in boxes.items()}
    for name, hands in single.items():
        box, times = Counter(hand.box for hand in hands).most_common(1)[0] if hands else (None, 0)
        if times > 1:
            text = ",".join(f"{number:g}" for number in box or ())
            raise HandsError(f"{path} has the box {text} of {name} with two sides; keep one of them")
    if copies := sum(map(len, boxes.values())) - sum(map(len, single.values())):
        _LOG.warning("%s: copies of boxes that are left out: %d", path, copies)
    return single


def _check_in_images(
    boxes: Mapping[str, list[BoxLabel]],
    sizes: Mapping[str, tuple[int, int]],
    path: Path,
    images: Iterable[Path],
) -> None:
    """Raise HandsError if boxes do not fit the images: those given, or beside the file.

    They are for images of another size, they lie outside, or they seem to be corners or percentages.
    """
    given: dict[str, list[Path]] = {}
    for image in images:
        given.setdefault(image.name, []).append(image)
    sized, turned = [], 0
    for name, hands in boxes.items():
        alike = given.get(_path(name).name, [])
        image = nearest(_path(name).with_suffix(""), alike) or path.parent / name
        named = len(alike) < 2 or len(_path(name).parts) > 1  # otherwise `match_boxes` names the images
        if hands and named and len(sized) < MOST_SIZED and image.suffix and image.is_file():
            size, stored = _sizes(image)
            if size is None:
                continue
            turned += stored is not None and (name not in sizes or sizes[name] == stored)
            if sizes.get(name, size) != size:
                raise HandsError(
                    f"{path} has the boxes of {name} for an image of {_by(sizes[name])} pixels, but {image} "
                    f"has {_by(size)}; give the images that were labelled, or scale the boxes"
                )
            for hand in hands:
                check_box(hand.box, f"{path}: a box of {name}", size)
            sized += [(hand.box, size) for hand in hands]
    announce_turned(turned, path)
    check_pixels(sized, str(path))


def _sizes(image: Path) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Return (width, height) of an image as it is shown, and as it is stored if it is turned.

    The former is None for a broken file, which others report.
    """
    with suppress(HandsError), open_image(image) as opened:
        return shown_size(opened), opened.size if is_turned(opened) else None
    return None, None


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@dataclass(frozen=True)
class MatchedBoxes:
    """Boxes by image file.

    Attributes:
        boxes: the hands of each image that the file of boxes lists.
        missing: images that it does not list.
        unused: names that it lists, of no image.
    """

    boxes: dict[Path, list[BoxLabel]]
    missing: list[Path]
    unused: list[str]


def match_boxes(boxes: Mapping[str, list[BoxLabel]], images: Sequence[Path]) -> MatchedBoxes:
    """Find the boxes of each image: those whose name has its file name and most of its folders.

    Names without ending, as in YOLO's layout, match files of any ending. Raises HandsError if two names fit
    an image equally well, or if one name fits two images equally well.
    """
    by_file: dict[str, list[str]] = {}
    for name in boxes:
        by_file.setdefault(_path(name).name, []).append(name)
    owners: dict[str, tuple[Path, Rank]] = {}
    for image in dict.fromkeys(image.absolute() for image in images):
        names = [*by_file.get(image.name, []), *by_file.get(image.stem, [])]
        if names:
            name, shared = _best_name(image, names)
            owner, most = owners.get(name, (image, (0, False)))
            if shared == most:
                raise HandsError(
                    f'the boxes of "{name}" fit two images, {owner} and {image}; '
                    "write the names with their folders, as in folder/photo.jpg"
                )
            owners[name] = (image, shared) if shared > most else (owner, most)
    found = {image: boxes[name] for name, (image, _) in owners.items()}
    matched = {image: found[image.absolute()] for image in images if image.absolute() in found}
    missing = [image for image in images if image not in matched]
    return MatchedBoxes(matched, missing, [name for name in boxes if name not in owners])


def _best_name(image: Path, names: Sequence[str]) -> tuple[str, Rank]:
    """Return the name that shares most parts with the image, if possible all its parts."""
    fits: dict[str, Rank] = {}
    for name in names:
        path = _path(name)
        shared = shared_parts(path, image if path.name == image.name else image.with_suffix(""))
        fits[name] = shared, shared == len(path.parts)
    most = max(fits.values())
    best = [name for name, rank in fits.items() if rank == most]
    if len(best) > 1:
        raise HandsError(f"the boxes of {' and of '.join(best)} fit {image} equally well; name its folder")
    return best[0], most


def _path(name: str) -> Path:
    return Path(PurePosixPath(name.replace("\\", "/")))
