"""Reader of FreiHAND (Zimmermann et al. 2019): photographs of right hands, 224x224 pixels.

`ROOT/{training,evaluation}/rgb/%08d.jpg` are the images. `ROOT/SPLIT_xyz.json` has (n, 21, 3) metres in the
camera frame: the wrist, then thumb to little finger, each from base to tip. `ROOT/SPLIT_K.json` has (n, 3,
3). Training has 32,560 labels and four images of each, with different backgrounds: image i has label i modulo
n.
"""

import logging
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from latent_hands.data.formats.json_file import load_json
from latent_hands.data.formats.numerals import array_of
from latent_hands.data.readers.export_record import read_record
from latent_hands.data.readers.reading import (
    MM_PER_METRE,
    SPLITS,
    OnBroken,
    check_split,
    raise_error,
    read_each,
)
from latent_hands.data.sample import Sample, project
from latent_hands.errors import BROKEN, AbsentError, HandsError, counted
from latent_hands.hand.skeleton import reorder

VERSIONS = {"training": 4, "evaluation": 1}
"""Largest number of images with the same label."""
TRAINING_LABELS = 32_560
"""The number of labels of the published training split. Any of its images may be missing."""
ENDINGS = (".jpg", ".jpeg", ".png")
IMAGE_PX = 224
"""The side of the images that the labels are for."""


def read_freihand(
    root: str | Path, split: str, limit: int | None = None, *, on_broken: OnBroken = raise_error
) -> list[Sample]:
    """Read the images that exist, in order of their numbers. All joints count as visible.

    If both label files are missing, the samples have no label except the side. The joint convention is
    "mano", or the one in export.json, which `latent-hands export` writes. A warning counts labels without
    image.

    Raises HandsError if the folder is missing or has no images, the split is unknown, a label file is broken,
    or the numbers of the images do not fit the number of labels. `on_broken` receives the errors of labels
    that are not finite.
    """
    check_split(split)
    root = Path(root)
    images = _images(root, split)
    files = {key: root / f"{split}_{key}.json" for key in ("xyz", "K")}
    if not any(file.is_file() for file in files.values()):
        _check_no_labels(root, split)
        return [Sample(image.stem, image, "right") for image in images[:limit]]
    xyz_mm = reorder(_numbers(files["xyz"], (21, 3)), "mediapipe", "rhd") * np.float32(MM_PER_METRE)
    K = _numbers(files["K"], (3, 3))
    if len(K) != len(xyz_mm):
        raise HandsError(f"{files['K']} has {len(K)} labels, but {files['xyz'].name} has {len(xyz_mm)}")
    _check_numbers(images, len(xyz_mm), split)
    uv_px, record = project(xyz_mm, K), read_record(root, "freihand")
    convention = "mano" if record is None else record.get("convention", "mano")

    def read(image: Path) -> Sample:
        i = int(image.stem) % len(xyz_mm)
        for key, array in (("xyz", xyz_mm), ("K", K)):
            if not np.isfinite(array[i]).all():
                raise HandsError(f"label {i} of {files[key]} contains values that are not finite")
        labels = xyz_mm[i], uv_px[i], np.ones(21, bool), K[i]
        size_px = (IMAGE_PX, IMAGE_PX)
        return Sample(image.stem, image, "right", *labels, convention=convention, size_px=size_px)

    return list(read_each(read, images[:limit], on_broken))


def _check_no_labels(root: Path, split: str) -> None:
    """Raise HandsError if there are label files with other names, such as compressed ones."""
    for file in sorted(root.iterdir()):
        if re.match(rf"{split}_(xyz|K)\b", file.name, re.IGNORECASE):
            raise HandsError(
                f"{file} is not read; labels must be {split}_xyz.json and {split}_K.json: decompress or "
                "rename it"
            )


def _images(root: Path, split: str) -> list[Path]:
    """Return the numbered images of a split, in order."""
    folder = root / split / "rgb"
    if not folder.is_dir():
        others = [f'--split {other} (split="{other}")' for other in SPLITS if (root / other / "rgb").is_dir()]
        advice = f"use {', '.join(others)}" if others else "for images without labels use the data set images"
        raise AbsentError(f"FreiHAND's folder {folder} does not exist; {advice}")
    numbered = (image for image in folder.glob("*.jpg") if image.stem.isdecimal())
    images = sorted(numbered, key=lambda image: int(image.stem))
    for one, other in pairwise(images):
        if int(one.stem) == int(other.stem):
            raise HandsError(f"{one} and {other} have the same number; keep the image that was labelled")
    others = [each for each in folder.iterdir() if each.suffix.lower() in ENDINGS and each.name[0] != "."]
    if images and (bare := len(set(others) - set(images))):
        text = "left out %s of %s: not named 00000000.jpg, 00000001.jpg, .."
        logging.getLogger(__name__).warning(text, counted(bare, "image"), folder)
    if not images:
        found = next((f"; it has {file.name}" for file in sorted(folder.iterdir()) if file.is_file()), "")
        raise HandsError(
            f"no image in FreiHAND's layout in {folder}; they must be JPEG files named 00000000.jpg, "
            f"00000001.jpg, ..{found}"
        )
    return images


def _check_numbers(images: list[Path], labels: int, split: str) -> None:
    """Raise HandsError if images would be paired with labels of others; count labels without image.

    Image i has label i modulo `labels`, so label files that are too short, and numbers that begin with 1,
    would shift all labels.
    """
    numbers, most = [int(image.stem) for image in images], labels * VERSIONS[split]
    first, last = numbers[0], numbers[-1]
    if last >= most:
        hint = "; they seem to begin with 1, but must begin with 0" if first == 1 and last == most else ""
        raise HandsError(
            f"{images[-1]} has no label; with {labels} labels, numbers must be between 0 and {most - 1}{hint}"
        )
    if last >= labels and (last + 1) % labels and (split, labels) != ("training", TRAINING_LABELS):
        hint = "they seem to begin with 1, but must begin with 0" if first == 1 else "labels are missing"
        folder = images[0].parent
        raise HandsError(
            f"the images of {folder} are numbered {first} to {last}, but there are {labels} labels: "
            f"one for each image, or one for each {VERSIONS[split]} images {labels} apart; {hint}"
        )
    if last >= labels != TRAINING_LABELS:
        text = "the images of %s are numbered to %d, but there are %d labels: image i has label i modulo %d"
        logging.getLogger(__name__).warning(text, images[0].parent, last, labels, labels)
    if bare := labels - len({number % labels for number in numbers}):
        logging.getLogger(__name__).warning(
            "%s of the %s labels have no image in %s", f"{bare:,}", f"{labels:,}", images[0].parent
        )


def _numbers(path: Path, shape: tuple[int, int]) -> Float32[np.ndarray, "n _ _"]:
    """Return the arrays of a label file, each of this shape."""
    if not path.is_file():
        raise HandsError(f"no label file at {path}, although the other label file exists")
    try:
        array = array_of(load_json(path)).astype(np.float32)
    except HandsError:
        raise
    except BROKEN as error:
        raise HandsError(
            f"{path} must have {shape[0]} x {shape[1]} numbers for each label: {error}"
        ) from error
    if array.ndim != 3 or array.shape[1:] != shape or not len(array):
        raise HandsError(f"{path} has the shape {array.shape}; it must be n x {shape[0]} x {shape[1]}")
    return array
