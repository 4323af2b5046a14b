"""Semi- and weak supervision: which hands each step learns from; hidden labels have no effect."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from tiny_hands import TINY, hands, windows

from latent_hands.beyond import Agreement
from latent_hands.build import Hands, build_batches, build_hands, build_phases, build_vae
from latent_hands.configuration import load_experiment
from latent_hands.configuration.algorithm import Alternating
from latent_hands.data.image_stacks import ImageStack
from latent_hands.data.windows import Windows
from latent_hands.errors import HandsError
from latent_hands.runs.folder import load_run
from latent_hands.runs.metrics import METRICS, read_metrics
from latent_hands.runs.shrink import shrink
from latent_hands.training import train
from latent_hands.training.feeds import share, stream

BUDGET = ["--training.epochs=2", "--training.batch_size=8", "--training.learning-rate=1e-3"]


def tiny(*more, name="estimation"):
    experiment = load_experiment(name, [*TINY, *more])
    return replace(
        experiment, phases={}, training=replace(experiment.training, epochs=2, batch_size=8, warmup=2)
    )


def steps(experiment):
    phases = build_phases(experiment, build_vae(experiment))
    return {p.name: [(s.feed, s.bound.encoders, tuple(s.bound.decoders)) for s in p.parts] for p in phases}


def weights(experiment, out, data):
    assert train(experiment, out, hands=data)
    return load_run(out)[0].state_dict()


def same(first, second, prefix=""):
    return all(torch.equal(t, second[name]) for name, t in first.items() if name.startswith(prefix))


def test_full_supervision_uses_labelled_hands_only():
    assert {feed for phase in steps(tiny()).values() for feed, *_ in phase} == {"labelled"}


def test_semi_supervision_feeds_all_hands_to_steps_that_read_no_image():
    found = steps(tiny("--supervision.semi=true"))
    assert {name: phase[0][0] for name, phase in found.items()} == {
        "disentangle": "all",
        "embed_pose": "all",
        "embed_rgb": "labelled",
    }


def test_weak_labels_train_the_encoder_of_images_through_their_own_factor():
    experiment = tiny("--supervision.labelled=0.5", "--supervision.weak={viewpoint=1.0}")
    assert steps(experiment)["embed_rgb"] == [
        ("labelled", ("rgb",), ("cpose", "viewpoint", "pose")),
        ("rest", ("rgb",), ("viewpoint",)),
    ]
    phases = build_phases(experiment, build_vae(experiment))
    (step,) = phases[-1].steps
    assert step.further[0].bound.factors(build_vae(experiment)) == ("viewpoint",)
    assert (step.phi, step.theta) == (("rgb",), ())


def of(windows: Windows, change: str) -> torch.Tensor:
    return windows.rgb if change == "images" else getattr(windows, change)


@pytest.mark.parametrize("change", ["pose", "images"])
def test_hands_without_labels_have_an_effect_only_with_semi_supervision(change, tmp_path):
    """The last 20 of 40 hands are unlabelled. Semi-supervision reads their labels, and never their images."""
    plain, other = hands(), windows(40, 16, seed=5)
    mixed = torch.cat([of(plain.training, change)[:20], of(other, change)[20:]])
    if change == "images":
        changed = replace(plain.training, images={"rgb": ImageStack(mixed)})
    else:
        changed = plain.training.with_labels(**{change: mixed})
    altered = Hands(changed, plain.validation)
    full = tiny("--supervision.labelled=0.5")
    assert same(weights(full, tmp_path / "a", plain), weights(full, tmp_path / "b", altered))
    semi = tiny("--supervision.labelled=0.5", "--supervision.semi=true")
    first, second = weights(semi, tmp_path / "c", plain), weights(semi, tmp_path / "d", altered)
    assert same(first, second) == (change == "images")


def test_the_number_of_updates_does_not_depend_on_the_labelled_share(tmp_path):
    for labelled in (0.25, 0.5, 1.0):
        run = tmp_path / str(labelled)
        train(tiny(f"--supervision.labelled={labelled}"), run, hands=hands())
        assert read_metrics(run / METRICS)[-1]["update"] == 3 * 2 * 5


def test_photos_without_labels_train_the_encoder_of_images_alone(tmp_path):
    experiment = tiny("--supervision.photos=.", name="synthesis")
    assert steps(experiment)["embed_rgb"][1] == ("photos", ("rgb",), ("rgb",))
    photos = windows(24, 16, seed=9).with_labels(pose=None, xyz_mm=None, bone_mm=None).with_images(["rgb"])
    fed, plain = hands(), hands()
    fed = replace(fed, photos=photos)
    first = weights(experiment, tmp_path / "a", fed)
    second = weights(tiny(name="synthesis"), tmp_path / "b", plain)
    assert same(first, second, "decoders.")
    assert not same(first, second, "encoders.rgb.")


def test_photos_are_whole_images_of_a_folder(tmp_path):
    for number in range(3):
        image = Image.fromarray(np.full((20, 30, 3), 40 * number, np.uint8))
        image.save(tmp_path / f"{number}.png")
    experiment = tiny(f"--supervision.photos={tmp_path}", name="synthesis")
    data = replace(experiment.data, name="images", root=str(tmp_path), crop="box")
    photos = build_hands(replace(experiment, data=data), build_vae(experiment), ()).photos
    assert photos is not None
    assert photos.pose is None
    assert [int(each[0, 8, 8]) for each in photos.rgb] == [0, 40, 80]


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        (
            "regression",
            "--supervision.semi=true",
            "semi has no effect: no phase has a step that reads",
        ),
        ("cross_modal", "--supervision.weak={pose=1.0}", "^.supervision. weak has no effect"),
        ("estimation", "--supervision.weak={viewpoint=0.0}", "weak: viewpoint has the weight 0"),
        ("estimation", "--supervision.photos=.", "^.supervision. photos has no effect"),
        (
            "estimation",
            "--supervision.weak={viewpint=1.0}",
            '^.supervision. weak: unknown decoder "viewpint"; did you mean "viewpoint"',
        ),
    ],
)
def test_supervision_without_effect_is_an_error(name, option, message):
    with pytest.raises(HandsError, match=message):
        steps(tiny(option, name=name))


def test_weak_labels_need_unlabelled_hands(tmp_path):
    with pytest.raises(HandsError, match=r"no hands for the feed \"rest\".*labelled"):
        train(tiny("--supervision.weak={viewpoint=1.0}"), tmp_path / "run", hands=hands())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--algorithm.finished=true",), r"finished needs \[training. start"),
        (("--algorithm.noise={viewpoint='other'}",), 'unknown key "noise" of "algorithm_1"'),
        (("--algorithm.name=cross_modal",), 'unknown key "embed" of "cross_modal"'),
        (("--algorithm.name=algorithm_2",), '"noise" is missing'),
    ],
)
def test_contradictory_settings_are_named(options, message):
    with pytest.raises(HandsError, match=message):
        tiny(*options)


def test_in_a_finished_latent_only_the_embedded_encoder_changes(tmp_path):
    before = weights(tiny("--algorithm.embed=['pose']"), tmp_path / "first", hands())
    later = tiny(
        "--algorithm.embed=['rgb']", "--algorithm.finished=true", f"--training.start={tmp_path / 'first'}"
    )
    assert list(steps(later)) == ["embed_rgb"]
    after = weights(later, tmp_path / "second", hands())
    assert same({n: t for n, t in before.items() if not n.startswith("encoders.rgb.")}, after)
    assert not same({n: t for n, t in before.items() if n.startswith("encoders.rgb.")}, after)


def test_a_packaged_experiment_can_start_from_a_finished_latent():
    """Budgets of skipped phases are ignored. Budgets of phases that do not exist are errors."""
    options = ("--algorithm.embed=['rgb']", "--algorithm.finished=true", "--training.start=synthesis")
    experiment = load_experiment("synthesis", options)
    assert [p.name for p in build_phases(experiment, build_vae(experiment))] == ["embed_rgb"]
    strange = load_experiment("synthesis", [*options, "--phases.embed_rbg.epochs=1"])
    with pytest.raises(HandsError, match='unknown phase "embed_rbg"'):
        build_phases(strange, build_vae(strange))


def test_agreement_applies_to_fully_labelled_images_only():
    """Weakly labelled images and photographs have no label to agree with."""
    agree = "--objectives.agreement={tag=1.0}"
    experiment = tiny(agree, "--supervision.weak={pose=1.0}", "--supervision.photos=.", name="synthesis")
    phases = build_phases(experiment, build_vae(experiment))
    extra = {part.feed: part.bound.extra for part in phases[-1].parts}
    assert extra == {"labelled": (Agreement({"tag": 1.0}),), "rest": (), "photos": ()}


@pytest.mark.parametrize(("feeds", "kept"), [({"labelled"}, 0), ({"labelled", "all"}, 1)])
def test_semi_supervision_keeps_the_objectives_that_are_defined_on_all_hands(feeds, kept, monkeypatch):
    semi = tiny("--supervision.semi=true", "--supervision.labelled=0.5", "--objectives.agreement={cpose=1.0}")
    monkeypatch.setattr(Agreement, "feeds", frozenset(feeds))
    _, embed_pose, embed_rgb = build_phases(semi, build_vae(semi))
    assert embed_pose.steps[0].feed == "all"
    assert len(embed_pose.steps[0].bound.extra) == kept
    assert len(embed_rgb.steps[0].bound.extra) == 1


def test_agreement_is_defined_on_all_labels():
    semi = tiny("--supervision.semi=true", "--objectives.agreement={cpose=1.0}")
    phases = build_phases(semi, build_vae(semi))
    assert [step.bound.extra for step in phases[1].steps] == [(Agreement({"cpose": 1.0}),)]


def test_an_encoder_of_z_u_must_infer_no_other_factor():
    experiment = tiny(name="algorithm_2")
    encoders = experiment.encoders | {"u": replace(experiment.encoders["u"], factors=("u", "pose"))}
    with pytest.raises(HandsError, match='encoder "u" infers pose, u; u must have an encoder of its own'):
        steps(replace(experiment, encoders=encoders))


def test_rereading_needs_a_trained_encoder(tmp_path):
    train(tiny(name="synthesis"), tmp_path / "first", hands=hands())
    start = f"--training.start={tmp_path / 'first'}"
    refine = ("--algorithm.finished=true", "--algorithm.embed=[]", "--objectives.rereading={rgb=1.0}", start)
    short = "--phases.refine_rgb.epochs=1"
    assert train(tiny(*refine, short, name="synthesis"), tmp_path / "second", hands=hands())
    only = '--training.start_with=["decoders.rgb", "decoders.pose", "encoders.pose", "encoders.tag"]'
    with pytest.raises(HandsError, match=r"finished: .* lacks encoders\.rgb"):
        train(tiny(*refine, short, only, name="synthesis"), tmp_path / "third", hands=hands())


def test_a_finished_latent_needs_its_decoders(tmp_path):
    weights(tiny("--algorithm.embed=['pose']"), tmp_path / "first", hands())
    start = f"--training.start={tmp_path / 'first'}"
    chosen = "--training.start-with=['decoders.pose', 'decoders.viewpoint']"
    later = tiny("--algorithm.embed=['rgb']", "--algorithm.finished=true", start, chosen)
    with pytest.raises(HandsError, match=r"finished: .* lacks decoders\.cpose"):
        train(later, tmp_path / "second", hands=hands())
    assert not (tmp_path / "second").exists()


def test_a_run_in_a_finished_latent_can_be_shrunk(tmp_path):
    weights(tiny("--algorithm.embed=['pose']"), tmp_path / "first", hands())
    later = tiny(
        "--algorithm.embed=['rgb']", "--algorithm.finished=true", f"--training.start={tmp_path / 'first'}"
    )
    weights(later, tmp_path / "second", hands())
    small = shrink(tmp_path / "second", tmp_path / "small")
    assert load_run(small)[1].training.start == ""


def test_an_algorithm_that_trains_nothing_is_an_error():
    with pytest.raises(HandsError, match="nothing would be trained"):
        steps(replace(tiny(name="alternating"), algorithm=Alternating(encode=())))


def test_steps_in_turn_load_only_the_labels_of_the_next_step():
    experiment = tiny(name="alternating")
    vae = build_vae(experiment)
    (phase,) = build_phases(experiment, vae)
    source = {"labelled": build_batches(experiment, hands().training, phase, 0)}
    fed = stream(vae, phase, source, 4, torch.device("cpu"))
    assert [sorted(next(fed)["labelled"]) for _ in range(3)] == [["pose", "rgb"], ["pose"], ["pose", "rgb"]]


def test_feeds_of_the_same_hands_share_one_copy():
    data = hands()
    feeds = share(data.feeds(1.0), ("all", "labelled"), Accelerator())
    assert feeds["all"] is feeds["labelled"]
    assert set(share(data.feeds(0.5), ("labelled",), Accelerator())) == {"labelled"}
