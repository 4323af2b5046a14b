"""Rules that judge found hands are fitted to shares, and state what was observed."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from painted_hands import painted_hands
from tiny_models import PLACEMENT, tiny_model, tiny_run

from latent_hands.cli import main
from latent_hands.configuration import Confidence, SideRule
from latent_hands.data.whole_images import hands_by_image
from latent_hands.detection import Detection
from latent_hands.errors import HandsError
from latent_hands.evaluation import observing, rules
from latent_hands.evaluation.confidence import CUT_FOUND, CUT_GIVEN, FOUND, GIVEN, WRONG_SIDE, ReadHand
from latent_hands.evaluation.cutting import cut_through
from latent_hands.evaluation.logistic import calibration_error, fit_logistic, reliability, sigmoid
from latent_hands.evaluation.observing import Observations, observe
from latent_hands.evaluation.rules import (
    LabelledImages,
    by_reading,
    calibrate_rules,
    fit_confidence,
    fit_handedness,
    fit_presence,
    fit_rules,
    predictions,
    report,
)
from latent_hands.hand.boxes import box_of_joints
from latent_hands.predictor.judging import probability
from latent_hands.runs.folder import load_run

SCALARS = list(asdict(SideRule()))
NO_SIDE = {"side": 0.0, "glance": 0.0}
RNG = np.random.default_rng(0)
NAMES = ("spread", "uv_spread", "disagreement", "score", "side_px", "side", "outside", "given")


def rows_of(weights: dict[str, float], count: int = 3000) -> list[tuple[dict[str, float], float]]:
    """Return features, and shares of 20 joints that were drawn by a rule."""
    rows = []
    for _ in range(count):
        features = {name: float(RNG.normal()) for name in NAMES} | {"bias": 1.0}
        p = sigmoid(np.array(sum(weights[name] * features[name] for name in weights)))
        rows.append((features, RNG.binomial(20, p) / 20))
    return rows


def test_the_weights_that_shares_were_drawn_with_are_found():
    X, w = RNG.normal(size=(5000, 3)), np.array([1.0, -2.0, 0.3])
    y = RNG.binomial(20, sigmoid(X @ w)) / 20
    np.testing.assert_allclose(fit_logistic(X, y, ridge=1e-6), w, atol=0.1)


def test_what_the_data_do_not_decide_stays_at_its_start():
    X = np.stack([RNG.normal(size=500), np.zeros(500)], axis=1)
    y = (RNG.random(500) < sigmoid(2 * X[:, 0])).astype(float)
    assert fit_logistic(X, y, 1.0, np.array([0.0, 7.0]))[1] == pytest.approx(7)
    assert abs(fit_logistic(X, np.ones(500), 1.0)).max() < 10  # separable data have a finite answer


def test_a_reliable_prediction_lies_on_the_diagonal():
    p = RNG.random(20000)
    y = RNG.binomial(20, p) / 20
    assert calibration_error(p, y) < 0.01
    assert calibration_error(p, np.zeros(20000)) == pytest.approx(0.5, abs=0.02)
    rows = reliability(p, y, bins=4)
    assert [n for *_, n in rows] == [5000] * 4
    assert rows == sorted(rows)


def test_a_fitted_confidence_is_reliable_on_other_hands():
    weights = {"bias": 1.0, "spread": -2.0, "disagreement": -0.5, "score": 0.5, "side_px": 0.0}
    weights |= {"side": 0.3, "outside": -1.0, "given": 0.5, "uv_spread": -0.8}
    rule = fit_confidence(rows_of(weights))
    assert asdict(rule) == pytest.approx(weights, abs=0.1)
    found = report(rule, rows_of(weights))
    assert found["calibration_error"] < 0.02
    assert found["hands"] == 3000


def readings_of(weights: dict[str, float], kind: str, data: str, count: int) -> list[ReadHand]:
    return [ReadHand(kind, *row, data) for row in rows_of(weights, count)]


def test_a_confidence_is_measured_by_data_set_and_kind_of_reading():
    """Half of the readings of each kind is in each half. The run's own rule is too sure of itself."""
    weights = dict.fromkeys(("bias", *NAMES), 0.0) | {"bias": 0.4, "spread": -1.0, "given": 0.5}
    sure = Confidence(**weights | {"bias": 1.4})
    halves = [
        readings_of(weights, FOUND, "a", 1500)
        + readings_of(weights, GIVEN, "b", 500)
        + readings_of(weights | {"bias": -3.0}, WRONG_SIDE, "a", 500)
        for _ in range(2)
    ]
    rows = {(row.data, row.kind): row for row in by_reading(*halves, sure)}
    assert [row.readings for row in rows.values()] == [3000, 1000, 1000]
    for of in (("a", FOUND), ("b", GIVEN)):
        row = rows[of]
        assert row.difference["fitted"] < 0.03
        assert row.expected["fitted"] == pytest.approx(row.observed, abs=0.03)
        assert row.difference["own"] == pytest.approx(row.expected["own"] - row.observed, abs=0.03)
        assert row.expected["own"] > row.observed + 0.1
    wrong = rows["a", WRONG_SIDE]  # not fitted: the rule expects as much as of other readings
    assert wrong.expected["fitted"] > wrong.observed + 0.3
    assert by_reading(*halves, None)[0].expected.keys() == {"fitted"}


def test_features_that_name_the_side_are_found():
    rows = [({n: float(RNG.normal()) for n in SCALARS} | NO_SIDE, 1.0) for _ in range(2000)]
    for features, _ in rows:
        features["nats"] = features["nats"] + 1.5
    rule = fit_handedness(rows)
    assert (predictions(rule, rows) > 0.5).mean() > 0.9
    assert rule.nats > 0.5
    assert fit_handedness([(dict.fromkeys(asdict(SideRule()), 0.0), 1.0)]) == SideRule()


def test_a_side_that_the_model_decodes_needs_no_other_feature_than_log_odds():
    rows = [({n: float(RNG.normal()) for n in SCALARS}, 1.0) for _ in range(2000)]
    for features, _ in rows:
        features["nats"] = features["nats"] + 1.5
        features["glance"] = features["glance"] + 1.5
    rule = fit_handedness(rows)
    assert rule.glance > 0.5
    assert (rule.spread, rule.uv_spread, rule.disagreement, rule.nats) == (0, 0, 0, 0)


def test_few_images_without_hands_have_one():
    names = ("spread", "uv_spread", "disagreement", "score", "overlap", "side_px", "decoded")

    def features(shift: float) -> dict[str, float]:
        return {name: float(RNG.normal() + shift) for name in names} | {"bias": 1.0}

    hands, others = [(features(2), 1.0) for _ in range(500)], [[features(-2)] for _ in range(500)]
    seen = Observations([], [*hands, *((each[0], 0.0) for each in others)], [], [*others, []])
    rule = fit_presence(seen)
    found = predictions(rule, [(each[0], 0.0) for each in others]) >= rule.threshold
    assert found.mean() <= 0.01
    assert (predictions(rule, hands) >= rule.threshold).mean() > 0.9
    assert fit_presence(Observations([], hands, [], [])) is None
    assert fit_presence(Observations([], [], [], [])) is None


def test_a_feature_that_names_a_hand_is_found():
    """Detector, spread and overlap say nothing here; what the model decodes says all."""
    rows = []
    for target in (0.0, 1.0) * 400:
        features = {name: float(RNG.normal()) for name in ("score", "spread", "disagreement", "overlap")}
        features |= {
            "bias": 1.0,
            "side_px": 0.0,
            "uv_spread": 0.0,
            "decoded": float(RNG.normal(6 * target - 3)),
        }
        rows.append((features, target))
    rule = fit_presence(Observations([], rows, [], []))
    assert abs(rule.decoded) > 3 * max(abs(rule.score), abs(rule.spread), abs(rule.overlap))
    assert ((predictions(rule, rows) > 0.5) == [target == 1 for _, target in rows]).mean() > 0.98
    assert probability(rule, rows[0][0]) == pytest.approx(predictions(rule, rows[:1])[0])


class Labelled:
    """A detector that finds the labelled hands, and one more."""

    def __init__(self, samples):
        self.boxes = [box_of_joints(sample.uv_px) for sample in samples]

    def detect(self, rgb):
        far = (rgb.shape[1] - 6.0, rgb.shape[0] - 6.0, 5.0, 5.0)
        return [Detection(box, "left", 0.9, 0.5) for box in (*self.boxes, far)]


def test_hands_are_observed_beside_their_labels(tmp_path: Path, monkeypatch):
    samples, model = painted_hands(tmp_path, 2), tiny_model(PLACEMENT)
    model.detector = Labelled(samples[:1])
    images = hands_by_image(samples[:1])
    assert len(observe(model, images, complete=True).presence) == 1  # the other detection is too small
    monkeypatch.setattr(observing, "LEAST_PX", 0.0)
    seen = observe(model, images, complete=True)
    assert len(seen.handedness) == 1
    kinds = [each.kind for each in seen.confidence]
    assert kinds in ([FOUND, GIVEN, WRONG_SIDE], [FOUND, GIVEN, WRONG_SIDE, CUT_FOUND, CUT_GIVEN])
    assert [each.features["given"] for each in seen.confidence[:3]] == [0, 1, 1]
    assert [target for _, target in seen.presence] == [1, 0]
    assert 0 <= seen.confidence[0].share <= 1
    assert len(observe(model, images, complete=False).presence) == 1
    without = observe(model, images, complete=True, use_detector=False)
    assert without.presence == []
    assert [each.kind for each in without.confidence] == [GIVEN, WRONG_SIDE]
    assert without.confidence[0].features["score"] == 0
    empty = observe(model, {samples[1].image: []}, complete=True)
    assert len(empty.images_without) == len(empty.presence) / 2 == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_cut_image_keeps_joints_on_their_pixels_and_rays(seed, tmp_path: Path):
    (sample,) = painted_hands(tmp_path, 1)
    rgb = RNG.integers(0, 255, (200, 240, 3), np.uint8)
    uv_px = RNG.uniform(60, 180, (21, 2)).astype(np.float32)
    sample = replace(sample, uv_px=uv_px, K=np.array([[90, 0, 41], [0, 90, 28], [0, 0, 1]], np.float32))
    part, (moved,) = cut_through(rgb, [sample], np.random.default_rng(seed))
    corner = np.round(sample.uv_px - moved.uv_px)[0].astype(int)
    assert np.array_equal(part, rgb[corner[1] :, corner[0] :][: part.shape[0], : part.shape[1]])
    np.testing.assert_allclose(sample.K[:2, 2] - moved.K[:2, 2], corner)
    out = ((moved.uv_px < 0) | (moved.uv_px > np.array(part.shape[1::-1]) - 1)).any(axis=1).mean()
    assert 0 < out < 1


def test_a_run_keeps_its_rules(tmp_path: Path, monkeypatch):
    run, samples = tiny_run(tmp_path / "run", PLACEMENT), painted_hands(tmp_path, 12)
    monkeypatch.setattr(rules, "_half", lambda path, hands: int(path.stem) % 2)
    sets, shown = [LabelledImages(hands_by_image(samples), complete=False, name="painted")], []
    progress = lambda *at: shown.append(at[:3])  # noqa: E731
    before = (run / "experiment.toml").read_bytes()
    found = calibrate_rules(run, sets, 1.5, use_detector=False, progress=progress)
    assert (run / "experiment.toml").read_bytes() == before
    assert shown[-1] == ("set 1, half 2", 6, 6)
    assert [(row.data, row.kind, row.readings) for row in found.readings] == [
        ("painted", GIVEN, 12),
        ("painted", WRONG_SIDE, 12),
    ]
    assert calibrate_rules(run, sets, 1.5, use_detector=False, write=True) == found
    experiment = load_run(run)[1]
    assert (experiment.confidence, experiment.handedness) == (found.confidence, found.handedness)
    assert isinstance(experiment.confidence, Confidence)
    assert experiment.presence is None


def test_rules_need_hands():
    with pytest.raises(HandsError, match="no hand with 3D joints"):
        fit_rules(Observations([], [], [], []), Observations([], [], [], []))
    one = Observations([({}, 1.0)], [], [ReadHand(GIVEN, {}, 1.0)], [])
    with pytest.raises(HandsError, match="the halves have 1 and 0 labelled hands"):
        fit_rules(one, Observations([], [], [], []))


@pytest.mark.parametrize("option", ["--also=ge2019=DIR", "--without-hands=DIR"])
def test_images_that_only_rules_use_need_rules(tmp_path: Path, option: str, capsys):
    command = ["runs", "calibrate", "estimation", "--data", "rendered", "--root", str(tmp_path)]
    assert main([*command, *option.replace("DIR", str(tmp_path)).split("=", 1)]) == 2
    assert "add --rules" in capsys.readouterr().err
