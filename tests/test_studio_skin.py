"""The skinned mesh of the studio: bones carry it to the mesh of the hand model, and its file is glTF."""

import numpy as np
import torch
from studios import instrument

from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.skin import Skin
from latent_hands.hand.skeleton import WRIST
from latent_hands.studio import skin
from latent_hands.studio.puppet import Puppet


def skinned_m(puppet: Puppet) -> np.ndarray:
    """Return the vertices as a viewer computes them from bones and weights."""
    (rotations, places), (_, heads) = skin.bone_poses(puppet), skin.rest().rest
    vertices = skin.rest().skin_vertices_m()
    each = np.einsum("bij,bvj->bvi", rotations, vertices[None] - heads[:, None]) + places[:, None]
    return np.einsum("vb,bvi->vi", skin.skin_weights(), each)


def test_bones_carry_the_skin_to_the_mesh_of_the_model():
    puppet = instrument().random_puppet(5)
    model = HandModel.load()
    posed = model.pose(model.identity(np.zeros(12)), Articulation.from_flat(puppet.angles_deg.numpy()))
    expected = Skin.load().of_coarse @ posed.coarse * [-1, 1, 1] @ puppet.rotation.numpy()
    found = skinned_m(puppet)
    found, expected = (each - each.mean(axis=0) for each in (found, expected))
    assert np.linalg.norm(found - expected, axis=1).mean() < 0.0005
    assert np.linalg.norm(found - expected, axis=1).max() < 0.004


def test_the_palm_is_at_the_origin_and_bones_meet_the_joints():
    puppet = instrument().random_puppet(6)
    _, places = skin.bone_poses(puppet)
    assert (
        np.linalg.norm(1000 * places[1] - puppet.joints_mm[WRIST].numpy()) < 15
    )  # a joint convention between


def test_each_vertex_has_at_most_four_bones():
    weights = skin.skin_weights()
    assert (weights > 0).sum(axis=1).max() <= 4
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


def test_the_saved_hand_is_binary_gltf_and_moves_with_the_hand():
    first = skin.encode_glb(Puppet.relaxed())
    other = skin.encode_glb(Puppet.relaxed().dragged("index", torch.zeros(3)))
    assert first[:4] == other[:4] == b"glTF"
    assert first != other
