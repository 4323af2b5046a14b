"""Hand: the prediction for one hand, with its units, its frame and its JSON."""

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from latent_hands.errors import HandsError
from latent_hands.hand.arrays import Mx, Mz, wrist_form
from latent_hands.hand.boxes import Box, box_of_joints
from latent_hands.hand.conventions import FRAMING, recorded
from latent_hands.hand.handedness import HANDEDNESS, Handedness, check_handedness
from latent_hands.hand.skeleton import JOINTS, reorder
from latent_hands.other_words import HAND, hinting, subscripted
from latent_hands.predictor.hand_checks import FRAMES
from latent_hands.predictor.hand_fields import (
    ARRAYS,
    JOINTS_OF_HAND,
    OPTIONAL_ARRAYS,
    Camera,
    check_attributes,
    named_angles,
    read_fields,
    rounded,
)
from latent_hands.shapes import Float, Float32

__all__ = [
    "ASSUMED_BONE_MM",
    "FRAMES",
    "HANDEDNESS",
    "Hand",
    "Handedness",
    "OrderedJoints",
    "check_handedness",
]

ASSUMED_BONE_MM = 40.0
"""The middle MCP-PIP bone of a hand whose size is not given."""


class OrderedJoints(NamedTuple):
    """The 21 joints of a hand, the wrist among them, in the order of another program.

    Attributes:
        joint_names: the names of the joints, in their order.
        uv_px: (21, 2) joints in the image; pixel centres are at integers.
        xyz_mm: (21, 3) joints in millimetres relative to the palm, in `Hand.frame`.
        camera_xyz_mm: (21, 3) joints in millimetres in the camera frame; None where those of the hand are.
    """

    joint_names: tuple[str, ...]
    uv_px: Float[np.ndarray, "21 2"]
    xyz_mm: Float[np.ndarray, "21 3"]
    camera_xyz_mm: Float[np.ndarray, "21 3"] | None


@dataclass(frozen=True, eq=False)
class Hand:
    """The prediction for one hand.

    Most programs need only `handedness`, `uv_px` (pixels), `xyz_mm` (relative to the palm), `camera_xyz_mm`
    (in space), and `confidence`. `joint_names` names the 21 joints. `in_order` returns the joints, with the
    wrist, as MediaPipe and others list them.

    Joints are in the order of RHD, the Rendered Hand Pose Dataset (`JOINTS`), but joint 0 is the palm, not
    the wrist: the midpoint of the wrist and of the middle finger's knuckle, its MCP (metacarpophalangeal
    joint). The palm is the origin of poses. The PIP (proximal interphalangeal joint) is the next joint of a
    finger.

    Attributes:
        handedness: "left" or "right".
        pose: (21, 3) joints in `frame`, in lengths of the middle finger's bone between MCP and PIP.
        cpose: (21, 3) canonical pose in the same unit. A right hand's is mirrored into a left hand's.
        viewpoint: (3, 3) rotation V from the canonical frame into `frame`, applied to rows: cpose @ V. For a
            right hand it is cpose @ diag(1, 1, -1) @ V. The model predicts pose, cpose and viewpoint by
            separate decoders, so cpose @ V is close to pose but not equal to it.
        bone_mm: length of that bone in millimetres.
        bone_mm_assumed: whether `bone_mm` is assumed because it was not given.
        crop_px: (x, y, side, side) the square of the image that the model read.
        uv_px: (21, 2) joints in the image; pixel centres are at integers. A model with a decoder of "uv"
            measures them. Other models place the pose by the crop: the middle MCP at its centre, the
            farthest joint at its border. A crop that is too wide then gives a hand that is drawn too large.
        frame: "camera": x right, y down, z forward. "ray": z along the ray through the crop, for a model of
            the ray frame whose camera is not known.
        spread: (21,) standard deviation of each joint over draws from q(z | image), in bone lengths: the root
            mean square distance from their mean. None without draws.
        uv_spread_px: (21,) the same of `uv_px`, in pixels. None without draws, and if uv is not measured.
        score: the detector's probability of a hand, from 0 to 1. None if the box was given.
        confidence: the expected share of joints within 30 mm of the truth, from 0 to 1. None if the model is
            not calibrated for it.
        palm_mm: (3,) position of the palm in the camera frame, in millimetres. None without a camera.
        palm_spread_mm: (3,) its standard deviation along each axis, which includes the errors of an assumed
            bone and of an assumed camera.
        K: (3, 3) the image's camera. None if none was used.
        camera: where `K` comes from: "given", "exif" (the image file) or "assumed" (a usual field of view).
        seconds: the time of the frame in its video. None for an image.
        track: a number that a hand keeps from frame to frame in a video. None for an image.
        angles_deg: (22,) joint angles in degrees, in the order of `hand.rig.articulation.ANGLES`. None
            unless they were asked for (`lh.with_angles`).
        convention: the name of the joint convention: where in the hand the joints are
            (docs/joint_conventions.md).
    """

    handedness: Handedness
    pose: Float[np.ndarray, "21 3"]
    cpose: Float[np.ndarray, "21 3"]
    viewpoint: Float[np.ndarray, "3 3"]
    bone_mm: float
    bone_mm_assumed: bool
    crop_px: Box
    uv_px: Float[np.ndarray, "21 2"]
    frame: Literal["camera", "ray"] = "camera"
    spread: Float[np.ndarray, "21"] | None = None
    uv_spread_px: Float[np.ndarray, "21"] | None = None
    score: float | None = None
    confidence: float | None = None
    palm_mm: Float[np.ndarray, "3"] | None = None
    palm_spread_mm: Float[np.ndarray, "3"] | None = None
    K: Float[np.ndarray, "3 3"] | None = None
    camera: Camera | None = None
    seconds: float | None = None
    track: int | None = None
    convention: str = FRAMING
    angles_deg: Float[np.ndarray, "22"] | None = None

    if not TYPE_CHECKING:  # type checkers know the attributes
        __getattr__ = hinting(HAND)
        __getitem__ = subscripted
        __iter__ = None  # without it, `__getitem__` would make a hand iterable

    def __repr__(self) -> str:
        """Return one line: the side, the confidence and the box."""
        sure = "" if self.confidence is None else f", confidence {self.confidence:.2f}"
        box = ", ".join(f"{number:.0f}" for number in self.box_px)
        return f"Hand({self.handedness}{sure}, box_px=({box}), bone_mm={self.bone_mm:g})"

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the 21 joints, in their order: the palm, then thumb to little finger from tip to base."""
        return tuple(JOINTS_OF_HAND)

    @property
    def box_px(self) -> Box:
        """Box of the joints, with the wrist in place of the palm (`hand.boxes.box_of_joints`)."""
        return box_of_joints(wrist_form(self.uv_px))

    @property
    def spread_mm(self) -> Float[np.ndarray, "21"] | None:
        """Standard deviation of each joint over the draws, in millimetres; None without draws.

        It matches the errors on hands like those that [sampling] temperature was calibrated on. On other
        images the errors may be larger (docs/results/calibration.md).
        """
        return None if self.spread is None else self.spread * self.bone_mm

    @property
    def xyz_mm(self) -> Float[np.ndarray, "21 3"]:
        """Joints in millimetres relative to the palm, in `frame`."""
        return self.pose * self.bone_mm

    @property
    def camera_xyz_mm(self) -> Float[np.ndarray, "21 3"] | None:
        """Joints in millimetres in the camera frame: `palm_mm` + `xyz_mm`.

        None without a camera, and in the ray frame.
        """
        return None if self.palm_mm is None or self.frame == "ray" else self.palm_mm + self.xyz_mm

    @property
    def cpose_mm(self) -> Float[np.ndarray, "21 3"]:
        """Canonical pose in millimetres."""
        return self.cpose * self.bone_mm

    @property
    def wrist_mm(self) -> Float[np.ndarray, "3"]:
        """Wrist in millimetres relative to the palm: 2 palm - middle MCP."""
        return wrist_form(self.xyz_mm)[0]

    def in_order(self, order: str = "mediapipe") -> OrderedJoints:
        """Return the joints in an order of `lh.reorder`, with the wrist instead of the palm.

        Raises HandsError for an unknown order.

        >>> joints = hand.in_order("mediapipe")
        >>> joints.joint_names[:5]
        ('wrist', 'thumb_cmc', 'thumb_mcp', 'thumb_ip', 'thumb_tip')
        >>> joints.uv_px.shape, joints.xyz_mm.shape
        ((21, 2), (21, 3))
        """
        places = reorder(np.arange(21)[:, None], "rhd", order)[:, 0]
        uv_px, xyz_mm = (wrist_form(points)[places] for points in (self.uv_px, self.xyz_mm))
        camera_xyz_mm = None if self.camera_xyz_mm is None else wrist_form(self.camera_xyz_mm)[places]
        return OrderedJoints(tuple(JOINTS[i] for i in places), uv_px, xyz_mm, camera_xyz_mm)

    def as_left(self) -> dict[str, Float32[np.ndarray, "..."]]:
        """Return pose, cpose and viewpoint; those of a right hand are mirrored into those of a left one."""
        pose, cpose, V = (a.astype(np.float32) for a in (self.pose, self.cpose, self.viewpoint))
        if self.handedness == "right":
            pose, V = pose @ Mx, Mz @ V @ Mx
        return {"pose": pose, "cpose": cpose, "viewpoint": V}

    def to_json(self, indent: int | None = None, **about: Any) -> str:
        """Return the hand as JSON with units and frames; the fields `about` come first.

        Attributes that are None are left out. Lengths in bones and pixels have at most six decimals,
        millimetres three.
        """
        optional = {key: getattr(self, key) for key in ("score", "confidence", "camera", "seconds", "track")}
        arrays = {key: getattr(self, name) for key, name in (ARRAYS | OPTIONAL_ARRAYS).items()}
        arrays["spread_mm"] = self.spread_mm
        angles = {} if self.angles_deg is None else {"angles_deg": named_angles(self.angles_deg)}
        fields = {
            **about,
            "handedness": self.handedness,
            **{key: value for key, value in optional.items() if value is not None},
            "frame": FRAMES[self.frame],
            "joints": JOINTS_OF_HAND,
            "convention": recorded(self.convention),
            "bone_mm": self.bone_mm,
            "bone_mm_assumed": self.bone_mm_assumed,
            "box_px": [round(number, 6) for number in self.box_px],
            "crop_px": list(self.crop_px),
            "xyz_mm": rounded(self.xyz_mm, 3),
            "wrist_mm": rounded(self.wrist_mm, 3),
            "cpose_mm": rounded(self.cpose_mm, 3),
            **{
                key: rounded(array, 3 if key.endswith("_mm") else 6)
                for key, array in arrays.items()
                if array is not None
            },
            **angles,
        }
        return json.dumps(fields, indent=indent, default=np.generic.item)

    @classmethod
    def from_json(cls, text: str) -> "Hand":
        """Read the JSON of `to_json`. Raises HandsError for a missing or malformed field."""
        return cls(**read_fields(text))


def checked_hand(hand: object) -> Hand:
    """Return a hand that a user gives.

    Raises HandsError for anything else, such as a list of hands, and as `Hand.from_json` does for parts that
    are not legal or contradict each other: a program may have made or changed the hand.
    """
    if not isinstance(hand, Hand):
        raise HandsError(f"a {type(hand).__name__} is no hand: give one hand, such as hands[0]")
    check_attributes({each.name: getattr(hand, each.name) for each in fields(hand)})
    return hand


def check_found_in(hand: Hand, size_px: tuple[int, int]) -> None:
    """Raise HandsError if a hand was found in an image of another size than (width, height) `size_px`.

    Only an assumed camera tells the size: its optical axis goes through the centre.
    """
    if hand.K is None or hand.camera != "assumed":
        return
    width, height = (round(2 * float(centre) + 1) for centre in hand.K[:2, 2])
    if (width, height) != tuple(size_px):
        raise HandsError(
            f"a hand was found in an image of {width}x{height} pixels, but this image has "
            f"{size_px[0]}x{size_px[1]}: give the image in which the hand was found"
        )
