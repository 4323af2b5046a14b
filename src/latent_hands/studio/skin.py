"""The hand of the studio as a skinned mesh, for a scene and for files."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from latent_hands.animation import AnimatedHand, write_glb
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.points import PARENTS
from latent_hands.hand.rig.skin import Skin
from latent_hands.studio.puppet import Puppet, palm_of, skeleton

_MIRROR = np.diag([-1.0, 1.0, 1.0])


def animated(puppet: Puppet) -> AnimatedHand:
    """Return the hand in one pose, in metres, with its palm at the origin of the camera frame."""
    return AnimatedHand.still(
        Articulation.from_flat(puppet.angles_deg.numpy()),
        handedness="left",
        rotation=puppet.rotation.T.numpy(),
        place_m=(-_palm_m(puppet) @ puppet.rotation.numpy()).tolist(),
    )


@cache
def rest() -> AnimatedHand:
    """Return the hand with the vertices, faces and bones of all hands of the studio."""
    return animated(Puppet.relaxed())


def skin_weights() -> Float[np.ndarray, "vertices 21"]:
    """Return the share of each bone in each vertex; at most four are above 0."""
    skin = Skin.load()
    weights = np.zeros((len(skin.bones), len(PARENTS)), np.float32)
    np.add.at(weights, (np.arange(len(weights))[:, None], skin.bones), skin.weights)
    return weights


def bone_poses(puppet: Puppet) -> tuple[Float[np.ndarray, "21 3 3"], Float[np.ndarray, "21 3"]]:
    """Return the rotations of all bones from rest, applied to columns, and the places of their heads.

    They are in the camera frame, in metres. A vertex v of the rest follows its bone: R (v - head) + place.
    """
    articulation = Articulation.from_flat(puppet.angles_deg.numpy())
    turns, heads = HandModel.load().bones(rest().shape, articulation)
    rotation = puppet.rotation.numpy()
    return rotation.T @ (_MIRROR @ turns @ _MIRROR), (heads @ _MIRROR - _palm_m(puppet)) @ rotation


def encode_glb(puppet: Puppet) -> bytes:
    """Return the hand as the bytes of a binary glTF file."""
    with tempfile.TemporaryDirectory() as folder:
        return write_glb(Path(folder) / "hand.glb", [animated(puppet)]).read_bytes()


def _palm_m(puppet: Puppet) -> Float[np.ndarray, "3"]:
    """Return the palm of the left hand in the hand frame."""
    keypoints = skeleton().keypoints_mm(puppet.angles_deg[None])[0]
    return palm_of(keypoints).numpy() / 1000 @ _MIRROR
