"""Fine-tuning: translated labels, held-out groups, what learns, and the warnings."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from painted_hands import painted_hands
from registries import register
from tiny_models import ESTIMATION, tiny_experiment, tiny_run

from latent_hands.cli import main
from latent_hands.data import READERS
from latent_hands.data.palm import palm_xyz_mm
from latent_hands.data.sample import Sample, project
from latent_hands.data.translated import translated_sample
from latent_hands.errors import HandsError
from latent_hands.hand.geometry import normalise, to_wrist
from latent_hands.hand.translation import in_convention, random_points
from latent_hands.runs.folder import load_run
from latent_hands.studies.fine_tuning import LEAST, in_latent, split_samples, tuned_experiment, warnings

K = np.array([[500.0, 0, 128], [0, 500, 128], [0, 0, 1]], np.float32)


def hand(convention: str, name: str = "a", row: int = 0, **labels: object) -> Sample:
    points = to_wrist(in_convention(random_points(8, seed=2), convention))[row]
    xyz_mm = points.numpy() + np.array([0, 0, 600])
    sample = Sample(name, Path("a.png"), "left", xyz_mm.astype(np.float32), K=K, convention=convention)
    return replace(sample.projected(), **labels)


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
    [(None, "the labels name no joint convention"), ("mine", 'the labels are in "mine"')],
)
def test_labels_that_cannot_be_translated_are_refused_with_what_can_be_done(convention, message):
    with pytest.raises(HandsError, match=f"{message}.*rhd.*must be translated: name their convention"):
        in_latent([replace(hand("rhd"), convention=convention)], "rhd", "estimation")


def test_whole_groups_are_held_out():
    names = [f"{person}_{i:03d}" for person in ("ann", "bob", "cid") for i in range(10)]
    learnt, held, split_by = split_samples(samples(*names), None, 0.3)
    assert split_by == "group"
    assert {s.name[:3] for s in held} == {"cid"}
    assert {s.name[:3] for s in learnt} == {"ann", "bob"}
    places = {name: "day" if i % 2 else "night" for i, name in enumerate(names)}
    learnt, held, _ = split_samples(samples(*names), places, 0.3)
    assert {places[s.name] for s in learnt}.isdisjoint({places[s.name] for s in held})


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
    experiment = tuned_experiment(tiny_experiment(ESTIMATION), "run", 100, 60, 1e-4, 0)
    assert (experiment.algorithm.finished, experiment.algorithm.embed) == (True, ("rgb",))
    assert experiment.phases["embed_rgb"].epochs == 60 // (100 // 16)
    assert experiment.training.start == "run"


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


def test_the_command_writes_a_run_whose_latent_is_that_of_the_first(tmp_path, monkeypatch, capsys):
    hands = [
        replace(s, convention="rhd", name=f"p{i // 10}_{i}")
        for i, s in enumerate(painted_hands(tmp_path, 30))
    ]
    register(monkeypatch, READERS, "mine", lambda *_, **__: hands)
    run, out = tiny_run(tmp_path / "run", ESTIMATION), tmp_path / "tuned"
    command = ["fine-tune", str(run), "--data", "mine", "--root", str(tmp_path), "--out", str(out)]
    assert main([*command, "--updates", "2", "--json"]) in (0, 1)
    found = json.loads(capsys.readouterr().out)
    assert (found["split_by"], found["learnt"]["samples"], found["held_out"]["samples"]) == ("group", 20, 10)
    before, after = (load_run(each)[0].state_dict() for each in (run, out))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("encoders.rgb") for name in changed)
