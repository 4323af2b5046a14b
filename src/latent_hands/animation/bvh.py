"""Animated hands as BVH: one file for each hand, in centimetres, y up.

At rest, all rotations are 0: the fingers point along y, and the back of the hand looks along z.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from latent_hands.animation.gltf import Y_UP
from latent_hands.animation.posed import BONES, CHILDREN, AnimatedHand
from latent_hands.errors import HandsError, as_path
from latent_hands.files import write_text
from latent_hands.hand.rig.kinematics import CHAINS
from latent_hands.hand.rig.points import FOREARM, HAND
from latent_hands.hand.rig.skin import ARM_M

ROTATIONS = "Zrotation Yrotation Xrotation"
"""R = Rz Ry Rx. Y is along the fingers, so the middle angle is small and the three are unambiguous."""
_CM = 100


def write_bvh(path: str | Path, hand: AnimatedHand, frame_seconds: float) -> Path:
    """Write one hand, whose poses are `frame_seconds` apart (`AnimatedHand.at`).

    Joints are named after side and bone, such as "left_index_proximal". The root has the position of the
    wrist. Raises HandsError for an ending other than .bvh.
    """
    path = as_path(path, "path")
    if path.suffix != ".bvh":
        raise HandsError(f"{path} does not end in .bvh")
    turns, order = hand.turns, depth_first()
    local = np.linalg.inv(turns[:, [_parent(bone) for bone in order]]) @ turns[:, order]
    local[:, 0] = Y_UP @ hand.rotations @ turns[:, HAND]
    places = hand.root_places_m() @ Y_UP * _CM
    numbers = np.concatenate([places, zyx_deg(local).reshape(len(local), -1)], 1)
    lines = ["HIERARCHY", *_joint(hand, HAND, 0), "MOTION", f"Frames: {len(numbers)}"]
    lines += [f"Frame Time: {frame_seconds:.8f}", *(" ".join(f"{x:.6f}" for x in row) for row in numbers)]
    return write_text(path, "\n".join(lines) + "\n")


def zyx_deg(rotations: Float[np.ndarray, "t joints 3 3"]) -> Float[np.ndarray, "t joints 3"]:
    """Return angles (z, y, x) in degrees with R = Rz Ry Rx, without jumps from one time to the next.

    Of the two triples of a rotation, and of their multiples of 360 degrees, each is the one that is nearest
    to that of the time before.
    """
    R = rotations
    y = np.arctan2(-R[..., 2, 0], np.hypot(R[..., 0, 0], R[..., 1, 0]))
    first = np.stack([np.arctan2(R[..., 1, 0], R[..., 0, 0]), y, np.arctan2(R[..., 2, 1], R[..., 2, 2])], -1)
    both = np.degrees(np.stack([first, first * [1, -1, 1] + np.pi]))
    found = both[0].copy()
    for i in range(1, len(found)):
        near = both[:, i] + 360 * np.round((found[i - 1] - both[:, i]) / 360)
        far = np.abs(near - found[i - 1]).sum(-1)
        found[i] = np.where((far[0] <= far[1])[:, None], near[0], near[1])
    return found


def depth_first(bone: int = HAND) -> list[int]:
    """Return the bones in the order in which BVH lists them."""
    return [bone, *(each for child in CHILDREN[bone] for each in depth_first(child))]


def _parent(bone: int) -> int:
    return next((parent for parent, children in enumerate(CHILDREN) if bone in children), HAND)


def _joint(hand: AnimatedHand, bone: int, depth: int) -> list[str]:
    """Return the lines of a joint and of those that hang on it."""
    _, heads = hand.rest
    indent = "\t" * depth
    root = bone == HAND
    offset = np.zeros(3) if root else heads[bone] - heads[_parent(bone)]
    channels = f"6 Xposition Yposition Zposition {ROTATIONS}" if root else f"3 {ROTATIONS}"
    inner = [f"OFFSET {_numbers(offset)}", f"CHANNELS {channels}"]
    for child in CHILDREN[bone]:
        inner += [line.removeprefix(indent + "\t") for line in _joint(hand, child, depth + 1)]
    if not CHILDREN[bone]:
        inner += ["End Site", "{", f"\tOFFSET {_numbers(_end(hand, bone) - heads[bone])}", "}"]
    kind = "ROOT" if root else "JOINT"
    head = [f"{kind} {hand.handedness}_{BONES[bone]}", "{"]
    return [indent + line for line in [*head, *("\t" + line for line in inner), "}"]]


def _end(hand: AnimatedHand, bone: int) -> Float[np.ndarray, "3"]:
    """Return the end of a last bone at rest: a fingertip, or the cut of the arm."""
    if bone == FOREARM:
        along = hand.shape.tails[bone] - hand.shape.heads[bone]
        return (hand.shape.heads[bone] + ARM_M * along / np.linalg.norm(along)) @ hand.mirror
    return hand.fingertips_m()[CHAINS[:, -1].tolist().index(bone)]


def _numbers(point_m: Float[np.ndarray, "3"]) -> str:
    return " ".join(f"{x:.6f}" for x in point_m * _CM)
