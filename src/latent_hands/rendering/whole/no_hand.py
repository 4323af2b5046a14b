"""Whole images without hands: people who hide them, faces, feet, bare arms and objects."""

from dataclasses import replace

import numpy as np

from latent_hands.hand.handedness import HANDEDNESS
from latent_hands.rendering.scene import sample_view
from latent_hands.rendering.whole.body import head, trunk
from latent_hands.rendering.whole.clothes import sample_dress
from latent_hands.rendering.whole.drawing import Drawing
from latent_hands.rendering.whole.legs import SHIN_M, foot, leg
from latent_hands.rendering.whole.objects import sample_objects
from latent_hands.rendering.whole.people import hidden_arms, legs, sample_body
from latent_hands.rendering.whole.solids import tube, unit

KINDS = {"person": 0.24, "face": 0.18, "feet": 0.16, "bare arms": 0.14, "objects": 0.2, "empty": 0.08}
"""Shares of the kinds of images without hands."""


def no_hand(d: Drawing) -> str:
    """Draw an image without hands, and return its kind."""
    rng = d.rng
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    if kind in ("person", "face"):
        body = sample_body(d) if kind == "person" else sample_body(d, 0.3, 0.9)
        if kind == "face":
            shift = body.neck[2] * d.ray(*rng.uniform(0.25, 0.75, 2)) - body.head
            body = replace(body, neck=body.neck + shift)
        hidden_arms(d, body)
        d.solids += trunk(body) + head(body)
        legs(d, body)
    elif kind == "feet":
        _feet(d)
    elif kind == "bare arms":
        _bare_arms(d)
    if kind in ("objects", "bare arms") or (kind != "empty" and rng.random() < 0.3):
        objects(d, int(rng.integers(1, 6)))
    return f"no hand: {kind}"


def objects(d: Drawing, count: int, behind: bool = False) -> None:
    """Add objects in the image; those `behind` are farther than the hands, the others at any depth."""
    rng = d.rng

    def place() -> np.ndarray:
        depth = np.exp(rng.uniform(np.log(0.35), np.log(1.6)))
        if behind and d.arms:
            depth = max(float(arm.hand.xyz_m[:, 2].max()) for arm in d.arms) + rng.uniform(0.12, 0.6)
        return depth * d.ray(*rng.uniform(-0.05, 1.05, 2))

    d.solids += sample_objects(rng, count, place)


def _feet(d: Drawing) -> None:
    """Draw one or two legs with feet, seen from anywhere, mostly barefoot."""
    rng = d.rng
    dress = replace(sample_dress(rng), barefoot=bool(rng.random() < 0.8))
    bare = bool(rng.random() < 0.7)
    frame = sample_view(rng)
    depth = np.exp(rng.uniform(np.log(0.4), np.log(1.5)))
    middle = depth * d.ray(*rng.uniform(0.3, 0.7, 2))
    for side in HANDEDNESS[: int(rng.integers(1, 3))]:
        sign = 1 if side == "left" else -1
        ankle = middle + (sign * rng.uniform(0.06, 0.16) * frame[0] + rng.normal(0, 0.08) * frame[2])
        knee = ankle - SHIN_M * frame[1] + rng.normal(0, 0.06, 3)
        hip = knee - 0.3 * frame[1] + rng.normal(0, 0.2, 3)
        d.solids += leg(dress, hip, knee, ankle, bare)
        d.solids += foot(dress, ankle, -frame[2] + rng.normal(0, 0.3, 3), -frame[1], side)


def _bare_arms(d: Drawing) -> None:
    """Draw bent arms whose wrists are outside the image."""
    rng = d.rng
    dress = sample_dress(rng)
    for _ in range(int(rng.integers(1, 4))):
        depth = np.exp(rng.uniform(np.log(0.35), np.log(1.2)))
        elbow = depth * d.ray(*rng.uniform(0.15, 0.85, 2))
        angle, bend = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 2.8)
        ends = []
        for turn in (angle, angle + bend):
            out = np.array([np.cos(turn), np.sin(turn), rng.normal(0, 0.3)])
            ends.append(elbow + 2.0 * depth * unit(out))
        scale = dress.scale
        upper = ends[0] + (elbow - ends[0]) * [[0.0], [0.8], [0.94]]
        lower = elbow + (ends[1] - elbow) * [[0.06], [0.2], [1.0]]
        path = np.concatenate([upper, elbow[None], lower])
        radii = scale * np.array([0.06, 0.045, 0.04, 0.037, 0.039, 0.036, 0.025])
        d.solids.append(tube(path, radii, dress.bare, 14))
