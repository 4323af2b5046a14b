"""Named joint conventions: where data sets place the 21 keypoints, as maps from the hand model's own points.

A keypoint is the model's own joint, moved by shares of the way towards other joints or towards the palmar
skin below it. So the maps are linear and commute with every rotation and shift; they are calibrated on the
proportions of label sets (`tools/fit_convention.py`). A new one is a new table in assets/conventions.toml.
"""

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float32

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.hand.skeleton import JOINTS
from latent_hands.typed_toml import convert, parse

RHD = "rhd"
"""The convention that renders are framed by, and labelled in unless told otherwise."""
PALMAR = "palmar"
FILE = "conventions.toml"


@dataclass(frozen=True)
class Convention:
    """A convention and its provenance.

    moves: keypoint -> joint, or "palmar" for the skin -> share of the way; a negative one leads away from it.
    about: whose convention. calibrated: on which statistics of which labels. hands: how many.
    bones: those statistics, lengths by finger, from the wrist to the tip, in middle MCP-PIP bones.
    palm: wrist, thumb base and knuckles in the canonical frame, in the same unit. Empty where none were used.
    error: root mean square of what the map leaves of them, in the same unit.
    """

    about: str
    calibrated: str
    hands: int = 0
    error: float = 0.0
    moves: dict[str, dict[str, float]] = field(default_factory=dict)
    bones: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    palm: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def weights(self) -> Float32[np.ndarray, "21 42"]:
        """The map: keypoints = weights @ points, the points being 21 joints and the palmar skin of each.

        Raises HandsError for a joint of `moves` that does not exist.
        """
        weights = np.eye(21, 42, dtype=np.float32)
        for keypoint, moves in self.moves.items():
            row = _joint(keypoint)
            for target, share in moves.items():
                weights[row, row] -= share
                weights[row, 21 + row if target == PALMAR else _joint(target)] += share
        return weights


_TEXT = (files("latent_hands.hand") / "assets" / FILE).read_text(encoding="utf-8")
CONVENTIONS = convert(dict[str, Convention], parse(_TEXT, FILE), FILE, "conventions")
"""By name."""


def keypoints(points: Float32[np.ndarray, "42 3"], convention: str) -> Float32[np.ndarray, "21 3"]:
    """The keypoints of a hand in a named convention, RHD's order, from the points of the hand model.

    Raises HandsError for an unknown name.
    """
    on_joints, on_skin = _maps(convention)
    # Two sums: where nothing moves towards the skin, its points do not touch a single bit.
    return on_joints @ points[:21] + on_skin @ points[21:]


def check_convention(name: str) -> None:
    """Refuse a name that is not in CONVENTIONS, with a HandsError."""
    if name not in CONVENTIONS:
        raise HandsError(f'unknown joint convention "{name}"; {did_you_mean(name, CONVENTIONS)}')


@cache
def _maps(name: str) -> tuple[Float32[np.ndarray, "21 21"], Float32[np.ndarray, "21 21"]]:
    check_convention(name)
    weights = CONVENTIONS[name].weights()
    return weights[:, :21].copy(), weights[:, 21:].copy()


def _joint(name: str) -> int:
    if name not in JOINTS:
        raise HandsError(f'{FILE}: unknown joint "{name}"; {did_you_mean(name, (*JOINTS, PALMAR))}')
    return JOINTS.index(name)
