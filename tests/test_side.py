"""The side is a factor: mirrored crops teach it, and it decides as which side a hand is read."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from found_hands import BOX, Found, calls, detection
from tiny_hands import hands, windows
from tiny_models import PLACEMENT, noise_image, tiny_model

from latent_hands.build.graph import build_vae
from latent_hands.build.phases import build_phases
from latent_hands.configuration import SideRule, load_experiment
from latent_hands.data.augmentation import Augmentation
from latent_hands.data.augmentation.augment import augment, draw_warps
from latent_hands.data.batches import Batches
from latent_hands.errors import HandsError
from latent_hands.hand import camera
from latent_hands.paper.bound import Bound
from latent_hands.paper.modality import bernoulli
from latent_hands.training import train
from latent_hands.training.validation import validate

PX = 16
FLIPS = replace(Augmentation.none(), flip=0.5, rotation_deg=90.0, shift=0.1)
SHOWN, LABELS = {"rgb", "pose", "uv", "side"}, {"pose", "uv", "side"}
TINY = [
    *("--networks.width=4", "--networks.hidden=16", "--networks.layers=2", "--data.crop_px=16"),
    *("--data.frame=camera", "--training.warmup=0"),
    *(f"--phases.{name}.epochs=1" for name in ("disentangle", "embed_pose", "embed_rgb")),
    *(f"--phases.{name}.batch_size=8" for name in ("disentangle", "embed_pose", "embed_rgb")),
]
SIDED = PLACEMENT.replace("place = 4\n", "place = 4\nside = 2\n", 1).replace(
    '"place"] }\npose = { reads', '"place"] }\nside = { reads = "side", factors = ["side"] }\npose = { reads'
)
SIDED = SIDED.replace(
    'rgb", factors = ["cpose", "viewpoint", "place"]',
    'rgb", factors = ["cpose", "viewpoint", "place", "side"]',
)
SIDED = SIDED.replace("[algorithm]", 'side = { writes = "side", factors = ["side"] }\n[algorithm]')
SIDED = SIDED.replace(
    'encode = ["cpose", "viewpoint", "place"]', 'encode = ["cpose", "viewpoint", "place", "side"]'
)


def drawn(keys, flip=0.5):
    found = windows(count=24, px=PX)
    options = replace(FLIPS, flip=flip)
    generator = torch.Generator().manual_seed(3)
    W = draw_warps(found, 24, PX, options, torch.Generator().manual_seed(3), keys)
    return found, W, augment(found, torch.arange(24), PX, options, generator, keys)


def test_the_two_probabilities_of_a_side_sum_to_one_and_follow_its_log_odds():
    logits = torch.linspace(-5, 5, 7)[:, None]
    p, rest = (bernoulli(torch.full_like(logits, side), logits).exp() for side in (1.0, 0.0))
    torch.testing.assert_close(p + rest, torch.ones(7))
    torch.testing.assert_close(p.log() - rest.log(), logits[:, 0])


def test_of_a_mirrored_crop_only_the_side_is_known_and_other_crops_stay_as_they_were():
    _, W, batch = drawn(SHOWN)
    mirrored = W[:, :2, :2].det() < 0
    assert 0 < mirrored.sum() < 24
    torch.testing.assert_close(batch["side"][:, 0], (~mirrored).float())
    plain = drawn(SHOWN, flip=0.0)[2]
    for key in ("pose", "uv"):
        assert torch.equal(batch[key].isnan().flatten(1).all(dim=1), mirrored)
        assert torch.equal(batch[key][~mirrored], plain[key][~mirrored])
    assert torch.equal(batch["rgb"][~mirrored], plain["rgb"][~mirrored])
    assert not torch.equal(batch["rgb"][mirrored], plain["rgb"][mirrored])


def test_labels_without_images_are_those_of_the_mirror_image_of_the_crop():
    found, W, batch = drawn(LABELS)
    mirrored = W[:, :2, :2].det() < 0
    shown = camera.to_crop_units(camera.warp_points(found.uv_px, W), PX)
    shown[mirrored] = shown[mirrored] * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(batch["uv"], shown, atol=1e-4, rtol=1e-4)
    assert batch["pose"].isfinite().all()
    cpose = drawn({"cpose", "side"})[2]["cpose"]
    torch.testing.assert_close(cpose, drawn({"cpose"}, flip=0.0)[2]["cpose"], atol=1e-4, rtol=1e-4)


def test_flips_of_left_hands_need_the_side():
    with pytest.raises(HandsError, match="flip must be 0, or the graph needs the modality side"):
        drawn({"rgb", "pose"})
    with pytest.raises(HandsError, match=r"flip is 0\.2, which turns left hands into right ones"):
        load_experiment("estimation", ["--augmentation.flip=0.2"])
    with pytest.raises(HandsError, match='writes "side", the side that a model finds'):
        load_experiment("placement", ["--data.right_hands=condition"])


def test_a_mirrored_crop_moves_nothing_but_the_factor_of_the_side():
    vae = build_vae(load_experiment("placement", TINY))
    batch = drawn({"rgb", "cpose", "viewpoint", "place", "pose", "uv", "side"})[2]
    rows = (batch["side"][:, 0] == 0).nonzero()[:, 0]
    part = {key: value[rows] for key, value in batch.items()}
    bound = Bound(("rgb",), dict.fromkeys(vae.decoders, 1.0), beta=1.0)
    sum(t.weight * t.value for t in bound.terms(vae, part)).backward()
    q = vae.encoder("rgb")
    head = [
        p
        for name, p in q.network.named_parameters()
        if p.grad is not None and p.shape[:1] == (2 * sum(vae.latent.values()),)
    ]
    assert head
    sizes = [vae.latent[f] for f in q.factors]
    start = sum(sizes[: q.factors.index("side")])
    side = [*range(start, start + vae.latent["side"])]
    side += [sum(sizes) + i for i in side]
    for p in head:
        moved = p.grad.flatten(1).abs().sum(dim=1) if p.dim() > 1 else p.grad.abs()
        assert set(moved.nonzero()[:, 0].tolist()) <= set(side)
        assert moved[side].sum() > 0


def test_a_training_with_the_side_and_agreement_stays_finite(tmp_path, capsys):
    experiment = load_experiment("placement", [*TINY, "--objectives.agreement={cpose=0.1,viewpoint=0.1}"])
    assert train(experiment, tmp_path / "run", hands=hands())
    assert "nan" not in (tmp_path / "run" / "metrics.jsonl").read_text().lower()


def test_validation_counts_crops_and_their_mirror_images():
    experiment = load_experiment("placement", TINY)
    vae = build_vae(experiment)
    last = [m for m in vae.decoder("side").network.modules() if isinstance(m, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(3.0)
    batches = Batches(windows(count=12, px=PX), PX, 8, shuffle=False)
    found = validate(vae, build_phases(experiment, vae)[-1], batches, torch.device("cpu"))
    assert found["side_wrong"] == 0.5
    assert np.isfinite(list(found.values())).all()


@pytest.fixture
def model():
    return tiny_model(SIDED, frame="ray")


def with_side(model, log_odds: float, detector: float = 0.0):
    """Return the model, which now states these log-odds of every crop."""
    last = [m for m in model.vae.decoder("side").network.modules() if isinstance(m, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(log_odds)
    rule = SideRule(detector=detector, side=1.0, spread=0.0)
    model.experiment = replace(model.experiment, handedness=rule)
    return model


@pytest.mark.parametrize(
    ("log_odds", "guess", "sides"), [(8, 0.6, ["right"]), (8, 0.4, ["left"]), (-8, 0.6, ["left"])]
)
def test_a_certain_side_is_read_alone(model, monkeypatch, log_odds, guess, sides):
    model = with_side(model, log_odds)
    model.detector = Found(detection(BOX, right=guess))
    sizes = calls(monkeypatch)
    assert [hand.handedness for hand in model.find(noise_image())] == sides
    assert max(sizes) == 1


def test_an_uncertain_side_is_read_as_both(model, monkeypatch):
    model = with_side(model, 0.0, detector=1.0)
    model.detector = Found(detection(BOX, right=0.6))
    sizes = calls(monkeypatch)
    assert [hand.handedness for hand in model.find(noise_image())] == ["right"]
    assert sizes[0] == 1


def test_a_given_side_is_read_whatever_the_model_finds(model):
    model = with_side(model, -8.0)
    for side in ("left", "right"):
        found = model.find(noise_image(), boxes=[BOX], handedness=side)
        assert [hand.handedness for hand in found] == [side]


def test_the_log_odds_of_a_side_change_sign_with_the_side(model):
    outputs = model.outputs(torch.rand(2, 3, 32, 32) * 2 - 1)
    assert outputs["side"].shape == (2, 1)
    assert np.isfinite(outputs["side"].numpy()).all()
