"""Occluders: what they cover, and what they leave as it is."""

import math
from dataclasses import replace

import pytest
import torch
from painted_hands import painted_hands

from latent_hands.data.augmentation import Augmentation
from latent_hands.data.augmentation.augment import augment
from latent_hands.data.augmentation.occluders import MOST_HIDDEN, Shapes, draw_shapes, occlude
from latent_hands.data.crops import build_windows
from latent_hands.errors import HandsError

PX, COUNT = 48, 300
NUMBER, SIZE = (1, 3), (0.2, 0.8)
BORROWED = 5.0  # outside the range of colours


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _occlude(uv_px, background=0.0, number=NUMBER, size=SIZE):
    images = torch.full((COUNT, 3, PX, PX), background)
    return occlude(images, torch.full_like(images, BORROWED), uv_px, number, size, _generator())


@pytest.fixture(scope="module")
def uv_px():
    """Joints at whole pixels, some beyond the crop."""
    return torch.randint(-4, PX + 4, (COUNT, 21, 2), generator=_generator(1)).float()


def test_at_most_half_of_the_joints_are_hidden(uv_px):
    touched = (_occlude(uv_px, -9.0) != -9.0).any(dim=1)
    u, v = uv_px.long().unbind(dim=-1)
    beyond = (u < 0) | (v < 0) | (u >= PX) | (v >= PX)
    at = (torch.arange(COUNT)[:, None], v.clamp(0, PX - 1), u.clamp(0, PX - 1))
    occluded = touched.flatten(1).any(dim=1)
    hidden = (touched[at] | beyond).float().mean(dim=1)[occluded]
    assert hidden.max() <= MOST_HIDDEN
    assert hidden.max() > MOST_HIDDEN - 0.1
    assert occluded.float().mean() > 0.7


def test_a_hand_outside_the_crop_gets_no_occluder():
    assert torch.equal(_occlude(torch.full((COUNT, 21, 2), -5.0)), torch.zeros(COUNT, 3, PX, PX))


def test_pixels_outside_shapes_are_unchanged_and_shapes_have_one_texture(uv_px):
    light, dark = _occlude(uv_px, 1.0), _occlude(uv_px, -1.0)
    free = (light == 1) & (dark == -1)
    covered = light == dark
    edge = ~free & ~covered
    assert free.float().mean() > 0.5
    assert covered.float().mean() > 0.1
    assert edge.float().mean() < 0.1
    borrowed = (light == BORROWED) & covered
    some = covered.flatten(1).any(dim=1)
    entirely = (borrowed == covered).flatten(1).all(dim=1)[some]
    assert torch.equal(entirely, borrowed.flatten(1).any(dim=1)[some])
    assert entirely.float().mean() == pytest.approx(1 / 3, abs=0.1)
    assert light[covered & ~borrowed].abs().max() <= 1


def test_shapes_have_the_given_number_and_size():
    shapes = draw_shapes(COUNT, PX, (2, 4), (0.2, 0.5), _generator())
    counts = (shapes.lines[..., 2] < 1e6).all(dim=-1).sum(dim=1)
    assert set(counts.tolist()) == {2, 3, 4}
    assert 0.4 * 0.2 * PX / 2 <= shapes.half_px.min() < shapes.half_px.max() <= 0.5 * PX / 2


@pytest.mark.parametrize(("is_ellipse", "area"), [(True, math.pi / 4), (False, 1.0)])
def test_the_area_of_an_ellipse_and_of_a_rectangle(is_ellipse, area):
    width, height, u, v = 60, 24, 50.0, 40.0
    right, down = [2 / width, 0, -2 * u / width], [0, 2 / height, -2 * v / height]
    sides = [right, down, *([-x for x in side] for side in (right, down))]
    shapes = Shapes(torch.tensor([[sides]]), torch.tensor([[is_ellipse]]), torch.tensor([[height / 2]]))
    axis = torch.arange(100.0)
    depth_px = shapes.depth_px(axis[None, None, None], axis[None, None, :, None])[0, 0]
    assert (depth_px + 0.5).clamp(0, 1).sum() == pytest.approx(area * width * height, rel=0.03)
    assert depth_px.max() == depth_px[40, 50] == pytest.approx(height / 2)


def test_occluders_change_neither_labels_nor_tags(tmp_path):
    samples = [replace(s, tag=s.image, scene_box=(110.0, 90.0, 100.0)) for s in painted_hands(tmp_path, 6)]
    windows = build_windows(samples, "scene", images=["tag"])
    plain, occluded = (
        augment(windows, torch.arange(6), 64, Augmentation(occluders=p), _generator()) for p in (0.0, 1.0)
    )
    for key in plain.keys() - {"rgb"}:
        assert torch.equal(plain[key], occluded[key]), key
    assert not torch.equal(plain["rgb"], occluded["rgb"])


def test_occluders_need_2d_joints(tmp_path):
    unlabelled = [replace(s, uv_px=None, K=None) for s in painted_hands(tmp_path, 2)]
    with pytest.raises(HandsError, match=r'occluders = 0\.5, but the samples have no "uv_px"'):
        augment(build_windows(unlabelled), torch.arange(2), 64, Augmentation(occluders=0.5), _generator())
