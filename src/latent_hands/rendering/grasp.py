"""Grasps: hands that close around the object that they hold."""

from itertools import product

import numpy as np
from jaxtyping import Float, Float32

from latent_hands.hand.rig.articulation import Articulation, blend
from latent_hands.hand.rig.collision import penetration_mm
from latent_hands.hand.rig.limits import within_limits
from latent_hands.hand.rig.poses import TOUCH_MM, gestures
from latent_hands.rendering.looks.things import SKIN_M, THUMB_TIP, Thing, grip, hand_axes
from latent_hands.rendering.scene import left_form

OWN_SHARE, PINCH_SHARE = 0.12, 0.03
"""The share of the drawn pose in a grasp, and in one with the fingertips; it makes grasps differ."""
WIDEST, TIGHTEST, STEPS = -0.8, 0.6, 4
"""Range in which the closure is searched, and its halvings; 0 is the gesture "cylinder", 1 a fist."""
THUMBS = (0.75, 0.5, 0.25, 0.0, -0.25, -0.5, -0.8)
"""Closures of the thumb; the first that enters nothing is taken."""
SOFT_M = 0.001
"""An object may enter a thumb by this much, because skin is soft."""
FLAT = Articulation(
    np.array([[4.0, -4, 72, 22], [5, 0, 78, 24], [6, 2, 80, 25], [8, 6, 74, 24]]),
    np.array([14.0, -28, 18, 14, 22]),
    4.0,
    np.zeros(2),
)
"""A hand that carries a flat object on the palm and holds its edge with the fingers."""


def closed_around(thing: Thing, identity: Float[np.ndarray, "12"], drawn: Articulation) -> Articulation:
    """Return the grasp of an object by a person; it keeps the wrist and a little of the drawn pose.

    Fingers that wrap an object close until the room between them and the palm is as thick as the object.
    """
    if thing.grasp == "pinch":
        return _with_some_of(gestures()["tripod"], drawn, PINCH_SHARE)
    if thing.grasp == "flat":
        return _with_some_of(FLAT, drawn, OWN_SHARE / 2)
    low, high = WIDEST, TIGHTEST
    for _ in range(STEPS):
        middle = (low + high) / 2
        joints = _joints(identity, _with_some_of(_wrapped(middle, 0.0), drawn, OWN_SHARE))
        _, room = grip(joints, hand_axes(joints, True))
        low, high = (middle, high) if room > thing.half_m[0] else (low, middle)
    grasp = drawn
    for share, thumb in product((OWN_SHARE, 0.0), THUMBS):
        grasp = _with_some_of(_wrapped(low, thumb), drawn, share)
        if _thumb_is_free(thing, identity, grasp):
            break
    return grasp


def _wrapped(closure: float, thumb: float) -> Articulation:
    """Return a hand around a rod: fingers and thumb between those of a wide grasp and of a fist."""
    opened, fist = gestures()["cylinder"], gestures()["fist"]
    fingers = blend(opened, fist, closure)
    return Articulation(fingers.fingers, blend(opened, fist, thumb).thumb, fingers.arch, fingers.wrist)


def _thumb_is_free(thing: Thing, identity: Float[np.ndarray, "12"], grasp: Articulation) -> bool:
    """Return whether no finger enters another, and the thumb is outside of an object that the hand wraps."""
    if penetration_mm(grasp) >= TOUCH_MM:
        return False
    joints = _joints(identity, grasp)
    frame = hand_axes(joints, True)
    middle, room = grip(joints, frame)
    across = ((joints[THUMB_TIP : THUMB_TIP + 2] - middle) @ frame.T)[:, 1:]
    return bool((np.linalg.norm(across, axis=1) > min(room, thing.half_m[0]) + SKIN_M - SOFT_M).all())


def _joints(identity: Float[np.ndarray, "12"], articulation: Articulation) -> Float32[np.ndarray, "21 3"]:
    return left_form(identity, articulation).astype(np.float32)


def _with_some_of(grasp: Articulation, drawn: Articulation, share: float) -> Articulation:
    """Return the grasp with a share of the drawn pose and with its wrist, within the limits."""
    mixed = blend(grasp, drawn, share)
    return within_limits(Articulation(mixed.fingers, mixed.thumb, mixed.arch, drawn.wrist))
