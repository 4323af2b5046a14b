"""Sources of factors that a user or a program made: joints, hands, latents, samples without a side."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from model_hands import model_hands
from painted_hands import painted_hand
from PIL import Image
from tiny_models import ESTIMATION, PX, SYNTHESIS, noise_image, tiny_model

from latent_hands.configuration import Data
from latent_hands.errors import HandsError
from latent_hands.hand.arrays import ray_rotation, wrist_form
from latent_hands.hand.bending import side_by_fingers
from latent_hands.hand.skeleton import reorder
from latent_hands.predictions import draw_hands, write_hands
from latent_hands.predictor import HandCrop, Model, crop_of_sample
from latent_hands.predictor.sources import as_batch

A, B = noise_image(PX, PX, seed=1), noise_image(PX, PX, seed=2)


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(SYNTHESIS)


def left_joints() -> np.ndarray:
    """Return the joints of a left hand with curled fingers, palm first."""
    hands = [hand.xyz_mm for hand in model_hands(8, "left")[0]]
    return next(hand for hand in hands if side_by_fingers(wrist_form(hand)[None])[0] == 1)


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (lambda joints: joints / 1000 + 5, None),
        (lambda joints: reorder(joints, "rhd", "mediapipe"), 'in the order "mediapipe"'),
        (wrist_form, "begin with the wrist"),
        (lambda joints: joints * [-1, 1, 1], "bend like those of a right hand"),
        (lambda joints: joints * [1, -1, 1], "their y axis points up"),
        (lambda joints: np.random.default_rng(0).normal(size=joints.shape), "no hand"),
    ],
)
def test_joints_that_are_no_left_hand_are_announced(model: Model, caplog, change, warning):
    model.latent(change(left_joints()), "pose")
    assert warning in caplog.text if warning else not caplog.text


def test_joints_that_are_not_finite_are_refused(model: Model):
    joints = left_joints()
    joints[5] = np.nan
    with pytest.raises(HandsError, match=r"joint 5 of 21 is \[nan, nan, nan\]"):
        model.synthesise(joints, B)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hand_poses_along_the_ray_of_a_model_of_the_ray_frame(side):
    hand = model_hands(1, side, convention="rhd_bones")[0][0]
    ray = hand.palm_mm / np.linalg.norm(hand.palm_mm)
    R = ray_rotation(hand.K, tuple(hand.uv_px[0].tolist()))
    assert np.allclose(ray @ R, [0, 0, 1], atol=1e-6)
    turned = replace(hand, pose=hand.pose @ R, viewpoint=hand.viewpoint @ R, frame="ray")
    data = Data(crop="scene", frame="ray", convention="rhd_bones")
    along, expected, camera = (
        as_batch(source, "rgb", each)
        for source, each in ((hand, data), (turned, data), (hand, replace(data, frame="camera")))
    )
    for name, value in expected.items():
        assert torch.allclose(along[name], value, atol=1e-5)
    assert not torch.allclose(along["pose"], camera["pose"], atol=0.01)
    assert torch.equal(along["cpose"], camera["cpose"])


@pytest.mark.usefixtures("as_users_run")
def test_latents_of_other_sizes_and_lists_of_one_source_are_refused(model: Model):
    latent = model.latent(A, ["pose", "tag"])
    for wrong in (latent["tag"].repeat(2, 1), latent["tag"][:, :1], latent["tag"] * np.nan, [0.0]):
        with pytest.raises(HandsError, match=r'factor "tag" of the latent is .*, but must be a tensor \(1, '):
            model.swap(latent | {"tag": wrong}, latent, "pose")
    with pytest.raises(HandsError, match="no factor is named"):
        model.swap(A, B, [])
    for wrong in (HandCrop.open(A), A[..., 0], "a.png"):
        with pytest.raises(HandsError, match="poses must be a list of sources"):
            model.transfer(wrong, [B])
    with pytest.raises(HandsError, match=r"steps is 2\.5"):
        model.walk("pose", A, B, 2.5)


def test_a_sample_without_a_side_is_announced(tmp_path, caplog):
    sample = painted_hand(tmp_path, "a")
    crop_of_sample(sample)
    assert not caplog.text
    assert crop_of_sample(replace(sample, handedness=None)).handedness == "left"
    assert 'has no "handedness" and is read as a left hand' in caplog.text


def test_a_hand_belongs_to_the_image_that_it_was_found_in(model: Model, tmp_path):
    Image.fromarray(noise_image()).save(tmp_path / "a.png")
    hand = tiny_model(ESTIMATION).estimate(A, handedness="left", box=(2.0, 2.0, 20.0, 20.0))
    assert model.crop_of(A, hand).handedness == hand.handedness
    for give in (model.crop_of, draw_hands, lambda image, hand: write_hands("a.json", {image: hand})):
        with pytest.raises(HandsError, match=rf"found in an image of {PX}x{PX} pixels, but .* 80x60"):
            give(tmp_path / "a.png", hand)
