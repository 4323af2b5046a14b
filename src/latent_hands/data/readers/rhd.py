"""Reader of the Rendered Hand Pose Dataset, RHD (Zimmermann & Brox 2017), and of sets in its layout.

`ROOT/{training,evaluation}/{color,mask,depth}/%05d.png` are the images. `ROOT/SPLIT/anno_SPLIT.pickle` has
the labels: {id: {"xyz": (42, 3) metres in the camera frame, "uv_vis": (42, 3) pixels and visibility, "K": (3,
3)}}. Points 0..20 are the left hand, 21..41 the right hand. In the mask, 2..17 are the left hand, 18..33 the
right.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Integer, Shaped

from latent_hands.data.formats.numerals import array_of
from latent_hands.data.formats.rhd_files import read_parts
from latent_hands.data.formats.safe_pickle import load_pickle
from latent_hands.data.readers.export_record import read_record
from latent_hands.data.readers.reading import (
    MM_PER_METRE,
    OnBroken,
    Read,
    check_split,
    raise_error,
    read_each,
    warn_of_unlabelled,
)
from latent_hands.data.sample import Sample
from latent_hands.errors import BROKEN, AbsentError, HandsError

HANDS = {"left": slice(0, 21), "right": slice(21, 42)}
"""Rows of each hand's joints in the labels of an image."""
FIRST_PART, PARTS = {"left": 2, "right": 18}, 16
"""Number of each hand's first part in a mask, and the number of its parts."""
IMAGE_PX, PRINCIPAL_PX = 320, 160.0
"""The side of RHD's images, and the principal point of all its cameras, by which its labels are known."""
CONVENTION = "rhd"
_SHAPES = {"xyz": (42, 3), "uv_vis": (42, 3), "K": (3, 3)}


def read_rhd(
    root: str | Path,
    split: str,
    limit: int | None = None,
    *,
    ids: Iterable[int] | None = None,
    on_broken: OnBroken = raise_error,
) -> list[Sample]:
    """Read one split: the 21 keypoints of the dominant hand of every image, in order of their ids.

    The dominant hand is the left one if the mask has more pixels of the left hand than of the right. If only
    one hand has labels (the other's are all 0), it is that hand.

    The joint convention is "rhd", or the one in export.json, which `latent-hands export` writes.

    `ids` selects images, and `limit` keeps the first ones. If some images of the split are missing, the
    others are read, and the number of missing images is logged.

    Raises HandsError if the folder is missing, the split or an id is unknown, the layout is another one, or
    no image exists. `on_broken` receives the errors of broken files and of labels that are not finite. It
    also receives those of missing images if `ids` selects them, or if it is not the default.
    """
    return _stated(list(_read_images(_dominant_hand, root, split, limit, ids, on_broken)), root)


def read_rhd_hands(
    root: str | Path,
    split: str,
    limit: int | None = None,
    *,
    ids: Iterable[int] | None = None,
    on_broken: OnBroken = raise_error,
) -> list[Sample]:
    """Read one split: every hand of every image, a sample each, in order of images, left hands first.

    A hand is in an image if the mask shows at least one pixel of it, or if one of its joints is visible.
    `NAME-left` and `NAME-right` are the names of the samples of image NAME. Two samples of an image have the
    same image, mask and depth files. `limit` keeps the first hands of the first `limit` images.

    Arguments and errors are those of `read_rhd`.
    """
    images = _read_images(_all_hands, root, split, limit, ids, on_broken)
    return _stated([hand for hands in images for hand in hands][:limit], root)


def _stated(samples: list[Sample], root: str | Path) -> list[Sample]:
    """Return the samples in the joint convention of export.json, if `latent-hands export` wrote the set."""
    record = read_record(Path(root), "rhd")
    if record is None or (convention := record.get("convention", CONVENTION)) == CONVENTION:
        return samples
    return [replace(sample, convention=convention) for sample in samples]


def _read_images(
    read_image: Callable[[Path, int, object], Read],
    root: str | Path,
    split: str,
    limit: int | None,
    ids: Iterable[int] | None,
    on_broken: OnBroken,
) -> Iterator[Read]:
    """Iterate over what `read_image` returns for folder, number and label of each chosen image."""
    folder = split_folder(root, split)
    labels = _read_labels(folder / f"anno_{split}.pickle")
    chosen = _choose(labels, ids, folder)
    if ids is None:
        warn_of_unlabelled(folder / "color", "[!.]*.png", {f"{index:05d}" for index in labels})
    if ids is None and on_broken is raise_error:
        chosen = _with_images(chosen, folder)

    _announce_flags((labels[index] for index in chosen), folder)

    def read(index: int) -> Read:
        return read_image(folder, index, labels[index])

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes the 41,258 masks outside the GIL
        yield from read_each(read, chosen[:limit], on_broken, pool.map)


def _announce_flags(labels: Iterable[Any], folder: Path) -> None:
    """Announce visibility flags whose meaning is guessed. Broken labels are left to later readers."""
    found = list[float]()
    for label in labels:
        with suppress(*BROKEN):
            flags = array_of(label["uv_vis"])[:, 2]
            found += flags[(flags != 0) & (flags != 1)].tolist()
    if found:
        text = "%s: %d visibility flags are neither 0 nor 1, but %g to %g; flags above 0 count as visible"
        logging.getLogger(__name__).warning(text, folder, len(found), min(found), max(found))


def split_folder(root: str | Path, split: str) -> Path:
    """Return the folder of a split. Raises HandsError if the split is unknown or a folder does not exist."""
    check_split(split)
    if not Path(root).is_dir():
        raise HandsError(f"no data set folder at {root}")
    folder = Path(root) / split
    if not (folder / "color").is_dir():
        error = HandsError if folder.is_dir() else AbsentError
        deep = f"; is the root {Path(root).absolute().parent}?" if (Path(root) / "color").is_dir() else ""
        raise error(f"{folder} is not in RHD's layout: folder color/ is missing{deep}")
    return folder


def dominant_side(mask: Integer[np.ndarray, "height width"]) -> str:
    """Return "left" if the mask has more pixels of the left hand (2..17) than of the right hand (18..33)."""
    counts = np.bincount(mask.ravel(), minlength=34)
    return "left" if counts[2:18].sum() > counts[18:34].sum() else "right"


def _read_labels(path: Path) -> dict[int, dict[str, Any]]:
    labels = load_pickle(path)
    if not isinstance(labels, dict) or not labels or not all(type(key) is int for key in labels):
        raise HandsError(f"{path} is not in RHD's layout: it must be a dictionary by image number")
    return labels


def _choose(labels: dict, ids: Iterable[int] | None, folder: Path) -> list[int]:
    chosen = sorted(labels) if ids is None else [int(index) for index in ids]
    for index in chosen:
        if index not in labels:
            raise HandsError(
                f"no image {index} in {folder}; it must be between {min(labels)} and {max(labels)}"
            )
    return chosen


def _with_images(chosen: list[int], folder: Path) -> list[int]:
    present = [index for index in chosen if _file(folder, "color", index).is_file()]
    if not present:
        raise AbsentError(f"{folder} has none of the {len(chosen):,} images that its annotation labels")
    if absent := len(chosen) - len(present):
        logging.getLogger(__name__).warning(
            "%s of the %s labelled images are not in %s and are left out",
            *(f"{absent:,}", f"{len(chosen):,}", folder),
        )
    return present


def _file(folder: Path, kind: str, index: int) -> Path:
    return folder / kind / f"{index:05d}.png"


def _dominant_hand(folder: Path, index: int, label: object) -> Sample:
    """Return the hand with labels, or of two hands the one that covers more of the mask."""
    image = _LabelledImage.read(folder, index, label)
    side = _labelled_side(image.xyz_m) or dominant_side(read_parts(image.file("mask")))
    return image.hand(side, image.name)


def _all_hands(folder: Path, index: int, label: object) -> list[Sample]:
    """Return all hands that are in the image."""
    image = _LabelledImage.read(folder, index, label)
    mask = image.file("mask")
    pixels = read_parts(mask) if mask.is_file() else None
    return [image.hand(side, f"{image.name}-{side}") for side in HANDS if image.shows(side, pixels)]


@dataclass(frozen=True)
class _LabelledImage:
    """An image of RHD and its labels, which are those of two hands.

    Args:
        folder: Folder of the split.
        name: Number of the image, five digits.
        xyz_m: Joints of the left hand, then of the right hand.
        uv_vis: Pixels and visibility of the same joints.
        K: The camera.
    """

    folder: Path
    name: str
    xyz_m: Float32[np.ndarray, "42 3"]
    uv_vis: Float32[np.ndarray, "42 3"]
    K: Float32[np.ndarray, "3 3"]

    @staticmethod
    def read(folder: Path, index: int, label: object) -> "_LabelledImage":
        """Check the labels and that the image exists. Raises HandsError if not."""
        name = f"{index:05d}"
        where = f"image {name} of {folder}"
        image = _LabelledImage(folder, name, *_arrays(label, where))
        if not image.file("color").is_file():
            raise HandsError(f"{where} has labels but no image: {image.file('color')} is missing")
        return image

    def file(self, kind: str) -> Path:
        """Return the image's file in one of the folders color, mask and depth."""
        return self.folder / kind / f"{self.name}.png"

    def shows(self, side: str, mask: Integer[np.ndarray, "height width"] | None) -> bool:
        """Return whether a hand has labels, and either a pixel in the mask or a visible joint."""
        if not self.xyz_m[HANDS[side]].any():
            return False
        if self.uv_vis[HANDS[side], 2].max() > 0:
            return True
        first = FIRST_PART[side]
        return mask is not None and bool(((mask >= first) & (mask < first + PARTS)).any())

    def hand(self, side: str, name: str) -> Sample:
        """Return the sample of one hand."""
        mask, depth = self.file("mask"), self.file("depth")
        return Sample(
            name=name,
            image=self.file("color"),
            handedness=side,
            xyz_mm=self.xyz_m[HANDS[side]] * np.float32(MM_PER_METRE),
            uv_px=self.uv_vis[HANDS[side], :2],
            visible=self.uv_vis[HANDS[side], 2] > 0,
            K=self.K,
            mask=mask if mask.is_file() else None,
            depth=depth if depth.is_file() else None,
            convention=CONVENTION,
            size_px=(IMAGE_PX, IMAGE_PX) if (self.K[:2, 2] == PRINCIPAL_PX).all() else None,
        )


def _arrays(label: object, where: str) -> list[Shaped[np.ndarray, "..."]]:
    if not isinstance(label, dict) or not label.keys() >= _SHAPES.keys():
        raise HandsError(f"{where} is not labelled as in RHD: it must have {', '.join(_SHAPES)}")
    arrays = []
    for key, shape in _SHAPES.items():
        try:
            array = array_of(label[key]).astype(np.float32)
        except BROKEN as error:
            raise HandsError(f'"{key}" of {where} is not an array of numbers: {error}') from error
        if array.shape != shape:
            raise HandsError(f'"{key}" of {where} has the shape {array.shape}; it must be {shape}')
        if not np.isfinite(array).all():
            raise HandsError(f'"{key}" of {where} contains values that are not finite')
        arrays.append(array)
    return arrays


def _labelled_side(xyz: Shaped[np.ndarray, "42 3"]) -> str | None:
    """Return the side of the only hand that has labels; None if both hands have labels, or neither."""
    left, right = bool(xyz[:21].any()), bool(xyz[21:].any())
    return None if left == right else ("left" if left else "right")
