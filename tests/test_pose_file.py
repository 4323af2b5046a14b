"""Files of poses: what is written is drawn from; images follow the seed and the file's content alone."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from latent_hands.cli import main
from latent_hands.data import open_data
from latent_hands.errors import HandsError
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.collision import penetration_mm
from latent_hands.hand.rig.poses import TOUCH_MM, sample_articulation
from latent_hands.rendering import pose_file
from latent_hands.rendering.pose_file import JITTER_DEG, PoseSource, read_poses, write_poses
from latent_hands.rendering.sets.dataset import render_dataset

SMALL = {"count": 4, "size_px": 32, "seed": 3, "poses_per_scene": 2, "evaluation_count": 2, "progress": False}


@pytest.fixture(scope="module")
def poses():
    rng = np.random.default_rng(5)
    return np.stack([sample_articulation(rng).flat() for _ in range(30)]).astype(np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory, poses):
    path = tmp_path_factory.mktemp("poses") / "new" / "poses.safetensors"
    write_poses(path, poses, np.zeros(len(poses)), "somewhere")
    return path


def test_what_was_written_is_read(path, poses):
    np.testing.assert_array_equal(read_poses(path), poses)


def test_equal_poses_give_equal_bytes(path, poses):
    files = set()
    for _ in range(8):
        write_poses(path, poses, np.zeros(len(poses)), "somewhere")
        files.add(path.read_bytes())
    assert len(files) == 1


def test_draws_are_near_the_files_poses_and_splits_share_none(path, poses):
    source = PoseSource.open(path, 1.0)
    drawn = {}
    for split in ("training", "evaluation"):
        rng = np.random.default_rng(0)
        draws = [source.draw(rng, split) for _ in range(60)]
        drawn[split] = {number for _, number in draws}
        for articulation, number in draws:
            assert penetration_mm(articulation) < TOUCH_MM
            assert np.abs(articulation.flat() - poses[number])[:22].max() < 8 * JITTER_DEG
    assert max(drawn["training"]) < 27 <= min(drawn["evaluation"])
    assert len(drawn["training"]) > 10


def test_the_share_is_the_files(path):
    rng = np.random.default_rng(0)
    assert {number for _, number in (PoseSource.open(path, 0.0).draw(rng, "training") for _ in range(5))} == {
        None
    }
    half = [PoseSource.open(path, 0.5).draw(rng, "training")[1] is None for _ in range(60)]
    assert 15 < sum(half) < 45


def test_draws_follow_the_seed(path):
    source = PoseSource.open(path, 0.5)
    first, second = (
        [source.draw(rng, "training") for _ in range(8)] for rng in map(np.random.default_rng, (7, 7))
    )
    for (a, i), (b, j) in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.flat(), b.flat())
        assert i == j


def test_images_follow_the_content_of_the_file(path, poses, tmp_path):
    root = render_dataset(tmp_path / "a", workers=1, poses=path, poses_share=0.8, **SMALL)
    copy = shutil.copy(path, tmp_path / "copy.safetensors")
    other = render_dataset(tmp_path / "b", workers=1, poses=copy, poses_share=0.8, **SMALL)
    for file in sorted(root.rglob("*")):
        if file.is_file():
            assert file.read_bytes() == (other / file.relative_to(root)).read_bytes()
    settings = json.loads((root / "rendered.json").read_text())["poses"]
    assert settings == PoseSource.open(path, 0.8).as_json()
    numbers = [sample.factors["source_pose"] for sample in open_data("rendered", root, "training")]
    assert any(number is not None for number in numbers)
    for sample in open_data("rendered", root, "training"):
        if (number := sample.factors["source_pose"]) is not None:
            drawn = Articulation.from_json(sample.factors["articulation"]).flat()
            assert np.abs(drawn - poses[number])[:22].max() < 8 * JITTER_DEG
    with pytest.raises(HandsError, match=r"not \{'sha256': .*'share': 0.5\}"):
        render_dataset(root, workers=1, poses=path, **SMALL)


def test_broken_files_are_named(path, poses, tmp_path, monkeypatch):
    wrong = tmp_path / "wrong.safetensors"
    with pytest.raises(HandsError, match=r"no file of poses at .*wrong"):
        read_poses(wrong)
    for content in (b"", b"no tensors", path.read_bytes()[:-5]):
        wrong.write_bytes(content)
        with pytest.raises(HandsError, match=r"wrong\.safetensors is no file of poses"):
            read_poses(wrong)
    save_file({"angles": poses}, wrong)
    with pytest.raises(HandsError, match=r"wrong\.safetensors is no file of poses"):
        read_poses(wrong)
    for array in (poses[:, :20], poses[:0], poses.astype(np.float64)):
        save_file({"articulations": np.ascontiguousarray(array)}, wrong)
        with pytest.raises(HandsError, match=r"they must be float32 \(n, 24\)"):
            read_poses(wrong)
    for value in (np.nan, 95.0):
        bad = poses.copy()
        bad[3, 4] = value
        save_file({"articulations": bad}, wrong)
        with pytest.raises(
            HandsError, match=r"angle 4 of pose 3 in .* is (nan|95) degrees; it must be between -20 and 90"
        ):
            read_poses(wrong)
    monkeypatch.setattr(pose_file, "MAX_BYTES", 100)
    with pytest.raises(HandsError, match="at most 100"):
        read_poses(path)
    with pytest.raises(HandsError, match="poses_share is 2"):
        PoseSource.open(path, 2.0)


def test_a_file_that_changed_is_not_drawn_from(poses, tmp_path):
    path = tmp_path / "poses.safetensors"
    write_poses(path, poses, np.zeros(len(poses)), "somewhere")
    source = PoseSource.open(path, 1.0)
    write_poses(path, poses[::-1], np.zeros(len(poses)), "somewhere")
    with pytest.raises(HandsError, match="was changed while poses were drawn"):
        source.draw(np.random.default_rng(0), "training")


def test_the_commands(path, tmp_path, capsys):
    root = render_dataset(tmp_path / "hands", workers=1, **SMALL)
    out = tmp_path / "out.safetensors"
    assert main(["retarget", str(out), "--data", "rendered", "--root", str(root), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["hands"] == 4
    assert len(read_poses(out)) == 4 - summary["left_out"]
    assert main(["retarget", str(out), "--data", "rendered", "--root", str(root)]) == 2
    assert f"{out} exists; give the name of a new file" in capsys.readouterr().err
    new = str(tmp_path / "new.safetensors")
    assert main(["retarget", new, "--data", "rendered", "--root", str(root), "--limit", "2"]) == 0
    assert "fit error, mean" in capsys.readouterr().out
    for options in (["--poses-share", "0.5"], ["--poses", str(path), "--counterfactual"]):
        assert main(["render", str(tmp_path / "new"), *options]) == 2
        assert "poses" in capsys.readouterr().err
    bare = str(tmp_path / "bare.safetensors")
    assert main(["retarget", bare, "--data", "images", "--root", str(root / "training/color")]) == 2
    assert "no joints in 3D" in capsys.readouterr().err
    assert main(["retarget", str(tmp_path / "a.npz"), "--data", "rendered", "--root", str(root)]) == 2
    assert "a.npz must end in .safetensors" in capsys.readouterr().err
