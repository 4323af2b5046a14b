"""Images of any size, mode and orientation give hands or an error of one line."""

from io import BytesIO
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
from PIL import Image
from tiny_models import PLACEMENT, noise_image, tiny_model

from latent_hands.detection import Detection
from latent_hands.errors import HandsError
from latent_hands.predictor import HandCrop, Model


class Everywhere:
    """A detector that finds one hand in the middle of any image."""

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        height, width = rgb.shape[:2]
        return [Detection((width / 4, height / 4, width / 2, height / 2), "left", 0.9, 0.01)]


@pytest.fixture(scope="module")
def model() -> Model:
    model = tiny_model(PLACEMENT, frame="ray")
    model.detector = Everywhere()
    return model


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2), (16, 2000), (2000, 16), (1200, 1600)])
def test_images_of_any_size_have_finite_hands(model, size):
    (hand,) = model.find(noise_image(*size))
    for array in (hand.pose, hand.uv_px, hand.palm_mm, hand.palm_spread_mm, hand.spread_mm):
        assert np.isfinite(array).all()
    assert hand.palm_mm[2] > 0


@pytest.mark.parametrize(
    ("mode", "ending"), [("L", "png"), ("RGBA", "png"), ("P", "png"), ("CMYK", "jpg"), ("1", "png")]
)
def test_images_of_any_mode_are_read_as_colours(model, tmp_path: Path, mode, ending):
    path = tmp_path / f"image.{ending}"
    Image.fromarray(noise_image()).convert(mode).save(path)
    assert len(model.find(path)) == 1


def test_sixteen_bits_are_read_by_their_upper_eight(model, tmp_path: Path):
    levels = noise_image()[..., 0]
    Image.fromarray(levels.astype(np.uint16) << 8).save(tmp_path / "deep.png")
    Image.fromarray(levels).save(tmp_path / "flat.png")
    deep, flat = (model.find(tmp_path / name)[0] for name in ("deep.png", "flat.png"))
    assert np.array_equal(deep.pose, flat.pose)


def test_a_photograph_that_lies_on_its_side_is_found_upright(model, tmp_path: Path):
    upright, exif = Image.fromarray(noise_image()), Image.Exif()
    exif[0x0112] = 6
    exif[0x8769] = {41989: 40}
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    (turned,), (expected,) = model.find(tmp_path / "turned.png"), model.find(upright)
    assert np.array_equal(turned.uv_px, expected.uv_px)
    assert (turned.camera, expected.camera) == ("exif", "assumed")
    assert tuple(turned.K[:2, 2]) == tuple(expected.K[:2, 2])


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_broken_files_are_named(model, tmp_path: Path, content):
    path = tmp_path / "broken.jpg"
    if content is None:
        Image.fromarray(noise_image(400, 400)).save(path)
        content = path.read_bytes()[:900]
    path.write_bytes(content)
    with pytest.raises(HandsError, match=r"broken\.jpg"):
        model.find(path)


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("RGB", (0, 0)), "an image has 0x0 pixels"),
        (BytesIO(b"\x89PNG"), "not a BytesIO"),
        (np.full((9, 9, 3), 200.0), r"for values to 255 image.round\(\).astype"),
    ],
)
def test_files_in_memory_and_empty_images_are_refused(model, image, message):
    """Files have the attribute `detach`, as tensors have."""
    for use in (lambda: model.estimate(image, handedness="left"), lambda: HandCrop.open(image)):
        with pytest.raises(HandsError, match=message):
            use()


def test_images_of_pillow_that_cannot_be_decoded_are_refused(model, tmp_path: Path):
    Image.fromarray(noise_image(400, 400)).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:900])
    with Image.open(tmp_path / "cut.jpg") as image, pytest.raises(HandsError, match="cannot be decoded"):
        model.find(image)
    with pytest.raises(HandsError, match="cannot be decoded"):
        model.find(image)


def test_photos_keep_their_pixels_if_a_loop_uses_one_buffer():
    buffer, photos = np.zeros((4, 4, 3), np.uint8), list[HandCrop]()
    for level in (0, 9):
        buffer[:] = level
        photos.append(HandCrop.open(buffer))
    assert [photo.rgb.max() for photo in photos] == [0, 9]


@pytest.mark.parametrize(
    "image",
    [
        *(
            None,
            3,
            ["a.jpg"],
            np.zeros((4, 4, 3)),
            np.zeros((4, 4, 2), np.uint8),
            np.zeros((3, 8, 8), np.uint8),
        ),
        np.ma.masked_array(np.zeros((4, 4, 3), np.uint8), True),
    ],
)
def test_other_things_are_no_images(model, image, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # users run without these checks
    with pytest.raises(HandsError, match="an image must"):
        model.find(image)
