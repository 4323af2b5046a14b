"""Finding hands: candidates, sides, places, and what is one hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from found_hands import BOX, OTHER, Found, calls, detection
from tiny_models import PLACEMENT, PX, noise_image, tiny_model

from latent_hands.configuration import Confidence, Presence, SideRule
from latent_hands.data.formats.box_label import BoxLabel
from latent_hands.detection.detector import SHIPPED
from latent_hands.errors import HandsError
from latent_hands.hand.boxes import crop_of_box, iou
from latent_hands.hand.camera import project
from latent_hands.predictor import HandCrop, Model
from latent_hands.predictor.cameras import ImageCamera
from latent_hands.predictor.choosing import distinct
from latent_hands.predictor.crop import MOST_CHANGE
from latent_hands.predictor.find import hand_of
from latent_hands.predictor.judging import confidence, is_hand, log_odds, right_probability
from latent_hands.predictor.reading import Reading, mirrored, read


@pytest.fixture
def model() -> Model:
    return tiny_model(PLACEMENT, frame="ray")


@pytest.fixture
def image() -> np.ndarray:
    return noise_image()


def test_a_mirrored_image_of_the_other_side_has_the_mirrored_hands(model, image):
    model.detector = Found(detection(BOX, 0.01), detection(OTHER, 0.99))
    hands, wide = model.find(image), image.shape[1]
    flipped = [(wide - x - w, y, w, h) for x, y, w, h in (BOX, OTHER)]
    model.detector = Found(detection(flipped[0], 0.99), detection(flipped[1], 0.01))
    others = model.find(np.ascontiguousarray(image[:, ::-1]))
    assert [hand.handedness for hand in hands] == ["left", "right"]
    assert [hand.handedness for hand in others] == ["right", "left"]
    for hand, other in zip(hands, others, strict=True):
        np.testing.assert_allclose(other.pose, hand.pose * [-1, 1, 1], atol=1e-2)
        np.testing.assert_allclose(other.uv_px, [wide - 1, 0] + hand.uv_px * [-1, 1], atol=0.2)
        np.testing.assert_allclose(other.palm_mm, hand.palm_mm * [-1, 1, 1], rtol=0.05)


def test_an_image_without_hands_has_none(model, image):
    model.detector = Found()
    assert model.find(image) == []
    assert model.find(image, boxes=[]) == []
    with pytest.raises(HandsError, match="no hand found"):
        model.estimate(image)


def test_given_boxes_and_sides_take_precedence(model, image):
    model.detector = Found(detection())
    (hand,) = model.find(image, boxes=[OTHER], handedness="left")
    assert (hand.handedness, hand.score) == ("left", None)
    assert model.find(image, handedness="left")[0].handedness == "left"
    assert model.find(image)[0].handedness == "right"
    assert model.find(image)[0].score == 0.9
    sides = [hand.handedness for hand in model.find(image, boxes=[BOX, OTHER], handedness=["right", "left"])]
    labels = [BoxLabel(BOX, "right"), BoxLabel(OTHER, "left")]
    assert [hand.handedness for hand in model.find(image, boxes=labels)] == sides
    assert {hand.handedness for hand in model.find(image, boxes=labels, handedness="left")} == {"left"}
    assert sides == ["right", "left"]
    assert model.estimate(image, box=OTHER, handedness="left").uv_px == pytest.approx(hand.uv_px)


def test_most_keeps_the_best(model, image):
    model.detector = Found(detection(BOX), detection(OTHER, score=0.7))
    assert [hand.score for hand in model.find(image, max_hands=1)] == [0.9]
    with pytest.raises(HandsError, match="max_hands is 0"):
        model.find(image, max_hands=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"boxes": [BOX], "handedness": ["left", "right"]}, "1 boxes and 2 sides"),
        ({"boxes": [BOX], "handedness": "lft"}, 'did you mean "left"'),
        ({"handedness": ["left"]}, "several sides need boxes"),
        ({"boxes": [(900.0, 0.0, 5.0, 5.0)]}, "lies outside the image of 80x60"),
        ({"bone_mm": 4.0}, "bone_mm is 4.0"),
        ({"K": np.zeros((2, 2))}, "K is"),
        ({"focal_px": 1.0}, r"focal_px is 1\.0"),
        ({"boxes": [BOX], "rotations": 0}, "rotations"),
        ({"boxes": [BOX], "draws": 1}, "draws is 1"),
    ],
)
def test_wrong_options_are_refused(model, image, options, message):
    model.detector = Found(detection())
    with pytest.raises(HandsError, match=message):
        model.find(image, **options)


@pytest.mark.parametrize("box", [BOX, np.array(BOX)])
def test_a_box_that_is_not_in_a_list_is_refused(model, image, box, as_users_run):
    with pytest.raises(HandsError, match=r"list of boxes, such as \[\(x, y, width, height\)\]"):
        model.find(image, boxes=box)


def test_the_palm_is_where_pose_and_joints_of_the_image_agree(model, image):
    K = np.array([[90, 0, 41], [0, 90, 28], [0, 0, 1]], np.float32)
    palm_mm, rng = np.array([30.0, -20, 500], np.float32), np.random.default_rng(0)
    pose = rng.normal(0, 1, (21, 3)).astype(np.float32)
    pose -= pose[0]
    photo = HandCrop(image, "left", (20.0, 16.0, 32.0, 32.0), K)
    uv_px = project(torch.from_numpy(40 * pose + palm_mm), torch.from_numpy(K))
    outputs = {
        "pose": torch.from_numpy(pose),
        "cpose": torch.from_numpy(pose),
        "viewpoint": torch.eye(3),
        "uv": (uv_px - torch.tensor(photo.centre_px)) / (photo.side_px / 2),
        "spread": torch.full((21,), 0.01),
        "uv_spread": torch.full((21,), 0.01),
    }
    given, assumed = ImageCamera(K, "given"), ImageCamera(K, "assumed", 0.2)
    known = hand_of(model, Reading(replace(photo, bone_mm=40.0), outputs), given, None)
    guess = hand_of(model, Reading(photo, outputs), assumed, 0.5)
    for hand in (known, guess):
        np.testing.assert_allclose(hand.palm_mm, palm_mm, rtol=1e-3, atol=0.1)
        np.testing.assert_allclose(hand.uv_px, uv_px, atol=1e-3)
    assert (known.camera, known.score, guess.camera, guess.score) == ("given", None, "assumed", 0.5)
    added = guess.palm_spread_mm**2 - known.palm_spread_mm**2
    np.testing.assert_allclose(np.sqrt(added), [3, 2, 50 * 5**0.5], rtol=0.02)
    assert hand_of(model, Reading(photo, outputs), None, None).palm_mm is None


def test_the_camera_is_stated_and_poses_are_in_its_frame(model, image):
    K = np.array([[90, 0, 41], [0, 90, 28], [0, 0, 1]], np.float32)
    given, assumed = (model.find(image, boxes=[BOX], handedness="left", K=k)[0] for k in (K, None))
    assert (given.frame, given.camera) == ("camera", "given")
    assert (assumed.frame, assumed.camera) == ("camera", "assumed")
    assert np.array_equal(given.K, K)
    far = model.estimate(image, box=BOX, handedness="left", focal_px=180.0)
    assert far.camera == "given"
    assert far.K.tolist() == [[180, 0, 39.5], [0, 180, 29.5], [0, 0, 1]]


def test_hands_at_one_place_are_one(model, image):
    model.detector = Found(detection(BOX), detection(BOX, score=0.8), detection(OTHER, score=0.6))
    hands = model.find(image, handedness="left")
    assert hands[0].score == 0.9
    assert 0.8 not in [hand.score for hand in hands]
    far = replace(hands[0], uv_px=hands[0].uv_px + 500)
    assert len(distinct([hands[0], far, hands[0]])) == 2
    assert len(model.find(image, boxes=[BOX, BOX], handedness="left")) == 2  # given boxes are hands


def test_hands_of_one_side_are_one_at_a_smaller_overlap(model, image):
    (hand,) = model.find(image, boxes=[BOX], handedness="left")
    shifted = replace(hand, uv_px=hand.uv_px + np.array([0.3 * hand.box_px[2], 0]))
    assert 0.5 < iou(hand.box_px, shifted.box_px) < 0.6
    assert len(distinct([hand, shifted])) == 1
    assert len(distinct([hand, replace(shifted, handedness="right")])) == 2


def test_confidence_weighs_the_side_the_border_and_whether_the_box_is_given(model, image):
    photo = HandCrop.open(image, "left", BOX)
    (reading,) = read(model, [photo], draws=4)
    uv = torch.zeros(21, 2)
    uv[:7] = -100.0  # far beyond the border
    cut = Reading(photo, reading.outputs | {"uv": uv, "side": torch.tensor([-2.0])})
    assert cut.outside == pytest.approx(1 / 3)
    nothing = {"bias": 0.0, "spread": 0.0, "disagreement": 0.0, "score": 0.0, "side_px": 0.0}
    rules = [
        Confidence(**nothing, side=0.5),
        Confidence(**nothing, outside=-3.0),
        Confidence(**nothing, given=-1.0),
    ]
    for rule in rules:
        assert log_odds(confidence(rule, cut, 40.0, None, PX)) == pytest.approx(-1, abs=1e-3)
    assert confidence(rules[2], cut, 40.0, 0.9, PX) == 0.5


def test_mirroring_twice_changes_nothing(model, image):
    (reading,) = read(model, [HandCrop.open(image, "left", BOX)], draws=4)
    twice = mirrored(mirrored(reading.outputs))
    assert all(torch.equal(value, twice[name]) for name, value in reading.outputs.items())


def test_sides_are_judged_alike(model, image):
    """What speaks for a right hand speaks against a left one as much."""
    left, right = read(model, [HandCrop.open(image, side, BOX) for side in ("left", "right")], draws=4)
    rule = SideRule(spread=-3.0, uv_spread=-1.0, disagreement=-2.0, nats=-0.1)
    readings, swapped = {"left": left, "right": right}, {"left": right, "right": left}
    one, other = right_probability(rule, readings, 0.7), right_probability(rule, swapped, 0.3)
    assert one + other == pytest.approx(1)
    detector_only = SideRule(spread=0.0)
    assert right_probability(detector_only, readings, 0.7) == pytest.approx(0.7)


def test_rules_that_are_not_fitted_judge_nothing(model, image):
    (reading,) = read(model, [HandCrop.open(image, "left", BOX)], draws=4)
    assert is_hand(None, reading, BOX, 0.2, PX)
    assert confidence(None, reading, 40.0, 0.9, PX) is None


def test_rules_of_the_experiment_drop_hands_and_state_confidence(model, image):
    model.detector = Found(detection(score=0.9))
    never = Presence(bias=-9.0, score=0.0, spread=0.0, disagreement=0.0, overlap=0.0)
    sure = Confidence(bias=2.0, spread=0.0, disagreement=0.0, score=0.0, side_px=0.0)
    (hand,) = model.find(image)
    assert hand.confidence is None
    model.experiment = replace(model.experiment, confidence=sure)
    assert model.find(image)[0].confidence == pytest.approx(1 / (1 + np.exp(-2)))
    model.experiment = replace(model.experiment, presence=never)
    assert model.find(image) == []
    assert len(model.find(image, boxes=[BOX])) == 1  # a given box is a hand


def test_small_detected_hands_are_dropped(model, image):
    model.detector = Found(detection(score=0.9))
    always = Presence(bias=9.0, score=0.0, spread=0.0, disagreement=0.0, overlap=0.0)
    (hand,) = model.find(image)
    side = hand.crop_px[2]
    for least_px, found in ((side - 0.01, 1), (side + 0.01, 0)):
        model.experiment = replace(model.experiment, presence=replace(always, least_px=least_px))
        assert len(model.find(image)) == found
        assert len(model.find(image, boxes=[BOX])) == 1  # a given box is a hand


def test_detections_that_stay_too_small_are_not_read(model, image, monkeypatch):
    """A second crop is at most `MOST_CHANGE` times as wide as the first one."""
    model.detector, sizes = Found(detection()), calls(monkeypatch)
    always = Presence(bias=9.0, score=0.0, spread=0.0, disagreement=0.0, overlap=0.0)
    widest = MOST_CHANGE * max(crop_of_box(BOX)[2:])
    for least_px, is_read in ((widest - 0.01, True), (widest + 0.01, False)):
        model.experiment = replace(model.experiment, presence=replace(always, least_px=least_px))
        model.find(image)
        assert bool(sizes) == is_read
        sizes.clear()


def test_the_rule_of_presence_reads_improbable_detections(model):
    own = model.detector.settings.threshold
    rule = Presence(bias=0.0, score=1.0, spread=0.0, disagreement=0.0, overlap=0.0, least_score=own / 4)
    for presence, threshold in ((None, own), (rule, own / 4), (replace(rule, least_score=1.0), own)):
        other = Model(model.vae, replace(model.experiment, presence=presence))
        assert other.load_detector(SHIPPED / "detection").settings == other.detector.settings
        assert other.detector.settings.threshold == threshold
