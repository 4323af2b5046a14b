"""Experiments: packaged ones build, and written ones are read identically."""

from importlib.resources import files

import pytest
from small_experiment import SMALL, phases_of, small
from tiny_hands import TINY

from latent_hands.build import build_vae
from latent_hands.configuration import Experiment, load_experiment, write_experiment
from latent_hands.data.labels import modality
from latent_hands.errors import HandsError
from latent_hands.paper.weights import lambda_and_beta
from latent_hands.typed_toml import override, parse, read

PACKAGED = sorted(
    p.stem for p in (files("latent_hands") / "experiments").iterdir() if p.name.endswith(".toml")
)


def test_every_main_result_has_a_packaged_experiment():
    wanted = {"estimation", "synthesis", "cross_modal", "demo_estimation", "demo_synthesis", "paper_rhd"}
    wanted |= {"depth", "three_factors", "four_factors"}
    assert wanted <= set(PACKAGED)


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_experiments_build_and_are_written_and_read_identically(name):
    experiment = load_experiment(name, [o for o in TINY if "crop" not in o and "window" not in o])
    assert read(Experiment, parse(write_experiment(experiment), "x"), "x") == experiment
    phases_of(experiment)


def test_estimation_is_fig_3_right():
    phases = phases_of(load_experiment("estimation", TINY))
    assert list(phases) == ["disentangle", "embed_pose", "embed_rgb"]
    paper = {"pose": 1.0, "cpose": 0.01, "viewpoint": 0.01}
    for phase in phases.values():
        assert phase.steps[0].bound.decoders == paper
        assert phase.steps[0].bound.beta == 0.01


def test_synthesis_is_balanced_and_spends_60_and_40_percent():
    phases = phases_of(load_experiment("synthesis", TINY))
    bound = phases["disentangle"].steps[0].bound
    assert (bound.decoders, bound.beta) == ({"rgb": 1.0, "pose": pytest.approx(1e4), "tag": 1.0}, 100.0)
    assert phases["disentangle"].epochs * 4 == phases["embed_rgb"].epochs * 6


def test_presets_are_the_papers_numbers():
    synthesis = {name: modality(name) for name in ("rgb", "pose", "tag")}
    found = lambda_and_beta("paper", synthesis, {"pose", "tag"})
    assert found == ({"rgb": 1.0, "pose": 0.01, "tag": 0.01}, 100.0)
    del synthesis["tag"]
    assert lambda_and_beta("paper", synthesis, None) == ({"rgb": 1.0, "pose": 1.0}, 1.0)


def test_weights_of_one_phase_replace_those_of_all():
    extra = ["--algorithm.beta=0.5", "--algorithm.lam.cpose=2", "--phases.embed_rgb.beta=0.25"]
    phases = phases_of(load_experiment("estimation", TINY + extra))
    betas = [phase.steps[0].bound.beta for phase in phases.values()]
    assert betas == [0.5, 0.5, 0.25]
    assert {phase.steps[0].bound.decoders["cpose"] for phase in phases.values()} == {2.0}


def test_overrides_take_dashes_underscores_and_toml_values():
    args = ["--training.batch-size", "64", "--data.root=/some/where", "--latent.pose", "8"]
    args += ["--phases.cross_modal.learning_rate", "2e-4", "--algorithm.encode", '["pose"]']
    experiment = read(Experiment, override(parse(SMALL, ""), args), "")
    assert (experiment.training.batch_size, experiment.data.root) == (64, "/some/where")
    assert experiment.latent == {"pose": 8}
    assert experiment.phases["cross_modal"].learning_rate == 2e-4


def test_overriding_does_not_change_the_given_table():
    table = parse(SMALL, "")
    override(table, ["--latent.pose=9"])
    assert table["latent"]["pose"] == 4


def test_flips_are_legal_for_models_of_both_hands():
    assert small('[data]\nright_hands = "condition"\n[augmentation]\nflip = 0.5').augmentation.flip == 0.5


@pytest.mark.parametrize("weights", ["synthesis", "synthesis_u"])
def test_shipped_runs_were_trained_without_occluders_jpeg_and_flips(weights):
    path = files("latent_hands") / "weights" / weights / "experiment.toml"
    augmentation = load_experiment(str(path)).augmentation
    assert augmentation.jpeg == augmentation.occluders == augmentation.flip == 0


def test_only_encoders_of_images_and_decoders_of_poses_are_given_the_handedness():
    vae = build_vae(load_experiment("estimation", [*TINY, "--data.right_hands=condition"]))
    assert [name for name, e in vae.encoders.items() if e.sided] == ["rgb"]
    assert [name for name, d in vae.decoders.items() if d.sided] == ["pose"]


def test_the_seed_determines_the_initial_weights():
    one, same, other = (
        build_vae(load_experiment("estimation", [*TINY, f"--training.seed={seed}"])).state_dict()
        for seed in (1, 1, 2)
    )
    name = "encoders.pose.network.layers.0.weight"
    assert one[name].equal(same[name])
    assert not one[name].equal(other[name])


def test_each_algorithm_has_keys_of_its_own():
    with pytest.raises(HandsError, match=r'run.toml, .algorithm.: unknown key "noise"'):
        small(old='name = "cross_modal"', new='name = "cross_modal"\nnoise = { u = "other" }')
    with pytest.raises(HandsError, match=r"algorithm.name is 'crossmodal'; did you mean \"cross_modal\""):
        small(old='"cross_modal"', new='"crossmodal"')
    with pytest.raises(
        HandsError, match=r'"name" is missing; it must be one of algorithm_1, algorithm_2, simultaneous'
    ):
        small(old='name = "cross_modal"\n')
    with pytest.raises(HandsError, match="noise is empty; it must name the factors z_u"):
        small(old='name = "cross_modal"', new='name = "algorithm_2"\nnoise = {}')
