"""The fields of a hand's JSON: how they are read."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from latent_hands.data.formats.json_file import parse_json
from latent_hands.data.formats.numerals import array_of, integer_of, number_of
from latent_hands.errors import BROKEN, HandsError, did_you_mean
from latent_hands.hand.boxes import Box
from latent_hands.hand.conventions import RHD, read_recorded
from latent_hands.hand.handedness import check_handedness
from latent_hands.hand.rig.articulation import ANGLES
from latent_hands.hand.skeleton import JOINTS
from latent_hands.predictor.hand_checks import SHAPES, check_parts

Camera = Literal["given", "exif", "assumed"]
CAMERAS: tuple[Camera, ...] = ("given", "exif", "assumed")
ARRAYS = {"pose_bones": "pose", "cpose_bones": "cpose", "viewpoint": "viewpoint", "uv_px": "uv_px"}
"""Arrays that every hand has: key of the JSON -> attribute."""
OPTIONAL_ARRAYS = {
    "spread_bones": "spread",
    "uv_spread_px": "uv_spread_px",
    "palm_mm": "palm_mm",
    "palm_spread_mm": "palm_spread_mm",
    "K": "K",
}
"""Arrays that are absent from the JSON where they are None."""
JOINTS_OF_HAND = ["palm", *JOINTS[1:]]
"""The names of a hand's joints, in their order."""


def read_fields(text: str) -> dict[str, Any]:
    """Return the attributes of a hand from its JSON. Raises HandsError for a missing or malformed field."""
    try:
        fields = parse_json(text, "the text")
        frame, bone_mm = str(fields["frame"]).split(":")[0], _part(fields, "bone_mm", number_of)
        _check_joints(fields)
        arrays, handedness = _arrays(fields), check_handedness(fields["handedness"])
        crop = _part(fields, "crop_px" if "crop_px" in fields else "box_px", _four)  # as in earlier versions
        check_parts(fields, arrays, handedness, frame, bone_mm, crop)
        return {
            "handedness": handedness,
            "bone_mm": bone_mm,
            "bone_mm_assumed": _flag(fields, "bone_mm_assumed"),
            "crop_px": crop,
            "frame": frame,
            "convention": read_recorded(_name(fields.get("convention", RHD)), "the JSON of a hand"),
            **arrays,
            **known_facts(fields),
        }
    except HandsError as error:
        raise HandsError(f"not the JSON of a hand: {error}") from error
    except KeyError as error:
        raise HandsError(f'not the JSON of a hand: "{error.args[0]}" is missing') from error
    except BROKEN as error:
        raise HandsError(f"not the JSON of a hand: {error!r}") from error


def check_attributes(hand: Mapping[str, Any]) -> None:
    """Raise HandsError if the attributes of a `Hand`, by name, are not those of a hand."""
    given = {name: hand[name] for name in SHAPES if hand[name] is not None}
    for name, array in given.items():
        if not isinstance(array, np.ndarray):
            raise HandsError(f'"{name}" of a hand is a {type(array).__name__}, but must be an array of numpy')
    arrays = {name: _part(given, name, array_of) for name in given}
    bone_mm, crop_px = _part(hand, "bone_mm", number_of), _part(hand, "crop_px", _four)
    check_parts({}, arrays, check_handedness(hand["handedness"]), hand["frame"], bone_mm, crop_px)
    _flag(hand, "bone_mm_assumed")
    known_facts(hand)
    _name(hand["convention"])


def named_angles(angles_deg: np.ndarray) -> dict[str, float]:
    """Return the angles of a hand by name, with three decimals."""
    return dict(zip(ANGLES, rounded(angles_deg, 3), strict=True))


def rounded(array: np.ndarray, digits: int) -> Any:
    """Return nested lists; a float32 is rounded as a double, which prints fewer digits."""
    return np.round(array.astype(float), digits).tolist()


def _arrays(fields: Mapping[str, Any]) -> dict[str, Any]:
    arrays = {name: _part(fields, key, array_of).astype(np.float32) for key, name in ARRAYS.items()}
    for key, name in OPTIONAL_ARRAYS.items():
        if fields.get(key) is not None:
            arrays[name] = _part(fields, key, array_of).astype(np.float32)
    if (angles := fields.get("angles_deg")) is not None:
        arrays["angles_deg"] = array_of([angles[name] for name in ANGLES]).astype(np.float32)
    return arrays


def _check_joints(fields: Mapping[str, Any]) -> None:
    """Raise HandsError if a file states other joints, or the same in another order."""
    if fields.get("joints", JOINTS_OF_HAND) != JOINTS_OF_HAND:
        raise HandsError(f'"joints" of a hand is {fields["joints"]}, but must be {JOINTS_OF_HAND}')


def known_facts(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return score, confidence, seconds, track and camera where they are known."""
    known = {key: fields[key] for key in ("score", "confidence", "seconds") if fields.get(key) is not None}
    numbers: dict[str, Any] = {key: _part(known, key, number_of) for key in known}
    for key, value in numbers.items():
        share = key != "seconds"
        if not math.isfinite(value) or (share and not 0 <= value <= 1):
            legal = "between 0 and 1" if share else "a finite number"
            raise HandsError(f'"{key}" of a hand is {value}, but must be {legal}')
    if fields.get("track") is not None:
        numbers["track"] = _part(fields, "track", integer_of)
        if numbers["track"] < 0:
            raise HandsError(f'"track" of a hand is {numbers["track"]}, but must be 0 or more')
    if (camera := fields.get("camera")) is not None:
        if not isinstance(camera, str) or camera not in CAMERAS:
            raise HandsError(f'"camera" of a hand is "{camera}"; {did_you_mean(str(camera), CAMERAS)}')
        numbers["camera"] = camera
    return numbers


def _name(convention: object) -> str:
    if not isinstance(convention, str):
        raise HandsError(f'"convention" of a hand is {convention!r}, but must be a name')
    return convention


def _flag(fields: Mapping[str, Any], key: str) -> bool:
    if not isinstance(flag := fields[key], bool):
        raise HandsError(f'"{key}" of a hand is {flag!r}, but must be true or false')
    return flag


def _part(fields: Mapping[str, Any], name: str, read: Callable[[Any], Any]) -> Any:
    """Return a part of a hand as `read` does. Raises HandsError, with its name, for what it cannot read."""
    value = fields[name]
    try:
        return read(value)
    except HandsError:
        raise
    except BROKEN as error:
        raise HandsError(f'"{name}" of a hand cannot be read: {error}') from error


def _four(numbers: Sequence[float]) -> Box:
    x, y, width, height = box = tuple(map(number_of, numbers))
    if not all(map(math.isfinite, box)) or min(width, height) <= 0:
        raise HandsError(f'"crop_px" of a hand is {box}, but must be finite, with a width and height above 0')
    return x, y, width, height
