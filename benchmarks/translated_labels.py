"""MediaPipe's joints as labels in the joint convention "rhd", in the camera frame of an assumed camera."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from agreement import box_of
from assumed_camera import place_before_camera, project

from latent_hands.hand.conventions import keypoints
from latent_hands.hand.geometry import canonicalise, normalise, to_palm, to_wrist
from latent_hands.hand.skeleton import MIDDLE_MCP, MIDDLE_PIP, PALM, reorder
from latent_hands.hand.translation import random_points, translate

SOURCE, TARGET = "mediapipe", "rhd"
MIDDLE_MCP_SNAP = 9
HANDS = 200
"""The number of random hands that the shift between the conventions' palms is averaged over."""


@dataclass(frozen=True)
class Label:
    """The labels of a hand in the convention `TARGET`, joints from the wrist to the tip of the little finger.

    xyz_mm: (21, 3) in the camera frame.
    uv_px: (21, 2), the measured 2D joints, moved as the conventions differ.
    error: mean distance of uv_px to the projected xyz_mm, over the larger side of the measured box.
    """

    xyz_mm: np.ndarray
    uv_px: np.ndarray
    error: float

    @property
    def bone_mm(self) -> float:
        """The length of the middle MCP-PIP bone."""
        return float(np.linalg.norm(self.xyz_mm[MIDDLE_MCP_SNAP + 1] - self.xyz_mm[MIDDLE_MCP_SNAP]))


def translated(hands: Sequence[dict[str, Any]], cameras: Sequence[np.ndarray]) -> Iterator[Label]:
    """Yield the labels of hands as `agreement.compare` returns them, each before its camera K."""
    if not hands:
        return
    measured = [np.asarray(hand["uv_px"], float) for hand in hands]
    placed = [
        place_before_camera(np.asarray(hand["world_mm"], float), uv_px, K, MIDDLE_MCP_SNAP)
        for hand, uv_px, K in zip(hands, measured, cameras, strict=True)
    ]
    right = torch.tensor([hand["handedness"] == "right" for hand in hands])
    moved = to_target(torch.tensor(reorder(np.array(placed), "snap", "rhd")), right)
    for before, after, uv_px, K in zip(placed, moved.double().numpy(), measured, cameras, strict=True):
        xyz_mm = reorder(after, "rhd", "snap")
        off_px = uv_px - project(before, K)
        error = np.linalg.norm(off_px, axis=1).mean() / box_of(uv_px)[2:].max()
        yield Label(xyz_mm, project(xyz_mm, K) + off_px, float(error))


def to_target(xyz_mm: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Translate joints (n, 21, 3) in the camera frame, RHD's order, wrist form, from `SOURCE` to `TARGET`."""
    palm_form = to_palm(xyz_mm)
    pose, bone_mm = normalise(palm_form)
    _, viewpoint = canonicalise(pose, right)
    offset, scale = (part.to(pose) for part in palm_shift())
    offset = offset * torch.where(right[:, None], torch.tensor([1.0, 1.0, -1.0]), 1.0).to(pose)
    palm = palm_form[:, PALM] + bone_mm[:, None] * (offset[:, None] @ viewpoint)[:, 0]
    moved = translate(pose, SOURCE, TARGET, right) * (bone_mm * scale)[:, None, None]
    return to_wrist(moved + palm[:, None])


@cache
def palm_shift() -> tuple[torch.Tensor, torch.Tensor]:
    """Return where the target's palm lies in the source's canonical frame, and its bone's length.

    Both are in the source's middle bones, for a left hand, averaged over random hands.
    """
    points = random_points(HANDS, seed=1).numpy()
    source, target = (
        to_palm(torch.from_numpy(np.stack([keypoints(each, name) for each in points])).double())
        for name in (SOURCE, TARGET)
    )
    pose, bone_mm = normalise(source)
    _, viewpoint = canonicalise(pose)
    apart = (target[:, PALM] - source[:, PALM]) / bone_mm[:, None]
    bones = (target[:, MIDDLE_MCP] - target[:, MIDDLE_PIP]).norm(dim=-1) / bone_mm
    return (apart[:, None] @ viewpoint.mT)[:, 0].mean(dim=0), bones.mean()
