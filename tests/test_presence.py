"""The presence of a hand is a factor: squares without a hand teach it, and nothing else learns from them."""

from pathlib import Path

import pytest
import torch
from found_hands import BOX
from painted_hands import painted_hands
from tiny_hands import windows
from tiny_models import PLACEMENT, PX, noise_image, tiny_model

from latent_hands.build import Hands, build_hands, build_phases, build_vae
from latent_hands.configuration import Presence
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.data.labels import modality
from latent_hands.data.sample import Sample
from latent_hands.paper.bound import Bound
from latent_hands.predictor import HandCrop
from latent_hands.predictor.judging import is_hand, presence_features
from latent_hands.predictor.reading import read
from latent_hands.studies.tuned_experiment import Tuning, tuned_experiment
from latent_hands.training.feeds import check_data
from latent_hands.training.validation import error_of, summary

FACTORS = '"cpose", "viewpoint", "place"'
PRESENT = PLACEMENT.replace("place = 4\n", "place = 4\npresence = 2\n", 1)
PRESENT = PRESENT.replace(f'"rgb", factors = [{FACTORS}]', f'"rgb", factors = [{FACTORS}, "presence"]')
PRESENT = PRESENT.replace(
    "[decoders]", 'presence = { reads = "presence", factors = ["presence"] }\n[decoders]'
)
PRESENT = PRESENT.replace(
    "[algorithm]", 'presence = { writes = "presence", factors = ["presence"] }\n[algorithm]'
)
PRESENT = PRESENT.replace(f"encode = [{FACTORS}]", f'encode = [{FACTORS}, "presence"]')
LABELS = ("pose", "cpose", "viewpoint", "uv", "place", "side", "presence")
HANDS, SQUARES = 4, 3


@pytest.fixture
def mixed(tmp_path: Path):
    """Return windows of four hands and three squares without a hand."""
    hands = painted_hands(tmp_path, HANDS)
    image = hands[0].image
    squares = [
        Sample(f"none_{i}", image, "left", scene_box=(30.0 + i, 30.0, 20.0), present=False)
        for i in range(SQUARES)
    ]
    return build_windows([*hands, *squares], margin=1.0, window_px=PX)


@pytest.mark.parametrize("images", [(), ("rgb",)])
def test_of_a_square_without_a_hand_only_that_is_known(mixed, images):
    batch = Batches(mixed, PX, HANDS + SQUARES, shuffle=False).batch(0, 0, {*LABELS, *images})
    assert batch["presence"][:, 0].tolist() == [1.0] * HANDS + [0.0] * SQUARES
    for key in set(LABELS) - {"presence"}:
        assert batch[key][:HANDS].isfinite().all()
        assert batch[key][HANDS:].isnan().all()


def test_hands_alone_have_no_label_of_presence():
    assert windows(count=4).presence is None


def test_hands_alone_fine_tune_everything_but_the_presence(tmp_path):
    model, hands = tiny_model(PRESENT), painted_hands(tmp_path, 16)
    experiment = tuned_experiment(model, "run", hands, Tuning())
    vae = build_vae(experiment)
    phases = build_phases(experiment, vae)
    (step,) = phases[0].steps
    assert set(step.bound.decoders) == set(model.vae.decoders) - {"presence"}
    assert "presence" not in step.bound.factors(vae)
    check_data(experiment, vae, phases, build_hands(experiment, vae, phases, training=hands))


def test_a_square_without_a_hand_counts_as_labelled(mixed):
    feeds = Hands(mixed, None).feeds(1.0, LABELS)
    assert len(feeds["labelled"]) == len(feeds["all"]) == HANDS + SQUARES
    assert "rest" not in feeds


def test_nothing_is_inferred_from_what_is_unknown():
    vae = tiny_model(PRESENT).vae
    pose = torch.randn(3, 21, 3)
    known = vae.infer(["pose"], {"pose": pose})
    pose[1, 4] = torch.nan
    partly = vae.infer(["pose"], {"pose": pose})
    for factor, q in partly.items():
        assert q.kl().tolist()[1] == 0  # the prior
        for part in ("mean", "log_var"):
            torch.testing.assert_close(getattr(q, part)[[0, 2]], getattr(known[factor], part)[[0, 2]])


@pytest.mark.parametrize("encoders", [("rgb",), ("cpose", "viewpoint", "place", "presence")])
def test_only_the_factor_of_presence_learns_from_squares_without_a_hand(mixed, encoders):
    vae = tiny_model(PRESENT).vae.train()
    batch = Batches(mixed.select(range(HANDS, HANDS + SQUARES)), PX, SQUARES, shuffle=False).batch(
        0, 0, {*LABELS, "rgb"}
    )
    bound = Bound(encoders, dict.fromkeys(vae.decoders, 1.0), beta=1.0)
    terms = {term.name: term.value for term in bound.terms(vae, batch)}
    assert {name for name, value in terms.items() if value != 0} <= {"log_p_presence", "kl_presence"}
    sum(terms.values()).backward()
    learning = {name for name, p in vae.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert any(name.startswith("decoders.presence") for name in learning)
    assert all(name.split(".")[1] in ("presence", "rgb") for name in learning)
    assert all(p.grad is None or p.grad.isfinite().all() for p in vae.parameters())


def test_sides_of_squares_without_a_hand_are_not_wrong():
    side, log_odds = torch.tensor([[1.0], [0.0], [torch.nan]]), torch.tensor([[2.0], [2.0], [2.0]])
    errors = error_of(modality("side"), log_odds, {"side": side})
    assert errors[:2].tolist() == [0, 1]
    assert summary("wrong", errors, torch.ones(3, 21, dtype=torch.bool)) == 0.5


def test_the_rule_weighs_what_the_model_decodes():
    model = tiny_model(PRESENT)
    (reading,) = read(model, [HandCrop.open(noise_image(), "left", BOX)], draws=4)
    decoded = float(reading.outputs["presence"])
    assert presence_features(reading, BOX, 0.5, PX)["decoded"] == decoded
    nothing = {"bias": 0.0, "score": 0.0, "spread": 0.0, "disagreement": 0.0, "overlap": 0.0}
    for sign in (1.0, -1.0):
        rule = Presence(**nothing, decoded=sign)
        assert is_hand(rule, reading, BOX, 0.5, PX) == (sign * decoded >= 0)
