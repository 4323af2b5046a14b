"""Rendered sets on disk: layout, exact labels, equal bytes for equal settings, and continued runs."""

import json
import pickle
import shutil

import numpy as np
import pytest
from folders import contents
from PIL import Image

from latent_hands.data import open_data, read_rgb
from latent_hands.data.crops import build_windows
from latent_hands.data.formats.image import read_pixels
from latent_hands.data.formats.rhd_files import encode_annotations, encode_depth, encode_mask
from latent_hands.data.formats.safe_pickle import load_pickle
from latent_hands.doctor import check_set
from latent_hands.errors import AbsentError, HandsError
from latent_hands.rendering.sets import set_writer
from latent_hands.rendering.sets.dataset import render_dataset
from latent_hands.rendering.sets.plan import OLD_NAMES

SMALL = {"count": 5, "size_px": 48, "seed": 3, "poses_per_scene": 2, "evaluation_count": 2, "progress": False}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return render_dataset(tmp_path_factory.mktemp("render") / "hands", workers=1, **SMALL)


def test_the_layout_is_rhds(root):
    names = contents(root)
    for split, count, scenes in [("training", 5, 3), ("evaluation", 2, 1)]:
        for kind, files in [("color", count), ("mask", count), ("depth", count), ("tag", scenes)]:
            assert [name for name in names if name.startswith(f"{split}/{kind}/")] == [
                f"{split}/{kind}/{number:05d}.png" for number in range(files)
            ]
        anno = pickle.loads((root / split / f"anno_{split}.pickle").read_bytes())
        assert list(anno) == list(range(count))
        assert {key: value.shape for key, value in anno[0].items()} == {
            "xyz": (42, 3),
            "uv_vis": (42, 3),
            "K": (3, 3),
        }
    assert json.loads((root / "rendered.json").read_text())["licence"] == "CC0-1.0"
    assert not [name for name in names if "part-" in name]


def test_both_readers_agree(root):
    for split in ("training", "evaluation"):
        for plain, full in zip(
            open_data("rhd", root, split), open_data("rendered", root, split), strict=True
        ):
            assert plain.handedness == full.handedness == full.factors["side"]
            for name in ("xyz_mm", "uv_px", "visible", "K"):
                np.testing.assert_array_equal(getattr(plain, name), getattr(full, name))
            assert read_rgb(full.tag).shape == read_rgb(full.image).shape == (48, 48, 3)
            assert full.scene_box[2] > 0


def test_labels_are_exact(root):
    lines = (root / "training/factors_training.jsonl").read_text().splitlines()
    for sample, line in zip(open_data("rendered", root, "training"), lines, strict=True):
        record = json.loads(line)
        np.testing.assert_array_equal(sample.xyz_mm, np.float32(record["xyz_m"]) * np.float32(1000))
        np.testing.assert_array_equal(sample.uv_px, np.float32(record["uv_px"]))
        assert sample.factors.items() <= record.items()
        uvw = sample.xyz_mm @ sample.K.T
        np.testing.assert_allclose(uvw[:, :2] / uvw[:, 2:], sample.uv_px, atol=1e-3)
        inside = ((sample.uv_px >= -0.5) & (sample.uv_px <= 47.5)).all(1)
        assert not sample.visible[~inside].any()


def test_the_mask_has_the_hands_parts_and_its_depth_is_near_the_joints(root):
    for sample in open_data("rendered", root, "training"):
        mask = read_pixels(sample.mask, "L")
        first = 2 if sample.handedness == "left" else 18
        assert set(np.unique(mask)) <= {0, 1, *range(first, first + 16)}
        red, green, _ = read_rgb(sample.depth).astype(int).transpose(2, 0, 1)
        depth_mm = (red * 256 + green) / 65535 * 5000
        hand = mask > 1
        assert hand.any()
        assert sample.factors["look"]["thing"] or (depth_mm[mask == 0] == 5000).all()
        assert sample.xyz_mm[:, 2].min() - 30 < np.median(depth_mm[hand]) < sample.xyz_mm[:, 2].max() + 30


def test_scenes_share_content_and_tag(root):
    samples = open_data("rendered", root, "training")
    for sample in samples:
        first = samples[2 * sample.factors["scene"]]
        assert sample.tag == first.tag
        for name in ("look", "identity", "side", "palm_m", "window"):
            assert sample.factors[name] == first.factors[name]
    assert samples[0].factors["rotation"] != samples[1].factors["rotation"]
    assert [sample.name for sample in open_data("rendered", root, "training", limit=3)] == [
        "00000",
        "00001",
        "00002",
    ]


def test_every_byte_is_the_same_for_any_number_of_workers(root, tmp_path):
    assert contents(render_dataset(tmp_path / "hands", workers=2, **SMALL)) == contents(root)


def test_a_stopped_run_continues(root, tmp_path, monkeypatch):
    render, done = set_writer.render_job, []

    def stop_at_second(folder, settings, split, index):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append((split, index))
        return render(folder, settings, split, index)

    monkeypatch.setattr(set_writer, "render_job", stop_at_second)
    with pytest.raises(KeyboardInterrupt):
        render_dataset(tmp_path / "hands", workers=1, **SMALL)
    lines = tmp_path / "hands/training/factors_training.jsonl"
    lines.write_text(lines.read_text() + '{"half a li')
    monkeypatch.setattr(set_writer, "render_job", lambda *job: done.append(job[2:]) or render(*job))
    render_dataset(tmp_path / "hands", workers=1, **SMALL)
    assert sorted(done) == [("evaluation", 0), ("training", 0), ("training", 1), ("training", 2)]
    assert contents(tmp_path / "hands") == contents(root)

    (tmp_path / "hands/training/mask/00003.png").unlink()
    done.clear()
    render_dataset(tmp_path / "hands", workers=1, **SMALL)
    assert done == [("training", 1)]
    assert contents(tmp_path / "hands") == contents(root)


def test_other_settings_in_the_same_folder_are_refused(root):
    before = contents(root)
    for name, value in [
        ("seed", 4),
        ("size_px", 64),
        ("count", 6),
        ("evaluation_count", 3),
        ("poses_per_scene", 3),
        ("scene_size", (0.85, 1.0)),
    ]:
        with pytest.raises(HandsError, match=f"not {value}".replace("(", r"\[").replace(")", r"\]")):
            render_dataset(root, **SMALL | {name: value})
    assert contents(root) == before


def test_other_folders_and_settings_out_of_range_are_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(HandsError, match="no folder of rendered hands"):
        render_dataset(tmp_path, **SMALL)
    for name, value in [
        ("count", 0),
        ("size_px", 1),
        ("seed", -1),
        ("poses_per_scene", 0),
        ("evaluation_count", -1),
        ("workers", 0),
    ]:
        with pytest.raises(HandsError, match=f"{name} is {value}"):
            render_dataset(tmp_path / "new", **SMALL | {name: value})
    assert not (tmp_path / "new").exists()


def test_an_empty_evaluation_split_is_absent(tmp_path):
    """So `check` and `export` use the set without it."""
    root = render_dataset(tmp_path / "hands", workers=1, **SMALL | {"count": 1, "evaluation_count": 0})
    assert len(open_data("rendered", root, "training")) == 1
    with pytest.raises(AbsentError):
        open_data("rendered", root, "evaluation")
    assert check_set("rendered", root).counts.keys() == {"training"}


def test_images_of_another_size_than_rendered_are_refused(root, tmp_path):
    shutil.copytree(root, tmp_path / "hands")
    (sample, *_) = open_data("rendered", tmp_path / "hands", "training")
    Image.open(sample.image).resize((30, 30)).save(sample.image)
    with pytest.raises(HandsError, match="but the image has 30x30"):
        build_windows([sample], window_px=16)


def test_depth_and_mask_codes():
    depth_m = np.array([[0.0, 0.5], [1.25, 6.0]], np.float32)
    red, green, _ = encode_depth(depth_m).astype(int).transpose(2, 0, 1)
    np.testing.assert_allclose((red * 256 + green) / 65535 * 5, [[5, 0.5], [1.25, 5]], atol=4e-5)
    part = np.array([[0, 1], [2, 17]], np.uint8)
    np.testing.assert_array_equal(encode_mask(part, "left"), part)
    np.testing.assert_array_equal(encode_mask(part, "right"), [[0, 1], [18, 33]])


def test_annotations_refer_to_numpy_as_rhd_does(tmp_path):
    record = {"index": 4, "side": "right", "xyz_m": np.ones((21, 3)).tolist(), "K": np.eye(3).tolist()}
    record |= {"uv_px": np.ones((21, 2)).tolist(), "visible": [True] * 21}
    data = encode_annotations([record])
    assert b"numpy.core.multiarray" in data
    assert b"_core" not in data
    (tmp_path / "anno.pickle").write_bytes(data)
    label = load_pickle(tmp_path / "anno.pickle")[4]
    assert not label["xyz"][:21].any()
    assert not label["uv_vis"][:21].any()
    assert (label["uv_vis"][21:] == 1).all()


def test_defocus_changes_images_and_no_label(root, tmp_path):
    soft = render_dataset(tmp_path / "soft", workers=1, defocus=(0.1, 0.1), **SMALL)
    for sharp, blurred in zip(
        *(open_data("rendered", each, "training") for each in (root, soft)), strict=True
    ):
        np.testing.assert_array_equal(sharp.xyz_mm, blurred.xyz_mm)
        assert sharp.mask.read_bytes() == blurred.mask.read_bytes()
        assert sharp.image.read_bytes() != blurred.image.read_bytes()
    with pytest.raises(HandsError, match=r"defocus is \(0.3, 0.1\); it must be .low, high. with 0 <= low"):
        render_dataset(tmp_path / "wrong", defocus=(0.3, 0.1), **SMALL)


def test_leaving_a_setting_out_is_another_setting(tmp_path):
    options = SMALL | {"count": 1, "evaluation_count": 0}
    render_dataset(tmp_path / "soft", workers=1, defocus=(0.1, 0.1), **options)
    with pytest.raises(HandsError, match=r"defocus = \[0.1, 0.1\], not None"):
        render_dataset(tmp_path / "soft", workers=1, **options)
    (tmp_path / "soft" / "rendered.json").write_text("[]")
    with pytest.raises(HandsError, match=r"broken|holds rendered hands"):
        render_dataset(tmp_path / "soft", workers=1, **options)


def test_a_folder_of_an_earlier_version_is_continued(root, tmp_path):
    """Earlier versions wrote four settings under other names."""
    folder = tmp_path / "hands"
    shutil.copytree(root, folder)
    path = folder / "rendered.json"
    old_names = {today: old for old, today in OLD_NAMES.items()}
    settings = {old_names.get(name, name): value for name, value in json.loads(path.read_text()).items()}
    assert {"size", "training", "evaluation", "window"} <= settings.keys()
    path.write_text(json.dumps(settings))
    (folder / "training/color/00002.png").unlink()
    render_dataset(folder, workers=1, **SMALL)
    assert contents(folder) == contents(root) | {"rendered.json": json.dumps(settings).encode()}
    assert len(open_data("rendered", folder, "training")) == 5
    with pytest.raises(HandsError, match="holds rendered hands with size_px = 48, not 64"):
        render_dataset(folder, **SMALL | {"size_px": 64})
