"""Kinds of whole images with people: portraits, groups, and what a person sees of its own arms."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from latent_hands.hand.handedness import HANDEDNESS
from latent_hands.rendering.whole.arms import Arm, bent_elbow
from latent_hands.rendering.whole.body import Body, arm_piece, forearm, head, trunk
from latent_hands.rendering.whole.clothes import sample_dress
from latent_hands.rendering.whole.drawing import Drawing
from latent_hands.rendering.whole.legs import SHIN_M, THIGH_M, foot, leg

ATTEMPTS = 12
TARGETS = ("front", "raised", "side", "face", "camera", "wide")
SHARES = (0.34, 0.2, 0.1, 0.12, 0.12, 0.12)


def turned(left_deg: float, down_deg: float, roll_deg: float) -> Float[ndarray, "3 3"]:
    """Return the rotation of a frame of rows about its down axis, its left axis, and its back axis."""
    (a, b, c) = np.radians([left_deg, down_deg, roll_deg])
    yaw = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    pitch = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    roll = np.array([[np.cos(c), np.sin(c), 0], [-np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return roll @ pitch @ yaw


def sample_body(d: Drawing, near_m: float = 0.5, far_m: float = 2.8) -> Body:
    """Draw a person in the image who looks roughly at the camera."""
    rng = d.rng
    yaw = rng.normal(0, 35) if rng.random() < 0.88 else rng.uniform(-180, 180)
    frame = turned(yaw, rng.normal(0, 8), rng.normal(0, 7))
    depth = np.exp(rng.uniform(np.log(near_m), np.log(far_m)))
    neck = depth * d.ray(rng.uniform(0.15, 0.85), rng.uniform(0.25, 0.75))
    gaze = turned(rng.normal(0, 25), rng.normal(5, 12), rng.normal(0, 8)) @ frame
    return Body(sample_dress(rng), neck, frame, gaze)


def wrist_target(d: Drawing, body: Body, side: str, kind: str) -> Float[ndarray, "3"]:
    """Draw a place of the wrist."""
    rng, scale = d.rng, body.dress.scale
    sign = 1 if side == "left" else -1
    if kind == "camera":
        return (
            body.shoulder(side) - 0.5 * scale * body.neck / np.linalg.norm(body.neck) + rng.normal(0, 0.12, 3)
        )
    if kind == "face":
        offset = rng.uniform([-0.02, -0.12, -0.24], [0.16, 0.12, -0.10]) * [sign, 1, 1]
        return body.head + scale * offset @ body.gaze
    low, high = {
        "front": ([-0.1, 0.0, -0.5], [0.35, 0.42, -0.2]),
        "raised": ([0.1, -0.45, -0.4], [0.5, 0.05, -0.05]),
        "side": ([0.2, 0.38, -0.15], [0.36, 0.6, 0.1]),
        "wide": ([0.4, -0.4, -0.25], [0.66, 0.4, 0.15]),
    }[kind]
    return body.neck + scale * (rng.uniform(low, high) * [sign, 1, 1]) @ body.frame


def portrait(d: Drawing, body: Body | None = None) -> None:
    """Draw a person with both arms; at least one hand is wanted if one is found."""
    person, arms = _with_arms(d, body)
    for arm in arms:
        d.attach(arm, person)
    sides = {arm.scene.side for arm in arms}
    hidden_arms(d, person, [side for side in HANDEDNESS if side not in sides])
    d.solids += trunk(person) + head(person)
    legs(d, person)


def _with_arms(d: Drawing, body: Body | None) -> tuple[Body, list[Arm]]:
    """Draw a person and its arms until a hand is wanted, at most ATTEMPTS times."""
    person, arms = body or sample_body(d), []
    for _ in range(ATTEMPTS):
        arms = _both_arms(d, person)
        if any(map(d.wanted, arms)):
            break
        person = body or sample_body(d)
    else:
        arms = _both_arms(d, person)
    return person, arms


def _both_arms(d: Drawing, person: Body) -> list[Arm]:
    """Draw the arms of a person; an arm that enters something is left out."""
    rng = d.rng
    identity, bands = d.person(person.dress)
    kind, arms = rng.choice(TARGETS, p=SHARES), []
    for side in HANDEDNESS:
        kind = kind if rng.random() < 0.5 else rng.choice(TARGETS, p=SHARES)
        for _ in range(4):
            arm = d.reach(person, side, wrist_target(d, person, side, str(kind)), identity, bands)
            if d.free(arm, [person]) and all(arm.apart(other) for other in arms):
                arms.append(arm)
                break
    return arms


def group(d: Drawing) -> None:
    """Draw two people with their arms, side by side."""
    for left in (0.25, 0.75):
        body = sample_body(d, 0.9, 2.8)
        u = left + d.rng.uniform(-0.12, 0.12)
        portrait(
            d, Body(body.dress, body.neck[2] * d.ray(u, d.rng.uniform(0.25, 0.6)), body.frame, body.gaze)
        )


def own_view(d: Drawing) -> None:
    """Draw what a person sees of its arms, body and legs; sometimes turned as from across a table."""
    rng = d.rng
    pitch, roll = np.radians(rng.uniform(5, 70)), np.radians(rng.normal(0, 12))
    if rng.random() < 0.35:
        roll = rng.uniform(0, 2 * np.pi)
    (c, s), (cr, sr) = (np.cos(pitch), np.sin(pitch)), (np.cos(roll), np.sin(roll))
    frame = np.array([[-1, 0, 0], [0, c, s], [0, s, -c]])
    frame = frame @ np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    dress = sample_dress(rng)
    neck = dress.scale * (rng.uniform(0.13, 0.25) * frame[1] + rng.uniform(0.06, 0.14) * frame[2])
    body = Body(dress, neck, frame, frame)
    identity, bands = d.person(dress)
    sides = [side for side in HANDEDNESS if rng.random() < 0.85] or [HANDEDNESS[rng.integers(2)]]
    for side in sides:
        for _ in range(ATTEMPTS):
            target = rng.uniform(0.22, 0.6) * d.ray(*rng.uniform([0.02, 0.05], [0.98, 0.98]))
            arm = d.reach(body, side, target, identity, bands)
            if d.free(arm, [body]) and d.wanted(arm):
                d.attach(arm, body)
                break
    d.solids += trunk(body)
    legs(d, body, seated=rng.random() < 0.7)


def hidden_arms(d: Drawing, body: Body, sides: Sequence[str] = HANDEDNESS) -> None:
    """Add arms of these sides whose hands are behind the back or in the pockets."""
    rng, scale = d.rng, body.dress.scale
    for side in sides:
        sign = 1 if side == "left" else -1
        back = rng.random() < 0.5
        local = np.array([0.02 * sign, 0.42, 0.03]) if back else np.array([0.11 * sign, 0.54, -0.03])
        wrist = body.neck + scale * local @ body.frame
        towards = np.array([1.0 * sign, 0.1, 0.9 if back else 0.5]) @ body.frame
        elbow, wrist = bent_elbow(body.shoulder(side), wrist, towards, scale)
        d.solids += [*arm_piece(body.dress, body.shoulder(side), elbow), forearm(body.dress, elbow, wrist)]


def legs(d: Drawing, body: Body, seated: bool | None = None) -> None:
    """Add legs and feet if the hips are before the lens and near the image."""
    rng, dress, scale = d.rng, body.dress, body.dress.scale
    seated = bool(rng.random() < 0.35) if seated is None else seated
    bare = bool(rng.random() < 0.4)
    for side in HANDEDNESS:
        hip, sign = body.hip(side), 1 if side == "left" else -1
        spread = rng.uniform(0.0, 0.3) * sign
        thigh = (
            np.array([spread, 0.15, -1.0])
            if seated
            else np.array([0.4 * spread, 1.0, rng.uniform(-0.3, 0.1)])
        )
        shin = np.array([0.2 * spread, 1.0, 0.15])
        knee = hip + THIGH_M * scale * (thigh / np.linalg.norm(thigh)) @ body.frame
        ankle = knee + SHIN_M * scale * (shin / np.linalg.norm(shin)) @ body.frame
        if max(hip[2], knee[2], ankle[2]) < 0.1:
            continue
        d.solids += leg(dress, hip, knee, ankle, bare)
        d.solids += foot(dress, ankle, -body.frame[2] + 0.3 * sign * body.frame[0], -body.frame[1], side)
