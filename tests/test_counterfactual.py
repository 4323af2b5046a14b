"""Groups in which one factor changes, and grids of poses in scenes: equal parts are equal bit for bit."""

import json

import numpy as np
import pytest
import torch
from folders import contents

from latent_hands.data import open_data, read_counterfactual, read_rgb
from latent_hands.data.formats.image import read_pixels
from latent_hands.data.readers.counterfactual import FACTORS
from latent_hands.errors import HandsError
from latent_hands.hand.geometry import canonicalise, normalise, to_palm

pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")

from latent_hands.cli import main
from latent_hands.rendering.looks.light import EVALUATION_PLACES, LAMPS, TRAINING_PLACES
from latent_hands.rendering.scene import sample_scene
from latent_hands.rendering.sets import set_writer
from latent_hands.rendering.sets.counterfactual import (
    BLOCK_IMAGES,
    BLOCK_SCENES,
    Framing,
    draw_block,
)
from latent_hands.rendering.sets.counterfactual_set import BENCHMARK_SEED, render_counterfactual
from latent_hands.rendering.sets.dataset import render_dataset

SMALL = {"count": BLOCK_IMAGES, "size_px": 48, "seed": 3, "evaluation_count": BLOCK_IMAGES, "progress": False}
SCENE_SIZE = (0.85, 1.0)
SURFACE = ("skin", "light", "background")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return render_counterfactual(tmp_path_factory.mktemp("render") / "set", workers=1, **SMALL)


@pytest.fixture(scope="module", params=["training", "evaluation"])
def read(root, request):
    return read_counterfactual(root, request.param)


def factors_of(sample):
    """Return the record of an image by factor; `rest` belongs to no factor."""
    record = json.loads(json.dumps(sample.factors))
    look = record.pop("look")
    turn = {name: look["light"].pop(name) for name in ("yaw_deg", "pitch_deg", "roll_deg")}
    parts = {"pose": record.pop("articulation"), "viewpoint": record.pop("viewpoint")}
    parts |= {"identity": record.pop("identity")} | {name: look.pop(name) for name in SURFACE}
    # The names of images and scenes are no factors, and the rotation follows from pose and viewpoint.
    for name in ("name", "index", "scene", "rotation", "counterfactual"):
        record.pop(name)
    return parts | {"rest": [record, look, turn]}


def differing(first, second):
    one, other = factors_of(first), factors_of(second)
    return {name for name in one if one[name] != other[name]}


def pose_of(sample):
    """Return canonical pose and viewpoint of the labels, left form."""
    xyz = torch.from_numpy(sample.xyz_mm).double()
    if sample.handedness == "right":
        xyz = xyz * torch.tensor([-1.0, 1.0, 1.0])
    return canonicalise(normalise(to_palm(xyz))[0])


def test_in_a_group_one_recorded_factor_changes(read):
    for group in read.groups:
        assert differing(group.anchor, group.donor) == set(FACTORS)
        for factor, sample in group.changed.items():
            assert differing(group.anchor, sample) == {factor}
            assert differing(group.donor, sample) == set(FACTORS) - {factor}
            assert sample.factors["counterfactual"]["changed"] == factor
            np.testing.assert_array_equal(sample.K, group.anchor.K)


def test_labels_mask_and_depth_do_not_change_with_the_surface(read):
    for group in read.groups:
        for factor in SURFACE:
            sample = group.changed[factor]
            for name in ("xyz_mm", "uv_px", "visible", "scene_box"):
                np.testing.assert_array_equal(getattr(sample, name), getattr(group.anchor, name))
            for name in ("mask", "depth"):
                assert getattr(sample, name).read_bytes() == getattr(group.anchor, name).read_bytes()


def test_pose_and_viewpoint_of_the_labels_change_one_at_a_time(read):
    for group in read.groups:
        cpose, viewpoint = pose_of(group.anchor)
        np.testing.assert_allclose(viewpoint, group.anchor.factors["viewpoint"], atol=1e-5)
        for factor, sample in group.changed.items():
            other_cpose, other_viewpoint = pose_of(sample)
            same = torch.allclose(viewpoint, other_viewpoint, atol=1e-5)
            assert same == (factor != "viewpoint")
            same = torch.allclose(cpose, other_cpose, atol=1e-4)
            assert same == (factor not in ("pose", "identity"))


def test_a_cell_has_the_pose_of_its_row_and_the_scene_of_its_column(read):
    for grid in read.grids:
        assert len({cell.handedness for row in grid.cells for cell in row}) == 1
        for row in grid.cells:
            for cell in row:
                assert factors_of(cell)["pose"] == factors_of(row[0])["pose"]
                np.testing.assert_allclose(pose_of(cell)[1], pose_of(row[0])[1], atol=1e-5)
        for column in zip(*grid.cells, strict=True):
            for cell in column:
                assert differing(cell, column[0]) <= {"pose", "viewpoint"}
                assert (cell.tag, cell.scene_box) == (column[0].tag, column[0].scene_box)
        everywhere = [differing(grid.cells[i][i], grid.cells[0][0]) for i in (1, 2, 3)]
        assert all(found == {*FACTORS, "rest"} for found in everywhere)


def test_a_transfer_takes_pose_and_scene_from_two_other_images(read):
    for grid in read.grids:
        truths = [transfer.truth for transfer in grid.transfers()]
        assert truths == [cell for row in grid.cells for cell in row]
        for transfer in grid.transfers():
            assert not {"pose", "viewpoint"} & differing(transfer.pose, transfer.truth)
            assert transfer.scene.tag == transfer.truth.tag != transfer.pose.tag
            assert factors_of(transfer.scene)["pose"] != factors_of(transfer.truth)["pose"]


def test_every_reader_of_the_layout_reads_the_set(root):
    for split in ("training", "evaluation"):
        samples = open_data("rendered", root, split)
        assert len(samples) == len(open_data("rhd", root, split)) == BLOCK_IMAGES
        assert len({sample.tag for sample in samples}) == BLOCK_SCENES
        for sample in samples:
            assert read_rgb(sample.tag).shape == read_rgb(sample.image).shape == (48, 48, 3)
            assert (read_pixels(sample.mask, "L") > 1).any()


def test_the_splits_share_nothing(root):
    identities = {}
    for split, places in (("training", TRAINING_PLACES), ("evaluation", EVALUATION_PLACES)):
        factors = [sample.factors for sample in open_data("rendered", root, split)]
        assert {record["look"]["light"]["place"] for record in factors} <= {*places, LAMPS}
        assert {record["look"]["background"]["place"] for record in factors} <= set(places)
        identities[split] = {json.dumps(record["identity"]) for record in factors}
    assert not identities["training"] & identities["evaluation"]
    ordinary = json.dumps(sample_scene(3, "training", 0, 48, SCENE_SIZE).factors()["identity"])
    assert ordinary not in identities["training"]


def test_the_evaluation_split_is_the_same_for_every_seed(root):
    shots = draw_block(BENCHMARK_SEED, "evaluation", 0, Framing(48, SCENE_SIZE))
    samples = open_data("rendered", root, "evaluation")
    for shot, sample in zip(shots, samples, strict=True):
        assert json.loads(json.dumps(shot.part)) == sample.factors["counterfactual"]
        assert shot.scene.factors().items() <= sample.factors.items()
    other = draw_block(4, "training", 0, Framing(48, SCENE_SIZE))[0].scene.factors()
    assert other["identity"] != open_data("rendered", root, "training")[0].factors["identity"]


def test_every_byte_is_the_same_for_any_number_of_workers(root, tmp_path):
    assert contents(render_counterfactual(tmp_path / "set", workers=2, **SMALL)) == contents(root)


def test_a_stopped_run_continues(root, tmp_path, monkeypatch):
    options = SMALL | {"count": 0}
    folder = render_counterfactual(tmp_path / "set", workers=1, **options)
    before = contents(folder)
    (folder / "evaluation/tag/00009.png").unlink()
    render, done = set_writer.render_job, []
    monkeypatch.setattr(set_writer, "render_job", lambda *job: done.append(job[2:]) or render(*job))
    render_counterfactual(folder, workers=1, **options)
    assert done == [("evaluation", 0)]
    assert contents(folder) == before
    render_counterfactual(folder, workers=1, **options)
    assert len(done) == 1
    assert {
        name: data for name, data in before.items() if name.startswith("evaluation/")
    }.items() <= contents(root).items()


def test_other_settings_and_ordinary_sets_are_refused(root, tmp_path):
    for name, value in [("seed", 4), ("size_px", 64), ("count", BLOCK_IMAGES + 1)]:
        with pytest.raises(HandsError, match="holds rendered hands with"):
            render_counterfactual(root, **SMALL | {name: value})
    with pytest.raises(HandsError, match="poses_per_scene = None, not 4"):
        render_dataset(root, **SMALL | {"count": BLOCK_IMAGES, "scene_size": SCENE_SIZE})
    for name, value in [("count", -1), ("evaluation_count", -1), ("workers", 0), ("size_px", 1)]:
        with pytest.raises(HandsError, match=f"{name} is {value}"):
            render_counterfactual(tmp_path / "new", **SMALL | {name: value})
    with pytest.raises(HandsError, match=r"scene_size is \(0.8, 1.3\); in a counterfactual set it must be"):
        render_counterfactual(tmp_path / "new", scene_size=(0.8, 1.3))
    with pytest.raises(HandsError, match="count and evaluation_count are 0"):
        render_counterfactual(tmp_path / "new", evaluation_count=0)
    assert not (tmp_path / "new").exists()


def test_the_command_refuses_options_without_meaning(tmp_path, capsys):
    options = ["--counterfactual", "--poses-per-scene", "2"]
    assert main(["render", str(tmp_path / "new"), *options]) == 2
    assert "poses_per_scene is 2" in capsys.readouterr().err


def test_incomplete_and_other_sets_are_refused(root, tmp_path):
    lines = root / "evaluation/factors_evaluation.jsonl"
    text = lines.read_text()
    records = [json.loads(line) for line in text.splitlines()]
    try:
        for number, change, message in [
            (3, {"group": 1, "role": "anchor"}, "group 0 of .* has no image viewpoint"),
            (9, {"grid": 5, "row": 10**12, "column": 0}, "grid 0 of .* has no image in row 0, column 1"),
            (4, {"group": "0"}, "image 00004 of .* belongs to no group or grid"),
            (4, None, "image 00004 of .* belongs to no group or grid"),
        ]:
            changed = list(records)
            changed[number] = records[number] | {"counterfactual": change}
            lines.write_text("".join(json.dumps(record) + "\n" for record in changed))
            with pytest.raises(HandsError, match=message):
                read_counterfactual(root, "evaluation")
    finally:
        lines.write_text(text)
    assert len(read_counterfactual(root, "evaluation", limit=1).grids) == 1
    with pytest.raises(HandsError, match="limit is 0"):
        read_counterfactual(root, "evaluation", limit=0)
