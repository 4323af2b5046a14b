"""Fitting a joint convention to labels: where does a data set place its joints?

Only proportions that no pose changes are fitted (`hand.rig.proportions`), never predictions of a model. The
moves of a convention are found by least squares on the mean hand of the model in random poses. A penalty on
the distance that keypoints move decides what the proportions leave open.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares
from torch import Tensor

from latent_hands.errors import HandsError
from latent_hands.hand.conventions import CONVENTIONS, PALMAR, Convention
from latent_hands.hand.rig.proportions import BENDING, PALM_JOINTS, Proportions, mean_hand, of_model
from latent_hands.hand.skeleton import FINGERS, JOINTS, MIDDLE_MCP, MIDDLE_PIP, PARENTS
from latent_hands.typed_toml import write_key

MOST_PENALTY = 1000

Moves = dict[str, dict[str, float]]
Direction = tuple[str, str, str]
"""A keypoint, the target of a positive share, and the target of a negative share (may be the same joint)."""

_LEAST_SHARE = 0.005
_MOST_DORSAL = 0.3
_ACROSS_THE_PALM = {
    "index_mcp": "middle_mcp",
    "middle_mcp": "ring_mcp",
    "ring_mcp": "middle_mcp",
    "little_mcp": "ring_mcp",
    "thumb_cmc": "index_mcp",
    "wrist": "thumb_cmc",
}


@dataclass(frozen=True)
class Misfit:
    """Root mean square differences of proportions, in lengths of the middle MCP-PIP bone.

    bones: of the 20 bone lengths. palm: of the places of wrist, thumb base and knuckles. tilt_deg: of the
    tilt of the bending axes, in degrees; NaN if no hand has bent fingers.
    """

    bones: float
    palm: float
    tilt_deg: float

    @classmethod
    def between(cls, a: Proportions, b: Proportions) -> "Misfit":
        """Compare two sets of proportions of one hand each."""
        tilt_deg = float(np.degrees(_rms(a.tilt - b.tilt)))
        return cls(_rms(a.bones - b.bones), _rms(a.palm - b.palm), tilt_deg)


def fit_convention(
    hands: Float[Tensor, "n 21 3"], penalty: float = 0.2, statistic: Literal["median", "mean"] = "mean"
) -> Convention:
    """Return the convention whose mean hand has the proportions of these labelled hands.

    `hands` are LEFT hands in RHD's order with the wrist as joint 0, in any unit and frame. `penalty` weighs
    the movement of keypoints against the proportions; both are in middle MCP-PIP bones. `statistic` reduces
    the proportions of the hands to those of one. Raises HandsError for a penalty that is not from 0 to 1000.
    """
    if not 0 <= penalty <= MOST_PENALTY:
        raise HandsError(f"penalty is {penalty:g}; it must be between 0 and {MOST_PENALTY}")
    wanted = Proportions.of(hands).reduced(statistic)
    moves = _fit_moves(wanted, penalty)
    convention = Convention(about="", calibrated="", hands=len(hands), moves=moves)
    fitted = of_model(convention.weights())
    bones = zip(FINGERS, wanted.bones.reshape(5, 4).round(3).tolist(), strict=True)
    palm = zip(PALM_JOINTS, wanted.palm.round(3).tolist(), strict=True)
    tilts = zip(BENDING, np.degrees(wanted.tilt).round(1).tolist(), strict=True)
    return replace(
        convention,
        error=round(_rms(fitted.flat() - wanted.flat()), 3),
        bones={finger: tuple(lengths) for finger, lengths in bones},
        palm={JOINTS[joint]: tuple(place) for joint, place in palm},
        tilt_deg={finger: tilt for finger, tilt in tilts if np.isfinite(tilt)},
    )


def misfits(
    hands: Float[Tensor, "n 21 3"], statistic: Literal["median", "mean"] = "mean"
) -> dict[str, Misfit]:
    """Return how far each known convention is from these labelled hands (see `fit_convention`), by name."""
    wanted = Proportions.of(hands).reduced(statistic)
    return {
        name: Misfit.between(of_model(convention.weights()), wanted)
        for name, convention in CONVENTIONS.items()
    }


def to_toml(name: str, convention: Convention) -> str:
    """Return the convention as a table for `assets/conventions.toml` or `register_convention`."""
    moves = (
        f"{key} = {{ {', '.join(f'{target} = {share}' for target, share in each.items())} }}"
        for key, each in convention.moves.items()
    )
    name = write_key(name)
    lines = [
        f"[{name}]",
        f'about = "{convention.about}"',
        f'calibrated = "{convention.calibrated}"',
        f"hands = {convention.hands}",
        f"error = {convention.error:.3f}",
        f"\n[{name}.moves]",
        *moves,
    ]
    for part, rows in (("bones", convention.bones), ("palm", convention.palm)):
        lines += [f"\n[{name}.{part}]", *(f"{key} = {list(values)}" for key, values in rows.items())]
    lines += [f"\n[{name}.tilt_deg]", *(f"{key} = {tilt}" for key, tilt in convention.tilt_deg.items())]
    return "\n".join(lines).replace("-0.0,", "0.0,").replace("-0.0]", "0.0]")


def _directions() -> list[Direction]:
    """Return how keypoints may move: along their bones; in the palm, also across it and to its skin."""
    found = [("wrist", "middle_mcp", "middle_mcp")]
    for chain in FINGERS.values():
        for joint, child in zip(chain, (*chain[1:], None), strict=True):
            parent = JOINTS[PARENTS[joint]]
            found.append((JOINTS[joint], parent, parent if child is None else JOINTS[child]))
    for joint in PALM_JOINTS:
        name = JOINTS[joint]
        found += [(name, target, target) for target in (_ACROSS_THE_PALM[name], PALMAR)]
    return found


def _bounds() -> Float[np.ndarray, "2 directions"]:
    """Return the bounds of 1 - share: no keypoint leaves the skin at a fingertip or on the back."""
    tip, back = (1.0, 1.0 + _MOST_DORSAL)
    most = [
        tip if keypoint.endswith("tip") else back if target == PALMAR else 1.5
        for keypoint, target, _ in _directions()
    ]
    return np.array([[0.5] * len(most), most])


def _moves_of(shares: Float[np.ndarray, " directions"]) -> Moves:
    """Return shares along `_directions` as the moves of a convention."""
    moves: Moves = {}
    for (keypoint, forth, back), share in zip(_directions(), shares.tolist(), strict=True):
        target, share = (back, -share) if share < 0 and back != forth else (forth, share)
        moves.setdefault(keypoint, {})[target] = share
    return moves


def _residuals(shares: np.ndarray, wanted: Proportions, penalty: float) -> np.ndarray:
    """Return the differences of the proportions and the penalised movements, in middle bones."""
    weights = Convention("", "", moves=_moves_of(shares)).weights()
    hand = mean_hand()
    bone = np.linalg.norm(hand[:, MIDDLE_MCP] - hand[:, MIDDLE_PIP], axis=-1).mean()
    movement = (weights @ hand - hand[:, :21])[::4] / bone / 2
    differences = np.nan_to_num(of_model(weights).flat() - wanted.flat())  # NaN: no bent finger has a tilt
    return np.concatenate([differences, penalty * movement.ravel()])


def _fit_moves(wanted: Proportions, penalty: float) -> Moves:
    """Return the moves that give the mean hand these proportions, rounded, without the smallest ones."""
    # The unknowns are 1 - share: numbers near 1, for which diff_step, a relative step, is 0.001.
    start = np.full(len(_directions()), 0.99)
    found = least_squares(
        lambda x: _residuals(1 - x, wanted, penalty), start, bounds=_bounds(), diff_step=1e-3
    )
    moves: Moves = {}
    for name, each in _moves_of(1 - found.x).items():
        rounded = {target: round(share, 3) for target, share in each.items()}
        if kept := {target: share for target, share in rounded.items() if abs(share) >= _LEAST_SHARE}:
            moves[name] = kept
    return moves


def _rms(differences: np.ndarray) -> float:
    """Return the root mean square of those that are not NaN; NaN if all are."""
    known = differences[~np.isnan(differences)]
    return float(np.sqrt(np.mean(known**2))) if len(known) else float("nan")
