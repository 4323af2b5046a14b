"""Hand: the prediction for one hand, with its units, its frame and its JSON."""

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

Handedness = Literal["left", "right"]
HANDEDNESS: tuple[Handedness, ...] = ("left", "right")
ASSUMED_BONE_MM = 40.0
"""The middle MCP-PIP bone of a hand whose size is not given."""
FRAMES = {
    "camera": "camera: x right, y down, z away from the camera; the palm is the origin",
    "ray": "ray: z along the ray through the crop's centre, x right, y down; the palm is the origin",
}
_ARRAYS = {"pose_bones": "pose", "cpose_bones": "cpose", "viewpoint": "viewpoint", "uv_px": "uv_px"}


@dataclass(frozen=True, eq=False)
class Hand:
    """The prediction for one hand.

    Joints are in the order of RHD (Rendered Hand Dataset). Joint 0 is the palm, the midpoint of the wrist and
    the middle finger's MCP (knuckle). The palm is the origin.

    Attributes:
        handedness: "left" or "right".
        pose: (21, 3) joints in `frame`, in lengths of the middle finger's bone between MCP and PIP.
        cpose: (21, 3) canonical pose in the same unit. A right hand's is mirrored into a left hand's.
        viewpoint: (3, 3) rotation V from the canonical frame into `frame`, applied to rows: cpose @ V. For a
            right hand it is cpose @ diag(1, 1, -1) @ V. The model predicts pose, cpose and viewpoint by
            separate decoders, so cpose @ V is close to pose but not equal to it.
        bone_mm: length of that bone in millimetres.
        bone_mm_assumed: whether `bone_mm` is assumed because it was not given.
        box_px: (x, y, width, height) of the part of the image that the model read.
        uv_px: (21, 2) joints in the image; pixel centres are at integers. The model predicts neither scale
            nor position, so they are placed by the box: the middle MCP at its centre, the farthest joint at
            its border. A box that is too wide gives a hand that is drawn too large.
        frame: "camera": x right, y down, z forward. "ray": z along the ray through the box, for a model of
            the ray frame whose camera was not given.
        spread: (21,) standard deviation of each joint over draws from q(z | image), in bone lengths: the root
            mean square distance from their mean. None without draws.
    """

    handedness: Handedness
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
        """Standard deviation of each joint over the draws, in millimetres; None without draws.

        It matches the errors on hands like those that [sampling] temperature was calibrated on. On other
        images the errors may be larger (docs/assess.md).
        """
        return None if self.spread is None else self.spread * self.bone_mm

    @property
    def xyz_mm(self) -> Float[np.ndarray, "21 3"]:
        """Joints in millimetres relative to the palm, in `frame`."""
        return self.pose * self.bone_mm

    @property
    def cpose_mm(self) -> Float[np.ndarray, "21 3"]:
        """Canonical pose in millimetres."""
        return self.cpose * self.bone_mm

    @property
    def wrist_mm(self) -> Float[np.ndarray, "3"]:
        """Wrist in millimetres relative to the palm: 2 palm - middle MCP."""
        return geometry.to_wrist(torch.from_numpy(self.xyz_mm))[0].numpy()

    @property
    def uv_wrist_form_px(self) -> Float[np.ndarray, "21 2"]:
        """`uv_px` with the wrist as joint 0, which is how hands are drawn."""
        return geometry.to_wrist(torch.from_numpy(self.uv_px)).numpy()

    def batch(self) -> Batch:
        """Return pose, cpose and viewpoint as a batch of one; a right hand is mirrored into a left one."""
        pose, cpose, V = (torch.from_numpy(a).float()[None] for a in (self.pose, self.cpose, self.viewpoint))
        if self.handedness == "right":
            pose, V = geometry.mirror(pose), geometry.Mz @ V @ geometry.Mx
        return {"pose": pose, "cpose": cpose, "viewpoint": V}

    def to_json(self, indent: int | None = None, **about: Any) -> str:
        """Return the hand as JSON with units and frames; the fields `about` come first.

        Lengths in bones and pixels have at most six decimals, millimetres three.
        """
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
        """Read the JSON of `to_json`. Raises HandsError for a missing or malformed field."""
        try:
            fields = json.loads(text)
            frame, bone_mm = fields["frame"].split(":")[0], float(fields["bone_mm"])
            if frame not in FRAMES:
                raise HandsError(f'unknown frame "{frame}" of a hand; {did_you_mean(frame, FRAMES)}')
            if not (math.isfinite(bone_mm) and bone_mm > 0):
                raise HandsError(f'"bone_mm" of a hand is {bone_mm}, but must be a length above 0 mm')
            arrays = {name: np.array(fields[key], np.float32) for key, name in _ARRAYS.items()}
            if "spread_bones" in fields:
                arrays["spread"] = np.array(fields["spread_bones"], np.float32)
            return cls(
                handedness=check_handedness(fields["handedness"]),
                bone_mm=bone_mm,
                bone_mm_assumed=bool(fields["bone_mm_assumed"]),
                box_px=_four(fields["box_px"]),
                frame=frame,
                **_shaped(arrays),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise HandsError(f"not the JSON of a hand: {error!r}") from error


def check_handedness(name: str) -> Handedness:
    """Return "left" or "right". Raises HandsError for any other text."""
    if name == "left" or name == "right":
        return name
    raise HandsError(f'unknown handedness "{name}"; {did_you_mean(name, HANDEDNESS)}')


def _rounded(array: np.ndarray, digits: int) -> Any:
    """Return nested lists; a float32 is rounded as a double, which prints fewer digits."""
    return np.round(array.astype(float), digits).tolist()


def _four(numbers: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = (float(number) for number in numbers)
    return x, y, width, height


def _shaped(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    shapes = {"pose": (21, 3), "cpose": (21, 3), "viewpoint": (3, 3), "uv_px": (21, 2), "spread": (21,)}
    for name, array in arrays.items():
        if array.shape != shapes[name] or not np.isfinite(array).all():
            raise HandsError(f'"{name}" of a hand must be {shapes[name]} finite numbers, not {array.shape}')
    return arrays
