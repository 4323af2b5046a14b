"""Labels that are for another image than the file: EXIF orientation, size, camera."""

import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from posed_hands import SIZE_PX, posed_hands, write_rhd

from latent_hands.data import open_data
from latent_hands.data.crops import build_windows
from latent_hands.data.label_places import MANY
from latent_hands.data.labelled_images import read_labelled
from latent_hands.doctor import check, check_set
from latent_hands.errors import HandsError
from latent_hands.predictor.hand_crop import crop_of_sample

WIDTH, HEIGHT = SIZE_PX


@pytest.fixture
def write(tmp_path):
    """A function that gives each sample an image of a size, stored with an EXIF orientation."""

    def write(samples, size_px=SIZE_PX, orientation=1):
        exif = Image.Exif()
        exif[0x0112] = orientation
        written = []
        for sample in samples:
            file = tmp_path / f"{sample.name}.png"
            Image.new("RGB", size_px).save(file, exif=exif)
            written.append(replace(sample, image=file))
        return written

    return write


def named(samples):
    return [replace(sample, size_px=SIZE_PX) for sample in samples]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_labels_of_the_upright_image_are_used(write, orientation):
    (sample,) = write(named(posed_hands(1)), (HEIGHT, WIDTH), orientation)
    assert read_labelled(sample).shape == (HEIGHT, WIDTH, 3)


REFUSED = {
    "240x200 pixels, but the image has 200x240 after its EXIF orientation": (SIZE_PX, 6),
    "EXIF orientation 3 turns or mirrors the image, and it is not known": (SIZE_PX, 3),
    "but the image has 480x400; multiply the 2D joints and the first two rows of K by 2": ((480, 400), 1),
    "but the image has 240x240; use the images in the size that was labelled": ((240, 240), 1),
}


@pytest.mark.parametrize("message", REFUSED)
def test_labels_of_another_frame_are_refused_and_reported(write, message):
    (sample,) = write(named(posed_hands(1)), *REFUSED[message])
    for use in (read_labelled, crop_of_sample, lambda each: build_windows([each])):
        with pytest.raises(HandsError, match=message):
            use(sample)
    (problem,) = [each for each in check([sample]).problems if each.kind == "frame"]
    assert message in problem.message


def test_images_of_rhd_that_were_resized_are_refused(tmp_path):
    """All cameras of RHD have the principal point (160, 160), the centre of its images of 320 pixels."""
    K = np.array([[300.0, 0, 160], [0, 300, 160], [0, 0, 1]], np.float32)
    root = write_rhd(tmp_path, posed_hands(2, K=K))
    assert {each.kind for each in check_set("rhd", root, ["evaluation"]).problems} >= {"frame"}
    with pytest.raises(HandsError, match="for an image of 320x320 pixels, but the image has 240x200"):
        build_windows(open_data("rhd", root, "evaluation"))


def test_an_orientation_without_a_labelled_size_is_refused(write):
    (sample,) = write(posed_hands(1), (HEIGHT, WIDTH), 6)
    with pytest.raises(HandsError, match="EXIF orientation 6 turns or mirrors"):
        read_labelled(sample)
    unlabelled = replace(sample, uv_px=None, K=None)
    assert read_labelled(unlabelled).shape == (HEIGHT, WIDTH, 3)


def test_images_of_several_frames_are_reported(tmp_path, caplog):
    frames = [Image.new("RGB", SIZE_PX, colour) for colour in ("white", "black")]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    sample = replace(posed_hands(1)[0], image=tmp_path / "a.png")
    assert (read_labelled(sample) == 255).all()
    assert "has 2 pages or frames; the first is read" in caplog.text
    (problem,) = [each for each in check([sample]).problems if each.kind == "frame"]
    assert "has 2 pages or frames; the first is read" in problem.message


def scaled(sample, factor):
    K = np.diag([factor, factor, 1]).astype(np.float32) @ sample.K
    return replace(sample, uv_px=sample.uv_px * np.float32(factor), K=K)


CONTRADICTIONS = {
    "of the visible 2D joints lie in them": lambda sample: scaled(sample, 4),
    "the projected 3D joints miss the 2D joints": lambda sample: replace(sample, uv_px=sample.uv_px / 2),
    "the principal points are 0.5 times": lambda sample: scaled(sample, 0.5),
}


@pytest.mark.parametrize("message", CONTRADICTIONS)
def test_labels_that_most_hands_contradict_are_refused(write, message):
    samples = write(posed_hands(MANY))
    build_windows(samples, window_px=16)
    with pytest.raises(HandsError, match=message):
        build_windows([CONTRADICTIONS[message](sample) for sample in samples], window_px=16)


def with_camera(sample, factor, part):
    """Return the sample with a camera that is wrong by a factor: all of it, or its focal length."""
    K = sample.K.copy()
    K[:2, : 3 if part == "K" else 2] *= np.float32(factor)
    return replace(sample, K=K)


@pytest.mark.parametrize(("part", "what"), [("K", "rows of K are"), ("focal", "focal lengths are")])
@pytest.mark.parametrize("factor", [0.9, 1.04, 1.1])
def test_a_camera_that_is_wrong_by_a_factor_is_refused_and_reported(write, part, what, factor):
    samples = [with_camera(sample, factor, part) for sample in write(posed_hands(MANY))]
    with pytest.raises(HandsError, match=f"{what} multiplied by {str(1 / factor)[:4]}"):
        build_windows(samples, window_px=16)
    (problem,) = [each for each in check(samples).problems if each.kind == "convention"]
    assert problem.where == "camera"
    assert re.search(f"(by|times) {str(1 / factor)[:4]}", problem.message)


@pytest.mark.parametrize(("factor", "announced"), [(1.0, False), (1.04, False), (1.1, True), (0.9, True)])
def test_labels_of_a_slightly_larger_image_are_announced(write, caplog, factor, announced):
    """Nothing but the principal points contradicts 2D joints that were projected by the same wrong K."""
    samples = [scaled(sample, factor) for sample in write(posed_hands(MANY))]
    build_windows(samples, window_px=16)
    assert any(each.where == "camera" for each in check(samples).problems) == announced
    text = f"the principal points of {MANY} hands are {factor:.1f}"[:-1]
    assert (text in caplog.text) == announced


def test_2d_joints_marked_by_hand_are_used(write):
    """They miss the projections by 0.05 sizes of the hand, which is about 35 pixels."""
    rng = np.random.default_rng(0)
    samples = [
        replace(each, uv_px=each.uv_px + rng.normal(0, 1.5, (21, 2)).astype(np.float32))
        for each in write(posed_hands(MANY))
    ]
    build_windows(samples, window_px=16)


def test_the_hands_that_have_a_camera_are_checked(write):
    samples = [with_camera(sample, 1.15, "K") for sample in write(posed_hands(MANY + 1))]
    with pytest.raises(HandsError, match="of 8 hands contradict each other"):
        build_windows([replace(samples[0], K=None), *samples[1:]], window_px=16)


@pytest.mark.parametrize(
    ("scale", "message"),
    [(100 / np.array(SIZE_PX), "the joints seem to be percentages"), (5.0, "lie in them")],
)
def test_joints_alone_in_another_unit_are_refused_and_reported(write, scale, message):
    hands = [replace(each, xyz_mm=None, K=None) for each in write(posed_hands(3 * MANY))]
    build_windows(hands, window_px=16)
    assert not any(each.kind == "convention" for each in check(hands).problems)
    wrong = [replace(each, uv_px=each.uv_px * np.float32(scale)) for each in hands]
    with pytest.raises(HandsError, match=message):
        build_windows(wrong, window_px=16)
    (problem,) = [each for each in check(wrong).problems if each.kind == "convention"]
    assert re.search(message, problem.message)
