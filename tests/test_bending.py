"""The side that bent fingers tell: right for every pose that tells it, and nothing for the others."""

from dataclasses import replace

import numpy as np
import pytest
from posed_hands import SIZE_PX, posed_hands

from latent_hands.doctor.diagnosis import diagnose
from latent_hands.doctor.labels import labels_of
from latent_hands.hand.bending import against_side, left_bend, left_curl, side_by_fingers
from latent_hands.hand.rig.articulation import Articulation, neutral
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.skeleton import MIDDLE_MCP, MIDDLE_PIP


@pytest.fixture(scope="module")
def labels():
    return labels_of([(sample.name, sample, SIZE_PX) for sample in posed_hands(400, seed=3)])


def right_hand(mcp_deg: float, pip_deg: float) -> np.ndarray:
    """Return a right hand whose four fingers bend so far at MCP and PIP, millimetres."""
    fingers = np.tile([mcp_deg, 0.0, pip_deg, 0.5 * pip_deg], (4, 1))
    model, rest = HandModel.load(), neutral()
    articulation = Articulation(fingers, rest.thumb, rest.arch, rest.wrist)
    return 1000 * model.pose(model.identity(np.zeros(12)), articulation).keypoints[None].astype(float)


@pytest.mark.parametrize("mcp_deg", [-40, -35, -30, -20, 0])
@pytest.mark.parametrize("pip_deg", [0, 5])
def test_straight_fingers_bent_back_at_the_knuckles_tell_no_side(mcp_deg, pip_deg):
    hand = right_hand(mcp_deg, pip_deg)
    assert side_by_fingers(hand) == [0]
    assert left_bend(right_hand(-40, 5)) > 0.3  # by the places of the tips it would be a left hand


@pytest.mark.parametrize("mcp_deg", [10, 40, 80])
@pytest.mark.parametrize("pip_deg", [45, 70, 100])
def test_curled_fingers_tell_the_side(mcp_deg, pip_deg):
    hand = right_hand(mcp_deg, pip_deg)
    assert side_by_fingers(hand) == [-1]
    assert side_by_fingers(hand * [-1, 1, 1]) == [1]


def test_no_right_label_is_contradicted_also_if_joints_are_wrong_by_3_mm(labels):
    against, tells = against_side(labels.xyz_mm, labels.left)
    assert not against.any()
    assert tells.mean() > 0.6
    size = np.linalg.norm(labels.xyz_mm[:, MIDDLE_MCP] - labels.xyz_mm[:, MIDDLE_PIP], axis=1) / 40
    noise = np.random.default_rng(0).normal(0, 3, labels.xyz_mm.shape) * size[:, None, None]
    assert not against_side(labels.xyz_mm + noise, labels.left)[0].any()


def test_the_measures_are_the_negative_for_mirror_images_and_the_same_in_any_size_and_frame(labels):
    R = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    R *= np.linalg.det(R)
    for measure in (left_curl, left_bend):
        here = measure(labels.xyz_mm)
        np.testing.assert_allclose(measure(labels.xyz_mm * [-1, 1, 1]), -here, atol=1e-9)
        np.testing.assert_allclose(measure(labels.xyz_mm @ R * 0.01), here, atol=1e-6)


def test_right_hands_raise_no_alarm(labels):
    verdicts, outliers = diagnose(labels)
    assert not [verdict.wrong for verdict in verdicts if verdict.wrong]
    assert outliers == []


@pytest.mark.parametrize("share", [0.02, 0.25, 1.0])
def test_swapped_sides_are_found_and_no_other_hand_is_named(labels, share):
    count = round(share * len(labels.names))
    chosen = np.random.default_rng(0).permutation(len(labels.names))[:count]
    left = labels.left.copy()
    left[chosen] ^= True
    verdicts, outliers = diagnose(replace(labels, left=left))
    wrong = [verdict.topic for verdict in verdicts if verdict.wrong]
    assert wrong == ([] if share == 0.02 else ["side"])
    if share < 1:
        named = {name for name, _ in outliers}
        assert named <= {labels.names[i] for i in chosen}
        assert len(named) >= count / 2


def test_a_child_among_adults_is_no_problem_but_a_hand_in_centimetres_is(labels):
    bones = np.linalg.norm(labels.xyz_mm[:, MIDDLE_MCP] - labels.xyz_mm[:, MIDDLE_PIP], axis=1)
    for bone_mm, alarms in ((16.0, 0), (14.0, 0), (4.0, 1)):
        xyz_mm = labels.xyz_mm.copy()
        xyz_mm[0] *= bone_mm / bones[0]
        outliers = diagnose(replace(labels, xyz_mm=xyz_mm, uv_px=None, K=None))[1]
        assert len(outliers) == alarms
