"""Hand: joints in bones and millimetres, canonical pose, viewpoint, place in the image."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.hand import geometry
from latent_hands.hand.skeleton import JOINTS
from latent_hands.paper.modality import Batch

Side = Literal["left", "right"]
SIDES: tuple[Side, ...] = ("left", "right")
ASSUMED_BONE_MM = 40.0
FRAMES = {
    "camera": "camera: x right, y down, z away from the camera; the palm is the origin",
    "ray": "ray: z along the ray through the crop's centre, x right, y down; the palm is the origin",
}
_ARRAYS = {"pose_bones": "pose", "cpose_bones": "cpose", "viewpoint": "viewpoint", "uv_px": "uv_px"}


@dataclass(frozen=True, eq=False)
class Hand:
    """One hand as a model sees it.

    Joints are in RHD's order, joint 0 being the PALM (the middle of wrist and middle MCP), which is the
    origin.

    Attributes:
        handedness: "left" or "right".
        pose: (21, 3) in lengths of the middle MCP-PIP bone, in `frame`.
        cpose: (21, 3) in the same unit, in the canonical frame and in LEFT form (a right hand's is mirrored).
        viewpoint: (3, 3) rotation V from the canonical frame into `frame`: pose = cpose @ V, and for right
            hands cpose @ diag(1, 1, -1) @ V. Pose, cpose and viewpoint have decoders of their own and agree
            only so far.
        bone_mm: the length of that bone; `bone_mm_assumed` tells that nobody gave it.
        box_px: (x, y, width, height) of the part of the image that was looked at.
        uv_px: (21, 2) joints in the image, pixel centres at integers. They are PLACED BY THE BOX, not
            measured: the model knows neither scale nor place, so the hand is put as crops are cut, the middle
            MCP at the crop's centre and the farthest joint at its border. A box that is too wide gives a hand
            that is drawn too large.
        frame: "camera" (x right, y down, z forward), or "ray": z along the ray through the box, for a model
            of the ray frame that was not told the camera.
        spread: (21,) how far draws from q(z | image) move each joint, in bones: the root mean square
            distance from their mean. None if nothing was drawn. See `spread_mm`.
    """

    handedness: Side
    pose: Float[np.ndarray, "21 3"]
    cpose: Float[np.ndarray, "21 3"]
    viewpoint: Float[np.ndarray, "3 3"]
    bone_mm: float
    bone_mm_assumed: bool
    box_px: tuple[float, float, float, float]
    uv_px: Float[np.ndarray, "21 2"]
    frame: Literal["camera", "ray"] = "camera"
    spread: Float[np.ndarray, "21"] | None = None

    @property
    def spread_mm(self) -> Float[np.ndarray, "21"] | None:
        """The standard deviation of each joint over the draws, in millimetres; None if nothing was drawn.

        On hands like those that a run's [sampling] temperature was found on, errors are as large; elsewhere
        they may be larger (docs/assess.md).
        """
        return None if self.spread is None else self.spread * self.bone_mm

    @property
    def xyz_mm(self) -> Float[np.ndarray, "21 3"]:
        """Joints in millimetres relative to the palm, in `frame`."""
        return self.pose * self.bone_mm

    @property
    def cpose_mm(self) -> Float[np.ndarray, "21 3"]:
        """The canonical pose in millimetres."""
        return self.cpose * self.bone_mm

    @property
    def wrist_mm(self) -> Float[np.ndarray, "3"]:
        """The wrist relative to the palm: 2 palm - middle MCP."""
        return geometry.to_wrist(torch.from_numpy(self.xyz_mm))[0].numpy()

    @property
    def uv_wrist_form_px(self) -> Float[np.ndarray, "21 2"]:
        """`uv_px` with the wrist in place of the palm, as hands are drawn."""
        return geometry.to_wrist(torch.from_numpy(self.uv_px)).numpy()

    def batch(self) -> Batch:
        """The hand as a batch of one, in left form: pose, cpose and viewpoint."""
        pose, cpose, V = (torch.from_numpy(a).float()[None] for a in (self.pose, self.cpose, self.viewpoint))
        if self.handedness == "right":
            pose, V = geometry.mirror(pose), geometry.Mz @ V @ geometry.Mx
        return {"pose": pose, "cpose": cpose, "viewpoint": V}

    def to_json(self, indent: int | None = None, **about: Any) -> str:
        """Everything with its units and frames, after what else is told `about` it; six digits at most."""
        numbers = {key: _rounded(getattr(self, name), 6) for key, name in _ARRAYS.items()}
        if self.spread is not None and self.spread_mm is not None:
            numbers |= {"spread_bones": _rounded(self.spread, 6), "spread_mm": _rounded(self.spread_mm, 3)}
        fields = {
            **about,
            "handedness": self.handedness,
            "frame": FRAMES[self.frame],
            "joints": ["palm", *JOINTS[1:]],
            "bone_mm": self.bone_mm,
            "bone_mm_assumed": self.bone_mm_assumed,
            "box_px": list(self.box_px),
            "xyz_mm": _rounded(self.xyz_mm, 3),
            "wrist_mm": _rounded(self.wrist_mm, 3),
            "cpose_mm": _rounded(self.cpose_mm, 3),
            **numbers,
        }
        return json.dumps(fields, indent=indent)

    @classmethod
    def from_json(cls, text: str) -> "Hand":
        """Read what `to_json` wrote. Raises HandsError naming the field that is missing or malformed."""
        try:
            fields = json.loads(text)
            frame, bone_mm = fields["frame"].split(":")[0], float(fields["bone_mm"])
            if frame not in FRAMES:
                raise HandsError(f'unknown frame "{frame}" of a hand; {did_you_mean(frame, FRAMES)}')
            if not (math.isfinite(bone_mm) and bone_mm > 0):
                raise HandsError(f'"bone_mm" of a hand is {bone_mm}; legal: a length above 0 mm')
            arrays = {name: np.array(fields[key], np.float32) for key, name in _ARRAYS.items()}
            if "spread_bones" in fields:
                arrays["spread"] = np.array(fields["spread_bones"], np.float32)
            return cls(
                handedness=side(fields["handedness"]),
                bone_mm=bone_mm,
                bone_mm_assumed=bool(fields["bone_mm_assumed"]),
                box_px=_four(fields["box_px"]),
                frame=frame,
                **_shaped(arrays),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise HandsError(f"not the JSON of a hand: {error!r}") from error


def _rounded(array: np.ndarray, digits: int) -> Any:
    """Nested lists; rounded as doubles, since a float32 has more digits than it was rounded to."""
    return np.round(array.astype(float), digits).tolist()


def _four(numbers: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = (float(number) for number in numbers)
    return x, y, width, height


def _shaped(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    legal = {"pose": (21, 3), "cpose": (21, 3), "viewpoint": (3, 3), "uv_px": (21, 2), "spread": (21,)}
    for name, array in arrays.items():
        if array.shape != legal[name] or not np.isfinite(array).all():
            raise HandsError(f'"{name}" of a hand must be {legal[name]} finite numbers, not {array.shape}')
    return arrays


def side(name: str) -> Side:
    """A handedness; HandsError for anything but left and right."""
    if name == "left" or name == "right":
        return name
    raise HandsError(f'unknown handedness "{name}"; {did_you_mean(name, SIDES)}')
