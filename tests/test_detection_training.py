"""Training of the detector: targets, loss, training images, and resumed trainings."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latent_hands.data import Sample
from latent_hands.detection import Detector
from latent_hands.detection.detector import Detection
from latent_hands.detection.frames import Frame, LabelledHand, Mixture, frames_of, read_box_frames
from latent_hands.detection.network import STRIDE, DetectionNetwork, Maps
from latent_hands.detection.peaks import boxes_of, candidates
from latent_hands.detection.pictures import draw_picture
from latent_hands.detection.plan import Plan, read_plan, write_plan
from latent_hands.detection.scoring import Match, choose_threshold, fit_logistic, matches, scores
from latent_hands.detection.targets import (
    Target,
    Targets,
    draw_targets,
    focal,
    generalised_iou,
    loss,
    mirrored,
)
from latent_hands.detection.training import STATE, draw_batch, train_detector
from latent_hands.detection.warp import Warp
from latent_hands.errors import HandsError
from latent_hands.networks.fusion import fused, unfuse

SIZE = (128, 128)
HANDS = [Target((10.0, 20.0, 40.0, 30.0), "left"), Target((70.0, 60.0, 44.0, 52.0), "right")]


def perfect(targets: Targets) -> Maps:
    """Return maps that say exactly what the targets say."""
    hand = torch.where(targets.heat == 1, 12.0, -12.0)
    right = 12 * (2 * targets.right - 1)
    sides = hand[:, None] + torch.nn.functional.logsigmoid(torch.stack([-right, right], dim=1))
    h, w = hand.shape[1:]
    cells = torch.stack(torch.meshgrid(torch.arange(w) + 0.5, torch.arange(h) + 0.5, indexing="xy"))
    size = targets.box[:, 2:].clamp(min=1) / STRIDE
    return Maps(sides, targets.box[:, :2] / STRIDE + size / 2 - cells, size.log())


def test_peaks_of_perfect_maps_are_the_hands():
    (rows,) = candidates(perfect(draw_targets([HANDS], SIZE)))
    found = sorted((tuple(row[:4].round(decimals=2).tolist()), bool(row[4] > 0)) for row in rows)
    assert found == [(hand.box, hand.side == "right") for hand in HANDS]


def test_perfect_maps_have_no_loss_and_others_have_more():
    targets = draw_targets([HANDS], SIZE)
    best = perfect(targets)
    assert float(loss(best, targets).total()) == pytest.approx(0, abs=1e-3)
    torch.manual_seed(0)
    for _ in range(5):
        worse = Maps(*(each + torch.randn_like(each) for each in (best.sides, best.place, best.size)))
        assert all(value >= 0 for value in loss(worse, targets))
        assert float(loss(worse, targets).total()) > 0.05


def test_a_hand_of_unknown_side_trains_the_sum_of_both_sides():
    targets = draw_targets([[Target(HANDS[0].box)]], SIZE)
    sides = torch.randn(1, 2, 16, 16, requires_grad=True)
    flat = torch.zeros(1, 2, 16, 16)
    terms = loss(Maps(sides, flat, flat), targets)
    assert terms.side == 0
    left, right, _ = torch.cat([sides, torch.zeros(1, 1, 16, 16)], dim=1).softmax(dim=1)[0]
    total = (left + right)[None]
    torch.testing.assert_close(terms.centre, focal(total.logit(), targets.heat).sum())
    exchanged = loss(Maps(sides.flip(1), flat, flat), targets)
    torch.testing.assert_close(exchanged.centre, terms.centre)


def test_targets_of_a_mirrored_image_are_mirrored():
    mirror = Warp(np.diag([-1.0, 1.0]), np.array([float(SIZE[1]), 0.0]))
    moved = [mirror.hand(LabelledHand(hand.box, hand.side), SIZE[0]) for hand in HANDS]
    assert moved == [mirrored(hand, SIZE[1]) for hand in HANDS]
    a, b = draw_targets([HANDS], SIZE), draw_targets([moved], SIZE)
    for name in ("heat", "near", "sided", "counted"):
        torch.testing.assert_close(getattr(b, name).flip(-1), getattr(a, name))
    assert torch.equal(b.right.flip(-1)[a.near > 0], 1 - a.right[a.near > 0])


def test_ignored_hands_cost_nothing():
    targets = draw_targets([[Target(HANDS[0].box, "left", ignored=True)]], SIZE)
    sides = torch.full((1, 2, 16, 16), -12.0)
    sides[0, :, 4, 3] = 5.0
    flat = torch.zeros(1, 2, 16, 16)
    assert float(loss(Maps(sides, flat, flat), targets).total()) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    "box", [(-90.0, -10.0, 300.0, 200.0), (-40.0, 30.0, 60.0, 60.0), (100.0, 100.0, 500.0, 20.0)]
)
def test_hands_that_exceed_the_image_have_a_centre_in_it(box):
    targets = draw_targets([[Target(box, "left")]], SIZE)
    assert targets.heat.max() == 1
    assert float(targets.near.sum()) == pytest.approx(1)
    boxes = boxes_of(perfect(targets))[0, :, targets.near[0] > 0]
    torch.testing.assert_close(boxes, torch.tensor(box)[:, None].expand_as(boxes), rtol=1e-4, atol=1e-2)


def test_generalised_iou_is_1_for_equal_and_negative_for_distant_boxes():
    a = torch.tensor([0.0, 0, 10, 10]).view(1, 4, 1, 1)
    assert generalised_iou(a, a).item() == pytest.approx(1)
    assert generalised_iou(a, a + torch.tensor([5.0, 0, 0, 0]).view(1, 4, 1, 1)).item() == pytest.approx(
        1 / 3
    )
    assert generalised_iou(a, a + torch.tensor([90.0, 0, 0, 0]).view(1, 4, 1, 1)).item() == pytest.approx(
        -0.8
    )


def test_rotated_boxes_are_those_of_the_ellipse_inside():
    box = (10.0, 20.0, 40.0, 10.0)
    quarter = Warp.similarity(np.zeros(2), np.zeros(2), 1.0, math.pi / 2, False).box(box)
    assert quarter == pytest.approx((-30, 10, 10, 40))
    centre = np.array([30.0, 25.0])
    turned = Warp.similarity(centre, centre, 2.0, 0.3, True).box((20.0, 15.0, 20.0, 20.0))
    assert turned == pytest.approx((10, 5, 40, 40))


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Write four images with one bright square each, as hands, and one without; return the file of boxes."""
    rng, records = np.random.default_rng(0), []
    for i in range(5):
        pixels = rng.integers(0, 60, (60, 80, 3), np.uint8)
        x, y = rng.integers(5, 40), rng.integers(5, 30)
        if i < 4:
            pixels[y : y + 20, x : x + 24] += 180
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        boxes = [[float(x), float(y), 24.0, 20.0]] if i < 4 else []
        records.append({"file": f"{i}.png", "boxes": boxes, "handedness": ["left"] * len(boxes)})
    (tmp_path / "boxes.json").write_text(json.dumps(records))
    return tmp_path / "boxes.json"


def test_boxes_lie_on_the_hands_of_training_images(photographs: Path):
    mixture = Mixture((tuple(read_box_frames(photographs)),), (1.0,))
    bright, seen = [], 0
    for seed in range(40):
        pixels, hands = draw_picture(mixture, 64, np.random.default_rng(seed))
        for hand in hands:
            x, y, w, h = hand.box
            inner = pixels[
                max(0, int(y + h / 3)) : int(y + 2 * h / 3), max(0, int(x + w / 3)) : int(x + 2 * w / 3)
            ]
            if not hand.ignored and inner.size and min(w, h) > 8:
                bright.append(float(inner.mean()))
                seen += 1
    assert seen > 20
    assert np.median(bright) > 170


def test_frames_group_the_hands_of_an_image(photographs: Path):
    uv_px = np.random.default_rng(0).uniform(5, 50, (21, 2)).astype(np.float32)
    image = photographs.parent / "0.png"
    samples = [Sample("a", image, "left", uv_px=uv_px), Sample("b", image, "right", uv_px=uv_px + 9)]
    (frame, empty) = frames_of(samples, [image, photographs.parent / "4.png"])
    assert [hand.side for hand in frame.hands] == ["left", "right"]
    x, y, width, height = frame.hands[0].box
    assert (x, y) == pytest.approx(uv_px.min(axis=0) + 0.5)
    assert (x + width, y + height) == pytest.approx(uv_px.max(axis=0) + 0.5)
    assert empty.hands == ()


def plan_of(photographs: Path, text: str = "") -> Plan:
    path = photographs.with_name("plan.toml")
    path.write_text(
        f'[data]\nphotographs = {{ boxes = "{photographs}" }}\n'
        f'[validation]\nphotographs = {{ boxes = "{photographs}" }}\n'
        f"[training]\nupdates = 2\nbatch_size = 2\nimage_px = [64]\nsize_px = 64\nsave_every = 1\n{text}"
    )
    return read_plan(path)


def test_plans_return_from_toml(photographs: Path, tmp_path: Path):
    plan = plan_of(photographs)
    (tmp_path / "again.toml").write_text(write_plan(plan))
    assert read_plan(tmp_path / "again.toml") == plan


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_px = []", "not valid TOML"),
        ("seed = -1", "seed is -1"),
        ("updatse = 1", 'unknown key "updatse"'),
    ],
)
def test_wrong_plans_are_refused(photographs: Path, text: str, message: str):
    with pytest.raises(HandsError, match=message):
        plan_of(photographs, text)


def test_batches_depend_on_seed_and_step_alone(photographs: Path):
    plan = plan_of(photographs)
    one, two = (draw_batch(plan.mixture(), plan.training, 1) for _ in range(2))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1].heat, two[1].heat)
    assert not torch.equal(one[0], draw_batch(plan.mixture(), plan.training, 2)[0])


def test_a_resumed_training_ends_bit_for_bit_alike(photographs: Path, tmp_path: Path, monkeypatch):
    plan = plan_of(photographs)
    whole = train_detector(plan, tmp_path / "whole")
    assert whole is not None
    assert whole.hands == 4

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("latent_hands.detection.training._report", stop)
        with pytest.raises(KeyboardInterrupt):
            train_detector(plan, tmp_path / "parts")  # the state of step 1 is on disk
    with pytest.raises(HandsError, match="already holds a training"):
        train_detector(plan, tmp_path / "parts")
    train_detector(plan, tmp_path / "parts", resume=True)
    assert (tmp_path / "parts" / STATE).read_bytes() == (tmp_path / "whole" / STATE).read_bytes()
    Detector.load(tmp_path / "whole" / "detector").detect(np.zeros((40, 50, 3), np.uint8))


def test_a_training_that_starts_from_a_detector_starts_with_its_outputs():
    torch.manual_seed(0)
    trained, images = DetectionNetwork("float32"), torch.rand(4, 3, 64, 64)
    for norm in (part for part in trained.modules() if isinstance(part, torch.nn.BatchNorm2d)):
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias)
    trained.train()(images)  # statistics of its own
    detector = fused(trained.eval())
    network = DetectionNetwork("float32")
    unfuse(network, detector.state_dict(), lambda: network(images))
    with torch.no_grad():
        for mode, x in ((False, torch.rand(2, 3, 96, 64)), (True, images)):
            expected, found = vars(detector(x)), vars(network.train(mode)(x))
            for name in expected:
                torch.testing.assert_close(found[name], expected[name], atol=2e-3, rtol=1e-3)


def test_the_shipped_detector_learns_on(photographs: Path, tmp_path: Path):
    plan = plan_of(photographs, 'start = "detection"\nlearning_rate = 0.0')
    train_detector(plan, tmp_path / "run")
    before, after = (Detector.load(each).network for each in ("detection", tmp_path / "run" / "detector"))
    image = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        apart = (after(image).size - before(image).size).abs()
    assert apart.mean() < 0.1  # statistics of BatchNorm are estimated, and outputs are rounded to bfloat16
    assert apart.max() < 0.5


def test_a_start_that_is_no_training_is_refused(photographs: Path, tmp_path: Path):
    with pytest.raises(HandsError, match=r'start is "nowhere": it must be "detection"'):
        train_detector(plan_of(photographs, 'start = "nowhere"'), tmp_path / "run")


def detection(x: float, score: float) -> Detection:
    return Detection((x, 0.0, 10.0, 10.0), "left", score, 0.1)


def test_each_hand_is_found_once():
    hands = [
        LabelledHand((0.0, 0.0, 10.0, 10.0), "left"),
        LabelledHand((100.0, 0.0, 10.0, 10.0), ignored=True),
    ]
    found = matches(
        [detection(1.0, 0.9), detection(2.0, 0.8), detection(100.0, 0.7), detection(50.0, 0.6)], hands
    )
    assert [each.hand is not None for each in found] == [True, False, False]


def test_scores_and_threshold_of_counted_detections():
    hand = LabelledHand((0.0, 0.0, 10.0, 10.0), "left")
    frames = [Frame(Path("a"), (hand,)), Frame(Path("b"), (hand,)), Frame(Path("c"))]
    found = [
        [Match(detection(0.0, 0.9), hand, False)],
        [Match(detection(0.0, 0.7), hand, False)],
        [Match(detection(0.0, 0.5), None, True)],
    ]
    threshold = choose_threshold(found, frames)
    assert 0.5 < threshold <= 0.7
    measured = scores(found, frames, threshold)
    assert (measured.recall, measured.precision, measured.side, measured.false_share) == (1, 1, 1, 0)
    assert scores(found, frames, 0.4).false_share == 1


def test_calibration_recovers_the_logits_of_random_outcomes():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4000, generator=generator)
    truth = (torch.rand(4000, generator=generator) < torch.sigmoid(0.5 * logits - 1)).float()
    assert fit_logistic(logits[:, None], truth) == pytest.approx([0.5, -1], abs=0.15)
    assert fit_logistic(logits[:, None], torch.ones(4000)) == [1.0, 0.0]
