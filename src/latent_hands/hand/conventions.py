"""Joint conventions: where in the hand a data set places the 21 keypoints.

Data sets use the same 21 names for different points. A convention is a linear map from the hand model's own
points to keypoints: each keypoint is the model's joint, moved by a share of the way towards other joints or
towards the palmar skin below it. Linear maps commute with every rotation, translation and change of size.

The shipped conventions are the tables of `assets/conventions.toml`; `register_convention` adds one from
outside. `latent_hands.hand.fitting` computes a table from labels. See docs/conventions.md.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.hand.skeleton import JOINTS
from latent_hands.registry import Registry
from latent_hands.shapes import Float32
from latent_hands.typed_toml import parse, read

RHD = "rhd"
"""The convention of rendered labels, unless another is chosen."""
FRAMING = "rhd_bones"
"""The convention that places rendered hands in their images. Its table never changes, so no image does."""
EARLIER = {"rhd": "rhd_bones"}
"""The present names of conventions that earlier versions recorded under another name, without a checksum."""
UNTABLED = frozenset({"mano"})
"""Conventions of data sets whose tables are not shipped; a user can register them."""
PALMAR = "palmar"
"""The name of the palmar skin below a joint, as a target in `Convention.moves`."""
FILE = "conventions.toml"


@dataclass(frozen=True)
class Convention:
    """A joint convention and the data that it was fitted to.

    about: the data set, in words.
    calibrated: the statistics and labels that the moves were fitted to.
    hands: the number of labelled hands.
    error: the root mean square difference that the fit leaves, in lengths of the middle MCP-PIP bone and in
        radians.
    moves: keypoint -> {joint or "palmar": share of the way}; a negative share moves away from the target.
    bones: finger -> its four bone lengths from the wrist to the tip, in middle MCP-PIP bones. May be empty.
    palm: wrist, thumb base and knuckles in the canonical frame, in middle MCP-PIP bones. May be empty.
    tilt_deg: finger -> tilt of its bending axis in the canonical frame (`rig.proportions`). May be empty.
    """

    about: str
    calibrated: str
    hands: int = 0
    error: float = 0.0
    moves: dict[str, dict[str, float]] = field(default_factory=dict)
    bones: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    palm: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    tilt_deg: dict[str, float] = field(default_factory=dict)

    def weights(self) -> Float32[np.ndarray, "21 42"]:
        """Return the map: keypoints = weights @ points, with points = (21 joints, palmar skin of each).

        Each row sums to 1. Raises HandsError for an unknown joint in `moves`.
        """
        weights = np.eye(21, 42, dtype=np.float32)
        for keypoint, moves in self.moves.items():
            row = _joint(keypoint)
            for target, share in moves.items():
                weights[row, row] -= share
                weights[row, 21 + row if target == PALMAR else _joint(target)] += share
        return weights

    def checksum(self) -> str:
        """Return eight hexadecimal digits that differ for tables of different moves."""
        return hashlib.sha256(json.dumps(self.moves, sort_keys=True).encode()).hexdigest()[:8]


CONVENTIONS = Registry[Convention]("joint convention")
"""The joint conventions by name; `register_convention` adds one."""


def register_convention(name: str, table: Convention | Mapping[str, Any]) -> None:
    """Add a joint convention, so that hands are rendered, translated and scored in it.

    `table` is a `Convention` or a mapping of its fields, as in `assets/conventions.toml`. Raises HandsError
    if the name is taken, or if the table has an unknown key or joint.
    """
    convention = table if isinstance(table, Convention) else read(Convention, table, FILE, name)
    convention.weights()
    CONVENTIONS.register(name, convention)


def keypoints(points: Float32[np.ndarray, "42 3"], convention: str) -> Float32[np.ndarray, "21 3"]:
    """Return the keypoints of one hand in a convention, in RHD's order, wrist first.

    `points` are the hand model's 21 joints, then the palmar skin below each (`PosedHand.points`). Unit and
    frame are those of `points`. Raises HandsError for an unknown convention.
    """
    on_joints, on_skin = _maps(convention)
    # Two sums, so that a convention without palmar moves does not depend on the skin, not even in rounding.
    return on_joints @ points[:21] + on_skin @ points[21:]


@cache
def _maps(name: str) -> tuple[Float32[np.ndarray, "21 21"], Float32[np.ndarray, "21 21"]]:
    weights = CONVENTIONS.find(name).weights()
    return weights[:, :21].copy(), weights[:, 21:].copy()


def recorded(name: str) -> str:
    """Return the text by which files state a convention: NAME:CHECKSUM, or NAME if it has no table.

    A table may be fitted anew under the same name. The checksum tells labels of the two tables apart.
    """
    return f"{name}:{CONVENTIONS[name].checksum()}" if name in CONVENTIONS else name


def read_recorded(text: str, where: str | Path) -> str:
    """Return the name of the convention that a file states: the inverse of `recorded`.

    A name without a checksum is that of an earlier version (EARLIER). `where` names the file in errors.
    Raises HandsError if no known convention has this checksum.
    """
    name, colon, checksum = text.partition(":")
    if not colon:
        return EARLIER.get(name, name)
    known = [each for each, convention in CONVENTIONS.items() if convention.checksum() == checksum]
    if not known:
        raise HandsError(
            f'{where}: another table of the convention "{name}" placed the joints (checksum {checksum}); '
            "relabel a rendered set with `latent-hands conventions relabel`, or use the version that wrote it"
        )
    return name if name in known else known[0]


def _joint(name: str) -> int:
    if name not in JOINTS:
        raise HandsError(f'{FILE}: unknown joint "{name}"; {did_you_mean(name, (*JOINTS, PALMAR))}')
    return JOINTS.index(name)


for _name, _table in parse((files("latent_hands.hand") / "assets" / FILE).read_text("utf-8"), FILE).items():
    register_convention(_name, _table)
