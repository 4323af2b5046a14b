"""The demo: evaluation and report with tiny models, and trainings that continue or fail."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from painted_hands import painted_hands
from rich.console import Console
from test_report import images_of
from tiny_hands import TINY
from tiny_models import ESTIMATION, SYNTHESIS, tiny_model

from latent_hands.configuration import load_experiment
from latent_hands.data import Sample
from latent_hands.errors import HandsError
from latent_hands.runs.folder import start_run
from latent_hands.runs.metrics import METRICS
from latent_hands.studies.demo import evaluate_and_report, learning, run_demo
from latent_hands.studies.demo.stages import Stages

RENDERING = {"count": 1234, "evaluation_count": 12}
RUNS = {"estimation": ESTIMATION, "synthesis": SYNTHESIS}
METRICS_LINES = [
    {"phase": "disentangle", "update": 1, "log_p_pose": -5.0, "kl_pose": 2.0},
    {"phase": "embed_rgb", "update": 2, "log_p_rgb": -9.0, "kl_pose": 1.0},
]


def scene_samples(folder: Path) -> list[Sample]:
    """Return twelve hands in six scenes. The tag of a scene is its first image."""
    samples = painted_hands(folder, 12)
    firsts = [samples[i - i % 2] for i in range(12)]
    return [
        replace(sample, tag=first.image, scene_box=(121.0, 97.0, 150.0))
        for sample, first in zip(samples, firsts, strict=True)
    ]


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[Path, str]:
    """Return the folder of a demo of tiny models, and its report."""
    folder = tmp_path_factory.mktemp("demo")
    for run in RUNS:
        (folder / run).mkdir()
        (folder / run / METRICS).write_text("".join(json.dumps(line) + "\n" for line in METRICS_LINES))
    models = {run: {"yours": tiny_model(graph)} for run, graph in RUNS.items()}
    samples = scene_samples(tmp_path_factory.mktemp("hands"))
    report = evaluate_and_report(Stages(folder, 3), RENDERING, samples, models)
    return folder, report.read_text()


def test_the_report_embeds_every_drawn_image_once(demo):
    folder, html = demo
    drawn = sorted(path.read_bytes() for path in (folder / "images").iterdir())
    assert len(drawn) == 9
    assert sorted(images_of(html)) == drawn


def test_the_report_has_the_scores_of_the_evaluation(demo):
    folder, html = demo
    scores = json.loads((folder / "demo.json").read_text())["evaluate"]["results"]["yours"]
    assert scores["samples"] == 12
    assert f"{scores['epe_mm']:.1f} mm" in html
    assert f"{scores['mean_pose']['epe_mm']:.1f} mm" in html
    assert f"{scores['auc_20_50']:.3f}" in html
    for text in ("1,234", "12 for testing", "z cpose", "z tag", "--handedness left"):
        assert text in html


def test_a_second_report_runs_no_stage_again(demo, tmp_path_factory):
    folder, html = demo
    models = {run: {"yours": tiny_model(graph)} for run, graph in RUNS.items()}
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "images").iterdir()}
    report = evaluate_and_report(Stages(folder, 3), RENDERING, [], models)
    assert report.read_text() == html
    assert {path.name: path.stat().st_mtime_ns for path in (folder / "images").iterdir()} == before


def test_a_demo_of_less_than_one_batch_is_refused(tmp_path):
    with pytest.raises(HandsError, match="count is 255; it must be 256"):
        run_demo(tmp_path / "out", 255)
    assert not (tmp_path / "out").exists()


def test_a_killed_run_is_resumed(tmp_path, monkeypatch):
    resumed = []
    monkeypatch.setattr(learning, "train", lambda *_, resume: resumed.append(resume) or True)
    experiment = load_experiment("demo_estimation", TINY)
    assert learning.train_run(experiment, tmp_path / "run") == learning.FINISHED
    start_run(tmp_path / "run", experiment)
    assert learning.train_run(experiment, tmp_path / "run") == learning.FINISHED
    assert resumed == [False, True]


def test_a_failed_training_names_its_log(tmp_path):
    experiment = learning.demo_experiment("demo_estimation", tmp_path / "no_hands", 1)
    with pytest.raises(HandsError, match=r"training of mine failed: .*no_hands.*mine\.log"):
        learning.train_runs(tmp_path, {"mine": experiment}, False, Console(quiet=True))


def test_a_run_on_a_share_of_the_cores_gets_more_time():
    alone, shared = (learning.demo_experiment("demo_estimation", Path("hands"), share) for share in (1, 3))
    for name, phase in alone.phases.items():
        assert shared.phases[name].minutes == (phase.minutes and 3 * phase.minutes)
    assert any(phase.minutes for phase in alone.phases.values())
