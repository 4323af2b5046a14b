"""The mesh and the joint angles of a predicted hand."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_hands import model_hands

from latent_hands.animation import fit_hands, hand_mesh, joint_angles, with_angles
from latent_hands.cli.estimate_inputs import Given
from latent_hands.errors import HandsError
from latent_hands.hand.rig.articulation import ANGLES, Articulation
from latent_hands.hand.rig.model import HandModel
from latent_hands.predictions import ImageHands, read_hands, write_hands
from latent_hands.predictor import Hand

MODEL = HandModel.load()


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_the_mesh_is_closed_around_the_joints(handedness):
    (hand,), _ = model_hands(1, handedness)
    mesh = hand_mesh(hand)
    a, b, c = mesh.vertices_mm[mesh.faces].transpose(1, 0, 2).astype(float)
    assert 1e5 < np.einsum("fi,fi->", a, np.cross(b, c)) / 6 < 1e6  # mm^3, faces look outward
    sides = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    assert {(a, b) for a, b in sides.tolist()} == {(b, a) for a, b in sides.tolist()}
    # The solid angle of a closed mesh is 4 pi around points inside: the joints of the fingers.
    for joint in hand.xyz_mm[[3, 4, 7, 8, 12, 16]]:
        p, q, r = a - joint, b - joint, c - joint
        lengths = [np.linalg.norm(each, axis=1) for each in (p, q, r)]
        top = np.einsum("fi,fi->f", p, np.cross(q, r))
        bottom = np.prod(lengths, axis=0) + sum(
            (first * second).sum(1) * length
            for first, second, length in ((p, q, lengths[2]), (q, r, lengths[0]), (r, p, lengths[1]))
        )
        assert 2 * np.arctan2(top, bottom).sum() == pytest.approx(4 * np.pi, abs=0.1)
    assert mesh.error_mm < 0.6


def test_the_error_of_the_mesh_is_that_of_its_joints():
    (hand,), _ = model_hands(1)
    moved = hand.pose + np.random.default_rng(0).normal(0, 0.1, (21, 3)).astype(np.float32)
    noisy = replace(hand, pose=moved)
    assert 1 < hand_mesh(noisy).error_mm < 5
    assert hand_mesh(noisy).error_mm == pytest.approx(fit_hands([noisy]).error_mm.mean())


def test_angles_are_named_by_joint_and_are_zero_for_a_flat_hand():
    assert len(ANGLES) == len(set(ANGLES)) == 22
    for name, number in zip(ANGLES, range(22), strict=True):
        articulation = Articulation.from_flat(np.eye(24)[number])
        part, _, angle = name.partition("_")
        if part == "thumb":
            at = ["cmc_flexion", "cmc_abduction", "cmc_twist", "mcp_flexion", "ip_flexion"].index(angle)
            assert articulation.thumb[at] == 1
        elif name == "little_cmc_flexion":
            assert articulation.arch == 1
        else:
            finger = ["index", "middle", "ring", "little"].index(part)
            at = ["mcp_flexion", "mcp_abduction", "pip_flexion", "dip_flexion"].index(angle)
            assert articulation.fingers[finger, at] == 1


def test_flexion_is_towards_the_palm_and_abduction_towards_the_little_finger():
    shape = MODEL.identity(np.zeros(12))

    def tip(finger: int, angle: int) -> np.ndarray:
        angles = np.zeros(24)
        before = MODEL.pose(shape, Articulation.from_flat(angles)).points[5 + 4 * finger]
        angles[4 * finger + angle] = 10
        return MODEL.pose(shape, Articulation.from_flat(angles)).points[5 + 4 * finger] - before

    for finger in range(4):
        for flexion in (0, 2, 3):
            assert tip(finger, flexion)[2] < 0  # the hand frame: x to the little finger, z out of the back
        assert tip(finger, 1)[0] > 0


def angled() -> list[Hand]:
    hands, _ = model_hands(2, "left")
    return with_angles(hands)


def test_joint_angles_are_those_of_the_pose():
    hands, angles = model_hands(2, "left")
    for hand, wanted in zip(hands, angles, strict=True):
        found = joint_angles(hand)
        assert tuple(found) == ANGLES
        bends = [i for i, name in enumerate(ANGLES) if name.endswith(("pip_flexion", "mcp_flexion"))]
        np.testing.assert_allclose(np.array(list(found.values()))[bends], wanted[bends], atol=4)


def test_every_file_keeps_the_angles(tmp_path: Path):
    hands = angled()
    images = [ImageHands("a", (240, 200), hands)]
    for ending in ("json", "jsonl", "npz"):
        path = write_hands(tmp_path / f"hands.{ending}", images)
        for before, after in zip(hands, read_hands(path), strict=True):
            assert before.angles_deg is not None
            assert after.angles_deg is not None
            np.testing.assert_allclose(after.angles_deg, before.angles_deg, atol=6e-4)
            assert joint_angles(after) == dict(zip(ANGLES, after.angles_deg.tolist(), strict=True))
            again = Hand.from_json(after.to_json())
            assert again.angles_deg is not None
            np.testing.assert_allclose(again.angles_deg, after.angles_deg, atol=6e-4)
            assert json.loads(again.to_json())["angles_deg"] == json.loads(after.to_json())["angles_deg"]
    record = json.loads((tmp_path / "hands.json").read_text())[0]["angles_deg"]
    assert tuple(record) == ANGLES
    with write_hands(tmp_path / "hands.csv", images).open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["thumb_ip_flexion_deg"]) for row in rows] == pytest.approx(
        [joint_angles(hand)["thumb_ip_flexion"] for hand in hands], abs=6e-4
    )
    assert np.load(tmp_path / "hands.npz")["angle_names"].tolist() == list(ANGLES)


def test_estimates_have_angles_if_they_are_asked_for():
    hands, _ = model_hands(1)
    assert Given().described(hands) == tuple(hands)
    [described] = Given(angles=True).described(hands)
    assert described.angles_deg is not None
    assert described.angles_deg.shape == (22,)


def test_files_without_angles_stay_without(tmp_path: Path):
    hands, _ = model_hands(1)
    images = [ImageHands("a", (240, 200), hands)]
    assert "angles_deg" not in hands[0].to_json()
    assert "flexion" not in write_hands(tmp_path / "hands.csv", images).read_text()
    assert read_hands(write_hands(tmp_path / "hands.npz", images))[0].angles_deg is None


def test_a_missing_or_unusual_angle_is_refused():
    fields = json.loads(angled()[0].to_json())
    del fields["angles_deg"]["index_mcp_flexion"]
    with pytest.raises(HandsError, match="index_mcp_flexion"):
        Hand.from_json(json.dumps(fields))
    fields["angles_deg"]["index_mcp_flexion"] = float("nan")
    with pytest.raises(HandsError, match="angles_deg"):
        Hand.from_json(json.dumps(fields))
