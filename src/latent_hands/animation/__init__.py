"""Predicted hands as the skinned mesh: fits, meshes, and animations for other programs."""

from latent_hands.animation.bvh import write_bvh
from latent_hands.animation.clip import Clip, clip_of
from latent_hands.animation.fitting import fit_hands
from latent_hands.animation.gltf import write_glb
from latent_hands.animation.joints_file import write_joints
from latent_hands.animation.mesh import HandMesh, hand_mesh, joint_angles, with_angles
from latent_hands.animation.posed import AnimatedHand

__all__ = [
    "AnimatedHand",
    "Clip",
    "HandMesh",
    "clip_of",
    "fit_hands",
    "hand_mesh",
    "joint_angles",
    "with_angles",
    "write_bvh",
    "write_glb",
    "write_joints",
]
