"""Errors of experiments name file, section, key and value; earlier keys are converted or named."""

import pytest
from small_experiment import SMALL, phases_of, small

from latent_hands.build import build_phases, build_vae
from latent_hands.configuration import Experiment, load_experiment
from latent_hands.errors import HandsError
from latent_hands.training.beginning import begin
from latent_hands.typed_toml import parse, read


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
        ("pose = 4", "pose = 4\nextra = 8", "", "extra: no decoder reads this factor"),
        ('reads = "pose", factors = ["pose"]', 'reads = "pose", factors = []', "", "names no factor"),
        ('writes = "pose", factors = ["pose"]', 'writes = "pose", factors = []', "", "names no factor"),
        (
            'reads = "pose", factors = ["pose"]',
            'reads = "pose", factors = ["pose", "pose"]',
            "",
            'encoder "pose" names a factor twice',
        ),
        (
            "",
            "",
            "[objectives]\nfeatures = { pose = 1.0 }",
            '"cross_modal", step 1: .objectives. features: "pose" is not a decoder of a colour',
        ),
        (
            'name = "cross_modal"\nencode = ["pose"]',
            'name = "algorithm_1"\nencode = ["pose"]\nembed = ["pose", "pose"]',
            "",
            "^.algorithm. embed names pose twice",
        ),
        (
            'name = "cross_modal"',
            'name = "regression"\nbeta = 2.0',
            "",
            "^.algorithm. beta is 2, but least squares have no beta: remove it",
        ),
        (
            'name = "cross_modal"',
            'name = "regression"',
            "[phases.regression]\nbeta = 0.5",
            "^.phases.regression. beta is 0.5, but least squares have no beta",
        ),
        (
            "",
            "",
            "[objectives]\nagreement = { pose = 0.0 }",
            "^.objectives. agreement: pose has the weight 0, so it has no effect: remove it",
        ),
        (
            "",
            "",
            '[training]\nfrozen = ["encoders.pose", "decoders.pose"]',
            "^.training. frozen names every arrow that would learn",
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


def test_arrows_that_no_phase_teaches_are_announced(caplog):
    phases_of(small())
    assert not caplog.text
    phases_of(small(old="[decoders]", new='rgb = { reads = "rgb", factors = ["pose"] }\n[decoders]'))
    assert "no phase of [algorithm] teaches encoders.rgb: their weights stay random" in caplog.text


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--encoders.rgb.hidden=7", 'encoder "rgb": hidden is 7, but rgb is an image'),
        ("--decoders.rgb.hidden=7", 'decoder "rgb": hidden is 7, but rgb is an image'),
        ("--decoders.pose.width=7", 'decoder "pose": width is 7, but pose is no image'),
        ('--training.start_with=["decoders.pose"]', "start_with has no effect without"),
        (
            "--phases.embed_tag={lam={pose=2.0}}",
            r'.phases.embed_tag. lam: decoder "pose" reads pose, which encoder "tag" does not all infer',
        ),
    ],
)
def test_settings_without_an_effect_are_refused(option, message):
    with pytest.raises(HandsError, match=message):
        phases_of(load_experiment("demo_synthesis", ['--algorithm.embed=["rgb","tag"]', option]))


def test_frozen_arrows_have_the_weights_of_another_run():
    experiment = load_experiment("demo_synthesis", ['--training.frozen=["decoders.tag"]'])
    vae = build_vae(experiment)
    with pytest.raises(HandsError, match=r"frozen: decoders\.tag would keep its random weights.* is empty"):
        begin(vae, experiment, build_phases(experiment, vae))


def test_labels_without_images_where_all_hands_have_images_are_announced(caplog):
    phases_of(load_experiment("estimation", ["--supervision.semi=true", "--supervision.labelled=0.5"]))
    assert not caplog.text
    phases_of(load_experiment("estimation", ["--supervision.semi=true"]))
    assert "semi has no effect with labelled = 1.0" in caplog.text
