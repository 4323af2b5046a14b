"""The algorithms: which arrows each step trains, which stay equal bit by bit, and errors before training."""

from dataclasses import replace

import pytest
import torch
from graphs import batch, decoder, encoder, estimation, synthesis

from latent_hands.beyond import Agreement, Rereading
from latent_hands.beyond.regression import regression
from latent_hands.beyond.rereading import refinement
from latent_hands.build import build_phases
from latent_hands.build.graph import sketch_vae
from latent_hands.configuration import load_experiment
from latent_hands.errors import HandsError
from latent_hands.paper.algorithms import (
    Phase,
    Step,
    algorithm_1,
    algorithm_2,
    alternating,
    check,
    cross_modal,
    keys,
    simultaneous,
)
from latent_hands.paper.bound import Bound, total
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.training.learning import parameters, take_step

EQ_2 = Bound(("cpose", "viewpoint"), {"pose": 1.0, "cpose": 0.01, "viewpoint": 0.01}, 0.01)
EQ_4 = Bound(("pose",), EQ_2.decoders, 0.01)
EQ_8 = Bound(("rgb",), EQ_2.decoders, 0.01)


def run(vae, step, data=None, updates=2, frozen_batchnorm=False):
    optimiser = torch.optim.Adam(parameters(vae, Phase("p", (step,), 1)).values(), lr=1e-2)
    for _ in range(updates):
        noise = torch.Generator().manual_seed(0)
        batches = {"labelled": data or batch()}
        take_step(vae, step, batches, optimiser, noise, frozen_batchnorm=frozen_batchnorm)


def changed(vae, step):
    """Return the arrows of which a parameter or buffer changes in two updates."""
    before = {name: tensor.clone() for name, tensor in vae.state_dict().items()}
    run(vae, step)
    after = vae.state_dict()
    return {".".join(n.split(".")[:2]) for n in before if not torch.equal(before[n], after[n])}


def test_algorithm_1_disentangles_then_embeds_each_modality():
    phases = algorithm_1(EQ_2, (EQ_4, EQ_8), t1=3, t2=5)
    assert [(p.name, p.epochs) for p in phases] == [("disentangle", 3), ("embed_pose", 5), ("embed_rgb", 5)]
    learned = [(p.steps[0].phi, p.steps[0].theta) for p in phases]
    assert learned == [
        (("cpose", "viewpoint"), ("pose", "cpose", "viewpoint")),
        (("pose",), ()),
        (("rgb",), ()),
    ]
    check(estimation(), phases)


def test_a_step_changes_only_the_arrows_that_it_names():
    disentangle, embed_pose, embed_rgb = (p.steps[0] for p in algorithm_1(EQ_2, (EQ_4, EQ_8), 1, 1))
    y = {"encoders.cpose", "encoders.viewpoint"}
    decoders = {"decoders.pose", "decoders.cpose", "decoders.viewpoint"}
    assert changed(estimation(), disentangle) == y | decoders
    assert changed(estimation(), embed_pose) == {"encoders.pose"}
    assert changed(estimation(), embed_rgb) == {"encoders.rgb"}


def test_frozen_image_decoders_keep_their_batchnorm_statistics():
    explained = {"rgb": 1.0, "pose": 1.0, "tag": 1.0}
    step = Step(Bound(("rgb",), explained, 1.0), phi=("rgb",))
    assert changed(synthesis(), step) == {"encoders.rgb"}


def test_arrows_are_frozen_by_their_whole_name():
    bound = Bound(("pose", "u"), {"rgb_u": 1.0, "pose_u": 1.0}, 1.0)
    assert changed(synthesis(), Step(bound, theta=("pose_u",))) == {"decoders.pose_u"}
    vae = synthesis()
    bound = Bound(("pose",), {"pose": 1.0}, 1.0)
    assert changed(vae, Step(bound, theta=("pose",))) == {"decoders.pose"}


def test_updates_increase_the_bound():
    vae, data = estimation(), batch(64)
    step = algorithm_1(EQ_2, (), 1, 1)[0].steps[0]

    def value():
        return total(EQ_2.terms(vae, data, torch.Generator().manual_seed(0))).item()

    before = value()
    run(vae, step, data, updates=30)
    assert value() > before


def test_cross_modal_trains_every_arrow_of_eq_1():
    (phase,) = cross_modal(Bound(("rgb",), {"rgb": 1.0, "pose": 1.0}, 1.0), 7)
    assert phase.epochs == 7
    assert changed(synthesis(), phase.steps[0]) == {"encoders.rgb", "decoders.rgb", "decoders.pose"}


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_batchnorm_keeps_its_statistics_and_learns_its_scales(frozen):
    vae = estimation()
    before = {name: tensor.clone() for name, tensor in vae.state_dict().items()}
    run(vae, Step(EQ_8, phi=("rgb",)), frozen_batchnorm=frozen)
    after = vae.state_dict()
    norms = [n.removesuffix("running_mean") for n in before if n.endswith("running_mean")]
    norms = [name for name in norms if name.startswith("encoders.rgb")]
    assert norms
    for name in norms:
        for statistic in ("running_mean", "running_var"):
            assert torch.equal(before[name + statistic], after[name + statistic]) == frozen
        assert not torch.equal(before[name + "weight"], after[name + "weight"])


def test_a_phase_requests_only_the_labels_that_it_uses():
    phases = algorithm_1(EQ_2, (EQ_4, EQ_8), 1, 1)
    poses = {"pose", "cpose", "viewpoint"}
    assert [keys(estimation(), phase.parts) for phase in phases] == [poses, poses, poses | {"rgb"}]
    assert [keys(estimation(sided=True), p.parts) for p in phases][1] == poses | {"right"}


def test_a_term_that_is_not_finite_is_named_and_changes_no_weight():
    vae, data = estimation(), batch()
    data["cpose"][0, 0, 0] = torch.inf
    before = {name: tensor.clone() for name, tensor in vae.state_dict().items()}
    step = Step(EQ_8, phi=("rgb",))
    optimiser = torch.optim.Adam(parameters(vae, Phase("p", (step,), 1)).values())
    with pytest.raises(HandsError, match="term log_p_cpose is -inf"):
        take_step(vae, step, {"labelled": data}, optimiser)
    weights = (n for n, _ in vae.named_parameters())
    assert all(torch.equal(before[n], vae.state_dict()[n]) for n in weights)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (
            Step(Bound(("rbg",), {"pose": 1.0}, 1.0), phi=("rbg",)),
            'unknown encoder "rbg"; did you mean "rgb"',
        ),
        (Step(Bound(("rgb",), {"poze": 1.0}, 1.0), phi=("rgb",)), 'unknown decoder "poze"'),
        (
            Step(Bound(("cpose", "pose"), {"pose": 1.0}, 1.0), phi=("pose",)),
            '"cpose" is inferred twice: by "cpose"',
        ),
        (
            Step(Bound(("cpose",), {"pose": 1.0}, 1.0), phi=("cpose",)),
            'decoder "pose" reads factor "viewpoint", which no encoder infers .encoders: cpose.',
        ),
        (Step(EQ_8), "trains nothing"),
        (Step(EQ_8, phi=("rgb",), repeats=0), "trains nothing"),
        (Step(EQ_8, phi=("pose",)), 'encoder "pose" is to learn, but the bound does not use it'),
        (Step(Bound(("rgb",), {"pose": 1.0}, 1.0), theta=("cpose",)), 'decoder "cpose" is to learn, but'),
        (Step(Bound(("rgb",), {}, 1.0), phi=("rgb",)), "no decoders"),
        (Step(EQ_8, phi=("rgb",), noise={"u": "prior"}), 'noise replaces factor "u"'),
    ],
)
def test_mistakes_in_the_graph_are_named_before_the_first_batch(step, message):
    legal = Step(EQ_8, phi=("rgb",))
    for number, steps in ((1, (step,)), (2, (legal, step, step))):
        with pytest.raises(HandsError, match=f'^phase "p", step {number}: .*{message}'):
            check(estimation(), (Phase("first", (legal,), 1), Phase("p", steps, 1)))


def test_more_factors_only_add_arrows():
    latent = {"cpose": 3, "viewpoint": 2, "u": 2}
    vae = DisentangledVAE(
        latent,
        {"cpose": encoder("cpose", {"cpose": 3}), "viewpoint": encoder("viewpoint", {"viewpoint": 2})}
        | {"u": encoder("rgb", {"u": 2}), "rgb": encoder("rgb", latent)},
        {"rgb": decoder("rgb", latent), "pose": decoder("pose", {"cpose": 3, "viewpoint": 2})},
    )
    explained = {"rgb": 1.0, "pose": 1.0}
    phases = algorithm_1(
        Bound(("cpose", "viewpoint", "u"), explained, 1.0), (Bound(("rgb",), explained, 1.0),), 1, 1
    )
    check(vae, phases)
    assert changed(vae, phases[1].steps[0]) == {"encoders.rgb"}


def with_u(noise="other", t2=1):
    explained = {"rgb_u": 1.0, "pose_u": 1.0}
    eq_6, y_alone = (Bound(("pose", "u"), d, 1.0) for d in (explained, {"pose_u": 1.0}))
    return algorithm_2(eq_6, y_alone, ("pose",), {"u": noise}, (), t1=1, t2=t2, t3=1)[0]


def test_algorithm_2_learns_everything_by_eq_6_then_the_pose_alone_with_z_u_replaced():
    phase = with_u(t2=3)
    eq_6, y_alone = phase.steps
    assert changed(synthesis(), eq_6) == {"encoders.pose", "encoders.u", "decoders.rgb_u", "decoders.pose_u"}
    assert changed(synthesis(), y_alone) == {"encoders.pose", "decoders.pose_u"}
    assert (eq_6.repeats, y_alone.repeats) == (1, 3)


@pytest.mark.parametrize("noise", ["other", "prior"])
def test_with_noise_for_z_u_the_pose_does_not_depend_on_the_image(noise):
    vae, data = synthesis(), batch()
    image, pose = data["rgb"].requires_grad_(), data["pose"].requires_grad_()
    (_, y_alone) = with_u(noise).steps
    total(y_alone.bound.terms(vae, data, torch.Generator().manual_seed(0), y_alone.noise)).backward()
    assert image.grad is None
    assert pose.grad is not None


def test_eq_5_takes_the_steps_of_both_phases_of_algorithm_1():
    (phase,) = simultaneous(EQ_2, (EQ_4, EQ_8), 7)
    separate = [step for p in algorithm_1(EQ_2, (EQ_4, EQ_8), 1, 1) for step in p.steps]
    assert list(phase.steps) == separate
    assert [number for number, _ in phase.due(5)] == [1, 2, 3]


def test_alternating_trains_one_encoder_at_each_update():
    (phase,) = alternating((EQ_8, EQ_4), 1)
    assert [[step.phi for _, step in phase.due(k)] for k in range(3)] == [[("rgb",)], [("pose",)], [("rgb",)]]
    decoders = {"decoders.pose", "decoders.cpose", "decoders.viewpoint"}
    assert changed(estimation(), phase.steps[0]) == {"encoders.rgb"} | decoders


def test_regression_is_least_squares_without_random_draws():
    (phase,) = regression(Bound(("rgb",), {"pose": 2.0}, 3.0), 1)
    vae, data, bound = estimation(), batch(), phase.steps[0].bound
    values = [total(bound.terms(vae, data, torch.Generator().manual_seed(s))) for s in (0, 1)]
    predicted = vae.decode("pose", {f: g.mean for f, g in vae.encode("rgb", data).items()})
    least_squares = (predicted - data["pose"]).square().sum(dim=(1, 2)).mean()
    torch.testing.assert_close(values[0], values[1], rtol=0, atol=0)
    torch.testing.assert_close(values[0], -least_squares)


def test_agreement_requests_its_label_and_does_not_train_its_encoder():
    vae = estimation()
    step = Step(replace(EQ_8, decoders={"pose": 1.0}, extra=(Agreement({"cpose": 1.0}),)), phi=("rgb",))
    assert keys(vae, step.parts) == {"rgb", "pose", "cpose"}
    assert changed(vae, step) == {"encoders.rgb"}


@pytest.mark.parametrize("encoders", [("cpose", "viewpoint"), ("viewpoint",)])
def test_agreement_needs_another_encoder_of_the_same_factor(encoders):
    vae = estimation()
    decoders = {"cpose": 1.0} if "cpose" in encoders else {"viewpoint": 1.0}
    step = Step(Bound(encoders, decoders, 0.0, extra=(Agreement({"cpose": 1.0}),)), phi=encoders)
    with pytest.raises(HandsError, match='agreement names encoder "cpose", whose factor "cpose" no other'):
        check(vae, (Phase("p", (step,), 1),))


def test_agreement_acts_where_a_factor_of_its_label_is_embedded():
    experiment = load_experiment("keypoints", ["--objectives.agreement={keypoints=0.5,cpose=0.25}"])
    phases = build_phases(experiment, sketch_vae(experiment))
    agreed = {phase.name: [each.weights for each in phase.steps[0].bound.extra] for phase in phases}
    assert agreed == {
        "disentangle": [],
        "embed_pose": [{"cpose": 0.25}],
        "embed_rgb": [{"keypoints": 0.5}, {"cpose": 0.25}],
    }


def test_refinement_trains_the_decoder_of_the_image_alone():
    vae = synthesis()
    eq_2 = Bound(("pose", "tag"), {"rgb": 1.0}, 1.0, extra=(Rereading("rgb", "rgb", 1.0, ("tag",)),))
    (phase,) = refinement([eq_2], 3)
    check(vae, (phase,))
    assert (phase.name, phase.epochs) == ("refine_rgb", 3)
    assert keys(vae, phase.parts) == {"rgb", "pose", "tag"}
    assert changed(vae, phase.steps[0]) == {"decoders.rgb"}
    with pytest.raises(
        HandsError, match='phase "refine_rgb", step 1: batch_size is 1, so there is no other sample'
    ):
        check(vae, (replace(phase, batch_size=1),))


def test_rereading_needs_a_decoder_that_reads_the_factors():
    vae = synthesis()
    bound = Bound(("pose", "u"), {"rgb_u": 1.0}, 1.0, extra=(Rereading("rgb", "rgb_u", 1.0),))
    with pytest.raises(
        HandsError, match='encoder "rgb" rereads factor "tag", which decoder "rgb_u" does not read'
    ):
        check(vae, (Phase("p", (Step(bound, theta=("rgb_u",)),), 1),))
