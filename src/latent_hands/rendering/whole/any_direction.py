"""Whole images of one or two hands of any size and view, whose arms come from any direction."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from latent_hands.hand.boxes import SCENE_BONES
from latent_hands.hand.handedness import HANDEDNESS, OTHER_HAND
from latent_hands.rendering.looks.jewellery import Band
from latent_hands.rendering.placed_hand import arm_fits, joints_fit, place_hand
from latent_hands.rendering.scene import bone_m, sample_view
from latent_hands.rendering.whole.arms import Arm, palm_square
from latent_hands.rendering.whole.body import FOREARM_M, UPPER_ARM_M, Body, arm_piece, head, trunk
from latent_hands.rendering.whole.clothes import Dress, sample_dress
from latent_hands.rendering.whole.drawing import Drawing
from latent_hands.rendering.whole.people import turned
from latent_hands.rendering.whole.solids import tube, unit

ATTEMPTS = 60
BOX_PX = (38.0, 1.15)
"""Least side of the square around a hand, seven bones wide, in pixels; largest side in image sides."""


def any_direction(d: Drawing) -> None:
    """Draw one or two hands of any size, view and place, whose arms come from any direction."""
    rng = d.rng
    dress = sample_dress(rng)
    identity, bands = d.person(dress)
    side = HANDEDNESS[rng.integers(2)]
    box_px = np.exp(rng.uniform(np.log(BOX_PX[0]), np.log(BOX_PX[1] * d.size_px)))
    depth = d.K[0, 0] * SCENE_BONES * bone_m(identity) / box_px
    if depth < 0.35:
        d.K[:2, :2] *= 0.35 / depth * np.exp(rng.uniform(0, 0.4))
        depth = d.K[0, 0] * SCENE_BONES * bone_m(identity) / box_px
    first = _loose_arm(d, side, dress, identity, bands, None, depth)
    if first is None:
        return
    _finish(d, first)
    if rng.random() < 0.5:
        near = first if rng.random() < 0.7 else None
        if rng.random() < 0.3:
            dress = sample_dress(rng)
            identity, bands = d.person(dress)
        side = OTHER_HAND[side]
        second = _loose_arm(d, side, dress, identity, bands, near, depth * np.exp(rng.normal(0, 0.15)))
        if second is not None:
            _finish(d, second)


def _loose_arm(
    d: Drawing,
    side: str,
    dress: Dress,
    identity: Float[ndarray, "12"],
    bands: tuple[Band, ...],
    near: Arm | None,
    depth: float,
) -> Arm | None:
    """Draw a hand by its place and view; `near` is a hand that it is to be close to."""
    rng = d.rng
    scene = d.hand_scene(side, dress, identity, bands)
    share = min(1.0, d.K[0, 0] * SCENE_BONES * bone_m(identity) / depth / d.size_px)
    low = 0.30 * share
    cut = rng.random() < 0.55
    for _ in range(ATTEMPTS):
        palm = depth * d.ray(*rng.uniform(low, 1 - low, 2))
        if near is not None:
            palm = near.scene.palm_m + rng.normal(0, 0.09, 3)
            if palm[2] < 0.2:
                continue
        placed = replace(scene, palm_m=palm)
        placed = replace(placed, box=palm_square(placed))
        hand = place_hand(placed, d.articulation(placed), sample_view(rng))
        arm = Arm(placed, hand, FOREARM_M * dress.scale if cut else None)
        if not (joints_fit(placed, hand) and d.free(arm, []) and d.wanted(arm)):
            continue
        if arm.elbow[2] > 0.1 if cut else arm_fits(placed, hand):
            return arm
    return None


def _finish(d: Drawing, arm: Arm) -> None:
    """Keep a hand; a forearm that ends at the elbow gets an upper arm and a body."""
    d.attach(arm)
    if arm.forearm_m is None:
        return
    rng = d.rng
    dress = replace(sample_dress(rng), skin=arm.scene.look.skin, sleeve=arm.scene.look.sleeve)
    if dress.sleeve is not None:
        dress = replace(dress, upper_sleeve=True, shirt=replace(dress.shirt, colours=dress.sleeve.colours))
    scale = arm.forearm_m / FOREARM_M
    dress = replace(dress, scale=scale)
    for _ in range(ATTEMPTS):
        out = unit(arm.axis + rng.normal(0, 0.6, 3))
        shoulder = arm.elbow + UPPER_ARM_M * scale * out
        frame = turned(rng.uniform(-180, 180), rng.normal(0, 30), rng.normal(0, 40))
        body = Body(dress, np.zeros(3), frame, turned(rng.normal(0, 25), rng.normal(0, 12), 0.0) @ frame)
        body = replace(body, neck=shoulder - body.shoulder(arm.scene.side))
        joints = np.concatenate([other.hand.xyz_m for other in d.arms])
        near_lens = min(body.neck[2], body.head[2]) < 0.25 and np.hypot(*body.neck[:2]) < 0.4
        if not body.inside(joints, 0.02).any() and not near_lens and not _hides(d, body):
            d.solids += [*arm_piece(dress, shoulder, arm.elbow), *trunk(body), *head(body)]
            return
    end = arm.elbow + 1.5 * unit(arm.axis + rng.normal(0, 0.2, 3))
    paint = dress.arm if dress.sleeve is not None else dress.bare
    d.solids.append(tube([arm.elbow, (arm.elbow + end) / 2, end], [0.037 * scale, 0.05 * scale, 0.06], paint))


def _hides(d: Drawing, body: Body) -> bool:
    """Return whether torso or head lies before one of the hands."""
    for arm in d.arms:
        for point in arm.hand.xyz_m[::4]:
            if body.inside(point * np.linspace(0.3, 0.98, 12)[:, None], 0.01).any():
                return True
    return False
