"""Hands as arrays: one NPZ file for all hands of all images."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from latent_hands.errors import HandsError, as_path
from latent_hands.files import write_bytes
from latent_hands.hand.conventions import RHD, read_recorded, recorded
from latent_hands.hand.handedness import check_handedness
from latent_hands.hand.rig.articulation import ANGLES
from latent_hands.predictions.image_hands import ImageHands
from latent_hands.predictor import Hand
from latent_hands.predictor.hand_checks import SHAPES, check_parts
from latent_hands.predictor.hand_fields import known_facts

MAX_BYTES = 2**30

OF_HANDS = SHAPES | {"crop_px": (4,), "bone_mm": (), "score": (), "confidence": ()}
"""Attributes of `Hand` -> their shape. The arrays of n hands have the shape (n, *shape); NaN is unknown."""
_DERIVED: dict[str, tuple[int, ...]] = {"xyz_mm": (21, 3), "box_px": (4,)}
_TEXTS = ("handedness", "frame", "camera")
_UNKNOWN = -1


def write_npz(path: Path, images: Sequence[ImageHands]) -> Path:
    """Write the hands of all images.

    Arrays of m images: "names", "files", "sizes_px" (width, height), "frames" (-1: no video), "seconds".
    Arrays of n hands: "image" (index of the image), the attributes of `OF_HANDS`, "xyz_mm", "box_px",
    "handedness", "frame" (of the axes), "camera" (empty: none), "convention" (as `recorded` writes it),
    "bone_mm_assumed" and "track" (-1: none). "angle_names" names the 22 numbers of "angles_deg".
    """
    hands = [hand for image in images for hand in image.hands]
    arrays: dict[str, Any] = {
        "names": np.array([image.name for image in images], np.str_),
        "files": np.array(["" if image.file is None else str(image.file) for image in images], np.str_),
        "sizes_px": np.array([image.size_px for image in images], np.int64).reshape(len(images), 2),
        "frames": np.array([_UNKNOWN if image.frame is None else image.frame for image in images], np.int64),
        "seconds": _stacked([image.seconds for image in images], ()),
        "image": np.array([i for i, image in enumerate(images) for _ in image.hands], np.int64),
        "bone_mm_assumed": np.array([hand.bone_mm_assumed for hand in hands], bool),
        "track": np.array([_UNKNOWN if hand.track is None else hand.track for hand in hands], np.int64),
    }
    for name, shape in (OF_HANDS | _DERIVED).items():
        arrays[name] = _stacked([getattr(hand, name) for hand in hands], shape)
    for name in _TEXTS:
        arrays[name] = np.array([getattr(hand, name) or "" for hand in hands], np.str_)
    arrays["convention"] = np.array([recorded(hand.convention) for hand in hands], np.str_)
    arrays["angle_names"] = np.array(ANGLES, np.str_)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return write_bytes(path, buffer.getvalue())


def read_npz(path: str | Path) -> list[ImageHands]:
    """Read a file that `write_npz` wrote.

    Raises HandsError for any other file, and for parts of hands that contradict each other.
    """
    path = as_path(path, "path")
    try:
        with zipfile.ZipFile(path) as archive:
            if (size := sum(part.file_size for part in archive.infolist())) > MAX_BYTES:
                raise HandsError(f"it has {size:,} bytes when decompressed; the limit is {MAX_BYTES:,}")
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        _check_arrays(arrays)
        hands = [_hand(arrays, i) for i in range(len(arrays["image"]))]
        return [
            ImageHands(
                name=str(name),
                size_px=(int(arrays["sizes_px"][i, 0]), int(arrays["sizes_px"][i, 1])),
                hands=tuple(hand for hand, of in zip(hands, arrays["image"], strict=True) if of == i),
                file=Path(str(arrays["files"][i])) if arrays["files"][i] else None,
                frame=None if arrays["frames"][i] == _UNKNOWN else int(arrays["frames"][i]),
                seconds=_known(arrays["seconds"][i]),
            )
            for i, name in enumerate(arrays["names"])
        ]
    except HandsError as error:
        raise HandsError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise HandsError(f"no file at {path}") from error
    except Exception as error:  # zipfile and numpy raise almost every type on other files
        raise HandsError(f"{path} has no hands that `latent-hands estimate` wrote: {error!r}") from error


def _check_arrays(arrays: dict[str, Any]) -> None:
    """Raise HandsError for arrays of which a reader would lose hands, or mistake angles, without a word."""
    numbers, images, hands = arrays["image"], len(arrays["names"]), len(arrays["image"])
    of_hands = (*OF_HANDS, *_DERIVED, *_TEXTS, "bone_mm_assumed", "track", "convention")
    rows = dict.fromkeys(of_hands, hands) | dict.fromkeys(("files", "sizes_px", "frames", "seconds"), images)
    for name in rows.keys() & arrays.keys():
        if len(arrays[name]) != rows[name]:
            raise HandsError(f'"{name}" has {len(arrays[name])} rows, but must have {rows[name]}')
    if numbers.dtype.kind not in "iu" or (hands and not 0 <= numbers.min() <= numbers.max() < images):
        raise HandsError(
            f'"image" has {numbers.tolist()}, but must have numbers of images, 0 to {images - 1}'
        )
    for name in ("bone_mm_assumed", "track", "frames", "sizes_px"):
        array, flags = arrays[name], name == "bone_mm_assumed"
        if array.dtype.kind != "b" if flags else array.dtype.kind not in "iu":
            must = "true or false" if flags else "whole numbers"
            raise HandsError(f'"{name}" has the type {array.dtype}, but must have {must}')
    if tuple(arrays.get("angle_names", ANGLES)) != ANGLES:
        raise HandsError(f'"angle_names" differ from those of this version: {", ".join(ANGLES)}')


def _stacked(values: Sequence[Any], shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of float64 of the values; None becomes NaN."""
    arrays = [np.full(shape, np.nan) if value is None else np.asarray(value, np.float64) for value in values]
    return np.stack(arrays) if arrays else np.empty((0, *shape))


def _known(value: Any) -> Any:
    """Return None for NaN, and a number or an array of float32 for anything else."""
    if np.isnan(value).all():
        return None
    return float(value) if np.ndim(value) == 0 else np.asarray(value, np.float32)


def _hand(arrays: dict[str, Any], i: int) -> Hand:
    known = [name for name in (*OF_HANDS, *_DERIVED) if name in arrays]  # earlier versions wrote no angles
    fields: dict[str, Any] = {name: _known(arrays[name][i]) for name in known}
    fields |= {name: str(arrays[name][i]) or None for name in _TEXTS}
    fields["track"] = None if arrays["track"][i] == _UNKNOWN else int(arrays["track"][i])
    fields["seconds"] = _known(arrays["seconds"][int(arrays["image"][i])])
    text = str(arrays["convention"][i]) if "convention" in arrays else RHD  # earlier versions wrote none
    x, y, width, height = (float(number) for number in fields["crop_px"])
    of_hand = {name: array for name in SHAPES if (array := fields.get(name)) is not None}
    handedness = check_handedness(fields["handedness"])
    check_parts(fields, of_hand, handedness, fields["frame"], fields["bone_mm"], (x, y, width, height))
    return Hand(
        **of_hand,
        **known_facts(fields),
        handedness=handedness,
        frame=fields["frame"],
        crop_px=(x, y, width, height),
        bone_mm=fields["bone_mm"],
        bone_mm_assumed=bool(arrays["bone_mm_assumed"][i]),
        convention=read_recorded(text, "the hands"),
    )
