"""Synthesised sets: readable as rendered ones, equal for equal seeds, and filtered by rereading."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from folders import contents
from test_sampling import hands
from tiny_models import PX, SYNTHESIS, WITHOUT_TAGS, tiny_model, tiny_run

import latent_hands as lh
from latent_hands.cli import main
from latent_hands.data import open_data, read_rgb
from latent_hands.data.export import export_data
from latent_hands.data.palm import palm_xyz_mm, scene_square
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.hand.camera import project
from latent_hands.hand.conventions import recorded
from latent_hands.predictor import Hand
from latent_hands.predictor.decoded_hands import camera_of_crop, palm_of_crop
from latent_hands.rendering.sets.relabel import relabel_rendered
from latent_hands.studies.sampling import synthetic_set
from latent_hands.studies.sampling.making import Request, make_set
from latent_hands.studies.sampling.sampled import sample_images
from latent_hands.studies.sampling.sources import find_source
from latent_hands.studies.sampling.synthetic_set import SynthesisPlan, count_images

EVERYTHING = 1e9
"""A distance in mm that no reread pose exceeds."""
SMALL = Request(
    count=5, evaluation_count=2, seed=3, poses_per_scene=2, max_reread_mm=EVERYTHING, poses="prior"
)
ABOUT = {"run": "tiny", "weights": "0" * 16}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "set"
    return make_set(out, tiny_model(SYNTHESIS), SMALL, (), ABOUT, progress=False)


def test_the_reader_of_rendered_sets_reads_it(root: Path):
    for split, count in (("training", 5), ("evaluation", 2)):
        samples = open_data("rendered", root, split)
        assert [sample.name for sample in samples] == [f"{i:05d}" for i in range(count)]
        for sample in samples:
            assert sample.handedness == "left"
            assert read_rgb(sample.image).shape == read_rgb(sample.tag).shape == (PX, PX, 3)
            assert sample.convention == tiny_model(SYNTHESIS).experiment.data.convention
            assert sample.factors["synthesised"] is True
            assert scene_square(sample) == ((PX - 1) / 2, (PX - 1) / 2, PX)
    assert {sample.block for sample in open_data("rendered", root, "training")} == {
        f"{i:05d}.png" for i in range(3)
    }


def test_the_record_states_that_it_is_synthesised_and_by_what(root: Path):
    record = json.loads((root / "rendered.json").read_text())
    assert record["kind"] == "synthesised"
    assert record["joints"] == recorded(tiny_model(SYNTHESIS).experiment.data.convention)
    assert {key: record[key] for key in ("run", "weights", "seed", "poses", "contents")} == ABOUT | {
        "seed": 3,
        "poses": "prior",
        "contents": "prior",
    }


def test_the_labels_are_the_asked_poses_projected_by_the_camera(root: Path):
    """The label has a bone of 40 mm, and the viewpoint that is stated."""
    for sample in open_data("rendered", root, "training"):
        assert np.allclose(
            project(torch.from_numpy(sample.xyz_mm), torch.from_numpy(sample.K)), sample.uv_px, atol=0.01
        )
        pose, bone_mm = geometry.normalise(palm_xyz_mm(sample))
        assert bone_mm.item() == pytest.approx(40, rel=1e-3)
        V = geometry.canonicalise(pose)[1]
        assert np.allclose(V, sample.factors["viewpoint"], atol=1e-3)


@pytest.mark.parametrize("layout", ["rhd", "coco", "freihand"])
def test_it_can_be_exported(root: Path, tmp_path: Path, layout: str):
    exported = export_data("rendered", root, tmp_path / "out", layout)
    assert exported.convention == tiny_model(SYNTHESIS).experiment.data.convention


def test_equal_seeds_give_equal_sets_and_a_stopped_one_continues(root: Path, tmp_path: Path, monkeypatch):
    model, whole = tiny_model(SYNTHESIS), SynthesisPlan.render

    def stopped(*arguments):
        whole(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(SynthesisPlan, "render", stopped)
    with pytest.raises(KeyboardInterrupt):
        make_set(tmp_path / "set", model, SMALL, (), ABOUT, progress=False)
    monkeypatch.undo()
    make_set(tmp_path / "set", model, SMALL, (), ABOUT, progress=False)
    assert contents(tmp_path / "set") == contents(root)
    with pytest.raises(HandsError, match="with seed = 3, not 4"):
        make_set(tmp_path / "set", model, replace(SMALL, seed=4), (), ABOUT, progress=False)


def test_images_whose_pose_is_not_reread_are_dropped(root: Path, tmp_path: Path, monkeypatch):
    """All kept images are within a limit that most images exceed, and the dropped ones are counted."""
    monkeypatch.setattr(synthetic_set, "ATTEMPTS", 30)
    errors = sorted(sample.factors["reread_mm"] for sample in open_data("rendered", root, "training"))
    limit = errors[2]
    make_set(
        tmp_path / "set",
        tiny_model(SYNTHESIS),
        replace(SMALL, max_reread_mm=limit),
        (),
        ABOUT,
        progress=False,
    )
    samples = [
        s for split in ("training", "evaluation") for s in open_data("rendered", tmp_path / "set", split)
    ]
    assert max(sample.factors["reread_mm"] for sample in samples) <= limit
    dropped = sum(sample.factors["dropped"] for sample in samples)
    assert dropped > 0
    assert count_images(tmp_path / "set") == {"images": 7, "dropped": dropped}
    assert count_images(root)["dropped"] == 0


def test_a_run_that_rereads_nothing_is_named(tmp_path: Path):
    with pytest.raises(HandsError, match=r"scene 0, training: .*new folder, and raise --max-reread-mm"):
        make_set(
            tmp_path / "set",
            tiny_model(SYNTHESIS),
            replace(SMALL, max_reread_mm=1e-6),
            (),
            ABOUT,
            progress=False,
        )


def test_poses_are_those_of_the_labels_and_contents_those_of_the_tags(tmp_path: Path):
    model, samples = tiny_model(SYNTHESIS), hands(tmp_path)
    make_set(tmp_path / "set", model, replace(SMALL, poses=None), samples, ABOUT, progress=False)
    known = [geometry.normalise(palm_xyz_mm(s))[0] for s in samples]
    known = [
        geometry.mirror(p) if s.handedness == "right" else p for p, s in zip(known, samples, strict=True)
    ]
    for sample in open_data("rendered", tmp_path / "set", "training"):
        pose = geometry.normalise(palm_xyz_mm(sample))[0]
        assert min(float((pose - each).abs().max()) for each in known) < 1e-3
    record = json.loads((tmp_path / "set" / "rendered.json").read_text())
    assert (record["poses"], record["contents"], record["data_count"]) == ("labels", "tags", 4)


def test_poses_of_the_renderer_are_hands_in_the_convention_of_the_run():
    """They are left hands with a middle bone of length 1, and the latents are those of the poses."""
    model = tiny_model(SYNTHESIS)
    latent, pose = find_source("renderer", "pose", model, None).draw(
        [np.random.default_rng(i) for i in (0, 1)]
    )
    assert pose is not None
    assert torch.allclose((pose[:, 12] - pose[:, 11]).norm(dim=1), torch.ones(2), atol=1e-5)
    assert torch.allclose(latent["pose"], model.vae.encode("pose", {"pose": pose})["pose"].mean, atol=1e-5)
    again, _ = find_source("renderer", "pose", model, None).draw([np.random.default_rng(1)])
    assert torch.allclose(again["pose"][0], latent["pose"][1], atol=1e-5)


def test_a_run_without_tags_makes_a_set_without_tags(tmp_path: Path):
    root = make_set(tmp_path / "set", tiny_model(WITHOUT_TAGS), SMALL, (), ABOUT, progress=False)
    assert [sample.tag for sample in open_data("rendered", root, "evaluation")] == [None, None]
    assert not (root / "training" / "tag").exists()
    with pytest.raises(HandsError, match="is a synthesised set"):
        relabel_rendered(root, tmp_path / "new", "stb")


def test_the_hand_fills_its_crop_by_the_rule_that_cuts_it():
    """The box of hand3d around the placed hand is the image."""
    pose = torch.randn(21, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1, 1, 0.0])
    pose[0] = 0
    uv = project(pose + palm_of_crop(pose, "box"), camera_of_crop(128))
    offset = (uv - uv[12]).abs().max()
    assert torch.allclose(uv[12], torch.tensor([63.5, 63.5]), atol=1e-3)
    assert offset.item() == pytest.approx(64, rel=1e-4)


@pytest.mark.parametrize("experiment", [SYNTHESIS, WITHOUT_TAGS])
def test_decoded_hands_are_where_the_images_of_a_set_have_them(experiment: str):
    """Camera, projection and joints agree, and the crop of the model is the image."""
    model = tiny_model(experiment)
    for hand in sample_images(model, 3).hands:
        pose, crop = torch.from_numpy(hand.pose), model.experiment.data.crop
        seen = project(torch.from_numpy(hand.camera_xyz_mm), torch.from_numpy(hand.K))
        assert np.allclose(seen, hand.uv_px, atol=1e-3)
        assert np.allclose(
            hand.uv_px, project(pose + palm_of_crop(pose, crop), camera_of_crop(model.crop_px)), atol=1e-3
        )
        assert np.allclose(Hand.from_json(hand.to_json()).uv_px, hand.uv_px, atol=1e-3)


def test_the_function_and_the_command_write_the_same_set(tmp_path: Path):
    run = tiny_run(tmp_path / "run", SYNTHESIS)
    options = ["--count", "3", "--poses", "prior", "--max-reread-mm", "1e9", "--seed", "2"]
    assert main(["synthesise-set", str(tmp_path / "command"), "--run", str(run), *options]) == 0
    made = lh.synthesise_set(
        tmp_path / "function", lh.load(run), count=3, poses="prior", max_reread_mm=EVERYTHING, seed=2
    )
    files = [path.relative_to(made) for path in sorted(made.rglob("*")) if path.is_file()]
    assert len(files) > 3
    for file in files:
        assert (made / file).read_bytes() == (tmp_path / "command" / file).read_bytes(), file


def test_the_command_prints_how_many_were_dropped(tmp_path: Path, capsys: pytest.CaptureFixture):
    run = str(tiny_run(tmp_path / "run", SYNTHESIS))
    make = [
        "synthesise-set",
        str(tmp_path / "set"),
        "--run",
        run,
        "--count",
        "2",
        "--max-reread-mm",
        "100000",
    ]
    assert main(make) == 0
    assert "set: 2 images; 0 of 2 were dropped" in capsys.readouterr().out
    assert main([*make, "--poses", "labels"]) == 2
    assert 'poses from "labels" need images: give them with --data' in capsys.readouterr().err


def test_images_that_no_source_uses_are_refused(tmp_path: Path):
    unused = replace(SMALL, poses="renderer", contents="prior")
    samples = hands(tmp_path)
    with pytest.raises(
        HandsError, match='poses from "renderer" and contents from "prior" use no image, but '
    ):
        make_set(tmp_path / "set", tiny_model(SYNTHESIS), unused, samples, ABOUT, progress=False)


@pytest.mark.parametrize("limit", [float("inf"), float("nan"), 0.0])
def test_the_limit_of_rereading_is_finite(limit: float, tmp_path: Path):
    with pytest.raises(HandsError, match=f"max_reread_mm is {limit}; it must be finite and above 0 mm"):
        make_set(
            tmp_path / "set",
            tiny_model(SYNTHESIS),
            replace(SMALL, max_reread_mm=limit),
            (),
            ABOUT,
            progress=False,
        )


def test_an_unknown_source_is_named():
    with pytest.raises(HandsError, match='unknown source of poses "label"; did you mean "labels"'):
        find_source("label", "pose", tiny_model(SYNTHESIS), None)
