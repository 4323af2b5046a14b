"""The hand model: a closed mesh, a shape space, rigid bones, keypoints under the skin."""

import numpy as np
import pytest
from skin_depth import height_above_skin_mm

from latent_hands.hand.rig.articulation import Articulation, neutral
from latent_hands.hand.rig.mesh import loop_subdivision, mesh_edges, vertex_normals
from latent_hands.hand.rig.model import HandModel, bone_frames, euler_zxy
from latent_hands.hand.rig.points import FINGER_BONES, THUMB_BONES
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.hand.skeleton import BONES, MIDDLE_MCP, MIDDLE_PIP, WRIST

MODEL = HandModel.load()
MEAN = MODEL.identity(np.zeros(12))
FLAT = Articulation(np.zeros((4, 4)), np.zeros(5), 0.0, np.zeros(2))


def bent(**angles: object) -> Articulation:
    return Articulation(
        **{name: getattr(FLAT, name) for name in ("fingers", "thumb", "arch", "wrist")} | angles
    )


def people(count: int) -> list[tuple[np.ndarray, Articulation]]:
    rng = np.random.default_rng(0)
    return [(MODEL.sample_identity(rng), sample_articulation(rng)) for _ in range(count)]


@pytest.mark.parametrize("faces", [MODEL.coarse_faces, MODEL.faces])
def test_mesh_is_closed_and_wound_alike(faces):
    sides = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    assert len(np.unique(sides, axis=0)) == len(sides)
    assert {(a, b) for a, b in sides.tolist()} == {(b, a) for a, b in sides.tolist()}


def test_faces_look_outward():
    a, b, c = MODEL.rest[MODEL.faces].transpose(1, 0, 2)
    assert np.einsum("fi,fi->", a, np.cross(b, c)) > 0


def test_subdivision_keeps_affine_maps_and_euler_characteristic():
    rng = np.random.default_rng(0)
    A, t = rng.normal(size=(3, 3)), rng.normal(size=3)
    coarse = MEAN.coarse
    np.testing.assert_allclose(MODEL.subdivide(coarse @ A + t), MODEL.subdivide(coarse) @ A + t, atol=1e-5)
    for faces in (MODEL.coarse_faces, MODEL.faces):
        assert faces.max() + 1 - len(mesh_edges(faces)[0]) + len(faces) == 2


def test_loop_limit_of_regular_tetrahedron():
    tetrahedron = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], float)
    matrix, faces = loop_subdivision(np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]), 4)
    fine = matrix @ tetrahedron
    assert faces.shape == (16, 3)
    np.testing.assert_allclose(fine[:4], tetrahedron * (7 / 16 - 3 / 16), atol=1e-6)
    np.testing.assert_allclose(fine[4], [0.5, 0, 0], atol=1e-6)


def test_attributes_of_the_skin():
    count = len(MODEL.rest)
    assert set(np.unique(MODEL.part)) == set(range(1, 18))
    for name in ("nail", "palm", "knuckle"):
        values = getattr(MODEL, name)
        assert values.shape == (count,)
        assert values.min() >= 0
        assert values.max() <= 1
    assert set(MODEL.part[MODEL.nail > 0.5]) == {2, 5, 8, 11, 14}, "nails are on the tips"
    assert MODEL.palm[MODEL.nail > 0.5][MODEL.part[MODEL.nail > 0.5] > 4].mean() < 0.1, (
        "nails are on the back"
    )
    assert MODEL.forearm[MODEL.part == 1].min() > -0.03
    assert MODEL.forearm.max() > 0.6, "the arm leaves every image"


def test_identity_is_linear():
    a, b = np.random.default_rng(0).normal(size=(2, 12))
    together = MODEL.identity(a + b).coarse
    expected = MODEL.identity(a).coarse + MODEL.identity(b).coarse - MEAN.coarse
    np.testing.assert_allclose(together, expected, atol=1e-6)


def test_rotations_are_rotations():
    angles = np.random.default_rng(0).uniform(-3, 3, (20, 3)).astype(np.float32)
    R = euler_zxy(angles)
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.broadcast_to(np.eye(3), R.shape), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(R), 1, atol=1e-5)


def test_flat_hand_has_straight_fingers():
    rotations, heads = MODEL.bones(MEAN, FLAT)
    for base in (6, 10, 14, 18):
        first, second = heads[base + 1] - heads[base], heads[base + 2] - heads[base + 1]
        cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
        assert np.degrees(np.arccos(cosine)) < 6
    np.testing.assert_allclose(rotations[1], np.eye(3), atol=1e-6)


def test_skinning_follows_the_bone_that_owns_a_vertex():
    articulation = people(1)[0][1]
    rotations, heads = MODEL.bones(MEAN, articulation)
    owned = np.flatnonzero(MODEL.weights[:, 8] > 0.999)
    expected = (MEAN.coarse[owned] - MEAN.heads[8]) @ rotations[8].T + heads[8]
    np.testing.assert_allclose(MODEL.pose(MEAN, articulation).coarse[owned], expected, atol=1e-4)


def test_poses_keep_bone_lengths():
    rest = MODEL.pose(MEAN, FLAT, "anatomical").keypoints
    posed = MODEL.pose(MEAN, people(3)[2][1], "anatomical").keypoints
    for parent, child in BONES[1:]:
        if parent != WRIST:
            lengths = [np.linalg.norm(points[parent] - points[child]) for points in (rest, posed)]
            assert lengths[0] == pytest.approx(lengths[1], rel=1e-4)


@pytest.mark.parametrize("finger", range(4))
def test_angles_turn_the_way_they_say(finger):
    tip = 5 + 4 * finger
    flat = MODEL.pose(MEAN, FLAT).keypoints[tip]
    for joint in (0, 2, 3):
        flexed = np.zeros((4, 4))
        flexed[finger, joint] = 30
        assert MODEL.pose(MEAN, bent(fingers=flexed)).keypoints[tip, 2] < flat[2] - 0.005, "to the palm"
    spread = np.zeros((4, 4))
    spread[finger, 1] = 10
    assert MODEL.pose(MEAN, bent(fingers=spread)).keypoints[tip, 0] > flat[0] + 0.005, "to the little finger"


@pytest.mark.parametrize("finger", range(4))
def test_a_flexion_is_a_rotation_about_one_axis_without_abduction(finger):
    bones = FINGER_BONES[finger]
    rotations, _ = MODEL.bones(MEAN, FLAT)
    frames = rotations[bones] @ bone_frames(MODEL.bone_frames, MEAN.heads, MEAN.tails)[bones]
    for joint, column in enumerate((0, 2, 3)):
        for angle in (20, 50, 90):
            flexed = np.zeros((4, 4))
            flexed[finger, column] = angle
            turned = MODEL.bones(MEAN, bent(fingers=flexed))[0][bones[joint]] @ rotations[bones[joint]].T
            x, y, z = frames[joint].T
            np.testing.assert_allclose(turned @ x, x, atol=1e-5)
            bone = turned @ y  # in closed form, with no part along the axis
            cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
            np.testing.assert_allclose(np.abs([bone @ x, bone @ y, bone @ z]), [0, cosine, sine], atol=1e-5)
    assert (frames[:, :, 0] @ frames[0, :, 0]).min() > np.cos(np.radians(6))  # a finger has nearly one axis


def test_wrist_turns_the_forearm_alone():
    flat, turned = (MODEL.pose(MEAN, bent(wrist=np.array(w))) for w in ([0.0, 0.0], [50.0, 0.0]))
    np.testing.assert_array_equal(flat.keypoints, turned.keypoints)
    elbow = MODEL.forearm.argmax()
    assert turned.vertices[elbow, 2] < flat.vertices[elbow, 2] - 0.3, "a flexed palm looks at the forearm"
    deviated = MODEL.pose(MEAN, bent(wrist=np.array([0.0, 20.0])))
    assert deviated.vertices[elbow, 0] > flat.vertices[elbow, 0] + 0.15, "the little finger nears the forearm"


def test_thumb_angles_move_the_thumb_alone():
    thumb = MODEL.pose(MEAN, bent(thumb=np.array([20.0, -20, 10, 30, 30])))
    still = MODEL.pose(MEAN, FLAT)
    assert np.abs(thumb.keypoints - still.keypoints)[5:].max() == 0
    assert np.abs(thumb.keypoints - still.keypoints)[1] @ np.ones(3) > 0.02
    untouched = MODEL.weights[:, THUMB_BONES].sum(1) == 0
    np.testing.assert_array_equal(thumb.coarse[untouched], still.coarse[untouched])


def test_keypoints_lie_under_the_skin():
    heights = []
    for identity, articulation in people(25):
        posed = MODEL.pose(MODEL.identity(identity), articulation)
        heights.append(height_above_skin_mm(posed.keypoints, posed.vertices, MODEL.faces))
    assert np.max(heights) < 2
    assert np.mean(np.array(heights) < 0) > 0.98


def test_proportions_of_the_convention_that_frames_images():
    middle_mm, ratios = [], []
    for identity, _ in people(200):
        points = MODEL.pose(MODEL.identity(identity), neutral(), "rhd_bones").keypoints
        middle_mm.append(1000 * np.linalg.norm(points[MIDDLE_MCP] - points[MIDDLE_PIP]))
        ratios.append(1000 * np.linalg.norm(points[MIDDLE_MCP] - points[WRIST]) / middle_mm[-1])
    assert np.mean(ratios) == pytest.approx(2.71, abs=0.12)
    assert np.mean(middle_mm) == pytest.approx(37, abs=2)
    assert 3 < np.std(middle_mm) < 5.5


def test_normals_of_a_sphere():
    octahedron = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, -1, 0], [0, 0, -1]], np.float32)
    faces = [[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]]
    np.testing.assert_allclose(vertex_normals(octahedron, np.array(faces, np.int32)), octahedron, atol=1e-6)


def test_the_arm_is_flat_at_the_wrist_and_wider_farther_on():
    """The extents across the arm: from thumb to little finger, and from palm to back."""

    def extents(distance_m):
        ring = MODEL.rest[np.abs(MODEL.forearm - distance_m) < 0.006]
        return np.ptp(ring @ MODEL.bone_frames[0][:, [0, 2]], axis=0)

    wrist, middle = extents(0.02), extents(0.14)
    assert wrist[0] / wrist[1] > 1.15
    assert middle[0] / middle[1] > 1.1
    assert (middle > 1.2 * wrist).all()
