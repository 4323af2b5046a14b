"""Fine-tuning: translated labels, held-out groups, what learns, and the warnings."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from painted_hands import painted_hands
from registries import register
from tiny_models import ESTIMATION, PLACEMENT, tiny_model, tiny_run

from latent_hands import api
from latent_hands.cli import main
from latent_hands.configuration.algorithm import Algorithm1
from latent_hands.data import READERS
from latent_hands.data.palm import palm_xyz_mm
from latent_hands.data.sample import Sample, project
from latent_hands.data.translated import translated_sample
from latent_hands.errors import HandsError
from latent_hands.hand.geometry import normalise, to_wrist
from latent_hands.hand.translation import in_convention, random_points
from latent_hands.predictor import Model
from latent_hands.runs.folder import load_run
from latent_hands.studies.fine_tuning import fine_tune, in_latent, notes
from latent_hands.studies.gain import warnings
from latent_hands.studies.held_out import LEAST, shared_images, split_samples
from latent_hands.studies.tuned_experiment import Tuning, tuned_experiment, weakly_supervised

K = np.array([[500.0, 0, 128], [0, 500, 128], [0, 0, 1]], np.float32)


def hand(convention: str, name: str = "a", row: int = 0, **labels: object) -> Sample:
    points = to_wrist(in_convention(random_points(8, seed=2), convention))[row]
    xyz_mm = points.numpy() + np.array([0, 0, 600])
    sample = Sample(name, Path("a.png"), "left", xyz_mm.astype(np.float32), K=K, convention=convention)
    return replace(sample.projected(), **labels)


def flat(convention: str | None = None, name: str = "a") -> Sample:
    """Return a hand with 2D labels alone."""
    return replace(hand("rhd", name), xyz_mm=None, K=None, convention=convention)


def samples(*names: str) -> list[Sample]:
    return [hand("rhd", name) for name in names]


def apart(one: Sample, other: Sample) -> float:
    """Return the mean distance of the joints of two poses, in bone lengths."""
    first, second = (normalise(palm_xyz_mm(sample))[0] for sample in (one, other))
    return float((first - second).norm(dim=-1).mean())


@pytest.mark.parametrize(("source", "target"), [("stb", "rhd"), ("rhd", "ge2019"), ("mediapipe", "rhd")])
def test_translated_labels_are_nearer_to_those_of_the_same_hand(source, target):
    given, wanted = ([hand(name, row=row) for row in range(8)] for name in (source, target))
    moved = [translated_sample(sample, target) for sample in given]
    for sample in moved:
        assert (sample.convention, sample.root) == (target, "wrist")
        np.testing.assert_allclose(sample.uv_px, project(sample.xyz_mm, K), atol=0.01)
    before, after = (np.mean(list(map(apart, each, wanted))) for each in (given, moved))
    assert after < before / 2


def test_labels_in_the_convention_of_the_latent_stay_as_they_are():
    sample = hand("rhd")
    assert in_latent([sample], "rhd", "run")[0] is sample


@pytest.mark.parametrize(
    ("convention", "message"),
    [(None, "the labels name no joint convention"), ("unheard_of", 'the labels are in "unheard_of"')],
)
def test_labels_that_cannot_be_translated_are_refused_with_what_can_be_done(convention, message):
    with pytest.raises(HandsError, match=f"{message}.*rhd.*must be translated: name their convention"):
        in_latent([replace(hand("rhd"), convention=convention)], "rhd", "estimation")


def test_2d_labels_of_another_convention_are_refused_and_unnamed_ones_are_noted():
    with pytest.raises(HandsError, match=r'2D joints in "stb".*cannot be translated.*--convention stb'):
        in_latent([flat("stb")], "rhd", "estimation")
    given = [flat(), flat("rhd")]
    assert in_latent(given, "rhd", "estimation") == given
    assert "2D joints of 1 hands name no joint convention" in notes(given, "rhd")[0]
    assert notes([flat("rhd"), hand("rhd")], "rhd") == []


def test_whole_groups_are_held_out():
    names = [f"{person}_{i:03d}" for person in ("ann", "bob", "cid") for i in range(10)]
    learnt, held, split_by = split_samples(samples(*names), None, 0.3)
    assert split_by == "group"
    assert {s.name[:3] for s in held} == {"cid"}
    assert {s.name[:3] for s in learnt} == {"ann", "bob"}
    places = {name: "day" if i % 2 else "night" for i, name in enumerate(names)}
    learnt, held, _ = split_samples(samples(*names), places, 0.3)
    assert {places[s.name] for s in learnt}.isdisjoint({places[s.name] for s in held})


def test_groups_are_held_out_up_to_the_wanted_share():
    """A large group that would take most hands is learnt from."""
    names = [*(f"ann_{i}" for i in range(12)), *(f"bob_{i}" for i in range(12))]
    names += [f"{person}_0" for person in "cdefghijk"]
    learnt, held, _ = split_samples(samples(*names), None, 0.3)
    assert (len(learnt), len(held)) == (24, 9)


def test_hands_of_one_image_and_images_of_one_folder_are_one_group():
    """The reader `coco` adds the side to the names of hands that share an image."""
    names = [f"p{i // 10}_{i % 10}-{side}" for i in range(20) for side in ("left", "right-2")]
    _, held, split_by = split_samples(samples(*names), None, 0.3)
    assert (split_by, {s.name[:2] for s in held}) == ("group", {"p1"})
    folders = [
        replace(hand("rhd", f"IMG_{i}"), image=Path(f"{'ab'[i // 10]}/IMG_{i}.png")) for i in range(20)
    ]
    _, held, split_by = split_samples(folders, None, 0.3)
    assert (split_by, {s.image.parent.name for s in held}) == ("group", {"b"})


def test_a_single_group_is_split_by_image_into_neighbours():
    learnt, held, split_by = split_samples(samples(*(f"{i:05d}" for i in range(30))), None, 0.3)
    assert split_by == "image"
    assert [s.name for s in learnt + held] == [f"{i:05d}" for i in range(30)]
    assert len(held) == 9


def test_too_few_hands_and_missing_groups_are_named():
    with pytest.raises(HandsError, match=f"both must be {LEAST} or more"):
        split_samples(samples(*(f"{i}" for i in range(10))), None, 0.3)
    with pytest.raises(HandsError, match="has no group"):
        split_samples(samples("a", "b"), {"a": "x"}, 0.3)


def test_only_the_encoder_of_images_learns():
    hands = samples(*map(str, range(100)))
    experiment = tuned_experiment(tiny_model(ESTIMATION), "run", hands, Tuning(updates=60))
    assert isinstance(experiment.algorithm, Algorithm1)
    assert (experiment.algorithm.finished, experiment.algorithm.embed) == (True, ("rgb",))
    assert experiment.phases["embed_rgb"].epochs == 60 // (100 // 16)
    assert (experiment.training.start, experiment.supervision.labelled) == ("run", 1.0)
    assert experiment.supervision.weak == experiment.objectives == {}


@pytest.mark.parametrize(
    ("solid", "plain", "labelled", "weak", "batch"),
    [(0, 20, 0, True, 16), (20, 10, 1, True, 10), (3, 20, 0, True, 16), (20, 3, 1, False, 16)],
)
def test_2d_labels_learn_by_uv_and_anatomy(solid, plain, labelled, weak, batch):
    """Too few hands of a kind fill no batch."""
    hands = samples(*map(str, range(solid))) + [flat()] * plain
    experiment = tuned_experiment(tiny_model(PLACEMENT), "run", hands, Tuning())
    assert experiment.supervision.labelled == labelled
    assert experiment.supervision.weak == ({"uv": 1.0} if weak else {})
    assert experiment.objectives == {"anatomy": {"cpose": 0.01}}
    assert experiment.phases["embed_rgb"].batch_size == batch


def test_2d_labels_need_a_run_that_predicts_joints_in_the_image():
    with pytest.raises(HandsError, match="cannot learn from 2D joints: fine-tune a run that does"):
        tuned_experiment(tiny_model(ESTIMATION), "run", [flat()] * 20, Tuning())


def scored(learnt: float, held_out: float, control: float, split_by: str = "group") -> dict:
    parts = {"learnt": learnt, "held_out": held_out, "control": control}
    scores = {name: {"before": {"epe_mm": 20.0}, "after": {"epe_mm": 20.0 - g}} for name, g in parts.items()}
    return {"split_by": split_by, **scores}


def test_warnings_say_what_was_learnt():
    assert warnings(scored(3, 2, 0)) == []
    assert "only learnt the people" in warnings(scored(3, 0, 0))[0]
    assert "gain nothing: keep the run" in warnings(scored(0, 0, 0))[0]
    assert "became worse by 2.0 mm" in warnings(scored(3, 2, -2))[0]
    assert "one person or place only" in warnings(scored(3, 2, 0, "image"))[0]


def test_the_gain_of_2d_labels_is_one_of_the_box():
    parts = {"learnt": 0.05, "held_out": 0.001}
    found = {name: {"before": {"error": 0.1}, "after": {"error": 0.1 - g}} for name, g in parts.items()}
    assert "only learnt the people" in warnings(found | {"split_by": "group"})[0]
    found["held_out"]["after"]["error"] = 0.09
    worse = {"control": {"before": {"error": 0.1}, "after": {"error": 0.12}}}
    assert warnings(found | {"split_by": "group"}) == []
    assert "worse by 2.0% of the box" in warnings(found | worse | {"split_by": "group"})[0]


@pytest.mark.parametrize("labels", ["3d", "2d"])
def test_the_command_writes_a_run_whose_latent_is_that_of_the_first(tmp_path, monkeypatch, capsys, labels):
    hands = [replace(s, name=f"p{i // 10}_{i}") for i, s in enumerate(painted_hands(tmp_path, 30))]
    changes = {"3d": {"convention": "rhd"}, "2d": {"xyz_mm": None, "K": None}}[labels]
    hands = [replace(s, **changes) for s in hands]
    register(monkeypatch, READERS, "mine", lambda *_, **__: hands)
    run, out = tiny_run(tmp_path / "run", PLACEMENT), tmp_path / "tuned"
    command = ["fine-tune", str(run), "--data", "mine", "--root", str(tmp_path), "--out", str(out)]
    assert main([*command, "--updates", "2", "--json"]) in (0, 1)
    found = json.loads(capsys.readouterr().out)
    assert (found["split_by"], found["learnt"]["samples"], found["held_out"]["samples"]) == ("group", 20, 10)
    assert ("epe_mm" in found["held_out"]["before"]) == (labels == "3d")
    assert "error" in found["held_out"]["after"]
    before, after = (load_run(each)[0].state_dict() for each in (run, out))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("encoders.rgb") and "running" not in name for name in changed)


def test_the_new_weights_are_half_way_between_the_run_and_the_end_of_its_training(tmp_path):
    hands = [replace(s, convention="rhd_bones") for s in painted_hands(tmp_path, 20)]
    run = tiny_run(tmp_path / "run", PLACEMENT)
    learnt = split_samples(hands, None, 0.5)[0]
    tuning = Tuning(held_out=0.5, updates=3, learning_rate=0.01)
    model = Model.load(run)
    end = api.train(tuned_experiment(model, str(run), learnt, tuning), tmp_path / "end", learnt)
    fine_tune(run, hands, tmp_path / "tuned", held_out=0.5, updates=3, learning_rate=0.01)
    before, after, mean = (each.vae.state_dict() for each in (model, end, Model.load(tmp_path / "tuned")))
    for name, start in before.items():
        if start.is_floating_point():
            torch.testing.assert_close(mean[name], (start + after[name]) / 2)
    stem = "encoders.rgb.network.stem.1.weight"
    assert (before[stem] - after[stem]).abs().max() > 0.01


def test_2d_labels_teach_the_implied_and_the_measured_joints():
    experiment = weakly_supervised(Model.load("estimation"), "estimation", "rgb", flat=20, solid=0)
    assert experiment.supervision.weak.keys() == {"uv", "keypoints"}


def test_held_out_images_in_the_rehearsal_are_announced(tmp_path, caplog):
    hands = [replace(s, convention="rhd") for s in painted_hands(tmp_path, 20)]
    run = tiny_run(tmp_path / "run", PLACEMENT)
    fine_tune(run, hands, tmp_path / "tuned", held_out=0.5, rehearsal=hands, updates=1)
    assert "10 of 10 hands of held_out are in images that are learnt" in caplog.text


def test_held_out_images_that_are_learnt_are_counted(tmp_path):
    for name, content in (("a", b"1"), ("b", b"2"), ("copy", b"1")):
        (tmp_path / name).write_bytes(content)
    hands = {name: hand("rhd", name, image=tmp_path / name) for name in ("a", "b", "copy")}
    assert shared_images([hands["a"]], [hands["b"]]) == 0
    assert shared_images([hands["a"]], [hands["b"], hands["copy"], hands["a"]]) == 2
