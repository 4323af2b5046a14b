"""Animated glTF: read by glTF's formulas, the skin is the mesh of the model, in every pose, on both sides."""

from pathlib import Path

import numpy as np
import pytest
from glb_reader import Glb
from scipy.spatial.transform import Rotation

from latent_hands.animation import AnimatedHand, write_glb
from latent_hands.animation.gltf import quaternions
from latent_hands.errors import HandsError
from latent_hands.hand.handedness import Handedness
from latent_hands.hand.rig.articulation import Articulation, blend
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import gestures
from latent_hands.hand.rig.skin import ARM_M, Skin

MODEL = HandModel.load()
TENTHS = np.arange(10) / 10
Y_UP = np.diag([1, -1, -1])


def closing(handedness: Handedness = "right", seconds: np.ndarray = TENTHS) -> AnimatedHand:
    """Return a hand of a random person that closes, turns about two axes, and moves."""
    poses = [blend(gestures()["open"], gestures()["fist"], share) for share in seconds / max(seconds[-1], 1)]
    turns = Rotation.from_rotvec(np.outer(seconds * 3, [0.5, 2, 0.3])).as_matrix()
    places = np.array([0.1, -0.05, 0.6]) + np.outer(seconds, [0.1, 0.2, 0])
    shape = MODEL.identity(MODEL.sample_identity(np.random.default_rng(3)))
    angles = np.stack([pose.flat() for pose in poses])
    return AnimatedHand(f"{handedness}_0", handedness, shape, angles, turns, places, seconds)


def mesh_m(hand: AnimatedHand, i: int) -> np.ndarray:
    """Return the mesh of the model in a pose, in the world of glTF."""
    posed = MODEL.pose(hand.shape, Articulation.from_flat(hand.angles_deg[i]))
    sign = [-1 if hand.handedness == "left" else 1, 1, 1]
    vertices = Skin.load().of_coarse @ posed.coarse * sign
    return (vertices @ hand.rotations[i].T + hand.places_m[i]) @ Y_UP


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = vertices[faces].transpose(1, 0, 2)
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_the_skin_of_the_file_is_the_mesh_of_the_model(tmp_path: Path, handedness):
    hand = closing(handedness)
    glb = Glb(write_glb(tmp_path / "hand.glb", [hand]))
    for i in (0, 4, 9):
        vertices = glb.skinned(hand.name, hand.seconds[i])
        off_mm = 1000 * np.linalg.norm(vertices - mesh_m(hand, i), axis=1)
        assert off_mm.mean() < 0.2  # four bones a vertex, and the subdivision of a blend
        assert off_mm.max() < 4
        assert 1e-4 < volume(vertices, glb.faces(hand.name)) < 1e-3


def test_bones_of_the_file_are_those_of_the_model(tmp_path: Path):
    hand = closing("left")
    glb = Glb(write_glb(tmp_path / "hand.glb", [hand]))
    joints = glb.json["skins"][0]["joints"]
    for i in (0, 5):
        matrices = glb.node_matrices(hand.seconds[i])
        _, heads = MODEL.bones(hand.shape, Articulation.from_flat(hand.angles_deg[i]))
        wanted = (heads * [-1, 1, 1] @ hand.rotations[i].T + hand.places_m[i]) @ Y_UP
        np.testing.assert_allclose([matrices[joint][:3, 3] for joint in joints], wanted, atol=1e-6)


def test_several_hands_are_several_skins_and_mirrored_hands_are_mirror_images(tmp_path: Path):
    pose = gestures()["point"]
    sides = [AnimatedHand.still(pose, side, name=side) for side in ("left", "right")]
    glb = Glb(write_glb(tmp_path / "two.glb", sides))
    assert len(glb.json["skins"]) == len(glb.json["meshes"]) == 2
    assert "animations" not in glb.json
    left, right = (glb.skinned(side) for side in ("left", "right"))
    np.testing.assert_allclose(left, right * [-1, 1, 1], atol=1e-6)
    assert glb.faces("left").tolist() == glb.faces("right")[:, ::-1].tolist()


def test_documents_have_bounds_and_legal_references(tmp_path: Path):
    glb = Glb(write_glb(tmp_path / "hand.glb", [closing()]))
    accessors = glb.json["accessors"]
    bounded = {
        glb.json["meshes"][0]["primitives"][0]["attributes"]["POSITION"],
        *(sampler["input"] for sampler in glb.json["animations"][0]["samplers"]),
    }
    for index in bounded:
        array = glb.array(index)
        assert accessors[index]["min"] == array.min(0).tolist()
        assert accessors[index]["max"] == array.max(0).tolist()
    children = [child for node in glb.json["nodes"] for child in node.get("children", [])]
    assert len(children) == len(set(children)) == 20


def test_the_sign_of_quaternions_does_not_change():
    turns = Rotation.from_rotvec(np.outer(np.linspace(0, 20, 200), [0.6, 0, 0.8])).as_matrix()
    found = quaternions(turns)
    assert (np.einsum("ti,ti->t", found[1:], found[:-1]) > 0.99).all()
    np.testing.assert_allclose(Rotation.from_quat(found).as_matrix(), turns, atol=1e-12)


def test_a_hand_is_hidden_where_it_has_no_pose_for_long(tmp_path: Path):
    seconds = np.concatenate([np.arange(5, 10), [11], np.arange(20, 25)]) / 10
    glb = Glb(write_glb(tmp_path / "hand.glb", [closing(seconds=seconds)], duration=4.0))
    root = next(i for i, node in enumerate(glb.json["nodes"]) if node["name"] == "right_0_hand")
    shown = {t: glb.values(t)[root]["scale"].tolist() for t in (0.0, 0.4, 0.5, 1.0, 1.1, 1.5, 2.0, 2.45, 3.9)}
    assert [t for t, scale in shown.items() if scale == [1, 1, 1]] == [0.5, 1.0, 1.1, 2.0, 2.45]
    assert [scale for scale in shown.values() if scale != [1, 1, 1]] == [[0, 0, 0]] * 4


def test_the_arm_is_cut_behind_the_wrist():
    skin = Skin.load()
    along = skin.of_coarse @ MODEL.mean[: len(MODEL.weights)]
    assert -ARM_M * 1.2 < along[:, 1].min() < -ARM_M * 0.8
    sides = skin.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    assert len(np.unique(sides, axis=0)) == len(sides)
    assert {(a, b) for a, b in sides.tolist()} == {(b, a) for a, b in sides.tolist()}
    np.testing.assert_allclose(skin.of_coarse.sum(1), 1, atol=1e-6)


def test_files_of_another_ending_hands_of_one_name_and_times_that_go_back_are_refused(tmp_path: Path):
    hand = closing()
    with pytest.raises(HandsError, match=r"hand\.gltf does not end in \.glb"):
        write_glb(tmp_path / "hand.gltf", [hand])
    for hands in ([], [hand, hand]):
        with pytest.raises(HandsError, match="needs hands with different names"):
            write_glb(tmp_path / "hand.glb", hands)
    with pytest.raises(HandsError, match="do not increase"):
        closing(seconds=np.array([0.0, 0.5, 0.5]))
