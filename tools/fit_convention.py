"""Where does a data set place its joints? Calibrates a convention on the proportions of its labels.

    python tools/fit_convention.py stb STB --split training
    python tools/fit_convention.py NAME POINTS.npy [--order snap]    (n, 21, 3), left hands, wrist first

Prints how far every known convention is from the set, and a table for hand/assets/conventions.toml. Only
proportions that no pose changes are fitted (`hand.rig.proportions`), on the mean hand of the model,
by least squares; a penalty on the way that keypoints move, in middle bones, decides what proportions cannot.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

from latent_hands.data import open_data, read_stb
from latent_hands.data.palm import palm_xyz_mm
from latent_hands.hand.conventions import CONVENTIONS, PALMAR, Convention
from latent_hands.hand.geometry import mirror, to_wrist
from latent_hands.hand.rig.proportions import PALM_JOINTS, Proportions, mean_hand, of_model
from latent_hands.hand.skeleton import FINGERS, JOINTS, PARENTS, reorder

LEAST_SHARE = 0.005
MOST_DORSAL = 0.1
Moves = dict[str, dict[str, float]]
Direction = tuple[str, str, str]
"""A keypoint, where a positive share leads it, and where a negative one does: the same joint, or another."""
NEIGHBOURS = {"index_mcp": "middle_mcp", "middle_mcp": "ring_mcp", "ring_mcp": "middle_mcp"}
NEIGHBOURS |= {"little_mcp": "ring_mcp", "thumb_cmc": "index_mcp", "wrist": "thumb_cmc"}
"""Across the palm."""


def directions() -> list[Direction]:
    """How keypoints may move: all along their bones, those of the palm also across it and to its skin."""
    found = [("wrist", "middle_mcp", "middle_mcp")]
    for chain in FINGERS.values():
        for joint, child in zip(chain, (*chain[1:], None), strict=True):
            parent = JOINTS[PARENTS[joint]]
            found.append((JOINTS[joint], parent, parent if child is None else JOINTS[child]))
    for joint in PALM_JOINTS:
        name = JOINTS[joint]
        found += [(name, to, to) for to in (NEIGHBOURS[name], PALMAR)]
    return found


def stays() -> np.ndarray:
    """Bounds of what stays of a keypoint, 1 - share: none leaves the skin at a fingertip or on the back."""
    tip, back = (1.0, 1.0 + MOST_DORSAL)
    most = [tip if on.endswith("tip") else back if to == PALMAR else 1.5 for on, to, _ in directions()]
    return np.array([[0.5] * len(most), most])


def moves_of(shares: np.ndarray) -> Moves:
    """Shares along `directions` as the table of a convention."""
    moves: Moves = {}
    for (keypoint, forth, back), share in zip(directions(), shares.tolist(), strict=True):
        target, share = (back, -share) if share < 0 and back != forth else (forth, share)
        moves.setdefault(keypoint, {})[target] = share
    return moves


def residuals(shares: np.ndarray, wanted: Proportions, penalty: float) -> np.ndarray:
    """What is left of the proportions, and the way that keypoints went, in middle bones."""
    weights = Convention("", "", moves=moves_of(shares)).weights()
    hand = mean_hand()
    bone = np.linalg.norm(hand[:, 12] - hand[:, 11], axis=-1).mean()
    way = (weights @ hand - hand[:, :21])[::4] / bone / 2
    return np.concatenate([of_model(weights).flat() - wanted.flat(), penalty * way.ravel()])


def fit(wanted: Proportions, penalty: float) -> Moves:
    """The moves that bring the mean hand to these proportions."""
    bounds, start = stays(), np.full(len(directions()), 0.99)  # numbers near 1: steps of 0.001 are relative
    found = least_squares(lambda x: residuals(1 - x, wanted, penalty), start, bounds=bounds, diff_step=1e-3)
    rounded = {
        name: {to: round(s, 3) for to, s in moves.items()} for name, moves in moves_of(1 - found.x).items()
    }
    kept = {
        name: {to: s for to, s in moves.items() if abs(s) >= LEAST_SHARE} for name, moves in rounded.items()
    }
    return {name: moves for name, moves in kept.items() if moves}


def labels(name: str, root: Path, split: str, order: str) -> Tensor:
    """All labels of a set, as left hands with the wrist as joint 0."""
    if root.suffix == ".npy":
        return torch.from_numpy(reorder(np.load(root, allow_pickle=False), order, "rhd"))
    stb = name.startswith("stb")
    samples = read_stb(root, split, views=("left",), images=False) if stb else open_data(name, root, split)
    hands = []
    for sample in samples:
        if (xyz_mm := palm_xyz_mm(sample)) is not None:
            hands.append(to_wrist(mirror(xyz_mm) if sample.side == "right" else xyz_mm))
    return torch.stack(hands)


def difference(model: Proportions, wanted: Proportions) -> str:
    """Root mean squares of the bones and of the palm, in middle bones."""
    parts = (model.bones - wanted.bones, model.palm - wanted.palm)
    return "bones {:.3f}, palm {:.3f}".format(*(np.sqrt(np.mean(part**2)) for part in parts))


def table(name: str, hands: int, wanted: Proportions, moves: Moves, error: float) -> str:
    """The convention as TOML."""
    inline = (
        f"{key} = {{ {', '.join(f'{to} = {s}' for to, s in each.items())} }}" for key, each in moves.items()
    )
    bones = zip(FINGERS, wanted.bones.reshape(5, 4).round(3).tolist(), strict=True)
    palm = zip(PALM_JOINTS, wanted.palm.round(3).tolist(), strict=True)
    lines = [
        f"[{name}]",
        'about = ""',
        f'calibrated = ""\nhands = {hands}\nerror = {error:.3f}',
        f"\n[{name}.moves]",
    ]
    lines += [*inline, f"\n[{name}.bones]", *(f"{finger} = {each}" for finger, each in bones)]
    lines += [f"\n[{name}.palm]", *(f"{JOINTS[joint]} = {place}" for joint, place in palm)]
    return "\n".join(lines).replace("-0.0,", "0.0,").replace("-0.0]", "0.0]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name", help="a data set by name, or with points the name of the new convention")
    parser.add_argument("root", type=Path, help="the set's folder, or a .npy file of points")
    parser.add_argument("--split", default="training")
    parser.add_argument("--order", default="snap", help="the order of the points of a .npy file")
    parser.add_argument("--penalty", type=float, default=0.2)
    parser.add_argument("--statistic", choices=("median", "mean"), default="median")
    options = parser.parse_args()
    hands = labels(options.name, options.root, options.split, options.order)
    wanted = Proportions.of(hands).reduced(options.statistic)
    for name, convention in CONVENTIONS.items():
        print(f"# {name}: {difference(of_model(convention.weights()), wanted)}")
    moves = fit(wanted, options.penalty)
    fitted = of_model(Convention("", "", moves=moves).weights())
    print(f"# fitted: {difference(fitted, wanted)}\n")
    error = float(np.sqrt(np.mean((fitted.flat() - wanted.flat()) ** 2)))
    print(table(options.name, len(hands), wanted, moves, error))


if __name__ == "__main__":
    main()
