"""Experiments: packaged ones build, written ones are read identically, and errors name their place."""

from importlib.resources import files

import pytest
from tiny_hands import TINY

from latent_hands.build import build_phases, build_vae
from latent_hands.configuration import Experiment, load_experiment, write_experiment
from latent_hands.data.labels import modality
from latent_hands.errors import HandsError
from latent_hands.paper.weights import lambda_and_beta
from latent_hands.typed_toml import override, parse, read

PACKAGED = sorted(
    p.stem for p in (files("latent_hands") / "experiments").iterdir() if p.name.endswith(".toml")
)
SMALL = """
[latent]
pose = 4
[encoders]
pose = { reads = "pose", factors = ["pose"] }
[decoders]
pose = { writes = "pose", factors = ["pose"] }
[algorithm]
name = "cross_modal"
encode = ["pose"]
"""


def small(extra="", old="", new=""):
    return read(Experiment, parse(SMALL.replace(old, new) + extra, "run.toml"), "run.toml")


def phases_of(experiment):
    return {phase.name: phase for phase in build_phases(experiment, build_vae(experiment))}


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


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            "[training]\nbatchsize = 3",
            r'run.toml, .training.: unknown key "batchsize"; did you mean "batch_size"',
        ),
        ("[trainin]\nseed = 3", 'run.toml: unknown key "trainin"; did you mean "training"'),
        ("[training]\nbatch_size = -3", "run.toml: training.batch_size is -3; it must be between 1 and"),
        ("[training]\nbatch_size = 3.5", "training.batch_size is 3.5, which is not a whole number"),
        ("[training]\nseed = true", "training.seed is True, which is not a whole number"),
        ("[training]\nlearning_rate = nan", "training.learning_rate is nan; it must be between"),
        ('[data]\ncrop = "bix"', "data.crop is 'bix'; did you mean \"box\""),
        ("[data]\nroot = 3", "data.root is 3, which is not text"),
        ("[networks]\nwidth = 100000", "networks.width is 100000; it must be between 1 and 4096"),
        ("[augmentation]\nscale = [1.0]", "augmentation.scale has 1 entries; it must have 2"),
        ("[augmentation]\nrotation_deg = 300", r"run.toml, .augmentation.: augmentation rotation_deg"),
        (
            "[augmentation]\nflip = 0.5",
            r"run.toml: .augmentation. flip is 0.5, which turns left hands into right ones; it must be 0",
        ),
        ("[augmentation]\nocclusion = 1", 'unknown key "occlusion"; did you mean "occluders"'),
        ("[phases]\ncross_modal = 3", "phases.cross_modal.: 3 is not a table"),
        ("[training]\nseed =", "run.toml is not valid TOML: Invalid value"),
    ],
)
def test_errors_name_file_section_key_and_value(extra, message):
    with pytest.raises(HandsError, match=message):
        small(extra)


def test_flips_are_legal_for_models_of_both_hands():
    assert small('[data]\nright_hands = "condition"\n[augmentation]\nflip = 0.5').augmentation.flip == 0.5


@pytest.mark.parametrize("weights", ["synthesis", "synthesis_u"])
def test_shipped_runs_were_trained_without_occluders_jpeg_and_flips(weights):
    path = files("latent_hands") / "weights" / weights / "experiment.toml"
    augmentation = load_experiment(str(path)).augmentation
    assert augmentation.jpeg == augmentation.occluders == augmentation.flip == 0


def test_a_section_that_is_not_a_table_is_named():
    with pytest.raises(HandsError, match="phases is 3, not a table"):
        read(Experiment, parse(SMALL, "") | {"phases": 3}, "run.toml")


def test_a_missing_key_is_named():
    with pytest.raises(HandsError, match=r'run.toml, .algorithm.: "encode" is missing'):
        small(old='encode = ["pose"]')


@pytest.mark.parametrize(
    ("old", "new", "extra", "message"),
    [
        (
            'factors = ["pose"] }\n[dec',
            'factors = ["poes"] }\n[dec',
            "",
            'encoder "pose" names unknown factor "po',
        ),
        ('reads = "pose"', 'reads = "pos"', "", 'unknown modality "pos"; did you mean "pose"'),
        (
            'encode = ["pose"]',
            'encode = ["rgb"]',
            "",
            '^.algorithm. encode: unknown encoder "rgb"; Legal: pose',
        ),
        (
            'encode = ["pose"]',
            "encode = []",
            "",
            'decoder "pose" reads factor "pose", which no encoder infers',
        ),
        (
            "",
            "",
            "[objectives]\nfeatures = { pose = 1.0 }",
            '"cross_modal", step 1: .objectives. features: "pose" is not a decoder of a colour',
        ),
        ("", "", "[phases]\nembed = {epochs = 1}", 'unknown phase "embed"'),
        (
            "",
            "",
            "[phases]\ncross_modal = {lam = {rgb = 1}}",
            r'.phases.cross_modal. lam: unknown decoder "rgb"',
        ),
    ],
)
def test_errors_in_the_graph_are_raised_when_it_is_built(old, new, extra, message):
    experiment = small(extra, old, new) if old else small(extra)
    with pytest.raises(HandsError, match=message):
        phases_of(experiment)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["training.seed", "3"], '"training.seed" is not an option'),
        (["--seed", "3"], '"--seed" is not an option; options are --section.key value'),
        (["--training.seed"], "--training.seed has no value"),
        (["--latent.cpose.x", "3"], '--latent.cpose.x: "cpose" is 32, not a table'),
        (["--algorithm.name.x=3"], "--algorithm.name.x=3: \"name\" is 'algorithm_1', not a table"),
        (["--training.sed", "3"], 'unknown key "sed"; did you mean "seed"'),
    ],
)
def test_wrong_overrides_are_errors(args, message):
    with pytest.raises(HandsError, match=message):
        load_experiment("estimation", args)


def test_an_unknown_experiment_is_an_error():
    with pytest.raises(HandsError, match='no experiment file "estimatin"; did you mean "estimation"'):
        load_experiment("estimatin")


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


OLD = """
[latent]
cpose = 3
viewpoint = 3
[encoders]
cpose = { reads = "cpose", factors = ["cpose"] }
viewpoint = { reads = "viewpoint", factors = ["viewpoint"] }
rgb = { reads = "rgb", factors = ["cpose", "viewpoint"], backbone = "resnet18" }
[decoders]
pose = { writes = "pose", factors = ["cpose", "viewpoint"] }
[algorithm]
name = "joint"
encode = ["cpose", "viewpoint"]
embed = ["rgb"]
noise = { }
noise_steps = 1
finished = false
agree = { cpose = 0.5 }
features = { }
refine = { }
[networks]
backbone = "resnet18"
[data]
side = "condition"
[phases]
joint = { epochs = 3 }
"""


def test_run_folders_of_earlier_versions_are_converted(tmp_path):
    (tmp_path / "old.toml").write_text(OLD)
    experiment = load_experiment(tmp_path / "old.toml", earlier=True)
    assert experiment.algorithm.name == "simultaneous"
    assert experiment.objectives == {"agreement": {"cpose": 0.5}}
    assert experiment.data.right_hands == "condition"
    assert (experiment.networks.image_encoder, experiment.encoders["rgb"].network) == ("resnet18", "resnet18")
    assert [(p.name, p.epochs) for p in build_phases(experiment, build_vae(experiment))] == [
        ("simultaneous", 3)
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('[data]\nside = "mirror"', r"run.toml: .data. side was renamed: use .data. right_hands"),
        ('[networks]\nbackbone = "resnet18"', r"use .networks. image_encoder"),
    ],
)
def test_the_error_for_a_renamed_key_contains_the_new_name(line, message, tmp_path):
    (tmp_path / "run.toml").write_text(SMALL + line)
    with pytest.raises(HandsError, match=message):
        load_experiment(tmp_path / "run.toml")


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("section", ["data", "algorithm", "encoders", "networks"])
@pytest.mark.parametrize("value", ["3", '"side backbone"', "[1]"])
def test_a_section_that_is_no_table_is_an_error_in_files_of_any_version(section, value, earlier, tmp_path):
    file = tmp_path / "broken.toml"
    text = "".join(f"{name} = {{}}\n" for name in ("latent", "encoders", "decoders") if name != section)
    file.write_text(f"{section} = {value}\n{text}")
    options = ["--algorithm.name=regression", "--algorithm.encode=[]"] if section != "algorithm" else []
    with pytest.raises(HandsError, match=rf"broken.toml.*{section}"):
        load_experiment(file, options, earlier)


@pytest.mark.parametrize("name", ['["regression"]', "3", "{ a = 1 }"])
def test_a_name_that_is_no_text_selects_no_algorithm(name):
    with pytest.raises(HandsError, match=r"algorithm.name is .* algorithm_1"):
        load_experiment("demo_estimation", [f"--algorithm.name={name}"])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--decoders.rgb.network=painter", 'decoder "rgb": network "painter" needs a decoder of the pose'),
        ("--networks.image_decoder=painter", 'decoder "rgb": network "painter" needs a decoder of the pose'),
        ("--decoders.rgb.network=mlp", 'decoder "rgb": network "mlp" is for modalities that are not images'),
        ("--decoders.pose.network=dcgan", 'decoder "pose": network "dcgan" is for images'),
        ("--encoders.pose.network=resnet18", 'encoder "pose": network "resnet18" is for images'),
        ("--encoders.pose.network=efficientnet_lite0", 'network "efficientnet_lite0" is for images'),
        ("--networks.image_encoder=mlp", '"mlp" is for modalities that are not images'),
        ('--decoders.rgb={writes="rgb",factors=["pose"],over="pose",network="dcgan"}', "cannot paint over"),
    ],
)
def test_a_network_that_does_not_suit_its_modality_is_refused_before_training(option, message):
    with pytest.raises(HandsError, match=message):
        build_vae(load_experiment("demo_synthesis", [option]))
