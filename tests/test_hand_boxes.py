"""A box: one definition for joints, crops and overlaps."""

import numpy as np
import pytest
import torch

from latent_hands.hand import camera
from latent_hands.hand.boxes import box_of_joints, crop_of_box, crop_of_joints, iou


@pytest.fixture
def uv_px() -> np.ndarray:
    return np.random.default_rng(0).uniform(200, 300, (21, 2)).astype(np.float32)


def test_the_box_of_two_pixels_reaches_from_centre_to_centre():
    uv_px = np.tile(np.array([[10.0, 20.0]]), (21, 1))
    uv_px[3] = [14.0, 22.0]
    assert box_of_joints(uv_px) == (10.5, 20.5, 4.0, 2.0)


def test_boxes_move_and_scale_with_their_joints(uv_px):
    x, y, width, height = box_of_joints(uv_px)
    assert box_of_joints(uv_px + np.array([7, -3])) == pytest.approx((x + 7, y - 3, width, height))
    assert box_of_joints(2 * uv_px)[2:] == pytest.approx((2 * width, 2 * height))


def test_the_first_crop_is_concentric_and_a_quarter_wider():
    assert crop_of_box((10.0, 20.0, 40.0, 30.0)) == (5, 10, 50, 50)


def test_the_crop_of_joints_is_that_of_the_protocol_within_its_limits(uv_px):
    centre, side_px = camera.crop_box(torch.from_numpy(uv_px), torch.ones(21, dtype=torch.bool), (600, 600))
    x, y, side, _ = crop_of_joints(uv_px, (600, 600))
    assert (x + side / 2 - 0.5, y + side / 2 - 0.5) == pytest.approx(centre.tolist(), rel=1e-5)
    assert side == pytest.approx(float(side_px), rel=1e-5)


def test_joints_beyond_the_image_do_not_widen_the_crop(uv_px):
    far = uv_px.copy()
    far[1, 0] = 900
    assert crop_of_joints(far, (300, 300))[2] <= crop_of_joints(uv_px, (300, 300))[2] + 60


def test_overlaps():
    box = (0.0, 0.0, 10.0, 10.0)
    assert iou(box, box) == 1
    assert iou(box, (5.0, 0.0, 10.0, 10.0)) == pytest.approx(1 / 3)
    assert iou(box, (10.0, 0.0, 10.0, 10.0)) == iou(box, (30.0, 0.0, 9.0, 9.0)) == 0
    assert iou(box, (0.0,) * 4) == iou((0.0,) * 4, (0.0,) * 4) == 0
