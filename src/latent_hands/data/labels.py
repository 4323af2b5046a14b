"""The table of everything that is known of a hand: its images and labels, by their key in a batch.

An entry gives shape, data type, unit, where the value comes from, and how it moves when its image is warped,
mirrored or turned towards a ray. Cutting, the packed store, augmentation, the graph and the command line all
read this table. A new modality is one entry, also from another package: `LABELS.register(name, Label(...))`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from latent_hands.data.depth import read_levels
from latent_hands.data.formats.image import read_rgb
from latent_hands.data.motion import (
    Motion,
    change_side,
    follow_pixels,
    stay,
    turn,
    turn_to_ray,
    warp_camera,
)
from latent_hands.data.palm import palm_uv_px, palm_visible, palm_xyz_mm
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.hand import camera, geometry
from latent_hands.paper.modality import Batch, Modality, UnitGaussian, bernoulli
from latent_hands.pixels import GREY_LEVELS
from latent_hands.registry import Registry

Square = tuple[float, float, float]
"""Centre and side of a crop, (cx, cy, side), in pixels of the sample's image."""
Pixels = UInt8[np.ndarray, "height width *channels"]


@dataclass(frozen=True)
class Crops:
    """Facts about a batch of crops, for labels that are computed from others (`Label.derive`).

    Attributes:
        px: side of the crops in pixels.
        right: which crops show right hands; None if all show left hands.
        other_side: which crops show a hand of the side that the networks do not expect.
    """

    px: int
    right: Bool[Tensor, " batch"] | None = None
    other_side: Bool[Tensor, " batch"] | None = None


@dataclass(frozen=True)
class Label:
    """A label of each hand.

    Attributes:
        shape: shape of one hand's value.
        unit: its unit and frame, in words.
        dtype: float32, bool or int64.
        read: returns a sample's value in palm form, None if it is unknown. Labels without `read` and `derive`
            are set where windows are cut (`crops.build_windows`).
        move: how the value changes with its image.
        derive: for labels that are computed from others in each batch: (batch, crops) -> values by key, this
            label's among them. Such labels are not stored.
        needs: the labels that `derive` uses.
        modality: set if an encoder may read the label or a decoder may write it.
        unknown: the value of hands that lack the label, while other hands have it. None is NaN for float32;
            labels of other types without such a value must be known of all hands.
        partial: whether `read` returns NaN for single joints that are unknown.
        of_left_hands: whether the label exists only where right hands are mirrored into left ones.
    """

    shape: tuple[int, ...]
    unit: str
    dtype: torch.dtype = torch.float32
    read: Callable[[Sample], Tensor | None] | None = None
    move: Callable[[Tensor, Motion], Tensor] = stay
    derive: Callable[[Batch, Crops], Mapping[str, Tensor]] | None = None
    needs: tuple[str, ...] = ()
    modality: Modality | None = None
    unknown: float | None = None
    partial: bool = False
    of_left_hands: bool = False

    def of_unknown(self) -> Tensor | None:
        """Return the value of a hand that lacks the label; None if every hand must have it."""
        value = self.unknown
        if value is None and self.dtype.is_floating_point:
            value = math.nan
        return None if value is None else torch.full(self.shape, value, dtype=self.dtype)


@dataclass(frozen=True)
class ImageLabel:
    """An image of each hand.

    Attributes:
        modality: its channels and likelihood.
        path: returns the file of a sample's image, None if it has none.
        appearance: "sensor" (colours, resolution, blur, noise and occluders of training images), "colour"
            (the same colour changes alone), or "values" (none: the image is a measurement, and 0 beyond its
            border).
        shared: whether samples share files, which are then cut and kept once.
        whole: whether the whole image is the crop, whatever the crop of the sample is.
        read: returns pixels from (file, sample, crop): (height, width, 3), or (height, width) for 1 channel.
    """

    modality: Modality
    path: Callable[[Sample], Path | None]
    appearance: Literal["sensor", "colour", "values"] = "colour"
    shared: bool = False
    whole: bool = False
    read: Callable[[Path, Sample, Square], Pixels] = lambda path, sample, square: read_rgb(path)


def canonical(batch: Batch, crops: Crops) -> dict[str, Tensor]:
    """Return cpose and viewpoint of a batch's pose."""
    cpose, viewpoint = geometry.canonicalise(batch["pose"], crops.right)
    return {"cpose": cpose, "viewpoint": viewpoint}


def in_crop(batch: Batch, crops: Crops) -> dict[str, Tensor]:
    """Return uv: the joints in the crop, which spans -1..1."""
    return {"uv": camera.to_crop_units(batch["uv_px"], crops.px)}


def placement(batch: Batch, crops: Crops) -> dict[str, Tensor]:
    """Return place: the hand's position and size in the crop."""
    return {"place": geometry.place(batch["pose"], in_crop(batch, crops)["uv"])}


def expected_side(batch: Batch, crops: Crops) -> dict[str, Tensor]:
    """Return side: 1 where a crop shows a hand of the expected side, 0 where it shows its mirror image."""
    assert crops.other_side is not None
    return {"side": (~crops.other_side).float()[:, None]}


def _image(name: str, channels: int = 3) -> Modality:
    return Modality(name, "image", (channels, None, None), sigma=10.0, likelihood=UnitGaussian(GREY_LEVELS))


LABELS: Registry[Label | ImageLabel] = Registry("label")
for _name, _label in {
    "rgb": ImageLabel(_image("rgb"), lambda s: s.image, "sensor"),
    "depth": ImageLabel(_image("depth", 1), lambda s: s.depth, "values", read=read_levels),
    "tag": ImageLabel(_image("tag"), lambda s: s.tag, shared=True),
    "identity_tag": ImageLabel(_image("identity_tag"), lambda s: s.identity_tag, shared=True, whole=True),
    "background_tag": ImageLabel(_image("background_tag"), lambda s: s.background_tag, shared=True),
    "xyz_mm": Label((21, 3), "mm, camera frame", read=palm_xyz_mm, move=turn),
    "uv_px": Label((21, 2), "pixels of the crop", read=palm_uv_px, move=follow_pixels, partial=True),
    "visible": Label((21,), "which joints are visible", torch.bool, read=palm_visible, unknown=1.0),
    "K": Label(
        (3, 3),
        "camera of the crop",
        read=lambda sample: None if sample.K is None else torch.from_numpy(sample.K),
        move=warp_camera,
    ),
    "right": Label((), "whether it is a right hand", torch.bool, move=change_side),
    "bone_mm": Label((), "mm, length of the middle MCP-PIP bone"),
    "pose": Label(
        (21, 3),
        "bone lengths, camera or ray frame",
        move=turn_to_ray,
        modality=Modality("pose", "points", (21, 3), sigma=0.1),
    ),
    "cpose": Label(
        (21, 3),
        "bone lengths, canonical frame",
        derive=canonical,
        needs=("pose",),
        modality=Modality("cpose", "points", (21, 3), sigma=0.1),
    ),
    "viewpoint": Label(
        (3, 3),
        "rotation from the canonical frame to the pose's",
        derive=canonical,
        needs=("pose",),
        modality=Modality("viewpoint", "matrix", (3, 3), sigma=0.1),
    ),
    "uv": Label(
        (21, 2),
        "joints in the crop, which spans -1..1; x right, y down",
        derive=in_crop,
        needs=("uv_px",),
        modality=Modality("uv", "vector", (21, 2), sigma=0.03),
    ),
    "place": Label(
        (3,),
        "palm in the crop, which spans -1..1, and natural logarithm of a bone length in the same unit",
        derive=placement,
        needs=("pose", "uv_px"),
        modality=Modality("place", "vector", (3,), sigma=0.03),
    ),
    "presence": Label(
        (1,),
        "1 if the crop shows a hand, 0 if it shows none; of a set in which all show one, the label is absent",
        read=lambda sample: None if sample.present else torch.zeros(1),
        modality=Modality("presence", "vector", (1,), sigma=0.1, likelihood=bernoulli),
        unknown=1.0,
    ),
    "weight": Label((), "how much the sample counts in training (`Sample.weight`)", unknown=1.0),
    "side": Label(
        (1,),
        "1 if the crop shows a left hand, mirrored ones included, 0 if it shows a right hand",
        derive=expected_side,
        modality=Modality("side", "vector", (1,), sigma=0.1, likelihood=bernoulli),
        of_left_hands=True,
    ),
    "crop_side_px": Label((), "pixels of the source image, side of the crop"),
    "block": Label((), "the same number for alike samples (`Sample.block`)", torch.int64),
}.items():
    LABELS.register(_name, _label)


def image_keys() -> frozenset[str]:
    """Return the batch keys of images."""
    return frozenset(name for name, label in LABELS.items() if isinstance(label, ImageLabel))


def image_label(name: str) -> ImageLabel:
    """Return the entry of an image. Raises HandsError for any other name."""
    label = LABELS.get(name)
    if not isinstance(label, ImageLabel):
        raise HandsError(f'unknown image "{name}"; {did_you_mean(name, image_keys())}')
    return label


def modality(name: str) -> Modality:
    """Return the modality of that name. Raises HandsError if there is none to encode or decode."""
    label = LABELS.get(name)
    if label is None or label.modality is None:
        legal = [key for key, each in LABELS.items() if each.modality is not None]
        raise HandsError(f'unknown modality "{name}"; {did_you_mean(name, legal)}')
    return label.modality
