"""The readers of RHD, of rendered sets and of plain images."""

import pickle
import shutil

import numpy as np
import pytest
from conftest import SHARED
from PIL import Image

from latent_hands.data import open_data, read_images, read_rgb, read_rhd
from latent_hands.data.formats import image as image_module
from latent_hands.data.readers.rhd import dominant_side
from latent_hands.errors import AbsentError, HandsError
from latent_hands.predictor.checks import pixels_of

needs_rhd = pytest.mark.skipif(not (SHARED / "rhd").is_dir(), reason=f"RHD is not at {SHARED}")


def label(rng):
    xyz = rng.uniform(-0.1, 0.1, (42, 3)).astype(np.float32) + np.float32([0, 0, 0.6])
    uv_vis = np.concatenate([rng.uniform(0, 8, (42, 2)), np.ones((42, 1))], 1).astype(np.float32)
    return {"xyz": xyz, "uv_vis": uv_vis, "K": np.eye(3, dtype=np.float32)}


@pytest.fixture
def root(tmp_path):
    """Three images in RHD's layout: left hand larger, right hand larger, only a right hand."""
    folder = tmp_path / "evaluation"
    for kind in ("color", "mask"):
        (folder / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = {index: label(rng) for index in range(3)}
    labels[2]["xyz"][:21] = 0
    for index, counts in enumerate([(40, 10), (10, 40), (0, 0)]):
        mask = np.zeros(64, np.uint8)
        mask[: counts[0]] = 17
        mask[counts[0] : sum(counts)] = 18
        Image.fromarray(mask.reshape(8, 8)).save(folder / f"mask/{index:05d}.png")
        Image.fromarray(np.full((8, 8, 3), index, np.uint8)).save(folder / f"color/{index:05d}.png")
    write(tmp_path, labels)
    return tmp_path


def write(root, labels):
    (root / "evaluation/anno_evaluation.pickle").write_bytes(pickle.dumps(labels))


def labels_of(root):
    return pickle.loads((root / "evaluation/anno_evaluation.pickle").read_bytes())


def test_the_dominant_hand_is_read_in_millimetres(root):
    samples = open_data("rhd", root, "evaluation")
    labels = labels_of(root)
    assert [sample.handedness for sample in samples] == ["left", "right", "right"]
    for sample, labelled in zip(samples, labels.values(), strict=True):
        hand = slice(0, 21) if sample.handedness == "left" else slice(21, 42)
        np.testing.assert_allclose(sample.xyz_mm, 1000 * labelled["xyz"][hand], rtol=1e-6)
        np.testing.assert_array_equal(sample.uv_px, labelled["uv_vis"][hand, :2])
        assert sample.visible.all()
        assert read_rgb(sample.image).shape == (8, 8, 3)


def test_a_tie_is_a_right_hand():
    assert dominant_side(np.zeros((4, 4), np.uint8)) == "right"


def test_ids_may_have_gaps_and_may_be_selected(root):
    labels = labels_of(root)
    write(root, {5: labels[2], 0: labels[0]})
    shutil.copy(root / "evaluation/color/00002.png", root / "evaluation/color/00005.png")
    assert [sample.name for sample in read_rhd(root, "evaluation")] == ["00000", "00005"]
    assert [sample.name for sample in read_rhd(root, "evaluation", ids=[5])] == ["00005"]
    assert [sample.name for sample in read_rhd(root, "evaluation", limit=1)] == ["00000"]
    with pytest.raises(HandsError, match="no image 3 in"):
        read_rhd(root, "evaluation", ids=[3])


def test_a_wrong_folder_split_or_name_is_an_error(root):
    with pytest.raises(HandsError, match="no data set folder"):
        read_rhd(root / "none", "evaluation")
    with pytest.raises(HandsError, match='unknown split "evaluaton"; did you mean "evaluation"'):
        read_rhd(root, "evaluaton")
    with pytest.raises(HandsError, match='unknown split "evaluaton"; did you mean "evaluation"'):
        open_data("images", root / "evaluation/color", "evaluaton")
    with pytest.raises(HandsError, match="training is not in RHD's layout"):
        read_rhd(root, "training")
    with pytest.raises(HandsError, match='unknown data set "rdh"; did you mean "rhd"'):
        open_data("rdh", root, "evaluation")
    with pytest.raises(HandsError, match="factors_evaluation"):
        open_data("rendered", root, "evaluation")


def test_errors_of_broken_labels_name_the_image(root):
    labels = labels_of(root)
    broken = {**labels, 1: {**labels[1], "xyz": np.full((42, 3), np.nan, np.float32)}}
    write(root, broken)
    with pytest.raises(HandsError, match=r'"xyz" of image 00001 .* not finite'):
        read_rhd(root, "evaluation")
    write(root, {**labels, 1: {**labels[1], "K": np.eye(4)}})
    with pytest.raises(HandsError, match=r'"K" of image 00001 .* shape \(4, 4\); it must be \(3, 3\)'):
        read_rhd(root, "evaluation")
    write(root, {**labels, 1: {**labels[1], "uv_vis": ["many"]}})
    with pytest.raises(HandsError, match='"uv_vis" of image 00001'):
        read_rhd(root, "evaluation")
    write(root, {**labels, 1: {"xyz": 0}})
    with pytest.raises(HandsError, match=r"image 00001 .* not labelled as in RHD"):
        read_rhd(root, "evaluation")
    write(root, [1, 2])
    with pytest.raises(HandsError, match="dictionary by image number"):
        read_rhd(root, "evaluation")


def test_missing_and_broken_images_are_errors(root):
    (root / "evaluation/mask/00000.png").write_bytes(b"")
    with pytest.raises(HandsError, match=r"mask/00000\.png \(0 bytes\) is not a readable image"):
        read_rhd(root, "evaluation")
    (root / "evaluation/color/00000.png").unlink()
    with pytest.raises(HandsError, match=r"image 00000 .* labels but no image"):
        read_rhd(root, "evaluation", ids=[0, 1])
    errors = []
    assert len(open_data("rhd", root, "evaluation", on_broken=errors.append)) == 2
    assert "image 00000" in str(errors[0])


def test_a_split_with_some_missing_images_is_read(root, caplog):
    (root / "evaluation/color/00000.png").unlink()
    assert [sample.name for sample in open_data("rhd", root, "evaluation")] == ["00001", "00002"]
    assert "1 of the 3 labelled images" in caplog.text
    assert [sample.name for sample in open_data("rhd", root, "evaluation", limit=1)] == ["00001"]
    assert [sample.name for sample in read_rhd(root, "evaluation", ids=[2])] == ["00002"]
    for index in (1, 2):
        (root / f"evaluation/color/0000{index}.png").unlink()
    with pytest.raises(AbsentError, match="has none of the 3 images"):
        open_data("rhd", root, "evaluation")


@pytest.mark.parametrize(
    "line",
    [
        b'"window": null',
        b'"window": [1, 2]',
        b'"window": [1, 2, NaN]',
        b'"scene": "x"',
        b'"scene": [1]',
        b'"\xff": 0',
    ],
)
def test_a_broken_line_of_factors_leaves_out_one_image(root, line):
    """The other images have the same scene."""
    complete = (
        b'{"name": "0000%d", "index": %d, "articulation": 0, "rotation": 0, "window": [4, 4, 8], "scene": 0'
    )
    lines = [complete % (i, i) + (b", " + line if i == 0 else b"") + b"}" for i in range(3)]
    (root / "evaluation/factors_evaluation.jsonl").write_bytes(b"\n".join(lines))
    errors = []
    samples = open_data("rendered", root, "evaluation", on_broken=errors.append)
    assert [sample.name for sample in samples] == ["00001", "00002"]
    assert {sample.scene_box for sample in samples} == {(4, 4, 8)}
    assert "line 1 of" in str(errors[0])


def image(path, **options):
    Image.fromarray(np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)).save(path, **options)
    return path


def test_images_are_listed_in_order(tmp_path):
    for name in ("b.png", "a.PNG"):
        image(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    assert [sample.name for sample in open_data("images", tmp_path, "evaluation")] == ["a", "b"]
    assert [sample.name for sample in open_data("images", tmp_path, "evaluation", limit=1)] == ["a"]
    sample = read_images([tmp_path / "b.png"])[0]
    assert sample.xyz_mm is None
    assert sample.handedness is None


def test_images_are_rotated_by_their_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    plain, rotated = image(tmp_path / "plain.png"), image(tmp_path / "rotated.png", exif=exif)
    np.testing.assert_array_equal(read_rgb(rotated), np.rot90(read_rgb(plain), -1))


def test_an_image_in_memory_gives_the_pixels_of_its_file(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = image(tmp_path / "rotated.png", exif=exif)
    np.testing.assert_array_equal(pixels_of(Image.open(path)), read_rgb(path))


def test_16_bit_images_keep_their_upper_bits_and_32_bit_images_are_refused(tmp_path):
    grey = np.arange(0, 240, 16, dtype=np.uint8).reshape(3, 5)
    for ending in ("png", "tif"):
        Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / f"deep.{ending}")
        np.testing.assert_array_equal(read_rgb(tmp_path / f"deep.{ending}"), grey[..., None].repeat(3, 2))
    for kind in (np.int32, np.float32):
        Image.fromarray(grey.astype(kind)).save(tmp_path / "deeper.tif")
        with pytest.raises(HandsError, match=r"deeper.tif: its channels have 32 bits .* 8 or 16 bits"):
            read_rgb(tmp_path / "deeper.tif")


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / "image.tif"
    Image.new(mode, (5, 3)).save(path)
    assert read_rgb(path).shape == (3, 5, 3)
    assert read_rgb(path).dtype == np.uint8


def test_missing_broken_and_large_images_are_errors(tmp_path, monkeypatch):
    with pytest.raises(HandsError, match="no image file or folder"):
        read_images(tmp_path / "none.png")
    with pytest.raises(HandsError, match="no image in the folder"):
        read_images(tmp_path)
    with pytest.raises(HandsError, match="no image was given"):
        read_images([])
    good = image(tmp_path / "good.png")
    data = good.read_bytes()
    for name, content in {"empty.png": b"", "text.png": b"hello", "cut.png": data[: len(data) // 2]}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(HandsError, match=f"{name}.*not a readable image"):
            read_images(tmp_path / name)
    monkeypatch.setattr(image_module, "MAX_PIXELS", 20)
    with pytest.raises(HandsError, match="6x4 pixels; the limit is 20"):
        read_rgb(good)


@needs_rhd
def test_real_labels_agree_with_their_camera():
    samples = read_rhd(SHARED / "rhd", "evaluation", ids=range(20))
    for sample in samples:
        uvw = sample.xyz_mm @ sample.K.T
        error = np.abs(uvw[:, :2] / uvw[:, 2:] - sample.uv_px)[sample.visible]
        assert error.max() < 0.2


def test_flags_that_are_neither_0_nor_1_are_announced(root, caplog):
    labels = labels_of(root)
    labels[0]["uv_vis"][:, 2] = 0.25
    write(root, labels)
    assert open_data("rhd", root, "evaluation")[0].visible.all()
    assert "42 visibility flags are neither 0 nor 1, but 0.25 to 0.25" in caplog.text


def test_masks_with_palettes_hold_the_numbers_of_parts(root):
    path = root / "evaluation/mask/00000.png"
    mask = Image.open(path).convert("P")
    mask.putdata(Image.open(path).tobytes())
    mask.putpalette([200] * 768)
    mask.save(path)
    assert open_data("rhd", root, "evaluation")[0].handedness == "left"


@pytest.mark.parametrize(("mode", "message"), [("L", "has the part 255"), ("RGB", "has colours")])
def test_masks_without_numbers_of_parts_are_refused(root, mode, message):
    Image.new(mode, (8, 8), 255).save(root / "evaluation/mask/00001.png")
    with pytest.raises(HandsError, match=message):
        open_data("rhd", root, "evaluation")
