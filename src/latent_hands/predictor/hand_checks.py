"""Checks of the parts of a hand: legal values, and parts that contradict each other."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from latent_hands.data.formats.numerals import array_of
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.hand.arrays import wrist_form
from latent_hands.hand.bending import CURLED, left_curl
from latent_hands.hand.boxes import Box, box_of_joints
from latent_hands.hand.handedness import Handedness
from latent_hands.predictor.placing import place_palm

FRAMES = {
    "camera": "camera: x right, y down, z away from the camera; the palm is the origin",
    "ray": "ray: z along the ray through the crop's centre, x right, y down; the palm is the origin",
}
DERIVED = {
    "xyz_mm": '"pose_bones" times "bone_mm"',
    "cpose_mm": '"cpose_bones" times "bone_mm"',
    "wrist_mm": 'the wrist of "pose_bones" times "bone_mm"',
    "spread_mm": '"spread_bones" times "bone_mm"',
    "box_px": 'the box of "uv_px"',
}
"""Keys of the JSON that are not read -> what they are."""
DERIVED_ERROR = 0.01
"""The legal difference of DERIVED, in bone lengths or sides of the box: others may write few decimals."""
FAR_FROM_CROP, MISPLACED, MUCH_NEARER = 2.0, 0.7, 3.0
"""The joints may be so many sides of the crop away from it. The palm may be so many of its distances away
from where joints and camera put it. Another reading of the viewpoint must be so many times nearer."""
SQUARE_ERROR = 1e-3
"""The legal difference of the sides of a square, relative to the larger one."""
LEAST_BONE_MM, MOST_BONE_MM = 5.0, 240.0
"""The legal length of the middle MCP-PIP bone. Others are in another unit."""
LEAST_EXTENT, MOST_EXTENT = 1e-6, 100.0
"""The legal extent of a pose, in bone lengths. Poses of an untrained model are small."""
ROTATION_ERROR = 0.01
"""A rotation is written with six decimals; those of other programs may have fewer."""
MOST_ANGLE_DEG = 180.0
"""The largest joint angle of a hand. Those of a curled hand are not all below pi, unless they are radians."""
SHAPES: dict[str, tuple[int, ...]] = {
    "pose": (21, 3),
    "cpose": (21, 3),
    "viewpoint": (3, 3),
    "uv_px": (21, 2),
    "spread": (21,),
    "uv_spread_px": (21,),
    "palm_mm": (3,),
    "palm_spread_mm": (3,),
    "K": (3, 3),
    "angles_deg": (22,),
}
"""Attributes of `Hand` that are arrays -> their shape."""


def check_parts(
    stated: Mapping[str, Any],
    arrays: Mapping[str, Any],
    handedness: Handedness,
    frame: str,
    bone_mm: float,
    crop_px: Box,
) -> None:
    """Raise HandsError if parts of a hand are not legal, or contradict each other or keys that are not read.

    `stated` has these keys, the attributes of DERIVED, among others; `arrays` are the attributes of SHAPES.
    """
    for name in ("pose", "cpose", "viewpoint", "uv_px"):
        if name not in arrays:
            raise HandsError(f'"{name}" of a hand is missing')
    for name, array in arrays.items():
        if array.shape != SHAPES[name] or not np.isfinite(array).all():
            raise HandsError(f'"{name}" of a hand must be {SHAPES[name]} finite numbers, not {array.shape}')
    if not isinstance(frame, str) or frame not in FRAMES:
        raise HandsError(f'unknown frame "{frame}" of a hand; {did_you_mean(str(frame), FRAMES)}')
    if not LEAST_BONE_MM <= bone_mm <= MOST_BONE_MM:
        legal = f"between {LEAST_BONE_MM:g} and {MOST_BONE_MM:g} mm"
        raise HandsError(f'"bone_mm" of a hand is {bone_mm}, but must be {legal}')
    _check_geometry(arrays)
    _check_angles(arrays)
    _check_derived(stated, arrays, bone_mm)
    if "crop_px" in stated:  # files of earlier versions have the box alone, which is no square
        _check_square(crop_px)
    _check_crop(arrays["uv_px"], crop_px)
    _check_palm(arrays, bone_mm, frame)
    _check_viewpoint(arrays, handedness)


def _check_derived(fields: Mapping[str, Any], arrays: Mapping[str, Any], bone_mm: float) -> None:
    """Raise HandsError if keys that are not read contradict those that are."""
    pose, box_px = arrays["pose"], np.array(box_of_joints(wrist_form(arrays["uv_px"])))
    derived = {"xyz_mm": pose, "cpose_mm": arrays["cpose"], "wrist_mm": wrist_form(pose)[0]}
    derived = {key: bone_mm * array for key, array in derived.items()}
    if "spread" in arrays:
        derived["spread_mm"] = bone_mm * arrays["spread"]
    if "crop_px" in fields:
        derived["box_px"] = box_px
    for key, array in derived.items():
        if fields.get(key) is None:
            continue
        stated, most = array_of(fields[key]), bone_mm if key.endswith("_mm") else max(1.0, *box_px[2:])
        if stated.shape != array.shape or not np.abs(stated - array).max() <= DERIVED_ERROR * most:
            raise HandsError(f'"{key}" of a hand is not {DERIVED[key]}; change all, or remove it')


def _check_square(crop_px: Box) -> None:
    """Raise HandsError if a crop, which is a square, seems to be given by two corners."""
    x, y, width, height = crop_px
    if abs((width - x) - (height - y)) < SQUARE_ERROR * max(width, height) < abs(width - height):
        text = "so it seems to be two corners; it must be x, y, width, height"
        raise HandsError(f'"crop_px" of a hand is {list(crop_px)}, {text}')


def _check_crop(uv_px: np.ndarray, crop_px: Box) -> None:
    """Raise HandsError if the joints are far from the crop in which they were read."""
    x, y, width, height = crop_px
    median = np.sort(uv_px, axis=0)[len(uv_px) // 2]  # numpy.median imports numpy.ma
    away = np.abs(median - (x + width / 2, y + height / 2)) / (width, height)
    if away.max() > FAR_FROM_CROP + 0.5:
        middle = median.round(2).tolist()
        raise HandsError(
            f'"uv_px" of a hand is around {middle}, far from its "crop_px" {list(crop_px)}; both must be '
            "pixels of the same image"
        )


def _check_palm(arrays: Mapping[str, Any], bone_mm: float, frame: str) -> None:
    """Raise HandsError if the palm is far from where joints and camera put it."""
    if frame != "camera" or not {"palm_mm", "K"} <= arrays.keys():
        return
    xyz_mm, uv_px, K, stated = (arrays[name].astype(float) for name in ("pose", "uv_px", "K", "palm_mm"))
    placed = place_palm(bone_mm * xyz_mm, uv_px, K).xyz_mm
    if np.linalg.norm(stated - placed) > MISPLACED * min(np.linalg.norm(stated), np.linalg.norm(placed)):
        raise HandsError(
            f'"palm_mm" of a hand is {stated.round(2).tolist()}, but "pose_bones", "bone_mm", "uv_px" and '
            f'"K" place the palm at {placed.round(2).tolist()}: one of them has another unit, other axes, or '
            '"K" is of another image'
        )


def _check_viewpoint(arrays: Mapping[str, Any], handedness: Handedness) -> None:
    """Raise HandsError if canonical pose and viewpoint give the pose only if one of them is changed."""
    pose, cpose, V = (arrays[name].astype(float) for name in ("pose", "cpose", "viewpoint"))
    mirror = np.diag([1.0, 1.0, -1.0])
    own, other = (cpose, cpose @ mirror) if handedness == "left" else (cpose @ mirror, cpose)
    readings = {
        "its viewpoint is transposed": own @ V.T,
        'its "handedness" is that of the other hand': other @ V,
        "its viewpoint has the axes of OpenGL: x right, y up, z backwards": own @ V * [1, -1, -1],
        "its pose is mirrored along x": own @ V * [-1, 1, 1],
        "its pose is mirrored along y": own @ V * [1, -1, 1],
        "its pose is mirrored along z": own @ V * [1, 1, -1],
    }
    error = np.linalg.norm(pose - own @ V)
    for reading, changed in readings.items():
        left = np.linalg.norm(pose - changed)
        if left < min(error / MUCH_NEARER, np.linalg.norm(pose) / MUCH_NEARER):
            raise HandsError(
                f'"cpose_bones" and "viewpoint" of a hand contradict "pose_bones", unless {reading}'
            )


def _check_geometry(arrays: Mapping[str, Any]) -> None:
    """Raise HandsError if the arrays of a hand, by attribute, are finite but describe no hand.

    Poses have an extent, the viewpoint is a rotation, standard deviations are not negative, K is a camera.
    """
    for name in ("pose", "cpose"):
        extent = float(np.ptp(arrays[name], axis=0).max())
        if not LEAST_EXTENT < extent < MOST_EXTENT:
            legal = f"between {LEAST_EXTENT} and {MOST_EXTENT}"
            raise HandsError(f'"{name}" of a hand extends over {extent:g} bone lengths, but must be {legal}')
    V = arrays["viewpoint"].astype(float)
    if np.abs(V @ V.T - np.eye(3)).max() > ROTATION_ERROR or np.linalg.det(V) < 0:
        raise HandsError(f'"viewpoint" of a hand is {V.round(3).tolist()}, but must be a rotation')
    for name in ("spread", "uv_spread_px", "palm_spread_mm"):
        if (array := arrays.get(name)) is not None and array.min() < 0:
            raise HandsError(f'"{name}" of a hand is {array.min():g}, but a standard deviation is 0 or more')
    if (K := arrays.get("K")) is not None and (min(K[0, 0], K[1, 1]) <= 0 or K[2].tolist() != [0, 0, 1]):
        form = "[[fx, s, cx], [0, fy, cy], [0, 0, 1]] with fx and fy above 0"
        raise HandsError(f'"K" of a hand is {K.tolist()}, but must be {form}')


def _check_angles(arrays: Mapping[str, Any]) -> None:
    """Raise HandsError for joint angles that no hand has, and for radians of a hand that is curled."""
    if (angles := arrays.get("angles_deg")) is None:
        return
    most = float(np.abs(angles).max())
    if most > MOST_ANGLE_DEG:
        legal = f"between {-MOST_ANGLE_DEG:g} and {MOST_ANGLE_DEG:g} degrees"
        raise HandsError(f'"angles_deg" of a hand has an angle of {most:g}, but they must be {legal}')
    if most <= math.pi and abs(left_curl(arrays["pose"][None])[0]) > CURLED:
        raise HandsError(
            f'"angles_deg" of a hand are at most {most:.3g}, but its fingers are curled: give degrees, not '
            "radians"
        )
