"""JSON of hands that other programs changed: another unit, other axes, another side, another image."""

import json
from dataclasses import fields as dataclass_fields
from dataclasses import replace

import numpy as np
import pytest
import torch
from model_hands import model_hands
from posed_hands import posed_hands

from latent_hands.animation import hand_mesh, joint_angles, with_angles
from latent_hands.configuration import Data
from latent_hands.data.sample import project
from latent_hands.errors import HandsError
from latent_hands.hand.bending import left_curl
from latent_hands.hand.handedness import OTHER_HAND
from latent_hands.hand.rig.articulation import ANGLES
from latent_hands.hand.skeleton import MIDDLE_MCP
from latent_hands.predictions import ImageHands, draw_hands, read_hands, read_npz, write_hands, write_npz
from latent_hands.predictor import Hand
from latent_hands.predictor.sources import as_batch

V = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32) @ np.diag([1, -1, -1]).astype(np.float32)
BONE_MM = 40.0
OPENGL = np.array([1, -1, -1])


@pytest.fixture(scope="module", params=["left", "right"])
def fields(request) -> dict:
    """Return the JSON of a hand whose parts agree."""
    sample = next(each for each in posed_hands(16) if each.handedness == request.param)
    xyz_mm = sample.xyz_mm.copy()
    xyz_mm[0] = (xyz_mm[0] + xyz_mm[MIDDLE_MCP]) / 2
    pose = (xyz_mm - xyz_mm[0]) / BONE_MM
    mirror = np.diag([1, 1, 1 if request.param == "left" else -1]).astype(np.float32)
    uv_px = project(xyz_mm, sample.K)
    hand = Hand(
        *(request.param, pose, pose @ V.T @ mirror, V, BONE_MM, False),
        crop_px=(*(uv_px.min(axis=0) - 5).tolist(), *[float(np.ptp(uv_px, axis=0).max()) + 10] * 2),
        uv_px=uv_px,
        spread=np.full(21, 0.1, np.float32),
        palm_mm=xyz_mm[0],
        K=sample.K,
        camera="given",
    )
    return json.loads(hand.to_json())


def scaled(fields: dict, factor: float, *keys: str) -> dict:
    return {key: (np.array(fields[key]) * factor).tolist() for key in keys}


def camera(fields: dict, scale: float) -> list[list[float]]:
    return (np.diag([scale, scale, 1]) @ fields["K"]).tolist()


def mirrored(fields: dict, axis: int) -> dict:
    """Return the pose and what belongs to it with an axis reversed, without the place of the palm."""
    keys = ("pose_bones", "xyz_mm", "wrist_mm")
    changed = {key: (np.array(fields[key]) * np.where(np.arange(3) == axis, -1, 1)).tolist() for key in keys}
    return changed | {"palm_mm": None}


CHANGES = {
    "metres": (lambda f: scaled(f, 1e-3, "palm_mm"), '"palm_mm" of a hand is .* has another unit'),
    "centimetres": (lambda f: scaled(f, 0.1, "palm_mm"), '"palm_mm" of a hand is'),
    "OpenGL": (lambda f: {"palm_mm": (f["palm_mm"] * OPENGL).tolist()}, "other axes"),
    "K of a small image": (lambda f: {"K": camera(f, 0.5)}, '"K" is of another image'),
    "K of a large image": (lambda f: {"K": camera(f, 4.0)}, '"K" is of another image'),
    "fx and cx": (
        lambda f: {"K": (np.array(f["K"])[:, [2, 1, 0]] * [1, 1, 0] + np.eye(3)[2]).tolist()},
        '"K',
    ),
    "wrist": (lambda f: scaled(f, 0.1, "wrist_mm"), '"wrist_mm" of a hand is not the wrist of'),
    "spread": (lambda f: scaled(f, 0.1, "spread_mm"), '"spread_mm" of a hand is not "spread_bones" times'),
    "box": (lambda f: scaled(f, 0.5, "box_px"), '"box_px" of a hand is not the box of "uv_px"'),
    "shares": (lambda f: scaled(f, 1 / 240, "uv_px"), '"box_px" of a hand is not the box of "uv_px"'),
    "crop": (lambda f: scaled(f, 1 / 240, "crop_px"), 'far from its "crop_px"'),
    "side": (lambda f: {"handedness": OTHER_HAND[f["handedness"]]}, '"handedness" is that of the other hand'),
    "transposed": (lambda f: {"viewpoint": np.transpose(f["viewpoint"]).tolist()}, "viewpoint is transposed"),
    "V of OpenGL": (lambda f: {"viewpoint": (f["viewpoint"] * OPENGL).tolist()}, "the axes of OpenGL"),
    "side is a number": (lambda f: {"handedness": 0}, 'unknown handedness "0"'),
    "mirrored along x": (lambda f: mirrored(f, 0), "its pose is mirrored along x"),
    "mirrored along y": (lambda f: mirrored(f, 1), 'contradict "pose_bones", unless'),
    "mirrored along z": (lambda f: mirrored(f, 2), "its pose is mirrored along z"),
    "corners": (
        lambda f: {"crop_px": [*f["crop_px"][:2], *(np.add(f["crop_px"][:2], f["crop_px"][2:]).tolist())]},
        '"crop_px" of a hand is .*, so it seems to be two corners',
    ),
    "three numbers": (lambda f: {"crop_px": f["crop_px"][:3]}, '"crop_px" of a hand cannot be read'),
    "frame is a number": (lambda _: {"frame": 0}, 'unknown frame "0"'),
    "decimal comma": (lambda _: {"bone_mm": "40,0"}, '"bone_mm" of a hand cannot be read: "40,0"'),
    "cells of Excel": (
        lambda f: {"uv_px": [["#N/A", 1], *f["uv_px"][1:]]},
        '"uv_px" of a hand cannot be read',
    ),
    "convention": (lambda _: {"convention": None}, '"convention" of a hand is None, but must be a name'),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=list(CHANGES))
def test_parts_that_contradict_each_other_are_refused(fields, change, message):
    assert Hand.from_json(json.dumps(fields)).to_json() == json.dumps(fields)
    with pytest.raises(HandsError, match=message):
        Hand.from_json(json.dumps(fields | change(fields)))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("score", lambda scores: scores, None),
        ("bone_mm", lambda mm: mm / 10, '"bone_mm" of a hand is 4'),
        ("xyz_mm", lambda mm: mm / 1000, '"xyz_mm" of a hand is not'),
        ("pose", lambda bones: bones * OPENGL, '"xyz_mm" of a hand is not'),
        ("uv_px", lambda px: px / 100, '"box_px" of a hand is not'),
        ("crop_px", lambda px: px + np.array([500, 500, 0, 0]), 'far from its "crop_px"'),
        ("palm_mm", lambda mm: mm / 1000, '"palm_mm" of a hand is'),
        ("K", lambda K: np.diag([0.1, 0.1, 1]) @ K, '"palm_mm" of a hand is'),
        ("viewpoint", lambda V: V.swapaxes(1, 2), "unless its viewpoint is transposed"),
        ("handedness", np.char.capitalize, "unknown handedness"),
        ("frame", lambda frames: np.char.add(frames, "s"), "unknown frame"),
        ("uv_px", lambda px: np.full_like(px, np.nan), '"uv_px" of a hand is missing'),
        ("track", lambda tracks: tracks + 0.5, '"track" has the type float64, but must have whole numbers'),
        ("bone_mm_assumed", lambda flags: flags.astype(str), '"bone_mm_assumed" has the type <U'),
        (
            "spread",
            lambda spreads: np.where(np.arange(21) == 3, np.nan, spreads),
            '"spread" of a hand must be',
        ),
    ],
)
def test_arrays_that_other_programs_changed_are_refused(fields, name, change, message, tmp_path):
    path = write_npz(tmp_path / "a.npz", [ImageHands("a", (224, 224), [Hand.from_json(json.dumps(fields))])])
    arrays = dict(np.load(path))
    np.savez(path, **arrays | {name: change(arrays[name])})
    if message is None:
        (hand,) = read_npz(path)[0].hands
        np.testing.assert_allclose(hand.xyz_mm, fields["xyz_mm"], atol=1e-3)
        return
    with pytest.raises(HandsError, match=message):
        read_npz(path)


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"handedness": "Left"}, 'unknown handedness "Left"'),
        ({"bone_mm": 0.04}, '"bone_mm" of a hand is 0.04'),
        ({"pose": np.full((21, 3), np.nan, np.float32)}, '"pose" of a hand must be'),
        ({"pose": np.zeros((21, 3), np.float32)}, '"pose" of a hand extends over 0'),
        ({"palm_mm": np.float32([0.1, 0.1, 0.5])}, '"palm_mm" of a hand is'),
        ({"uv_px": np.zeros((20, 2), np.float32)}, '"uv_px" of a hand must be'),
    ],
)
def test_hands_that_a_program_changed_are_neither_fitted_written_nor_drawn(fields, change, message, tmp_path):
    hand, image = replace(Hand.from_json(json.dumps(fields)), **change), np.zeros((200, 240, 3), np.uint8)
    uses = [
        hand_mesh,
        lambda hand: with_angles([hand]),
        lambda hand: write_hands(tmp_path / "a.csv", [[hand]]),
        lambda hand: draw_hands(image, hand),
        lambda hand: as_batch(hand, "rgb", Data()),
    ]
    for use in uses:
        with pytest.raises(HandsError, match=message):
            use(hand)


@pytest.mark.usefixtures("as_users_run")
def test_one_hand_and_a_list_of_hands_are_not_the_same(fields):
    hand = Hand.from_json(json.dumps(fields))
    for use, wrong in ((hand_mesh, [hand]), (with_angles, [[hand]])):
        with pytest.raises(HandsError, match=r"a list is no hand: give one hand, such as hands\[0\]"):
            use(wrong)
    with pytest.raises(HandsError, match=r"give \[hand\]"):
        with_angles(hand)


def test_hands_of_another_convention_than_is_stated_are_refused(fields, tmp_path):
    hand = Hand.from_json(json.dumps(fields))
    (read,) = read_hands(write_hands(tmp_path / "a.json", [[hand]], hand.convention))
    assert read.convention == hand.convention
    with pytest.raises(
        HandsError, match=rf'joint convention "{hand.convention}", not "stb".*convention="stb"'
    ):
        write_hands(tmp_path / "b.json", [[hand]], "stb")


ODD = (None, "x", -1, float("nan"), 1e9, True, [], (1, 2, 3), {"a": 1}, b"x", np.zeros(3), np.array(["a"]))


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize("name", [each.name for each in dataclass_fields(Hand)])
def test_any_value_of_any_attribute_is_written_and_read_again_or_refused(fields, name):
    hand = Hand.from_json(json.dumps(fields))
    for value in (*ODD, object(), torch.zeros(21, 2), np.float32(0.5), np.int64(1)):
        changed = replace(hand, **{name: value})
        try:
            write_hands("a.json", [[changed]])
        except HandsError:
            continue
        assert json.loads(read_hands("a.json")[0].to_json()) == json.loads(changed.to_json())


@pytest.mark.usefixtures("as_users_run")
def test_angles_that_no_hand_has_are_refused():
    (hand,) = with_angles([next(each for each in model_hands(8)[0] if abs(left_curl(each.pose[None])) > 0.5)])
    assert joint_angles(hand) == pytest.approx(dict(zip(ANGLES, hand.angles_deg.tolist(), strict=True)))
    for angles_deg, message in (
        (np.radians(hand.angles_deg), "its fingers are curled: give degrees, not radians"),
        (hand.angles_deg + 360, "must be between -180 and 180 degrees"),
        (hand.angles_deg[:20], r'"angles_deg" of a hand must be \(22,\) finite numbers'),
    ):
        changed = replace(hand, angles_deg=angles_deg)
        for use in (joint_angles, lambda changed: write_hands("a.csv", [[changed]])):
            with pytest.raises(HandsError, match=message):
                use(changed)
        if len(angles_deg) == len(ANGLES):
            with pytest.raises(HandsError, match=message):
                Hand.from_json(changed.to_json())
