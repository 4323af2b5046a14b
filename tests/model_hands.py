"""Predictions whose joints are those of the hand model, in known poses."""

import numpy as np
import torch

from latent_hands.data.sample import project
from latent_hands.hand.conventions import keypoints
from latent_hands.hand.geometry import canonicalise, normalise, to_palm
from latent_hands.hand.handedness import Handedness
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.predictor import Hand

K = np.array([[300.0, 0, 119.5], [0, 300, 99.5], [0, 0, 1]], np.float32)


def model_hands(
    count: int, handedness: Handedness = "right", convention: str = "rhd", seed: int = 0
) -> tuple[list[Hand], np.ndarray]:
    """Return hands of one random person in random poses and viewpoints, and their angles in degrees."""
    rng, model = np.random.default_rng(seed), HandModel.load()
    shape = model.identity(model.sample_identity(rng))
    hands, angles = [], []
    for i in range(count):
        articulation = sample_articulation(rng)
        points = model.pose(shape, articulation).points
        joints = 1000 * keypoints(points, convention) * [-1 if handedness == "left" else 1, 1, 1]
        rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        xyz_mm = torch.from_numpy(joints @ (rotation * np.linalg.det(rotation))).float()[None]
        pose, bone_mm = normalise(to_palm(xyz_mm))
        palm_mm = np.array([20, -30, 500 + i], np.float32)
        cpose, viewpoint = canonicalise(pose, torch.tensor([handedness == "right"]))
        hands.append(
            Hand(
                handedness,
                pose[0].numpy(),
                cpose[0].numpy(),
                viewpoint[0].numpy(),
                float(bone_mm),
                bone_mm_assumed=False,
                crop_px=(0.0, 0.0, 100.0, 100.0),
                uv_px=project(float(bone_mm) * pose[0].numpy() + palm_mm, K),
                palm_mm=palm_mm,
                K=K,
                camera="given",
                convention=convention,
            )
        )
        angles.append(articulation.flat())
    return hands, np.stack(angles)
