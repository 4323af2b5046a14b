"""One labelled image of a hand, the same for all data sets."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Float32

from latent_hands.data.formats.numerals import array_of
from latent_hands.errors import BROKEN, HandsError, as_list
from latent_hands.hand.handedness import HANDEDNESS, check_handedness

FAR_PX = 1e6
"""Limit of coordinates in an image. Beyond it, Pillow's integers overflow."""


@dataclass(frozen=True)
class Sample:
    """One image of one hand, with its labels. A label that is not known is None.

    Labels are those of the data set: nothing is mirrored, cropped or normalised. Joints are in RHD's order
    (`hand.skeleton.JOINTS`). In the camera frame, x points right, y down and z forward. Pixel (0, 0) is the
    centre of the first pixel. Arrays may be given as any arrays or nested lists of the right shape.

    Attributes:
        name: Name of the sample, unique in its split.
        image: File of the RGB image.
        handedness: "left" or "right". Training and scoring need it.
        xyz_mm: The joints in millimetres, in the camera frame, shape (21, 3).
        uv_px: The joints in the image, (column, row) in pixels, shape (21, 2).
        visible: Whether each joint is visible in the image, shape (21,).
        K: Intrinsic matrix of the camera, in pixels, shape (3, 3): (u, v, 1) = K @ xyz / z.
        root: What the data set labels as joint 0, the "wrist" or the centre of the "palm".
        wrist_mm: The wrist in millimetres, in the camera frame, shape (3,), if the root is the palm.
        wrist_px: The wrist in the image, in pixels, shape (2,), if the root is the palm. The crop's box then
            contains the wrist instead of the palm.
        mask: File of the segmentation: 0 is background, 1 a person, 2..17 a left hand, 18..33 a right hand.
        depth: File of the depth image of the same camera, in RHD's coding (`formats.rhd_files`).
        tag: File of another image of the same scene, with the same content and another pose.
        identity_tag: File of an image of the scene's person without the scene's background.
        background_tag: File of an image of the scene without a person.
        scene_box: A square (cx, cy, side) in pixels, centre and side, which all images of a scene share.
        factors: The factors that a rendered image was made from, by name.
        convention: Name of the joint convention: where in the hand the data set places its joints
            (`hand.conventions`).
        seconds: Time of the frame in its video, in seconds.
        block: Name of a block of samples that are alike, such as a scene or a part of a sequence. Bootstrap
            intervals resample whole blocks.
        weight: How much the sample counts in training, 0 or more; None is 1. Pseudo-labels have their score.
        size_px: Width and height of the image that `uv_px` and `K` are for. None if the data set does not
            name them. Images of another size are refused.
        labelled: Whether each joint of `uv_px` is labelled, shape (21,); None if all are. Joints without
            label have any place in `uv_px`. They count neither in training nor in scores.
        present: Whether there is a hand. Where there is none, `scene_box` is a square that shows none,
            `handedness` is any, and other labels are None. Such squares teach the modality `presence`.

    Raises:
        HandsError: if the image is not a file name, if a label is not an array of numbers of its shape, if
            flags are neither true nor false, if the root is another joint, and for a side, weight, size or
            name of a block or convention that is none.
    """

    name: str
    image: Path
    handedness: str | None = None
    xyz_mm: Float32[np.ndarray, "21 3"] | None = None
    uv_px: Float32[np.ndarray, "21 2"] | None = None
    visible: Bool[np.ndarray, "21"] | None = None
    K: Float32[np.ndarray, "3 3"] | None = None
    root: Literal["wrist", "palm"] = "wrist"
    wrist_mm: Float32[np.ndarray, "3"] | None = None
    wrist_px: Float32[np.ndarray, "2"] | None = None
    mask: Path | None = None
    depth: Path | None = None
    tag: Path | None = None
    identity_tag: Path | None = None
    background_tag: Path | None = None
    scene_box: tuple[float, float, float] | None = None
    factors: dict[str, Any] | None = None
    convention: str | None = None
    seconds: float | None = None
    block: str | None = None
    weight: float | None = None
    size_px: tuple[int, int] | None = None
    labelled: Bool[np.ndarray, "21"] | None = None
    present: bool = True

    def __post_init__(self) -> None:
        """Convert labels to arrays of their types, and check their shapes and the side."""
        object.__setattr__(self, "image", _file(self.image, self.name))
        if self.root not in ("wrist", "palm"):
            raise HandsError(f'"root" of sample {self.name} is {self.root!r}; it must be "wrist" or "palm"')
        for field, (legal, means) in _LEGAL.items():
            if (value := getattr(self, field)) is not None and not legal(value):
                raise HandsError(f"{self.where} has the {field} {value!r}; it must be {means}")
        for field, (kind, shape) in _ARRAYS.items():
            value = getattr(self, field)
            if value is not None:
                object.__setattr__(
                    self, field, _array(value, kind, shape, f'"{field}" of sample {self.name}')
                )

    def __repr__(self) -> str:
        """Return one line: name, file, side, and the names of the known labels."""
        labels = ", ".join(each for each in _ARRAYS if getattr(self, each) is not None) or "none"
        return f"Sample({self.name!r}, {str(self.image)!r}, {self.handedness}, labels: {labels})"

    @property
    def where(self) -> str:
        """The sample's name and file, for error messages."""
        return f"sample {self.name} ({self.image})"

    @property
    def visible_or_all(self) -> Bool[np.ndarray, "21"]:
        """Return the visible joints as a mask; all of them if this is not known."""
        return np.ones(21, bool) if self.visible is None else self.visible

    @property
    def labelled_or_all(self) -> Bool[np.ndarray, "21"]:
        """Return which joints of `uv_px` are labelled as a mask; all of them without `labelled`."""
        return np.ones(21, bool) if self.labelled is None else self.labelled

    def projected(self) -> "Sample":
        """Return the sample with `uv_px` and `visible` filled in where they are not known.

        `uv_px` are the projected `xyz_mm`, all visible. A sample without 2D joints would be used with its
        whole image as the crop. Without `xyz_mm` or `K`, the sample is returned as it is.
        """
        if self.xyz_mm is None or self.K is None:
            return self
        uv_px = project(self.xyz_mm, self.K) if self.uv_px is None else self.uv_px
        return replace(self, uv_px=uv_px, visible=self.visible_or_all)


def _file(image: object, name: str) -> Path:
    if not isinstance(image, str | Path):
        kind = type(image).__name__
        raise HandsError(
            f'"image" of sample {name} is a {kind}; it must be a file: save images in memory first'
        )
    return Path(image)


def listed(samples: object) -> "list[Sample]":
    """Return samples as a list. Raises HandsError for anything but several samples."""
    chosen = as_list(samples, "samples", "a list of Sample")
    for each in chosen:
        if not isinstance(each, Sample):
            raise HandsError(f"samples must be a list of Sample, but has a {type(each).__name__}")
    return chosen


def with_handedness(samples: Sequence[Sample], handedness: str | None) -> list[Sample]:
    """Return the samples with this side where their labels have none; a warning counts them.

    Raises HandsError for anything but "left", "right" and None, which changes nothing.
    """
    if handedness is None:
        return list(samples)
    side = check_handedness(handedness)
    log = logging.getLogger(__name__)
    if bare := sum(sample.handedness is None for sample in samples):
        text = "%s of %s hands have no labelled side and count as %s hands"
        log.warning(text, f"{bare:,}", f"{len(samples):,}", side)
    elif samples:
        log.warning("all %s hands have a labelled side, so handedness %s has no effect", len(samples), side)
    return [sample if sample.handedness else replace(sample, handedness=side) for sample in samples]


def with_wrist(sample: Sample) -> Sample:
    """Return the sample with the wrist as joint 0. Raises HandsError if only the palm is known."""
    if sample.root == "wrist":
        return sample
    if sample.xyz_mm is None or sample.uv_px is None or sample.wrist_mm is None or sample.wrist_px is None:
        raise HandsError(f"sample {sample.name} labels the palm, and no rule gives its wrist")
    xyz_mm = np.concatenate([sample.wrist_mm[None], sample.xyz_mm[1:]])
    uv_px = np.concatenate([sample.wrist_px[None], sample.uv_px[1:]])
    return replace(sample, root="wrist", xyz_mm=xyz_mm, uv_px=uv_px)


def _is_size(value: Any) -> bool:
    whole = isinstance(value, Sequence) and all(isinstance(each, Integral) for each in value)
    return whole and len(value) == 2 and min(value) >= 1


def _is_weight(value: Any) -> bool:
    return isinstance(value, Real) and 0 <= float(value) < float("inf")


_LEGAL: dict[str, tuple[Callable[[Any], bool], str]] = {
    "handedness": (lambda value: isinstance(value, str) and value in HANDEDNESS, '"left" or "right"'),
    "weight": (_is_weight, "finite and 0 or more"),
    "size_px": (_is_size, "(width, height) in whole pixels, at least 1"),
    "block": (lambda value: isinstance(value, str), "a name"),
    "convention": (lambda value: isinstance(value, str), "a name"),
}
"""Labels that are no arrays: whether a value is legal, and what is."""
_ARRAYS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "xyz_mm": (np.float32, (21, 3)),
    "uv_px": (np.float32, (21, 2)),
    "visible": (np.bool_, (21,)),
    "labelled": (np.bool_, (21,)),
    "K": (np.float32, (3, 3)),
    "wrist_mm": (np.float32, (3,)),
    "wrist_px": (np.float32, (2,)),
}


def _array(value: Any, kind: type[np.generic], shape: tuple[int, ...], what: str) -> np.ndarray:
    try:
        array = np.asarray(value)
        if kind is not np.bool_:
            array = array_of(array)
    except (RuntimeError, *BROKEN) as error:  # RuntimeError: a tensor of torch with a gradient
        raise HandsError(f"{what} is not an array of numbers: {error}") from error
    if array.shape != shape:
        raise HandsError(f"{what} has the shape {array.shape}; it must be {shape}")
    if kind is np.bool_ and not np.isin(array, (0, 1)).all():
        raise HandsError(f"{what} is {array.tolist()}; it must be true or false for each joint")
    return np.array(array, kind)  # a copy: a loop may use one buffer for all samples


def project(
    xyz: Float[np.ndarray, "*batch n 3"], K: Float[np.ndarray, "*cameras 3 3"]
) -> Float[np.ndarray, "*batch n 2"]:
    """Return the pixels of points in the camera frame, (u, v, 1) = K @ xyz / z. Not finite where z is 0."""
    with np.errstate(all="ignore"):
        uvw = xyz @ K.swapaxes(-1, -2)
        return uvw[..., :2] / uvw[..., 2:]
