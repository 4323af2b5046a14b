"""The phase of refinement: its weights, the factors that it borrows, and errors before training."""

import pytest
from tiny_hands import TINY

from latent_hands.beyond import Features, Rereading
from latent_hands.build import build_phases, build_vae
from latent_hands.configuration import load_experiment
from latent_hands.errors import HandsError


def phases_of(experiment):
    return {phase.name: phase for phase in build_phases(experiment, build_vae(experiment))}


REFINE = "--objectives.rereading={rgb=10.0}"


def test_refinement_has_a_phase_with_its_own_weights_and_borrows_the_content():
    phases = phases_of(load_experiment("synthesis", [*TINY, REFINE, "--phases.refine_rgb.lam={rgb=0.5}"]))
    assert list(phases) == ["disentangle", "embed_rgb", "refine_rgb"]
    (step,) = phases["refine_rgb"].steps
    assert (step.phi, step.theta) == ((), ("rgb",))
    assert dict(step.bound.decoders) == {"rgb": 0.5}
    assert step.bound.extra == (Rereading("rgb", "rgb", 10.0, ("content",)),)
    assert phases["disentangle"].steps[0].bound.decoders["rgb"] != 0.5


def test_refinement_borrows_all_factors_but_those_of_the_pose():
    phases = phases_of(load_experiment("four_factors", [*TINY, REFINE]))
    assert phases["refine_rgb"].steps[0].bound.extra[0].borrowed == ("identity", "background")
    u = phases_of(load_experiment("algorithm_2", [*TINY, REFINE]))["refine_rgb"].steps[0].bound
    assert u.encoders == ("pose", "u")
    assert u.extra[0].borrowed == ("u",)


def test_refinement_borrows_what_another_encoder_infers_from_the_same_image():
    phases = phases_of(load_experiment("portraits128_u", ["--training.start="]))
    (reread,) = (each for each in phases["refine_rgb"].steps[0].bound.extra if isinstance(each, Rereading))
    assert (reread.encoder, reread.borrowed) == ("rgb", ("u",))


def test_frozen_encoders_of_labels_leave_the_second_step_of_algorithm_2_to_the_decoder_of_poses():
    eq_6, y_alone = phases_of(load_experiment("portraits128_u", ["--training.start="]))["disentangle"].steps
    assert (eq_6.phi, set(eq_6.theta)) == (("u",), {"rgb", "pose"})
    assert (y_alone.phi, y_alone.theta, dict(y_alone.noise)) == ((), ("pose",), {"u": "other"})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "synthesis",
            ["--objectives.rereading={pose=1.0}"],
            '"pose" reads pose; it must read a colour image',
        ),
        ("estimation", [REFINE], '"rgb" reads rgb; it must read a colour image that a decoder writes'),
        ("synthesis", ["--objectives.rereading={rbg=1.0}"], 'unknown encoder "rbg"; did you mean "rgb"'),
        ("synthesis", [REFINE, "--algorithm.embed=[]"], '"rgb" is never trained'),
        (
            "synthesis",
            [REFINE, "--phases.refine_rgb.batch_size=1"],
            "batch_size is 1, so there is no other sample to borrow from",
        ),
        ("cross_modal", [REFINE], "rereading needs a finished encoder"),
    ],
)
def test_refinement_needs_a_decoded_image_and_a_trained_encoder(name, options, message):
    with pytest.raises(HandsError, match=message):
        phases_of(load_experiment(name, [*TINY, *options]))


def test_features_also_apply_to_the_phase_that_rereading_adds():
    phases = phases_of(load_experiment("synthesis", [*TINY, "--objectives.features={rgb=0.5}", REFINE]))
    kinds = [[type(each) for each in phase.steps[0].bound.extra] for phase in phases.values()]
    assert kinds == [[Features], [Features], [Features, Rereading]]
