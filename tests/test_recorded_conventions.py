"""Files state the table of their joint convention, and labels change their convention without rendering."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from latent_hands.api import experiments
from latent_hands.build import build_phases, build_vae
from latent_hands.configuration import load_experiment, write_experiment
from latent_hands.data import open_data
from latent_hands.data.relabel_coco import relabel_coco
from latent_hands.data.store import Cut, Split, stated
from latent_hands.errors import HandsError
from latent_hands.evaluation.constant import constant_part
from latent_hands.evaluation.protocol import Truth
from latent_hands.hand.conventions import CONVENTIONS, Convention, read_recorded, recorded
from latent_hands.hand.geometry import Mz, canonicalise
from latent_hands.hand.rig.proportions import bending_tilt
from latent_hands.hand.translation import in_convention, random_points, translate_labels
from latent_hands.predictor.rotations import Prediction
from latent_hands.runs.folder import EXPERIMENT, change_run, start_run
from latent_hands.training.beginning import check_convention, start_with


def test_what_is_recorded_reads_back():
    for name in CONVENTIONS:
        assert read_recorded(recorded(name), "a test") == name
    assert read_recorded(recorded("mano"), "a test") == "mano"


def test_a_name_of_an_earlier_version_is_the_earlier_table():
    assert read_recorded("rhd", "a test") == "rhd_bones"
    assert read_recorded("ge2019", "a test") == "ge2019"


def test_the_checksum_finds_a_renamed_table_and_refuses_an_unknown_one():
    checksum = recorded("rhd_bones").split(":")[1]
    assert read_recorded(f"rhd:{checksum}", "a test") == "rhd_bones"
    with pytest.raises(HandsError, match='a test: another table of the convention "rhd" placed'):
        read_recorded("rhd:00000000", "a test")


def test_tables_of_different_moves_have_different_checksums():
    tables = [Convention("", "", moves={"wrist": {"middle_mcp": share}}) for share in (0.1, 0.2)]
    assert tables[0].checksum() != tables[1].checksum()
    assert tables[0].checksum() == Convention("other words", "", moves=tables[0].moves).checksum()


STARTED = [name for name in experiments() if load_experiment(name).training.start]
"""The shipped experiments that begin with the weights of a shipped model."""


@pytest.mark.parametrize("name", STARTED)
def test_shipped_experiments_name_the_convention_of_the_latent_that_they_keep(name):
    experiment = load_experiment(name)
    vae = build_vae(experiment)
    phases = build_phases(experiment, vae)
    started = start_with(vae, experiment.training.start, experiment.training.start_with)
    check_convention(experiment, phases, started)  # raises HandsError for another convention


def test_the_table_that_frames_images_never_changes():
    assert recorded("rhd_bones") == "rhd_bones:7a470bee"


def test_runs_state_the_table_and_earlier_runs_are_of_the_earlier_one(tmp_path):
    experiment = load_experiment("estimation")
    assert experiment.data.convention == "rhd"
    out = start_run(tmp_path / "run", experiment)
    assert f'convention = "{recorded("rhd")}"' in (out / EXPERIMENT).read_text()
    assert load_experiment(out / EXPERIMENT, earlier=True) == experiment
    assert load_experiment(out / EXPERIMENT) == experiment
    (out / EXPERIMENT).write_text(write_experiment(experiment))
    assert load_experiment(out / EXPERIMENT, earlier=True).data.convention == "rhd_bones"
    assert load_experiment(out / EXPERIMENT).data.convention == "rhd"


def test_a_change_of_a_run_keeps_its_convention(tmp_path):
    experiment = load_experiment("estimation")
    out = start_run(tmp_path / "run", experiment)
    change_run(out, sampling=replace(experiment.sampling, temperature=1.5))
    changed = load_experiment(out / EXPERIMENT, earlier=True)
    assert changed == replace(experiment, sampling=changed.sampling)
    assert changed.sampling.temperature == 1.5


def test_a_store_states_a_table_unless_its_data_define_the_convention():
    def read(name: str, convention: str | None) -> str | None:
        cut = Cut(name, "box", "mirror", 1.0, 16)
        return Split(cut, "", 1, 1, convention=convention).labelled_in("a test")

    for name, convention in (("rhd", "rhd"), ("stb-left", "stb"), ("rendered", "rhd"), ("coco", "stb")):
        assert read(name, stated(name, convention)) == convention
    assert stated("rhd-hands", "rhd") == "rhd"
    assert read("rendered", "rhd") == "rhd_bones"
    assert read("images", None) is None


def test_the_tilt_of_bending_axes_turns_with_the_hand_and_not_with_the_bend():
    angle = torch.tensor(0.2, dtype=torch.float64)
    pose = torch.zeros(21, 3, dtype=torch.float64)
    for mcp in (8, 12, 16, 20):
        pose[mcp - 1], pose[mcp - 2] = torch.tensor([0.0, -1, 0]), torch.tensor([0.0, -1.5, -0.8])
    turn = torch.tensor([[angle.cos(), 0, angle.sin()], [0, 1, 0], [-angle.sin(), 0, angle.cos()]])
    torch.testing.assert_close(bending_tilt(pose), torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(bending_tilt(pose @ turn), angle.expand(4))
    pose[[6, 10, 14, 18]] = torch.tensor([0.0, -1.0, -0.9], dtype=torch.float64)  # bent further
    torch.testing.assert_close(bending_tilt(pose @ turn), angle.expand(4))
    pose[[6, 10, 14, 18]] = torch.tensor([0.0, -1.9, -0.1], dtype=torch.float64)  # straight
    assert bending_tilt(pose).isnan().all()


def test_translated_labels_are_those_of_the_other_convention():
    points = random_points(20, seed=3)
    for name in ("rhd", "stb", "ge2019", "mediapipe"):
        old, new = (_wrist_form(points, each) for each in ("rhd_bones", name))
        found = translate_labels(old, "rhd_bones", name)
        assert (found - new).norm(dim=-1).mean() < 0.5
        torch.testing.assert_close(
            translate_labels(old + 100, "rhd_bones", name), found + 100, rtol=0, atol=1e-3
        )


def _wrist_form(points: torch.Tensor, convention: str) -> torch.Tensor:
    weights = torch.from_numpy(CONVENTIONS[convention].weights()).to(points)
    return weights @ points


def test_a_coco_set_is_relabelled(tmp_path, caplog):
    xyz_mm = _wrist_form(random_points(1, seed=4), "rhd_bones")[0].numpy() + np.array([0, 0, 600])
    K = np.array([[500.0, 0, 100], [0, 500, 100], [0, 0, 1]])
    uv = xyz_mm @ K.T
    order = [0, *(4 * finger + joint for finger in range(5) for joint in (4, 3, 2, 1))]
    label = {
        "id": 1,
        "image_id": 0,
        "side": "left",
        "convention": "rhd",
        "xyz_mm": xyz_mm[order].tolist(),
        "K": K.tolist(),
        "keypoints": np.column_stack([uv[:, :2] / uv[:, 2:], np.full(21, 2)])[order].ravel().tolist(),
    }
    root = tmp_path / "old"
    (root / "annotations").mkdir(parents=True)
    (root / "training").mkdir()
    (root / "training" / "a.png").write_bytes(b"pixels")
    (root / "annotations" / "training.json").write_text(json.dumps({"annotations": [label], "other": 1}))
    assert relabel_coco(root, tmp_path / "new", "rhd") == 1
    assert not caplog.text
    images = {"images": [{"id": 0}, {"id": 1}, {"id": 2}]}
    (root / "annotations" / "training.json").write_text(json.dumps({"annotations": [label]} | images))
    assert relabel_coco(root, tmp_path / "more", "rhd") == 1
    assert re.search("2 of 3 images of .*training.json have no label", caplog.text)
    assert (tmp_path / "new" / "training" / "a.png").read_bytes() == b"pixels"
    content = json.loads((tmp_path / "new" / "annotations" / "training.json").read_text())
    (moved,) = content["annotations"]
    assert content["other"] == 1
    assert moved["convention"] == recorded("rhd")
    projected = np.array(moved["xyz_mm"]) @ K.T
    found = np.array(moved["keypoints"]).reshape(21, 3)[:, :2]
    np.testing.assert_allclose(found, projected[:, :2] / projected[:, 2:], atol=1e-3)
    with pytest.raises(HandsError, match="is not empty"):
        relabel_coco(root, tmp_path / "new", "rhd")
    label.pop("K")
    (root / "annotations" / "training.json").write_text(json.dumps({"annotations": [label]}))
    with pytest.raises(HandsError, match='has no "K"'):
        relabel_coco(root, tmp_path / "third", "rhd")


class TestConstantPart:
    """One offset a joint in the canonical frame of the labels."""

    @pytest.fixture(scope="class")
    def truth(self):
        xyz_mm = in_convention(random_points(6, seed=6), "rhd").float()
        turns = torch.linalg.qr(torch.randn(6, 3, 3, generator=torch.Generator().manual_seed(0)))[0]
        turns = turns * turns.det()[:, None, None]
        right = torch.tensor([False, True] * 3)
        xyz_mm = torch.where(right[:, None, None], xyz_mm * torch.tensor([-1.0, 1, 1]), xyz_mm)
        return Truth.of(xyz_mm @ turns, torch.ones(6, 21, dtype=torch.bool), right)

    def test_an_offset_in_the_canonical_frame_is_found_and_explains_everything(self, truth):
        offset_mm = torch.randn(21, 3, generator=torch.Generator().manual_seed(1))
        _, viewpoint = canonicalise(truth.pose, truth.right)
        own = torch.where(truth.right[:, None, None], offset_mm @ Mz, offset_mm)
        pose = truth.pose + own @ viewpoint / truth.bone_mm[:, None, None]
        found = constant_part(Prediction(pose=pose), truth)
        np.testing.assert_allclose(list(found["offset_mm"].values()), offset_mm, atol=0.01)
        assert found["epe_mm"] == pytest.approx(0, abs=1e-3)

    def test_an_error_of_a_single_hand_is_not_explained(self, truth):
        pose = truth.pose.clone()
        pose[0, 1:] += 1
        error_mm = 3**0.5 * float(truth.bone_mm[0])
        found = constant_part(Prediction(pose=pose), truth)
        assert found["epe_mm"] > 20 / 21 * error_mm / 6

    def test_there_is_none_without_a_pose_or_a_second_hand(self, truth):
        assert constant_part(Prediction(), truth) == {}
        one = Truth(truth.pose[:1], truth.bone_mm[:1], truth.visible[:1])
        assert constant_part(Prediction(pose=one.pose), one) == {}


@pytest.mark.parametrize("kind", ["ordinary", "whole", "moving"])
def test_a_relabelled_set_equals_a_set_rendered_in_that_convention(tmp_path, kind):
    pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")
    from latent_hands.rendering.sets.dataset import render_dataset
    from latent_hands.rendering.sets.moving import render_moving
    from latent_hands.rendering.sets.relabel import relabel_rendered
    from latent_hands.rendering.sets.whole_set import render_whole_images

    render = {"ordinary": render_dataset, "whole": render_whole_images, "moving": render_moving}[kind]
    settings = {"count": 2, "size_px": 64, "evaluation_count": 0, "workers": 1, "progress": False, "seed": 3}
    settings |= {"frames": 2} if kind == "moving" else {}
    old, wanted = (
        render(tmp_path / name, convention=name, **settings) for name in ("rhd_bones", "mediapipe")
    )
    assert relabel_rendered(old, tmp_path / "new", "mediapipe") == 2
    for path in wanted.rglob("*.*"):
        assert (tmp_path / "new" / path.relative_to(wanted)).read_bytes() == path.read_bytes()
    data = "rendered-hands" if kind == "whole" else "rendered"
    assert {s.convention for s in open_data(data, tmp_path / "new", "training")} <= {"mediapipe"}
    (old / "rendered.json").write_text(
        (old / "rendered.json").read_text().replace(recorded("rhd_bones"), "rhd")
    )
    assert {s.convention for s in open_data(data, old, "training")} <= {"rhd_bones"}
    if kind == "ordinary":
        _check_refusals(old, tmp_path, relabel_rendered)


def _check_refusals(old, tmp_path, relabel_rendered):
    with pytest.raises(HandsError, match="is not empty"):
        relabel_rendered(old, tmp_path / "new", "stb")
    with pytest.raises(HandsError, match="unknown joint convention"):
        relabel_rendered(old, tmp_path / "third", "none")
    held = (old / "rendered.json").read_text()
    (old / "rendered.json").write_text(held.replace('"rhd"', '"stb"'))
    with pytest.raises(HandsError, match="conventions relabel"):
        open_data("rendered", old, "training")
    (old / "rendered.json").write_text(held)
    factors = old / "training" / "factors_training.jsonl"
    records = [json.loads(line) for line in factors.read_text().splitlines()]
    records[0]["palm_m"][2] += 0.01
    factors.write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(HandsError, match="do not follow from the factors"):
        relabel_rendered(old, tmp_path / "third", "stb")
