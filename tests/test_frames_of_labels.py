"""Labels and cameras for images of another size, padding or crop, and few or single hands that are wrong."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from posed_hands import paint, posed_hands

from latent_hands import doctor
from latent_hands.data import Sample
from latent_hands.data.checks import check_samples
from latent_hands.data.crops import build_windows
from latent_hands.data.frames import FRAMES
from latent_hands.data.label_places import MANY, check_places
from latent_hands.data.sample import project
from latent_hands.errors import HandsError
from latent_hands.hand.skeleton import MIDDLE_MCP, MIDDLE_PIP, reorder

PX, COUNT = 200, 24
K = np.array([[260.0, 0, 99.5], [0, 260, 99.5], [0, 0, 1]], np.float32)
HANDS = posed_hands(COUNT, 7, K=K)
SIZES = [(PX, PX)] * COUNT


@pytest.fixture(scope="module")
def flat(tmp_path_factory) -> list[Sample]:
    """Painted hands with 2D joints alone."""
    root = tmp_path_factory.mktemp("frames")
    for i, hand in enumerate(HANDS):
        paint(hand, i, (PX, PX))[0].save(root / f"{i}.png")
    return [
        replace(hand, image=root / f"{i}.png", xyz_mm=None, K=None, visible=None)
        for i, hand in enumerate(HANDS)
    ]


def changed(image: Image.Image, change: str) -> Image.Image:
    """Return an image that was resized, squashed, padded or cropped without its labels."""
    if change == "padded":
        canvas = Image.new("RGB", (280, 280))
        canvas.paste(image, (40, 40))
        return canvas
    sizes = {"smaller": (154, 154), "larger": (260, 260), "squashed": (PX, 150)}
    return image.resize(sizes[change]) if change in sizes else image.crop((30, 30, PX, PX))


@pytest.mark.parametrize("change", ["smaller", "larger", "squashed", "padded", "cropped"])
def test_2d_labels_in_another_frame_are_found_by_colours(flat, change, tmp_path: Path, caplog):
    hands = [replace(hand, image=tmp_path / hand.image.name) for hand in flat]
    for hand, source in zip(hands, flat, strict=True):
        changed(Image.open(source.image), change).save(hand.image)
    build_windows(hands, window_px=16)
    assert "labels and images do not belong together" in caplog.text
    assert {verdict.found for verdict in doctor.check(hands).verdicts} <= {*FRAMES}


def test_right_labels_are_not_announced(flat, caplog):
    build_windows(flat, window_px=16)
    assert not caplog.text
    assert not doctor.check(flat).problems


def check(hands: Sequence[Sample], size_px: tuple[int, int]) -> None:
    check_places(hands, [size_px] * len(hands))
    check_samples(hands)


def refused(hands: Sequence[Sample], size_px: tuple[int, int] = (PX, PX)) -> str:
    """Return the error of labels, of which exactly one is wrong."""
    with pytest.raises(HandsError) as raised:
        check(hands, size_px)
    return str(raised.value)


def announced(hands: Sequence[Sample], caplog, size_px: tuple[int, int] = (PX, PX)) -> str:
    """Return the warnings about labels that are not refused."""
    with caplog.at_level(logging.WARNING):
        check(hands, size_px)
    return caplog.text


def with_camera(hand: Sample, change: list[list[float]]) -> Sample:
    """Return a hand with a camera times some factors, and the joints that it projects."""
    changed = K * np.array(change, np.float32)
    return replace(hand, K=changed, uv_px=project(hand.xyz_mm, changed))


@pytest.mark.parametrize("size_px", [160, 250])
def test_one_principal_point_off_by_a_factor_is_refused_wherever_the_hands_are(size_px):
    scale = np.float32(size_px / PX)
    middle = [replace(hand, uv_px=hand.uv_px * scale) for hand in HANDS]  # hands tell nothing here
    assert "2D joints" in refused(middle)
    corner = [replace(hand, uv_px=project(hand.xyz_mm, K)) for hand in HANDS]
    assert "for images of another size" in refused(corner, (size_px, size_px))


@pytest.mark.parametrize(
    "change", [[[2.0, 1, 1], [1, 1, 1], [1, 1, 1]], [[1.0, 1, 1], [1, 1.4, 1], [1, 1, 1]]]
)
def test_cameras_with_different_focal_lengths_are_announced(change, caplog):
    assert "different focal lengths" in announced([with_camera(hand, change) for hand in HANDS], caplog)


def test_cameras_with_a_skew_are_announced(caplog):
    skewed = K + np.array([[0, 60, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    hands = [replace(hand, K=skewed, uv_px=project(hand.xyz_mm, skewed)) for hand in HANDS]
    assert f"{COUNT} of {COUNT} cameras" in announced(hands, caplog)


def test_single_hands_with_the_camera_or_joints_of_others_are_announced(caplog):
    half = np.array([[0.5], [0.5], [1]], np.float32)
    hands = [replace(HANDS[0], K=K * half), replace(HANDS[1], xyz_mm=HANDS[2].xyz_mm), *HANDS[2:]]
    assert f"of 2 of {COUNT} hands miss their 2D joints" in announced(hands, caplog)


FEW = {
    "in the order": lambda hand: replace(
        hand,
        xyz_mm=reorder(hand.xyz_mm, "rhd", "mediapipe"),
        uv_px=reorder(hand.uv_px, "rhd", "mediapipe"),
    ),
    "behind the camera": lambda hand: replace(hand, xyz_mm=hand.xyz_mm * np.float32([1, -1, -1])),
    "contradict each other": lambda hand: replace(hand, K=hand.K * np.float32([[2], [2], [1]])),
    "not for these images": lambda hand: replace(hand, uv_px=hand.uv_px + PX, K=None, xyz_mm=None),
    "other side": lambda hand: replace(hand, handedness="left" if hand.handedness == "right" else "right"),
}


@pytest.mark.parametrize("message", FEW)
def test_few_hands_are_announced_and_many_refused(message, caplog):
    wrong = [FEW[message](hand) for hand in posed_hands(2 * MANY, 3, K=K)]
    assert message in announced(wrong[: MANY - 1], caplog)
    assert refused(wrong)


@pytest.mark.parametrize("count", [1, 2, 4, MANY - 1])
def test_few_right_hands_are_not_announced(count, caplog):
    for seed in range(5):
        assert not announced(posed_hands(count, seed, K=K), caplog)


def test_joints_of_no_known_order_are_announced(caplog):
    order, others = np.arange(21), np.delete(np.arange(21), [MIDDLE_MCP, MIDDLE_PIP])
    order[others] = np.random.default_rng(3).permutation(others)
    hands = [replace(each, xyz_mm=each.xyz_mm[order], uv_px=None) for each in HANDS]
    assert "proportions of no hand" in announced(hands, caplog)


def test_2d_joints_with_the_wrist_last_are_refused():
    order = [*range(1, 21), 0]
    hands = [replace(h, xyz_mm=None, K=None, uv_px=h.uv_px[order]) for h in posed_hands(24, 1, K=K)]
    assert "2D joints of" in refused(hands)


def test_sets_without_any_visible_joint_are_refused():
    assert "is visible" in refused([replace(hand, visible=np.zeros(21, bool)) for hand in HANDS])


def test_inverted_flags_are_refused():
    out = [replace(hand, uv_px=hand.uv_px + np.float32([60, 0]), xyz_mm=None, K=None) for hand in HANDS]
    right = [replace(hand, visible=hand.uv_px[:, 0] < PX - 0.5) for hand in out]
    check_places(right, SIZES)
    assert "inverted" in refused([replace(hand, visible=~hand.visible) for hand in right])


def test_several_joint_conventions_are_announced(flat, caplog):
    mixed = [replace(hand, convention="mano" if i % 2 else "rhd") for i, hand in enumerate(flat)]
    assert build_windows(mixed, window_px=16).convention is None
    assert "different joint conventions, mano, rhd" in caplog.text
    partly = [replace(hand, convention=None if i % 2 else "rhd") for i, hand in enumerate(flat)]
    assert build_windows(partly, window_px=16).convention is None
    assert "different joint conventions, rhd, none stated, and count as unknown" in caplog.text
