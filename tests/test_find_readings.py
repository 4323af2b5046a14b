"""Readings of found hands: batches, second crops, draws, and faster graphs that predict the same."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from found_hands import BOX, OTHER, Found, calls, detection
from tiny_models import ESTIMATION, PLACEMENT, PX, noise_image, tiny_model

from latent_hands.hand.boxes import crop_of_box, crop_of_joints
from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.networks.mlp import MLP
from latent_hands.networks.packing import packed_mlp
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Gaussian, draw
from latent_hands.predictor import HandCrop, Model
from latent_hands.predictor.crop import MOST_CHANGE
from latent_hands.predictor.reading import read, read_twice
from latent_hands.predictor.spreads import drawn


@pytest.fixture
def model() -> Model:
    return tiny_model(PLACEMENT, frame="ray")


@pytest.fixture
def image() -> np.ndarray:
    return noise_image()


def test_an_image_is_encoded_once_for_mean_spread_and_place(model, monkeypatch):
    sizes = calls(monkeypatch)
    outputs = model.outputs(torch.rand(3, 3, PX, PX) * 2 - 1, draws=4)
    assert sizes == [3]
    shapes = {name: tuple(value.shape) for name, value in outputs.items()}
    assert shapes == {
        "pose": (3, 21, 3),
        "cpose": (3, 21, 3),
        "viewpoint": (3, 3, 3),
        "uv": (3, 21, 2),
        "place": (3, 3),
        "spread": (3, 21),
        "uv_spread": (3, 21),
        "nats": (3,),
        "latent": (3, 12),
        "latent_variance": (3, 12),
    }


def test_a_hand_does_not_depend_on_the_others_of_its_batch(model, image):
    photos = [
        HandCrop.open(image, side, box) for side, box in (("left", BOX), ("right", OTHER), ("left", OTHER))
    ]
    together = read(model, photos, draws=4)
    for photo, reading in zip(photos, together, strict=True):
        (alone,) = read(model, [photo], draws=4)
        for name, value in alone.outputs.items():
            torch.testing.assert_close(reading.outputs[name], value, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("right_hands", ["mirror", "condition"])
@pytest.mark.parametrize("rotations", [1, 2])
def test_a_reading_is_the_estimate_of_its_photo(image, right_hands, rotations):
    model, K = tiny_model(PLACEMENT, frame="ray", right_hands=right_hands), np.diag([90, 90, 1])
    K[:2, 2] = 40, 30
    for side in ("left", "right"):
        photo = HandCrop.open(image, side, (20.0, 16.0, 32.0, 32.0), K)
        hand, (reading,) = model.estimate(photo, rotations=rotations), read(model, [photo], rotations)
        np.testing.assert_allclose(reading.outputs["pose"], hand.pose, atol=2e-2)
        np.testing.assert_allclose(reading.uv_px, hand.uv_px, atol=0.5)


def test_all_hands_of_a_round_are_one_batch(model, image, monkeypatch):
    model.detector = Found(detection(BOX, 0.5), detection(OTHER, 0.99), detection(OTHER, 0.01))
    sizes = calls(monkeypatch)
    model.find(image)
    assert sizes[0] == 4
    assert len(sizes) <= 2


def test_a_crop_that_was_right_is_not_read_again(model, image, monkeypatch):
    (first,) = read(model, [HandCrop.open(image, "left", BOX)])
    for _ in range(12):  # the crop around the joints that the crop shows
        (first,) = read(model, [replace(first.crop, box_px=first.next_crop)])
        if not first.is_off:
            break
    sizes = calls(monkeypatch)
    read_twice(model, [first.crop])
    assert sizes == ([1, 1] if first.is_off else [1])
    read_twice(model, [first.crop], rotations=2)
    assert sizes[-1] == 1


def test_the_second_crop_is_that_of_the_measured_joints(model, image):
    (first,), (second,) = (f(model, [HandCrop.open(image, "left", BOX)]) for f in (read, read_twice))
    assert first.is_off
    wanted = crop_of_joints(first.uv_px, (60, 80))
    centres = ([box[i] + box[2] / 2 for i in (0, 1)] for box in (wanted, second.crop.crop_box_px))
    assert next(centres) == pytest.approx(next(centres))
    assert 1 / MOST_CHANGE - 1e-6 < second.crop.side_px / first.crop.side_px < MOST_CHANGE + 1e-6
    assert second.crop.box_px == first.next_crop


def test_a_model_without_uv_reads_once_and_places_by_the_crop(image, monkeypatch):
    model = tiny_model(ESTIMATION)
    sizes = calls(monkeypatch)
    (hand,) = model.find(image, boxes=[BOX], handedness="left")
    assert sizes == [1]
    assert hand.crop_px == pytest.approx(crop_of_box(BOX))
    assert hand.palm_mm is None
    x, y, side, _ = hand.crop_px
    assert tuple(hand.uv_px[12] + 0.5) == pytest.approx((x + side / 2, y + side / 2), abs=1e-3)


def test_the_fast_graph_predicts_the_same(image):
    model = tiny_model(PLACEMENT)
    encoder = model.vae.encoder("rgb")
    encoder.network = EfficientNetLite0(encoder.network.head.out_features, precision="float32").eval()
    crops = torch.rand(2, 3, PX, PX) * 2 - 1
    slow, fast = model.outputs(crops), model.fast.outputs(crops)
    for name, value in slow.items():
        torch.testing.assert_close(fast[name], value, atol=1e-3, rtol=1e-3)
    assert model.fast.vae.encoders["rgb"] is not encoder
    assert model.vae.encoder("rgb") is encoder


@pytest.mark.parametrize("fused", [False, True])
def test_the_fast_graph_follows_weights_that_learn(fused):
    model = tiny_model(PLACEMENT)
    encoder = model.vae.encoder("rgb")
    encoder.network = EfficientNetLite0(encoder.network.head.out_features, precision="float32").eval()
    crops = torch.rand(2, 3, PX, PX) * 2 - 1
    before = model.fast.outputs(crops)["pose"]
    assert model.fast.vae is model.fast.vae
    for weight in model.vae.parameters():
        weight.grad = torch.randn_like(weight)
    torch.optim.AdamW(model.vae.parameters(), lr=0.01, fused=fused).step()
    after = model.fast.outputs(crops)["pose"]
    torch.testing.assert_close(after, model.outputs(crops)["pose"], atol=1e-3, rtol=1e-3)
    assert not torch.allclose(after, before, atol=1e-2)


def test_packed_decoders_are_as_exact_as_their_numbers():
    layers = MLP(12, (21, 3)).eval()
    x = torch.randn(64, 12)
    with torch.inference_mode():
        exact = layers(x)
        for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 0.1)):
            for each in (faster := packed_mlp(layers, dtype), copy.deepcopy(faster)):
                for rows in (64, 1):
                    torch.testing.assert_close(each(x[:rows]), exact[:rows], rtol=0, atol=tolerance)


def test_draws_are_those_of_each_posterior_alone():
    posterior = {f: Gaussian(torch.randn(3, size), torch.randn(3, size)) for f, size in (("a", 4), ("b", 2))}
    together = drawn(posterior, 5)
    for i in range(3):
        alone = {
            f: Gaussian(*(t[i].expand(5, -1) for t in (q.mean, q.log_var))) for f, q in posterior.items()
        }
        expected = draw(alone, torch.Generator().manual_seed(0))
        for factor, z in expected.items():
            torch.testing.assert_close(together[factor][5 * i : 5 * i + 5], z)


def test_the_first_reading_decodes_only_the_joints_in_the_image(model, image, monkeypatch):
    written, decode = [], DisentangledVAE.decode
    monkeypatch.setattr(
        DisentangledVAE, "decode", lambda self, name, *rest: written.append(name) or decode(self, name, *rest)
    )
    read_twice(model, [HandCrop.open(image, "left", BOX)], draws=4)
    assert written[0] == "uv"
    assert sorted(written[1:]) == sorted(model.vae.decoders)
