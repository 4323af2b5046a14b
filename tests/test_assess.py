"""Assessment finds no fault in a perfect model and the whole leak of a leaking one; closed forms hold."""

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from painted_hands import painted_hand
from painted_swaps import perfect_model, world
from tiny_models import ESTIMATION, PX, SYNTHESIS, WITHOUT_TAGS, tiny_model

from latent_hands.cli import main
from latent_hands.errors import HandsError
from latent_hands.predictor import Model
from latent_hands.studies.assess import ProbeImages, Subject, assess_run, probe, transfer_sheet
from latent_hands.studies.assess.calibration import calibration
from latent_hands.studies.assess.content import content_of
from latent_hands.studies.assess.disentangling import measure_free
from latent_hands.studies.assess.image_quality import LARGEST_DB
from latent_hands.studies.assess.intervals import mean_of
from latent_hands.studies.assess.probe import measure_probes, read_across
from latent_hands.studies.assess.transfers import TRANSFERRED, kept_content, transfer_images

BENCHMARK, KNOWN = world()


@pytest.fixture(scope="module", autouse=True)
def _short_probes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe, "STEPS", 5)
        yield


@contextmanager
def longer_probes():
    """Let probes take enough steps to read what is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe, "STEPS", 100)
        yield


@pytest.fixture(scope="module")
def perfect():
    return assess_run(Subject(perfect_model(KNOWN)), BENCHMARK, draws=2)[0]


@pytest.fixture(scope="module")
def leaking():
    with longer_probes():
        return assess_run(Subject(perfect_model(KNOWN, leak=True)), BENCHMARK, draws=2)[0]


@pytest.mark.parametrize("row", [*TRANSFERRED, "own_reconstruction"])
def test_a_perfect_model_generates_the_ground_truth(perfect, row):
    for region in ("whole", "inside", "outside"):
        assert perfect["rows"][row][region]["psnr_db"] == LARGEST_DB
        assert perfect["rows"][row][region]["ssim"] == pytest.approx(1)
    assert perfect["rows"][row]["own_epe_mm"] == pytest.approx(0, abs=1e-4)


def test_copies_are_correct_only_outside_the_hand(perfect):
    for row in ("tag_copied", "scene_copied"):
        assert perfect["rows"][row]["outside"]["psnr_db"] == LARGEST_DB
        assert perfect["rows"][row]["inside"]["psnr_db"] < 20
        assert perfect["rows"][row]["own_epe_mm"] > 10
    gain = perfect["rows"]["pose_from_labels"]["inside_over_tag"]["gain_db"]
    assert gain == pytest.approx(LARGEST_DB - perfect["rows"]["tag_copied"]["inside"]["psnr_db"])


def test_a_factor_of_a_perfect_model_changes_only_with_its_own_generating_factors(perfect):
    for changed, row in perfect["leakage"].items():
        is_pose = changed in ("pose", "viewpoint")
        assert row["pose"]["ratio"] == pytest.approx(float(is_pose))
        assert row["content"]["ratio"] == pytest.approx(float(not is_pose))


def test_swapped_factors_of_a_perfect_model_are_encoded_unchanged(perfect):
    for row in perfect["swap_consistency"].values():
        for each in row.values():
            assert each["ratio"] == pytest.approx(0, abs=1e-6)


def test_a_content_equal_to_the_pose_leaks_completely(leaking):
    assert leaking["leakage"]["pose"]["content"]["ratio"] == pytest.approx(1)
    assert leaking["leakage"]["identity"]["content"]["ratio"] == pytest.approx(0)
    assert leaking["swap_consistency"]["pose"]["content"]["ratio"] == pytest.approx(1)
    pose, content = leaking["probes"]["pose"], leaking["probes"]["content"]
    assert content["epe_mm"] == pytest.approx(pose["epe_mm"], rel=0.2)


@longer_probes()
def test_probes_train_on_other_images():
    images = ProbeImages(BENCHMARK.rgb.repeat(4, 1, 1, 1), BENCHMARK.pose.repeat(4, 1, 1))
    rows = measure_probes(Subject(perfect_model(KNOWN)), BENCHMARK, images)
    assert rows["pose"]["epe_mm"] < 0.8 * rows["mean_pose"]["epe_mm"]
    assert rows["pose"]["epe_mm"] < 0.8 * rows["content"]["epe_mm"]


@longer_probes()
def test_probes_are_scored_with_and_without_a_visible_forearm():
    subject, count = Subject(perfect_model(KNOWN)), len(BENCHMARK.rgb)
    images = ProbeImages(BENCHMARK.rgb, BENCHMARK.pose)
    without = measure_probes(subject, BENCHMARK, images)["pose"]
    assert without["epe_mm_without_arm"] == without["epe_mm"]
    assert "epe_mm_with_arm" not in without
    forearm = (torch.arange(count) % 2 == 0)[:, None, None] & ~BENCHMARK.hand
    both = measure_probes(subject, replace(BENCHMARK, ground=BENCHMARK.ground & ~forearm), images)["pose"]
    assert both["epe_mm"] == without["epe_mm"]
    assert both["epe_mm"] == pytest.approx((both["epe_mm_with_arm"] + both["epe_mm_without_arm"]) / 2)
    assert both["epe_mm_with_arm"] != both["epe_mm_without_arm"]


def test_all_units_of_the_world_are_active(perfect):
    for factors in perfect["latent"].values():
        for each in factors.values():
            assert each["active_units"] == each["units"]


@pytest.mark.parametrize("count", [2, 5, 40])
@pytest.mark.parametrize("off", [1.0, 2.0])
def test_ground_truth_from_the_posterior_is_calibrated(count, off):
    generator = torch.Generator().manual_seed(count)
    deviation = 1 + 9 * torch.rand(400, 20, 1, generator=generator)
    draws = deviation * torch.randn(count, 400, 20, 3, generator=generator)
    mean = draws.mean(dim=0)
    like_a_draw = deviation * torch.randn(400, 20, 3, generator=generator)
    truth = mean + off * (like_a_draw - mean)
    found = calibration(draws, truth, torch.ones(400, 20, dtype=torch.bool), torch.arange(400))
    assert found["error_over_spread"] == pytest.approx(off, rel=0.05)
    assert found["correlation"] > 0.2
    if off == 1 and count == 40:
        assert found["calibration_error_mm"] < 1
        assert [line["error_mm"] for line in found["table"]] == pytest.approx(
            [line["spread_mm"] for line in found["table"]], rel=0.1
        )


def test_one_draw_has_no_spread():
    one = torch.zeros(1, 4, 20, 3)
    with pytest.raises(HandsError, match="the number of draws is 1; it must be at least 2"):
        calibration(one, one[0], torch.ones(4, 20, dtype=torch.bool), torch.arange(4))


@longer_probes()
def test_a_probe_reads_information_and_no_noise():
    generator = torch.Generator().manual_seed(0)
    inputs, other = torch.randn(2, 400, 6, generator=generator)
    targets = (inputs @ torch.randn(6, 3, generator=generator)).tanh()
    blocks = torch.arange(400) // 10
    predicted, mean = read_across(inputs, targets, blocks)
    by_mean = (mean - targets).square().mean()
    assert (predicted - targets).square().mean() < 0.2 * by_mean
    predicted, _ = read_across(other, targets, blocks)
    assert (predicted - targets).square().mean() > 0.98 * by_mean


def test_kept_content_has_rank_correlation_one():
    truth = torch.randn(60, 19, generator=torch.Generator().manual_seed(0))
    blocks = torch.arange(60) // 6
    assert kept_content(truth.exp(), truth, blocks)["identity"] == pytest.approx(1)
    assert kept_content(-truth, truth, blocks)["skin"] == pytest.approx(-1)
    assert kept_content(torch.zeros_like(truth), truth, blocks)["light"] is None


def test_more_equal_images_in_a_block_do_not_narrow_the_interval():
    values = torch.randn(30, generator=torch.Generator().manual_seed(0))
    alone = mean_of("x", values, torch.arange(30))
    repeated = mean_of("x", values.repeat_interleave(8), torch.arange(30).repeat_interleave(8))
    assert repeated["x_interval"] == pytest.approx(alone["x_interval"])


def test_a_free_factor_equal_to_the_scene_holds_the_background_and_no_pose():
    found = measure_free(Subject(perfect_model(KNOWN, tagged=False)), BENCHMARK)
    assert found["factors"] == ["content"]
    assert found["pose_moves_mm"] == 0
    assert found["background_gain_db"] > 80
    assert found["active_units"] == found["units"] == 8


def test_a_free_factor_of_an_untrained_model_is_measured():
    scores, images = assess_run(Subject(tiny_model(WITHOUT_TAGS).vae), BENCHMARK, draws=2)
    assert scores["free"]["pose_moves_mm"] > 0
    assert abs(scores["free"]["background_gain_db"]) < 5
    assert scores["content_from"] == "image"
    assert transfer_sheet(BENCHMARK, images, 2).ndim == 3


def test_a_model_whose_tags_determine_the_content_has_no_free_factor():
    scores, _ = assess_run(Subject(tiny_model(SYNTHESIS).vae), BENCHMARK, draws=2)
    assert "free" not in scores
    assert scores["content_from"] == "tag"
    assert scores["crop_px"] == PX


def test_contents_of_images_do_not_depend_on_tags_and_an_encoder_of_images_reads_tags():
    swapped = replace(BENCHMARK, tags={"tag": BENCHMARK.rgb})
    tagged, free = (Subject(tiny_model(of).vae) for of in (SYNTHESIS, WITHOUT_TAGS))
    pairs = [
        (transfer_images(tagged, swapped, "images"), transfer_images(tagged, BENCHMARK, "images")),
        (transfer_images(free, swapped, "tags"), transfer_images(free, BENCHMARK, "images")),
    ]
    for first, second in pairs:
        for row in TRANSFERRED:
            assert first[row].equal(second[row])
    by_tag = transfer_images(free, BENCHMARK, "tags")
    assert not by_tag[TRANSFERRED[0]].equal(transfer_images(free, BENCHMARK, "images")[TRANSFERRED[0]])
    scores, _ = assess_run(free, BENCHMARK, draws=2, contents="tags")
    assert scores["content_from"] == "tag"


def test_models_and_benchmarks_that_cannot_be_assessed_are_refused():
    with pytest.raises(HandsError, match="no decoder writes rgb"):
        Subject(tiny_model(ESTIMATION).vae)
    one, known = world(blocks=1)
    with pytest.raises(HandsError, match="benchmark is 1; it must be 2 or more"):
        assess_run(Subject(perfect_model(known)), one)


def test_only_rendered_images_have_content(tmp_path):
    with pytest.raises(HandsError, match="has no factors of its scene"):
        content_of([painted_hand(tmp_path, "0")])


def test_the_command_assesses_a_rendered_benchmark_and_keeps_its_judge(tmp_path, monkeypatch, capsys):
    pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")
    from latent_hands.rendering.sets.counterfactual_set import render_counterfactual

    root = render_counterfactual(tmp_path / "set", 24, 48, evaluation_count=48, workers=1, progress=False)
    load = Model.load
    monkeypatch.setattr(
        Model, "load", lambda run: load(run) if run == "estimation" else tiny_model(SYNTHESIS)
    )
    judge, out = str(tmp_path / "judge.safetensors"), tmp_path / "out"
    command = ["assess", "tiny", "--root", str(root), "--judge", judge, "--draws", "2"]
    assert main(command) == 2
    assert "no judge at" in capsys.readouterr().err
    for option in (["--epochs", "1"], ["--judge-backbone", "resnet18"]):
        assert main(["assess", "tiny", "--root", str(root), *option]) == 2
        assert f"{option[0]} is {option[1]}, but there is no judge" in capsys.readouterr().err
    scenes = ["--scenes", str(root), "--epochs", "1"]
    assert main([*command, *scenes, "--out", str(out), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["transfers"] == 32
    true, mean = first["rows"]["true_image"], first["rows"]["mean_image"]
    assert true["judge_ratio"] == true["estimator_ratio"] == 1
    assert true["estimator_epe_mm"] < 0.5 * mean["estimator_epe_mm"]
    assert first == json.loads((out / "assessment.json").read_text())
    assert (out / "transfers.png").is_file()
    assert main([*command, *scenes, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert main([*command, "--limit", "1"]) == 2
    assert main([*command, "--limit", "2"]) == 0
    tables = capsys.readouterr().out
    assert "Leakage" in tables
    assert "Standard scores of disentanglement" in tables


@pytest.mark.parametrize("draws", [-1, 0, 1])
def test_too_few_draws_are_refused_before_anything_is_measured(draws):
    subject = Subject(nothing_runs(perfect_model(KNOWN)))
    with pytest.raises(HandsError, match=f"draws is {draws}; it must be between 2 and 1,000"):
        assess_run(subject, BENCHMARK, draws=draws)


def nothing_runs(vae):
    """Return the graph with encoders and decoders that fail when they are called."""
    for arrow in (*vae.encoders.values(), *vae.decoders.values()):
        arrow.register_forward_pre_hook(lambda *_: pytest.fail("a network ran"))
    return vae
