"""MediaPipe's joints as labels in the joint convention "rhd", in the camera frame of an assumed camera."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from agreement import box_of
from assumed_camera import place_before_camera, project

from latent_hands.hand.skeleton import reorder
from latent_hands.hand.translation import translate_labels

SOURCE, TARGET = "mediapipe", "rhd"
MIDDLE_MCP_SNAP = 9


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
    joints = torch.tensor(reorder(np.array(placed), "mediapipe", "rhd"))
    moved = translate_labels(joints, SOURCE, TARGET, right)
    for before, after, uv_px, K in zip(placed, moved.double().numpy(), measured, cameras, strict=True):
        xyz_mm = reorder(after, "rhd", "mediapipe")
        off_px = uv_px - project(before, K)
        error = np.linalg.norm(off_px, axis=1).mean() / box_of(uv_px)[2:].max()
        yield Label(xyz_mm, project(xyz_mm, K) + off_px, float(error))
