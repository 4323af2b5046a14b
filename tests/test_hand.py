"""The hand as a record: its JSON, old and new, and its box."""

import dataclasses
import json

import numpy as np
import pytest
from tiny_models import ESTIMATION, noise_image, tiny_model

from latent_hands.errors import HandsError
from latent_hands.hand.boxes import box_of_joints
from latent_hands.hand.skeleton import JOINTS, ORDERS
from latent_hands.predictor import Hand, HandCrop

K = np.array([[90, 0, 41], [0, 90, 28], [0, 0, 1]], np.float32)


@pytest.fixture(scope="module")
def hand() -> Hand:
    photo = HandCrop.open(noise_image(), "right", (10.0, 6.0, 44.0, 40.0), K, 37.5)
    return tiny_model(ESTIMATION).estimate(photo, draws=4)


def found(hand: Hand) -> Hand:
    """Return the hand with all that a search in a whole image adds."""
    return dataclasses.replace(
        hand,
        score=0.75,
        confidence=0.5,
        uv_spread_px=np.linspace(1, 2, 21, dtype=np.float32),
        palm_mm=np.array([10, -20, 400], np.float32),
        palm_spread_mm=np.array([1, 2, 40], np.float32),
        camera="exif",
        seconds=1.5,
        track=3,
    )


def test_everything_survives_json(hand):
    whole = found(hand)
    again = Hand.from_json(whole.to_json())
    for field in dataclasses.fields(Hand):
        value, read = getattr(whole, field.name), getattr(again, field.name)
        if isinstance(value, np.ndarray):
            np.testing.assert_allclose(read, value, atol=1e-3, err_msg=field.name)
        else:
            assert read == value, field.name


def test_what_is_unknown_is_left_out(hand):
    bare = dataclasses.replace(hand, K=None, camera=None, spread=None)
    absent = {"score", "confidence", "uv_spread_px", "palm_mm", "palm_spread_mm", "K", "camera", "seconds"}
    assert not (absent | {"track", "spread_bones", "spread_mm"}) & json.loads(bare.to_json()).keys()
    assert found(hand).to_json(seconds=7) == found(hand).to_json(seconds=1)  # the hand's own comes last


def test_files_without_the_later_keys_are_read(hand):
    fields = json.loads(hand.to_json())
    crop = fields.pop("crop_px")
    del fields["K"], fields["camera"]
    again = Hand.from_json(json.dumps(fields | {"box_px": crop}))
    assert again.crop_px == hand.crop_px
    assert again.box_px == pytest.approx(hand.box_px, abs=1e-4)
    assert again.K is again.camera is again.palm_mm is again.score is again.track is None


def test_a_hand_prints_as_one_line(hand):
    hand = found(hand)
    assert repr(hand).startswith(f"Hand({hand.handedness}, confidence 0.50, box_px=(")
    assert "confidence" not in repr(dataclasses.replace(hand, confidence=None))


def test_joint_0_of_a_hand_is_named_the_palm(hand):
    hand = found(hand)
    assert hand.joint_names == ("palm", *JOINTS[1:])
    palm, knuckle = (hand.xyz_mm[hand.joint_names.index(name)] for name in ("palm", "middle_mcp"))
    assert np.allclose(palm, (hand.wrist_mm + knuckle) / 2, atol=1e-3)


def test_joints_in_another_order_are_the_same_joints_with_the_wrist(hand):
    hand = found(hand)
    for order in ORDERS:
        joints = hand.in_order(order)
        assert sorted(joints.joint_names) == sorted(JOINTS)
        at = {name: i for i, name in enumerate(joints.joint_names)}
        assert (joints.xyz_mm[at["wrist"]] == hand.wrist_mm).all()
        for place, name in list(enumerate(JOINTS))[1:]:
            assert (joints.xyz_mm[at[name]] == hand.xyz_mm[place]).all()
            assert (joints.uv_px[at[name]] == hand.uv_px[place]).all()
            assert (joints.camera_xyz_mm[at[name]] == hand.camera_xyz_mm[place]).all()
    assert dataclasses.replace(hand, palm_mm=None).in_order().camera_xyz_mm is None
    with pytest.raises(HandsError, match='unknown joint order "mediapip"'):
        hand.in_order("mediapip")


def test_the_box_is_that_of_the_joints_with_the_wrist(hand):
    uv_px = hand.in_order("rhd").uv_px
    assert hand.box_px == box_of_joints(uv_px)
    x, y, width, height = hand.box_px
    inside = (uv_px + 0.5 >= (x, y)) & (uv_px + 0.5 <= (x + width, y + height))
    assert inside.mean() > 0.97  # up to rounding, the four extreme joints touch the border
    assert json.loads(hand.to_json())["box_px"] == pytest.approx(hand.box_px, abs=1e-5)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("score", 1.5, '"score" of a hand is 1.5, but must be between 0 and 1'),
        ("confidence", float("nan"), '"confidence" of a hand is nan'),
        ("seconds", float("inf"), '"seconds" of a hand is inf'),
        ("camera", "exit", 'did you mean "exif"'),
        ("palm_mm", [1, 2], r'"palm_mm" of a hand must be \(3,\) finite numbers'),
        ("K", [[1, 2], [3, 4]], r'"K" of a hand must be \(3, 3\)'),
        ("uv_spread_px", [-1.0] * 21, '"uv_spread_px" of a hand is -1, but a standard deviation'),
        ("track", "first", "not the JSON of a hand"),
        ("track", -1, '"track" of a hand is -1, but must be 0 or more'),
        ("bone_mm", 0.04, '"bone_mm" of a hand is 0.04, but must be between 5 and 240 mm'),
        ("bone_mm", 4000, '"bone_mm" of a hand is 4000'),
        ("joints", ["palm", *reversed(JOINTS[1:])], '"joints" of a hand is .* but must be'),
        ("xyz_mm", [[1, 2, 3]] * 21, '"xyz_mm" of a hand is not "pose_bones" times "bone_mm"'),
        ("cpose_mm", [[1, 2, 3]] * 20, '"cpose_mm" of a hand is not "cpose_bones" times "bone_mm"'),
        ("crop_px", [1, 2, 3], "not the JSON of a hand"),
    ],
)
def test_an_impossible_field_is_refused(hand, field, value, message):
    fields = json.loads(hand.to_json())
    with pytest.raises(HandsError, match=message):
        Hand.from_json(json.dumps(fields | {field: value}))


@pytest.mark.parametrize("field", ["frame", "handedness", "viewpoint", "bone_mm_assumed"])
def test_a_missing_field_is_named(hand, field):
    fields = json.loads(hand.to_json())
    del fields[field]
    with pytest.raises(HandsError, match=f'"{field}" is missing'):
        Hand.from_json(json.dumps(fields))


def test_unknown_fields_are_ignored_and_derived_ones_may_be_missing_or_rounded(hand):
    fields = json.loads(hand.to_json())
    rounded = [[round(number, 1) for number in joint] for joint in fields["xyz_mm"]]
    for others in ({"mood": 1, "format": 7}, {"xyz_mm": rounded}, {"xyz_mm": None, "cpose_mm": None}):
        again = Hand.from_json(json.dumps(fields | others))
        np.testing.assert_allclose(again.xyz_mm, hand.xyz_mm, atol=1e-3)
