"""The anatomical prior: real hands are plausible in every pose, and implausible ones are drawn back."""

import numpy as np
import pytest
import torch
from graphs import batch, estimation

from latent_hands.beyond import Anatomy
from latent_hands.build import build_phases, build_vae
from latent_hands.configuration import load_experiment
from latent_hands.errors import HandsError
from latent_hands.hand.anatomy import flexion_deg, implausibility, log_proportions
from latent_hands.hand.geometry import canonicalise, normalise, to_palm
from latent_hands.hand.rig.articulation import Articulation, neutral
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.paper.bound import Bound


def canonical(articulation):
    model = HandModel.load()
    joints = model.pose(model.identity(np.zeros(len(model.components))), articulation).keypoints
    pose, _ = normalise(to_palm(torch.from_numpy(np.asarray(joints, np.float32) * 1000)))
    return canonicalise(pose, torch.tensor(True))[0]  # the model is a right hand


def bent(finger, joint, degrees):
    angles = neutral().fingers.copy()
    angles[finger, joint] = degrees
    return Articulation(angles, neutral().thumb, 0.0, np.zeros(2))


def test_random_hands_of_the_renderer_are_plausible():
    rng = np.random.default_rng(0)
    values = torch.stack([implausibility(canonical(sample_articulation(rng))) for _ in range(40)])
    assert values.median() < 0.05
    assert values.mean() < 1.0


@pytest.mark.parametrize("joint", [2, 3])
def test_flexion_is_the_angle_of_the_joint(joint):
    """The angle grows by the degrees that the joint bends, in the direction of the palm."""
    low, high = (flexion_deg(canonical(bent(1, joint, degrees)))[1, joint - 1] for degrees in (10.0, 60.0))
    assert (high - low).item() == pytest.approx(50, abs=10)


def test_hyperextended_fingers_and_mirrored_hands_are_implausible():
    fist = canonical(Articulation(np.tile([80.0, 0, 95, 60], (4, 1)), neutral().thumb, 0.0, np.zeros(2)))
    assert implausibility(fist) < 1
    assert implausibility(fist * torch.tensor([1.0, 1, -1])) > 50


def test_any_size_and_any_frame_are_equal():
    hand = canonical(neutral())
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    turn = turn * turn.det().sign()
    for moved in (3 * hand, hand @ turn):
        torch.testing.assert_close(log_proportions(moved), log_proportions(hand), atol=1e-5, rtol=0)
        torch.testing.assert_close(flexion_deg(moved), flexion_deg(hand), atol=1e-2, rtol=0)


def test_the_gradient_is_finite_for_every_hand_and_draws_it_back():
    for hand in (torch.zeros(21, 3), torch.randn(21, 3, generator=torch.Generator().manual_seed(1))):
        hand.requires_grad_()
        value = implausibility(hand)
        (gradient,) = torch.autograd.grad(value, hand)
        assert gradient.isfinite().all()
    step = hand.detach() - 1e-4 * gradient
    assert implausibility(step) < value


def test_the_prior_is_a_term_of_the_bound_that_needs_no_label():
    vae, data = estimation(), batch()
    bound = Bound(("rgb",), {"viewpoint": 1.0}, 1.0, extra=(Anatomy({"cpose": 2.0}),))
    found = bound.evaluate(vae, data, torch.Generator().manual_seed(0))
    (term,) = bound.extra[0].terms(found)
    expected = -implausibility(vae.decode("cpose", found.z)).mean()
    assert (term.name, term.weight) == ("anatomy_cpose", 2.0)
    torch.testing.assert_close(term.value, expected)


def test_every_step_that_embeds_an_image_has_the_prior():
    options = ("--data.root=.", "--supervision.weak={uv=11.0}", "--objectives.anatomy={cpose=0.01}")
    experiment = load_experiment("placement", options)
    phases = build_phases(experiment, build_vae(experiment))
    found = {(p.name, part.feed): len(part.bound.extra) for p in phases for part in p.parts}
    assert found["embed_rgb", "labelled"] == found["embed_rgb", "rest"] == 1
    assert found["disentangle", "labelled"] == found["embed_pose", "labelled"] == 0
    wrong = load_experiment("placement", ["--data.root=.", "--objectives.anatomy={uv=1.0}"])
    with pytest.raises(HandsError, match='anatomy names decoder "uv", which writes uv; it must write cpose'):
        build_phases(wrong, build_vae(wrong))
