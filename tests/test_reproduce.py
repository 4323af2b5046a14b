"""Studies continue after an interruption, and their metrics give learning curves."""

from functools import cached_property
from pathlib import Path

import pytest
from folders import contents
from interruption import ctrl_c_after
from painted_hands import painted_hands
from tiny_hands import TINY, hands, windows

from latent_hands.build import build_phases, build_vae
from latent_hands.configuration import load_experiment
from latent_hands.errors import HandsError
from latent_hands.rendering.sets import dataset
from latent_hands.studies.reproduce import FIGURES, Plan, Sets, Study, Trial, reproduce, sets, study
from latent_hands.studies.reproduce.curves import clock, image_steps, information, learning_curve, loss_curve
from latent_hands.studies.reproduce.sets import Source
from latent_hands.studies.reproduce.study import with_effort

STUDIES = ("estimation", "simultaneous", "alternating", "cross_modal", "regression")
OURS = Source("rendered", Path("hands"), True, "rhd")
BUDGET = ("--training.batch-size=8", "--training.warmup=2", "--training.validate-every=4")
SMALL = (*TINY, *BUDGET, "--networks.layers=2")
POSES = ("--phases.disentangle.batch-size=8", "--phases.embed-pose.batch-size=8")
TINY_PLANS = {
    "dvae": Plan("study_estimation", (*SMALL, *POSES)),
    "regression": Plan("study_regression", SMALL),
}


class TinySets(Sets):
    """Sets of noise in memory."""

    @cached_property
    def rendered(self) -> Source:
        return OURS

    def training(self, experiment):
        return hands()

    def evaluation(self, model, source):
        return windows(12, 16, seed=1)


def tiny_study(out: Path, **options) -> Study:
    return Study(TinySets(out, count=256), **{"effort": 0.03, "seeds": 2} | options)


def weights(trial: Trial) -> bytes:
    return (trial.folder / "weights.safetensors").read_bytes()


def test_a_second_call_trains_nothing_and_changes_no_byte(tmp_path, monkeypatch):
    first = tiny_study(tmp_path)
    trials = first.trained(TINY_PLANS, OURS)
    scores = {name: [first.scores(trial, OURS) for trial in each] for name, each in trials.items()}
    before = contents(tmp_path)
    assert not [name for name in before if name.endswith("resume.safetensors")]
    monkeypatch.setattr(study, "train", lambda *_, **__: pytest.fail("trained again"))
    monkeypatch.setattr(study, "score_run", lambda *_, **__: pytest.fail("scored again"))
    again = tiny_study(tmp_path)
    trials = again.trained(TINY_PLANS, OURS)
    assert scores == {name: [again.scores(trial, OURS) for trial in each] for name, each in trials.items()}
    assert contents(tmp_path) == before


def test_a_stopped_study_continues_to_the_same_weights(tmp_path):
    whole = tiny_study(tmp_path / "whole", seeds=1).trained(TINY_PLANS, OURS)
    with ctrl_c_after(10), pytest.raises(KeyboardInterrupt):
        tiny_study(tmp_path / "parts", seeds=1).trained(TINY_PLANS, OURS)
    assert not list(tmp_path.glob("parts/runs/*/finished.json"))
    parts = tiny_study(tmp_path / "parts", seeds=1).trained(TINY_PLANS, OURS)
    assert [weights(parts[name][0]) for name in parts] == [weights(whole[name][0]) for name in whole]


def test_a_run_that_was_killed_before_it_was_saved_starts_again(tmp_path):
    one = tiny_study(tmp_path, seeds=1)
    (trial,) = one.trained({"dvae": TINY_PLANS["dvae"]}, OURS)["dvae"]
    expected = weights(trial)
    for name in ("finished.json", "weights.safetensors"):
        (trial.folder / name).unlink()
    one.trained({"dvae": TINY_PLANS["dvae"]}, OURS)
    assert weights(trial) == expected


def test_seeds_give_different_runs_and_other_settings_need_another_folder(tmp_path):
    one = tiny_study(tmp_path)
    a, b = one.trained({"dvae": TINY_PLANS["dvae"]}, OURS)["dvae"]
    assert weights(a) != weights(b)
    assert one.scores(a, OURS)["epe_mm"] != one.scores(b, OURS)["epe_mm"]
    with pytest.raises(HandsError, match=r"another \[phases\].*another --out"):
        tiny_study(tmp_path, effort=0.2).trained({"dvae": TINY_PLANS["dvae"]}, OURS)


def test_unknown_figures_and_settings_are_refused(tmp_path):
    with pytest.raises(HandsError, match=r'"fig3".*Legal: all, .*fig9'):
        reproduce("fig3", tiny_study(tmp_path))
    with pytest.raises(HandsError, match="several runs; use run with fig4"):
        reproduce("fig9", tiny_study(tmp_path, run="estimation"))
    for wrong in ({"effort": 0.0}, {"seeds": 0}):
        with pytest.raises(HandsError, match="it must be"):
            tiny_study(tmp_path, **wrong)
    with pytest.raises(HandsError, match="count is 7"):
        Sets(tmp_path, count=7)
    assert set(FIGURES) >= {f"fig{i}" for i in range(4, 10)} | {
        "table",
        "beta",
        "dimension",
        "simultaneous",
        "baselines",
    }


def test_a_missing_run_is_named_before_anything_is_rendered(tmp_path: Path):
    with pytest.raises(HandsError, match="absent"):
        Study(Sets(tmp_path / "figures", trained=False), run=str(tmp_path / "absent"))
    assert list(tmp_path.iterdir()) == []


def test_fig5_of_a_run_without_z_u_is_refused_before_images_are_rendered(tmp_path):
    study = Study(Sets(tmp_path / "figures", trained=False), run="estimation")
    with pytest.raises(HandsError, match="no decoder of poses reads a factor besides the pose's"):
        reproduce("fig5", study)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "lock" not in path.name]


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("effort", [1.0, 0.5, 0.3, 2.6])
def test_all_methods_train_on_equally_many_images(name, effort):
    """Only steps that read images count, in phases with one step at a time and in phases with all steps."""
    experiment = with_effort(load_experiment(f"study_{name}"), effort)
    vae = build_vae(experiment)
    images = sum(
        phase.epochs * sum("rgb" in step.bound.encoders for step in phase.steps) / len(phase.steps)
        if phase.in_turn
        else phase.epochs * any("rgb" in step.bound.encoders for step in phase.steps)
        for phase in build_phases(experiment, vae)
    )
    assert images == round(20 * effort)


def test_every_phase_has_an_epoch_at_any_effort():
    experiment = load_experiment("study_estimation")
    assert with_effort(experiment, 1.0) == experiment
    assert {plan.epochs for plan in with_effort(experiment, 1e-6).phases.values()} == {1}


def test_the_steps_that_read_images():
    found = {name: image_steps(load_experiment(f"study_{name}")) for name in STUDIES}
    assert found["estimation"] == {"embed_rgb": ("", 1.0)}
    assert found["simultaneous"] == {"simultaneous": ("step3_", 1.0)}
    assert found["alternating"] == {"alternating": ("", 0.5)}
    assert found["cross_modal"] == {"cross_modal": ("", 1.0)}


def test_the_cost_adds_up_over_lines_of_metrics():
    experiment = load_experiment(
        "study_estimation", ["--training.batch-size=10", "--phases.disentangle.batch-size=10"]
    )
    lines = [
        {"phase": "disentangle", "update": 4, "epe_mm": 7.0, "samples_per_s": 20.0},
        {"phase": "embed_rgb", "update": 10, "samples_per_s": 5.0, "log_p_pose": -3.0, "kl_cpose": 2.0},
        {"phase": "embed_rgb", "update": 10, "epe_mm": 30.0, "active_cpose": 4.0},
    ]
    assert clock(lines, experiment) == [(0, 0.0, 0), (4, 2.0, 0), (10, 14.0, 60)]
    assert learning_curve(lines, experiment) == {"updates": [10], "seconds": [14.0], "epe_mm": [30.0]}
    assert loss_curve(lines, experiment) == {"updates": [10], "loss": [3.0]}
    assert information(lines, experiment) == {
        "kl_cpose": 2.0,
        "active_cpose": 4.0,
        "reconstruction_epe_mm": 7.0,
    }


def test_fig9_refuses_hands_whose_smallest_share_is_less_than_a_batch(tmp_path):
    with pytest.raises(
        HandsError, match="256 training hands of rendered hands; this figure needs 6000 or more"
    ):
        reproduce("fig9", tiny_study(tmp_path))
    assert not (tmp_path / "runs").exists()


def test_fig9_checks_the_training_set_and_renders_no_other(tmp_path, monkeypatch):
    class OwnSets(Sets):
        @cached_property
        def rendered(self) -> Source:
            pytest.fail("rendered hands that nothing trains on")

    monkeypatch.setattr(sets, "open_data", lambda *args: ["a hand"] * min(args[-1], 300))
    own = OwnSets(tmp_path, count=6000)
    own.given = [Source("rhd", tmp_path, True, "rhd")]
    with pytest.raises(HandsError, match="300 training hands of RHD; this figure needs 6000 or more"):
        reproduce("fig9", Study(own))


@pytest.mark.parametrize(
    ("trained", "few", "counts", "folder"),
    [
        (True, False, (6000, 1000), "hands"),
        (True, True, (6000, 1000), "hands"),
        (False, False, (1, 1000), "evaluation_hands"),
        (False, True, (1, 128), "few_hands"),
    ],
)
def test_only_the_hands_that_are_needed_are_rendered(tmp_path, monkeypatch, trained, few, counts, folder):
    rendered = []
    monkeypatch.setattr(dataset, "render_dataset", lambda *args, **kwargs: rendered.append((*args, kwargs)))
    monkeypatch.setattr(sets, "open_data", lambda *args: painted_hands(tmp_path, 1))
    assert Sets(tmp_path, trained=trained, few=few).rendered.root == tmp_path / folder
    ((root, images, _, settings),) = rendered
    assert (root, images, settings["evaluation_count"]) == (tmp_path / folder, *counts)
