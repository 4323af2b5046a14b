"""`check` finds from the images that labels are those of mirrored, turned or other images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from posed_hands import paint, posed_hands

from latent_hands.data import Sample
from latent_hands.data.crops import build_windows
from latent_hands.doctor import check

SIZE_PX = (200, 200)
K = np.array([[260.0, 0, 99.5], [0, 260, 99.5], [0, 0, 1]], np.float32)
LAST = np.float32([SIZE_PX[0] - 1, SIZE_PX[1] - 1])


@pytest.fixture(scope="module")
def hands(tmp_path_factory) -> list[Sample]:
    """Painted hands with 2D joints alone."""
    root, samples = tmp_path_factory.mktemp("places"), list[Sample]()
    for i, hand in enumerate(posed_hands(40, 7, K=K)):
        paint(hand, i, SIZE_PX)[0].save(root / f"{i}.png")
        samples.append(replace(hand, image=root / f"{i}.png", xyz_mm=None, K=None))
    return samples


def with_labels_of(hands: list[Sample], numbers: list[int]) -> list[Sample]:
    return [replace(hands[j], image=hand.image) for hand, j in zip(hands, numbers, strict=True)]


def with_joints(hands: list[Sample], change) -> list[Sample]:
    return [replace(hand, uv_px=change(hand.uv_px).astype(np.float32)) for hand in hands]


def place(hands: list[Sample]) -> tuple[list[str], list[str]]:
    """Return what `check` finds, and which problems it names."""
    report = check(hands)
    found = [verdict.found for verdict in report.verdicts if verdict.topic == "place"]
    return found, [problem.message for problem in report.problems if problem.where == "place"]


COUNT = 40
MISTAKES = {
    "mirrored": lambda hands: with_joints(hands, lambda uv: [LAST[0], 0] + uv * [-1, 1]),
    "upside down": lambda hands: with_joints(hands, lambda uv: [0, LAST[1]] + uv * [1, -1]),
    "turned by 180 degrees": lambda hands: with_joints(hands, lambda uv: LAST - uv),
    "v before u": lambda hands: with_joints(hands, lambda uv: uv[:, ::-1]),
    "turned left": lambda hands: with_joints(hands, lambda uv: [LAST[0], 0] + uv[:, ::-1] * [-1, 1]),
    "turned right": lambda hands: with_joints(hands, lambda uv: [0, LAST[1]] + uv[:, ::-1] * [1, -1]),
    "of the image before": lambda hands: with_labels_of(hands, [*range(1, COUNT), 0]),
    "of the image after": lambda hands: with_labels_of(hands, [COUNT - 1, *range(COUNT - 1)]),
    "unknown": lambda hands: with_labels_of(hands, [(7 * i + 5) % COUNT for i in range(COUNT)]),
}


@pytest.mark.parametrize("shift", [(1, 1), (0.5, 0.5), (-1, -1)])
def test_pixels_that_are_counted_otherwise_are_announced(tmp_path: Path, caplog, shift):
    Image.new("RGB", SIZE_PX).save(tmp_path / "flat.png")
    right = [replace(hand, image=tmp_path / "flat.png") for hand in posed_hands(12, 7, K=K)]
    build_windows(right, window_px=16)
    assert not caplog.text
    shifted = [replace(hand, uv_px=hand.uv_px + np.float32(shift)) for hand in right]
    message = f"({shift[0]:.2f}, {shift[1]:.2f}) px beside the projected 3D joints"
    build_windows(shifted, window_px=16)
    assert message in caplog.text
    assert any(message in problem.message for problem in check(shifted).problems)


def test_right_labels_lie_on_their_hands(hands):
    assert place(hands) == (["as labelled"], [])


@pytest.mark.parametrize("kind", MISTAKES)
def test_labels_of_other_places_are_named(hands, kind):
    found, problems = place(MISTAKES[kind](hands))
    assert found == [kind]
    assert len(problems) == 1


@pytest.mark.parametrize("level", [0, 128])
def test_images_without_any_colour_tell_nothing(hands, level, tmp_path: Path):
    Image.new("RGB", SIZE_PX, (level,) * 3).save(tmp_path / "flat.png")
    assert place([replace(hand, image=tmp_path / "flat.png") for hand in hands]) == ([], [])


def test_a_few_images_tell_nothing(hands):
    assert place(MISTAKES["mirrored"](hands)[:8]) == ([], [])
