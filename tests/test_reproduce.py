"""Studies that survive being stopped, and figures that hold what they draw."""

import json
import signal
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch
from folders import contents
from painted_hands import painted_hands
from tiny_hands import TINY, hands, windows
from tiny_models import ESTIMATION, SYNTHESIS, WITHOUT_TAGS, tiny_model

from latent_hands import metrics
from latent_hands.build import build_phases, build_vae
from latent_hands.data import Sample
from latent_hands.errors import HandsError
from latent_hands.experiment import load_experiment
from latent_hands.reproduce import FIGURES, Plan, Sets, Study, Trial, reproduce, sets, study
from latent_hands.reproduce.budget import (
    KINDS,
    SHARES,
    chosen_shares,
    draw_fig9,
    measure_fig9,
    plans,
    relative_gain,
    run_name,
)
from latent_hands.reproduce.curves import clock, information, learning_curve, loss_curve, readings
from latent_hands.reproduce.figure import from_text, redraw, rounded, save, to_text
from latent_hands.reproduce.hands import distance, smoothness, step_lengths
from latent_hands.reproduce.joint import wobble
from latent_hands.reproduce.published import AUC_20_50, EPE_MM, PCK, UP_TO_PERCENT
from latent_hands.reproduce.quintets import draw_fig8, measure_fig8
from latent_hands.reproduce.sets import Source
from latent_hands.reproduce.study import with_effort
from latent_hands.reproduce.transfer import draw_fig6, measure_fig6
from latent_hands.reproduce.walks import draw_fig4, draw_fig5, measure_fig4, measure_fig5
from latent_hands.train import loop

STUDIES = ("estimation", "joint", "alternating", "cross_modal", "regression")
OURS = Source("rendered", Path("hands"), True, "rhd")
BUDGET = ("--training.batch-size=8", "--training.warmup=2", "--training.validate-every=4")
SMALL = (*TINY, *BUDGET, "--networks.layers=2")
POSES = ("--phases.disentangle.batch-size=8", "--phases.embed-pose.batch-size=8")
TINY_PLANS = {
    "dvae": Plan("study_estimation", (*SMALL, *POSES)),
    "regression": Plan("study_regression", SMALL),
}


class TinySets(Sets):
    """Noise in memory in place of every set."""

    @cached_property
    def rendered(self) -> Source:
        return OURS

    def training(self, experiment):
        return hands()

    def evaluation(self, model, source):
        return windows(12, 16, seed=1)


def tiny_study(out: Path, **options) -> Study:
    return Study(TinySets(out, hands=256), **{"effort": 0.03, "seeds": 2} | options)


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


def test_a_stopped_study_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    whole = tiny_study(tmp_path / "whole", seeds=1).trained(TINY_PLANS, OURS)
    update = loop.update

    def stopping(run, *rest):
        if run.place.update == 9:
            signal.raise_signal(signal.SIGINT)
        return update(run, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "update", stopping)
        with pytest.raises(KeyboardInterrupt):
            tiny_study(tmp_path / "parts", seeds=1).trained(TINY_PLANS, OURS)
    assert not list(tmp_path.glob("parts/runs/*/finished.json"))
    parts = tiny_study(tmp_path / "parts", seeds=1).trained(TINY_PLANS, OURS)
    assert [weights(parts[name][0]) for name in parts] == [weights(whole[name][0]) for name in whole]


def test_a_run_that_was_killed_before_it_saved_begins_again(tmp_path):
    one = tiny_study(tmp_path, seeds=1)
    (trial,) = one.trained({"dvae": TINY_PLANS["dvae"]}, OURS)["dvae"]
    expected = weights(trial)
    for name in ("finished.json", "weights.safetensors"):
        (trial.folder / name).unlink()
    one.trained({"dvae": TINY_PLANS["dvae"]}, OURS)
    assert weights(trial) == expected


def test_seeds_give_other_runs_and_settings_another_folder(tmp_path):
    one = tiny_study(tmp_path)
    a, b = one.trained({"dvae": TINY_PLANS["dvae"]}, OURS)["dvae"]
    assert weights(a) != weights(b)
    assert one.scores(a, OURS)["epe_mm"] != one.scores(b, OURS)["epe_mm"]
    with pytest.raises(HandsError, match=r"another \[phases\].*another --out"):
        tiny_study(tmp_path, effort=0.2).trained({"dvae": TINY_PLANS["dvae"]}, OURS)


def test_unknown_figures_and_settings_are_told(tmp_path):
    with pytest.raises(HandsError, match=r'"fig3".*Legal: all, .*fig9'):
        reproduce("fig3", tiny_study(tmp_path))
    with pytest.raises(HandsError, match="several; legal with: fig4"):
        reproduce("fig9", tiny_study(tmp_path, run="estimation"))
    for wrong in ({"effort": 0.0}, {"seeds": 0}):
        with pytest.raises(HandsError, match="legal"):
            tiny_study(tmp_path, **wrong)
    with pytest.raises(HandsError, match="hands is 7"):
        Sets(tmp_path, hands=7)
    assert set(FIGURES) >= {f"fig{i}" for i in range(4, 10)} | {
        "table",
        "beta",
        "dimension",
        "joint",
        "baselines",
    }


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("effort", [1.0, 0.5, 0.3, 2.6])
def test_all_methods_see_equally_many_pictures(name, effort):
    """A phase without pictures counts nothing; of steps in turn only those that read pictures count."""
    experiment = with_effort(load_experiment(f"study_{name}"), effort)
    vae = build_vae(experiment)
    pictures = sum(
        phase.epochs * sum("rgb" in step.bound.encoders for step in phase.steps) / len(phase.steps)
        if phase.in_turn
        else phase.epochs * any("rgb" in step.bound.encoders for step in phase.steps)
        for phase in build_phases(experiment, vae)
    )
    assert pictures == round(20 * effort)


def test_effort_leaves_every_phase_an_epoch():
    experiment = load_experiment("study_estimation")
    assert with_effort(experiment, 1.0) == experiment
    assert {plan.epochs for plan in with_effort(experiment, 1e-6).phases.values()} == {1}


def test_where_pictures_are_read():
    found = {name: readings(load_experiment(f"study_{name}")) for name in STUDIES}
    assert found["estimation"] == {"embed_rgb": ("", 1.0)}
    assert found["joint"] == {"joint": ("step3_", 1.0)}
    assert found["alternating"] == {"alternating": ("", 0.5)}
    assert found["cross_modal"] == {"cross_modal": ("", 1.0)}


def test_the_clock_adds_up_what_lines_tell():
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
    told = information(lines, experiment)
    assert told == {"kl_cpose": 2.0, "active_cpose": 4.0, "reconstruction_epe_mm": 7.0}


def test_gains_are_shares_of_the_full_error():
    assert relative_gain(18.5, 20.0) == pytest.approx(7.5)
    assert relative_gain(20.0, 20.0) == 0
    assert relative_gain(22.0, 20.0) == pytest.approx(-10)


def test_fig9_can_be_had_at_fewer_shares():
    assert chosen_shares(()) == SHARES
    assert chosen_shares((20, 5)) == (5, 20, 100)
    few = plans((5, 20, 100))
    assert len(few) == 9
    assert few.items() <= plans().items()
    scores = {name: [{"epe_mm": 30.0, "cpose_epe_mm": 10.0}] for name in few}
    assert measure_fig9(scores, (5, 20, 100))["labelled_percent"] == (5, 20, 100)
    with pytest.raises(HandsError, match=r"share of labelled hands is 0 %; legal: 1 \.\. 100"):
        chosen_shares((0, 5))


def test_fig9_holds_its_numbers_and_can_be_drawn_again(tmp_path):
    names = list(plans())
    assert len(names) == 25
    assert {run_name(kind, share) for kind in KINDS for share in SHARES} == set(names)
    gain = {"full": 0.0, "semi": 3.5, "weak": 1.0, "semi_weak": 7.5}
    scores = {
        run_name(kind, share): [
            {"epe_mm": m * (100 - percent * (share == 20)), "cpose_epe_mm": m} for m in (1, 2)
        ]
        for kind, percent in gain.items()
        for share in SHARES
    }
    files = save(measure_fig9(scores), draw_fig9, tmp_path / "fig9")
    held = json.loads(files[0].read_text())
    assert held["epe_mm"]["semi"] == [[96.5, 193.0] if share == 20 else [100.0, 200.0] for share in SHARES]
    assert {kind: best["percent"] for kind, best in held["up_to"].items()} == pytest.approx(
        {kind: percent for kind, percent in gain.items() if kind != "full"}
    )
    assert held["up_to"]["semi"]["labelled_percent"] == 20
    assert held["published_up_to_percent"] == UP_TO_PERCENT == {"semi": 3.5, "semi_weak": 7.5}
    drawn = [file.read_bytes() for file in files[1:]]
    redraw(files[0], draw_fig9)
    assert [file.read_bytes() for file in files[1:]] == drawn


def test_published_numbers_are_those_of_the_papers_and_agree_with_each_other():
    assert EPE_MM["dVAE (the paper)"] == {"rhd": 19.95, "stb": 8.66}
    assert EPE_MM["Spurr et al. 2018"]["rhd"] == 19.73
    assert AUC_20_50["Zimmermann & Brox 2017"] == {"rhd": 0.675, "stb": 0.948}
    for name, curves in PCK.items():
        for who, (thresholds_mm, shares) in curves.items():
            area = metrics.auc(torch.tensor(shares), torch.tensor(thresholds_mm))
            assert area.item() == pytest.approx(AUC_20_50[who][name], abs=0.01)
            assert sorted(shares) == list(shares)


def test_a_straight_walk_is_smooth_and_a_jump_is_not():
    rng = np.random.default_rng(0)
    start, end = rng.normal(size=(2, 21, 3))
    weight = np.linspace(0, 1, 9)[:, None, None]
    line = start + weight * (end - start)
    assert smoothness(line) == pytest.approx(1)
    assert step_lengths(line) == pytest.approx([distance(start, end) / 8] * 8)
    assert smoothness(np.where(weight < 0.5, start, end)) == pytest.approx(8)


def test_wobble_is_about_the_own_line():
    assert wobble([50.0, 40.0, 30.0, 20.0]) == pytest.approx(0, abs=1e-9)
    assert wobble([1.0, -1.0, -1.0, 1.0]) == pytest.approx(1)


def test_pictures_pass_through_json():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    assert np.array_equal(from_text(json.loads(json.dumps(to_text(picture)))), picture)
    assert rounded({"a": (np.float32(1.23456789), float("nan")), 1: np.arange(2)}) == {
        "a": [1.23457, None],
        "1": [0, 1],
    }


def scene_samples(folder: Path) -> list[Sample]:
    """Six scenes of two hands each; a scene's tag is its first picture."""
    samples = painted_hands(folder, 12)
    firsts = [samples[i - i % 2] for i in range(12)]
    told = {"window": (121.0, 97.0, 150.0)}
    return [
        replace(s, tag=first.image, side="left", **told) for s, first in zip(samples, firsts, strict=True)
    ]


def test_fig4_holds_its_walks(tmp_path):
    found = measure_fig4(tiny_model(SYNTHESIS), scene_samples(tmp_path))
    files = save(found, draw_fig4, tmp_path / "fig4")
    held = json.loads(files[0].read_text())
    assert all(file.stat().st_size for file in files)
    assert [len(walk) for walk in (*held["pose_walks"], held["content_walk"])] == [7, 7, 7]
    assert held["smoothness"] == pytest.approx(smoothness(np.array(held["poses_bones"])), rel=0.01)
    assert held["pose_walks"][0][3] == held["content_walk"][0]
    assert held["pose_walks"][1][3] == held["content_walk"][-1]


def test_fig5_tells_how_far_the_pose_moves(tmp_path):
    found = measure_fig5(tiny_model(WITHOUT_TAGS), scene_samples(tmp_path))
    walk = json.loads(save(found, draw_fig5, tmp_path / "fig5")[0].read_text())["walks"][0]
    poses = np.array(walk["poses_bones"])
    assert walk["moved_mm"][0] == 0
    ratios = [
        moved / distance(pose, poses[0]) for moved, pose in zip(walk["moved_mm"], poses, strict=True) if moved
    ]
    assert ratios == pytest.approx([ratios[0]] * 6, rel=1e-3)


def test_fig6_is_a_grid_of_every_pose_in_every_scene(tmp_path):
    model, samples = tiny_model(SYNTHESIS), scene_samples(tmp_path)
    held = json.loads(save(measure_fig6(model, samples), draw_fig6, tmp_path / "fig6")[0].read_text())
    assert [len(row) for row in held["pictures"]] == [5] * 4
    assert (len(held["tags"]), len(held["extracted_epe_mm"]), len(held["read_back_epe_mm"])) == (5, 4, 20)
    with pytest.raises(HandsError, match="0 scenes have a tag"):
        measure_fig6(model, [replace(sample, tag=None) for sample in samples])


def test_fig8_holds_truth_and_prediction(tmp_path):
    samples = scene_samples(tmp_path)
    found = measure_fig8({"rendered": (tiny_model(ESTIMATION), samples)})
    held = json.loads(save(found, draw_fig8, tmp_path / "fig8")[0].read_text())["sets"]["rendered"]
    assert len(held) == 8
    visible = {sample.name: sample.visible for sample in samples}
    for each in held:
        truth, said = (np.array(pose) for pose in each["pose_mm"])
        assert abs(truth[0]).max() == 0
        assert np.array(each["cpose_mm"]).shape == (2, 21, 3)
        seen = visible[each["name"]].copy()
        seen[0] = seen[0] | visible[each["name"]][12]
        error = np.linalg.norm(truth - said, axis=1)[seen].mean()
        assert each["epe_mm"] == pytest.approx(error, rel=1e-3)


def test_fig9_refuses_hands_whose_smallest_share_fills_no_batch(tmp_path):
    with pytest.raises(
        HandsError, match="256 hands of rendered hands are learned from; legal here: 2560 or more"
    ):
        reproduce("fig9", tiny_study(tmp_path))
    assert not (tmp_path / "runs").exists()


def test_fig9_asks_the_set_that_teaches_and_renders_no_other(tmp_path, monkeypatch):
    class OwnSets(Sets):
        @cached_property
        def rendered(self) -> Source:
            pytest.fail("rendered hands that nothing learns from")

    monkeypatch.setattr(sets, "open_data", lambda *told: ["a hand"] * min(told[-1], 300))
    own = OwnSets(tmp_path, hands=6000)
    own.given = [Source("rhd", tmp_path, True, "rhd")]
    with pytest.raises(HandsError, match="300 hands of RHD are learned from; legal here: 2560 or more"):
        reproduce("fig9", Study(own))
