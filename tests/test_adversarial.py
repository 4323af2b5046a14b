"""The discriminator: each side learns from its own term, what is saved, and errors before training."""

import pytest
import torch
from graphs import batch, synthesis
from interruption import ctrl_c_after
from safetensors.torch import load_file
from tiny_hands import TINY, hands

from latent_hands.beyond import Adversarial, Rereading
from latent_hands.build import build_phases, build_vae
from latent_hands.configuration import load_experiment
from latent_hands.errors import HandsError
from latent_hands.networks.patches import PatchDiscriminator
from latent_hands.paper.algorithms import Phase, Step
from latent_hands.paper.bound import Bound
from latent_hands.runs.folder import RESUME, WEIGHTS, load_place, load_run
from latent_hands.training import train
from latent_hands.training.learning import parameters, take_step

OPTIONS = ["--objectives.rereading={rgb=1.0}", "--objectives.adversarial={rgb=0.5}"]


def discriminator() -> PatchDiscriminator:
    torch.manual_seed(1)
    return PatchDiscriminator(4, "float32")


def phase_of(objective: Adversarial) -> Phase:
    bound = Bound(("pose", "tag"), {"rgb": 1.0}, beta=0.0, extra=(objective,))
    return Phase("refine", (Step(bound, theta=("rgb",)),), epochs=1)


def gradients(network) -> list[torch.Tensor | None]:
    return [p.grad for p in network.parameters()]


def test_the_first_term_trains_the_decoder_alone_and_the_second_the_discriminator_alone():
    for number, learns in enumerate((True, False)):
        vae, network = synthesis(), discriminator()
        bound = phase_of(Adversarial("rgb", 1.0, network)).steps[0].bound
        found = bound.evaluate(vae, batch(), torch.Generator().manual_seed(0))
        bound.extra[0].terms(found)[number].value.backward()
        assert all((g is not None) == learns for g in gradients(vae.decoder("rgb")))
        assert all((g is None) == learns for g in gradients(network))


def test_one_step_moves_decoder_and_discriminator_and_nothing_else():
    vae, objective = synthesis(), Adversarial("rgb", 1.0, discriminator())
    phase = phase_of(objective)
    learned = parameters(vae, phase)
    before = {n: p.clone() for n, p in (*vae.named_parameters(), *objective.network.named_parameters())}
    take_step(vae, phase.steps[0], {"labelled": batch()}, torch.optim.AdamW(learned.values()))
    after = dict((*vae.named_parameters(), *objective.network.named_parameters()))
    own = {n for n, _ in objective.network.named_parameters()}
    for name, p in before.items():
        moves = name.startswith("decoders.rgb.") or name in own
        assert torch.equal(p, after[name]) != moves, name


def test_a_discriminator_learns_to_tell_noise_from_flat_images():
    network = discriminator()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    vae, values = synthesis(), batch()
    objective = Adversarial("rgb", 1.0, network)
    bound = phase_of(objective).steps[0].bound
    told = []
    for _ in range(30):
        term = objective.terms(bound.evaluate(vae, values))[1]
        optimiser.zero_grad()
        (-term.value).backward()
        optimiser.step()
        told.append(term.value.item())
    assert told[0] == pytest.approx(-2, abs=0.5)
    assert told[-1] > 0.5 * told[0]


def test_scores_are_those_of_patches_at_two_scales():
    full, half = discriminator()(torch.zeros(2, 3, 32, 32))
    assert (full.shape, half.shape) == ((2, 1, 4, 4), (2, 1, 2, 2))


def test_a_phase_in_which_the_decoder_learns_alone_gets_the_discriminator():
    experiment = load_experiment("synthesis", [*TINY, *OPTIONS])
    vae = build_vae(experiment)
    phases = build_phases(experiment, vae)
    kinds = {p.name: [type(each) for each in p.steps[0].bound.extra] for p in phases}
    assert kinds == {"disentangle": [], "embed_rgb": [], "refine_rgb": [Rereading, Adversarial]}
    names = [name for name in parameters(vae, phases[-1]) if name.startswith("objectives.adversarial_rgb.")]
    assert len(names) == len(list(PatchDiscriminator().parameters()))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("synthesis", OPTIONS[1:], 'decoder "rgb" never learns alone; add the objective'),
        (
            "synthesis",
            [OPTIONS[0], "--objectives.adversarial={pose=1.0}"],
            '"pose" is not a decoder',
        ),
    ],
)
def test_a_discriminator_needs_a_decoder_of_images_that_learns_alone(name, options, message):
    experiment = load_experiment(name, [*TINY, *options])
    with pytest.raises(HandsError, match=message):
        build_phases(experiment, build_vae(experiment))


def test_a_resumed_run_continues_with_its_discriminator_which_is_not_part_of_the_model(tmp_path):
    budget = ["--training.batch_size=8", "--training.epochs=1", "--training.warmup=2"]
    budget += ["--phases.disentangle.epochs=1", "--phases.embed-rgb.epochs=1"]
    experiment = load_experiment("synthesis", [*TINY, *OPTIONS, *budget])
    assert train(experiment, tmp_path / "whole", hands=hands())
    with ctrl_c_after(12):  # of 15: in the phase in which the discriminator learns
        assert not train(experiment, tmp_path / "parts", hands=hands())
    place = load_place(tmp_path / "parts")[1]
    assert (place.phase, place.update, place.phase_update) == (2, 12, 2)
    assert train(experiment, tmp_path / "parts", resume=True, hands=hands())
    whole, parts = (load_file(tmp_path / run / RESUME) for run in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(tensor, parts[name]) for name, tensor in whole.items())
    assert any(name.startswith("objectives/adversarial_rgb/") for name in whole)
    assert load_file(tmp_path / "whole" / WEIGHTS).keys() == build_vae(experiment).state_dict().keys()
    load_run(tmp_path / "whole")
