"""Hands that rotate: equal angular steps between the given viewpoints, and nothing else that changes."""

import math

import numpy as np
import pytest
import torch
from tiny_models import ESTIMATION, FOUR_FACTORS, PX, SYNTHESIS, WITHOUT_TAGS, noise_image, tiny_model

from latent_hands.cli import main
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.hand.geodesic import rotations_between
from latent_hands.predictor.viewpoints import rotated, viewed

A, B = noise_image(PX, PX, seed=1), noise_image(PX, PX, seed=2)
GRAPHS = {"estimation": ESTIMATION, "tags": SYNTHESIS, "four": FOUR_FACTORS, "z_u": WITHOUT_TAGS}


def rotations(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return geometry.nearest_rotation(torch.randn(count, 3, 3, generator=generator, dtype=torch.float64))


def points(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(21, 3))


@pytest.mark.parametrize("seed", range(5))
def test_a_geodesic_has_equal_angular_steps_between_its_ends(seed: int):
    start, end = rotations(2, seed)
    way = rotations_between(start, end, 9)
    assert torch.allclose(way[0], start)
    assert torch.allclose(way[-1], end)
    assert torch.allclose(way @ way.mT, torch.eye(3, dtype=way.dtype).expand(9, -1, -1))
    whole = geometry.geodesic_deg(start, end)
    assert torch.allclose(geometry.geodesic_deg(way[:-1], way[1:]), whole / 8)


def test_a_geodesic_about_one_axis_divides_the_angle():
    way = rotations_between(geometry.in_plane(0.25), geometry.in_plane(1.0), 4)
    assert torch.allclose(way, geometry.in_plane(torch.tensor([0.25, 0.5, 0.75, 1.0])), atol=1e-6)
    half_turn = rotations_between(geometry.in_plane(0.0), geometry.in_plane(math.pi), 3)
    assert geometry.geodesic_deg(half_turn[0], half_turn[1]).item() == pytest.approx(90, abs=0.1)


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_the_encoded_hands_have_the_viewpoints_of_the_geodesic(graph: str):
    """Every step is q(z | viewpoint), or q(z | pose) of the composed pose; content and CPose stay."""
    model = tiny_model(graph)
    start = model.latent(A, tuple(model.vae.latent))
    hand, end = viewed(model, points(1)), viewed(model, points(2))["viewpoint"][0]
    z = rotated(model, start, hand, end, 5)
    assert set(z) == set(start)
    for i, V in enumerate(rotations_between(hand["viewpoint"][0], end, 5)):
        pose = geometry.compose(hand["cpose"][0], V)
        if "viewpoint" in start:
            seen = model.vae.encode("viewpoint", {"viewpoint": V[None]})
        else:
            seen = model.vae.encode("pose", {"pose": pose[None]}) if "pose" in model.vae.encoders else {}
        for factor, q in seen.items():
            assert torch.allclose(z[factor][i], q.mean[0], atol=1e-5)
        for factor in set(start) - set(seen):
            assert torch.equal(z[factor][i], start[factor][0])


def test_a_hand_that_ends_where_it_starts_does_not_move():
    model = tiny_model(SYNTHESIS)
    walk = model.rotate(A, A, 3)
    assert len(walk.images) == 3
    assert np.allclose(walk.poses, walk.poses[:1], atol=1e-4)


def test_the_end_may_be_joints_alone():
    assert len(tiny_model(SYNTHESIS).rotate(A, points(), 4).images) == 4
    assert tiny_model(ESTIMATION).rotate(A, B, 4).images == []


def test_a_given_hand_keeps_its_viewpoint():
    cpose, _ = geometry.canonicalise(torch.from_numpy(points() - points()[0]).float())
    V = rotations(1)[0].float()
    seen = viewed(tiny_model(SYNTHESIS), (cpose @ V).numpy())
    assert torch.allclose(seen["viewpoint"][0], V, atol=1e-5)
    assert torch.allclose(seen["cpose"][0] / seen["cpose"].norm(), cpose / cpose.norm(), atol=1e-5)


def test_a_run_that_encodes_images_alone_cannot_rotate():
    graph = WITHOUT_TAGS.replace('pose = { reads = "pose", factors = ["pose"] }\n', "", 1)
    with pytest.raises(HandsError, match="encodes neither viewpoints nor poses"):
        tiny_model(graph).rotate(A, B)
    with pytest.raises(HandsError, match="steps is 1"):
        tiny_model(SYNTHESIS).rotate(A, B, 1)


def test_a_walk_changes_a_factor_or_rotates(capsys: pytest.CaptureFixture):
    for options in ([], ["--rotate", "--factor", "pose"]):
        assert main(["walk", "synthesis", "--start", "a.png", "--end", "b.png", *options]) == 2
        assert "give either --factor F or --rotate" in capsys.readouterr().err
