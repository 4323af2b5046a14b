"""The Rendered Hand Pose Dataset (Zimmermann & Brox 2017) and sets in its layout.

``ROOT/{training,evaluation}/{color,mask,depth}/%05d.png`` and ``ROOT/SPLIT/anno_SPLIT.pickle``:
``{id: {"xyz": (42, 3) metres in the camera frame, "uv_vis": (42, 3) pixels and visibility, "K": (3, 3)}}``.
Points 0..20 are the left hand, 21..41 the right. The mask tells the hands apart: 2..17 left, 18..33 right.
"""

import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer, Shaped

from latent_hands.data.safe_pickle import load_pickle
from latent_hands.data.sample import OnBroken, Sample, read_pixels, sparing, stop, whole
from latent_hands.errors import AbsentError, HandsError, did_you_mean

SPLITS = ("training", "evaluation")
MM_PER_METRE = 1000.0
_SHAPES = {"xyz": (42, 3), "uv_vis": (42, 3), "K": (3, 3)}


def read_rhd(
    root: str | Path,
    split: str,
    ids: Iterable[int] | None = None,
    limit: int | None = None,
    on_broken: OnBroken = stop,
) -> list[Sample]:
    """Read one split: for every image the 21 keypoints of its dominant hand, in order of the ids.

    ``ids`` selects images, ``limit`` keeps the first so many. The dominant hand is left iff the mask shows
    more pixels of the left hand than of the right; where one hand is absent (all zero) it is the other.
    Of a split of which only some images are there, these are read, and a log line says how many are not.
    Raises HandsError for a missing folder, an unknown split or id, another layout, and if no image is
    there; labels that are not finite and broken files are told to ``on_broken``, and so is a missing image
    where it was asked for by ``ids``, or where ``on_broken`` does not just raise.
    """
    folder = split_folder(root, split)
    labels = _read_labels(folder / f"anno_{split}.pickle")
    chosen = _choose(labels, ids, folder)
    if ids is None and on_broken is stop:
        chosen = _with_images(chosen, folder)

    def read(index: int) -> Sample:
        return _sample(folder, index, labels[index])

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes the 41,258 masks outside the GIL
        return whole(pool.map(sparing(read, on_broken), chosen[:limit]))


def split_folder(root: str | Path, split: str) -> Path:
    """The folder of a split. Raises HandsError if root, split or folder do not exist."""
    if split not in SPLITS:
        raise HandsError(f'unknown split "{split}"; {did_you_mean(split, SPLITS)}')
    if not Path(root).is_dir():
        raise HandsError(f"no data set folder at {root}")
    folder = Path(root) / split
    if not (folder / "color").is_dir():
        error = HandsError if folder.is_dir() else AbsentError
        deep = f"; is the root {Path(root).absolute().parent}?" if (Path(root) / "color").is_dir() else ""
        raise error(f"{folder} is not in RHD's layout: folder color/ is missing{deep}")
    return folder


def dominant_side(mask: Integer[np.ndarray, "height width"]) -> str:
    """Left iff the mask shows more of the left hand (2..17) than of the right (18..33)."""
    counts = np.bincount(mask.ravel(), minlength=34)
    return "left" if counts[2:18].sum() > counts[18:34].sum() else "right"


def _read_labels(path: Path) -> dict[int, dict[str, Any]]:
    labels = load_pickle(path)
    if not isinstance(labels, dict) or not labels or not all(type(key) is int for key in labels):
        raise HandsError(f"{path} is not in RHD's layout: legal is a dictionary by image number")
    return labels


def _choose(labels: dict, ids: Iterable[int] | None, folder: Path) -> list[int]:
    chosen = sorted(labels) if ids is None else [int(index) for index in ids]
    for index in chosen:
        if index not in labels:
            raise HandsError(f"no image {index} in {folder}; legal: {min(labels)} .. {max(labels)}")
    return chosen


def _with_images(chosen: list[int], folder: Path) -> list[int]:
    there = [index for index in chosen if _file(folder, "color", index).is_file()]
    if not there:
        raise AbsentError(f"{folder} has none of the {len(chosen):,} images that its annotation labels")
    if absent := len(chosen) - len(there):
        logging.getLogger(__name__).warning(
            "%s of the %s images that are labelled are not in %s; they are left out",
            *(f"{absent:,}", f"{len(chosen):,}", folder),
        )
    return there


def _file(folder: Path, kind: str, index: int) -> Path:
    return folder / kind / f"{index:05d}.png"


def _sample(folder: Path, index: int, label: object) -> Sample:
    name = f"{index:05d}"
    where = f"image {name} of {folder}"
    xyz, uv_vis, K = _arrays(label, where)
    image, mask, depth = (_file(folder, kind, index) for kind in ("color", "mask", "depth"))
    if not image.is_file():
        raise HandsError(f"{where} has labels but no image: {image} is missing")
    side = _present_side(xyz) or dominant_side(read_pixels(mask, "L"))
    hand = slice(0, 21) if side == "left" else slice(21, 42)
    return Sample(
        name=name,
        image=image,
        side=side,
        xyz_mm=xyz[hand] * np.float32(MM_PER_METRE),
        uv_px=uv_vis[hand, :2],
        visible=uv_vis[hand, 2] > 0.5,
        K=K,
        mask=mask if mask.is_file() else None,
        depth=depth if depth.is_file() else None,
        convention="rhd",
    )


def _arrays(label: object, where: str) -> list[Shaped[np.ndarray, "..."]]:
    if not isinstance(label, dict) or not label.keys() >= _SHAPES.keys():
        raise HandsError(f"{where} is not labelled as in RHD: legal are {', '.join(_SHAPES)}")
    arrays = []
    for key, shape in _SHAPES.items():
        try:
            array = np.array(label[key], np.float32)
        except (ValueError, TypeError) as error:
            raise HandsError(f'"{key}" of {where} is no array of numbers: {error}') from error
        if array.shape != shape:
            raise HandsError(f'"{key}" of {where} has shape {array.shape}; legal: {shape}')
        if not np.isfinite(array).all():
            raise HandsError(f'"{key}" of {where} holds values that are not finite')
        arrays.append(array)
    return arrays


def _present_side(xyz: Shaped[np.ndarray, "42 3"]) -> str | None:
    """The side of the only hand with labels, or None if both (or none) have."""
    left, right = bool(xyz[:21].any()), bool(xyz[21:].any())
    return None if left == right else ("left" if left else "right")
