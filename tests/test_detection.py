"""The detector: its network, letterbox, peaks, and answers on any image."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch

from latent_hands.detection import Detector
from latent_hands.detection.detector import SHIPPED, Settings
from latent_hands.detection.letterbox import letterbox, views
from latent_hands.detection.network import DetectionNetwork, Maps
from latent_hands.detection.peaks import candidates, distinct
from latent_hands.errors import HandsError
from latent_hands.networks.fusion import fused
from latent_hands.networks.packing import packed


@pytest.fixture(scope="module")
def network() -> DetectionNetwork:
    torch.manual_seed(0)
    network = DetectionNetwork("float32").eval()
    network.centres[1].bias.data.add_(3.0)  # peaks enough for a test
    return network


@pytest.fixture(scope="module")
def eager(network: DetectionNetwork) -> Detector:
    """Return a detector that has learnt nothing and reports every peak."""
    return Detector(network, Settings(size_px=64, threshold=0.0))


def maps_of(hands: list[tuple[int, int, float]], cells: int = 8) -> Maps:
    """Return maps with a centre (column, row, logit of a right hand) for each hand, of 3 x 2 cells."""
    sides = torch.full((1, 2, cells, cells), -9.0)
    for column, row, right in hands:
        sides[0, :, row, column] = torch.tensor([5.0, 5.0 + right])
    size = torch.tensor([3.0, 2.0]).log()[:, None, None].expand(1, 2, cells, cells)
    return Maps(sides, torch.zeros(1, 2, cells, cells), size)


def random_image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_folded_batchnorm_and_strides_change_nothing(network: DetectionNetwork):
    image = torch.rand(2, 3, 96, 64) * 2 - 1
    with torch.no_grad():
        whole, folded = network(image), fused(network)(image)
    for name in ("sides", "place", "size"):
        torch.testing.assert_close(getattr(folded, name), getattr(whole, name), rtol=1e-4, atol=1e-4)


def test_folding_and_another_type_of_the_result_leave_the_given_network_as_it_is():
    network = DetectionNetwork().train()
    before = copy.deepcopy(network.state_dict())
    fused(network).to(torch.bfloat16)
    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())
    assert {t.dtype for t in network.parameters()} == {torch.float32}
    assert all(t.requires_grad for t in network.parameters())
    assert network.blocks.training


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)])
def test_packed_layers_change_nothing(network: DetectionNetwork, dtype: torch.dtype, tolerance: float):
    folded = fused(network).to(dtype)
    layers = packed(copy.deepcopy(folded))
    for each in (layers, copy.deepcopy(layers)):
        for size in ((2, 3, 96, 64), (1, 3, 64, 64), (2, 3, 96, 64)):
            image = (torch.rand(size) * 2 - 1).to(dtype)
            with torch.inference_mode():
                one, other = folded(image), each(image)
            for name in ("sides", "place", "size"):
                parts = getattr(other, name), getattr(one, name)
                torch.testing.assert_close(*parts, rtol=tolerance, atol=tolerance)


def test_the_three_probabilities_of_a_cell_sum_to_one():
    sides = torch.randn(1, 2, 4, 4)
    maps = Maps(sides, torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4))
    left, right, _ = torch.cat([sides, torch.zeros(1, 1, 4, 4)], dim=1).softmax(dim=1)[0]
    torch.testing.assert_close(maps.hand.sigmoid()[0], left + right)
    torch.testing.assert_close(maps.right.sigmoid()[0], right / (left + right))


def test_candidates_are_the_boxes_of_the_centres():
    (rows,) = candidates(maps_of([(1, 6, 2.0), (5, 2, -3.0)]))
    assert sorted(map(tuple, rows[:, :4].round(decimals=3).tolist())) == [(0, 44, 24, 16), (32, 12, 24, 16)]
    assert sorted(rows[:, 4].tolist()) == pytest.approx([-3, 2])


def test_cells_that_agree_on_a_box_support_it():
    sides = torch.full((1, 2, 8, 8), -9.0)
    sides[0, :, 3, 3], sides[0, :, 3, 4] = 1.0, 0.0
    apart, together = torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8)
    together[0, 0, 3, 4] = -1.0  # the box of cell 3
    size = torch.full((1, 2, 8, 8), 0.5)
    (alone,), (supported,) = (candidates(Maps(sides, place, size)) for place in (apart, together))
    logits = torch.tensor([1.0, 0.0]) + torch.tensor(2.0).log()
    assert alone[0, 6].exp() == pytest.approx(float(logits[0].sigmoid()), abs=1e-3)
    assert supported[0, 6].exp() == pytest.approx(float(logits.sigmoid().sum()), abs=1e-3)


def test_a_hand_has_one_side_and_one_box():
    boxes = torch.tensor([[0.0, 0, 40, 40], [8, 0, 40, 40], [100, 0, 40, 40], [10, 10, 12, 12]])
    assert distinct(boxes, torch.tensor([0.3, 0.9, 0.5, 0.8])).tolist() == [1, 2]


@pytest.mark.parametrize(("height", "width"), [(480, 640), (1, 1), (37, 20), (900, 500), (3, 5)])
def test_boxes_return_from_the_letterbox(height: int, width: int):
    view = letterbox(random_image(height, width), 64, 32)
    assert all(side % 32 == 0 for side in view.pixels.shape[:2])
    assert max(view.pixels.shape[:2]) == 64
    inner = np.array([[0.0, 0, width * view.scale[0], height * view.scale[1]]])
    assert np.allclose(view.to_image(inner), [[0, 0, width, height]])


@pytest.mark.parametrize(("height", "width"), [(100, 900), (900, 100), (1, 3000), (50, 101)])
def test_squares_of_a_long_image_overlap_by_half_and_cover_it(height: int, width: int):
    parts = views(random_image(height, width), 64, 32)
    sides = [round(part.pixels.shape[0] / part.scale[0]) for part in parts]
    starts = [max(part.left, part.top) for part in parts]
    assert (starts[0], starts[-1] + sides[-1]) == (0, max(height, width))
    assert all(b - a <= sides[0] / 2 + 1 for a, b in pairwise(starts))
    assert len(parts) <= 18


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 700), (90, 31), (64, 64), (200, 300)])
def test_boxes_of_any_image_are_legal(eager: Detector, height: int, width: int):
    found = eager.detect(random_image(height, width))
    assert found
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    for each in found:
        x, y, w, h = each.box_px
        assert min(w, h) > 0
        assert x < width
        assert y < height
        assert min(x + w, y + h) > 0
        assert 0 <= each.score <= 1
        assert each.handedness == ("right" if each.right > 0.5 else "left")


def test_nothing_is_found_above_a_threshold_of_one(network: DetectionNetwork):
    assert Detector(network, Settings(64, threshold=1.0)).detect(random_image(50, 60)) == []


def test_a_saved_detector_returns(eager: Detector, tmp_path):
    image = random_image(64, 64)
    again = Detector.load(eager.save(tmp_path / "mine"))
    assert again.settings == eager.settings
    for a, b in zip(eager.detect(image), again.detect(image), strict=True):
        assert a.box_px == pytest.approx(b.box_px, abs=0.5)


def test_missing_and_damaged_detectors_are_named(eager: Detector, tmp_path):
    with pytest.raises(HandsError, match=r'no detector "nowhere": .*detector\.toml'):
        Detector.load("nowhere")
    folder = eager.save(tmp_path / "mine")
    (folder / "weights.safetensors").write_bytes(b"broken")
    with pytest.raises(HandsError, match="does not hold the weights of a detector"):
        Detector.load(folder)


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 3))]
)
def test_only_images_of_bytes_are_read(eager: Detector, wrong):
    with pytest.raises(HandsError, match="an image must be uint8"):
        eager.detect(wrong)


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (200, 300), (40, 400)])
def test_the_shipped_detector_finds_no_hand_in_a_blank_image(grey: int, height: int, width: int):
    assert Detector.load().detect(np.full((height, width, 3), grey, np.uint8)) == []


def test_the_shipped_detector_is_small():
    assert sum(path.stat().st_size for path in (SHIPPED / "detection").iterdir()) < 10_000_000
