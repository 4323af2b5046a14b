"""Frames of a clip that contradict each other are refused; their numbers give their times."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_hands import model_hands

from latent_hands.animation import clip_of
from latent_hands.animation.clip import frame_times
from latent_hands.errors import HandsError
from latent_hands.predictions import ImageHands, read_images


def frames(seconds: list[float | None], numbers: list[int | None]) -> list[ImageHands]:
    pairs = zip(seconds, numbers, strict=True)
    return [ImageHands(f"clip-{i}", (64, 64), [], frame=n, seconds=s) for i, (s, n) in enumerate(pairs)]


def test_numbers_of_frames_give_the_times_where_frames_are_left_out():
    assert frame_times(frames([None] * 3, [4, 6, 12]), 2.0).tolist() == [0, 1, 4]
    assert frame_times(frames([None] * 3, [4, 6, 12]), None).tolist() == pytest.approx([0, 2 / 30, 8 / 30])
    assert frame_times(frames([None] * 3, [None] * 3), 2.0).tolist() == [0, 0.5, 1]
    assert frame_times(frames([0.5, 0.75, 2.0], [0, 1, 2]), None).tolist() == [0, 0.25, 1.5]
    assert frame_times(frames([0.5, 0.75, 2.0], [0, 1, 2]), 4.0).tolist() == [0, 0.25, 0.5]


@pytest.mark.parametrize(
    ("seconds", "numbers", "fps", "message"),
    [
        ([0.0, None, 0.2], [0, 1, 2], None, "1 of the 3 frames have no times.*frames per second"),
        ([0.0, 0.2, 0.1], [0, 1, 2], None, "the times of the frames do not increase"),
        ([0.0, 0.0, 0.1], [0, 1, 2], None, "the times of the frames do not increase"),
        ([None] * 3, [0, 2, 1], None, "the numbers of the frames do not increase; put the frames in order"),
        ([0.0, 0.1, 0.2], [0, 2, 1], 30.0, "the numbers of the frames do not increase"),
        ([None] * 3, [0, None, 2], 30.0, "1 of the 3 frames have no numbers"),
    ],
)
def test_times_and_numbers_that_contradict_each_other_are_refused(seconds, numbers, fps, message):
    with pytest.raises(HandsError, match=message):
        frame_times(frames(seconds, numbers), fps)


def test_a_track_is_in_a_frame_once():
    hand = replace(model_hands(1, "left")[0][0], track=3)
    with pytest.raises(HandsError, match="clip-0 has two left hands of the track 3"):
        clip_of([ImageHands("clip-0", (64, 64), [hand, hand])])


@pytest.mark.parametrize("frame", ["x", 1.5, True, [1], {}, -1])
def test_numbers_of_frames_are_whole_numbers(tmp_path: Path, frame):
    path = tmp_path / "clip.jsonl"
    path.write_text(json.dumps({"hands": [], "frame": frame}) + "\n")
    with pytest.raises(HandsError, match="line 1, has no hands of a frame"):
        read_images(path)
    path.write_text(json.dumps({"hands": [], "frame": 7}) + "\n")
    assert [image.frame for image in read_images(path)] == [7]
    assert np.isfinite(frame_times(read_images(path), None)).all()


def test_empty_lines_are_no_frames(tmp_path: Path):
    (tmp_path / "clip.jsonl").write_text('{"hands": [], "frame": 0}\n\n{"hands": [], "frame": 1}\n\n')
    assert [image.frame for image in read_images(tmp_path / "clip.jsonl")] == [0, 1]


def test_frames_far_apart_and_hands_without_a_place_in_some_are_announced(caplog):
    hands = [replace(hand, track=1) for hand in model_hands(3, "left")[0]]
    images = [ImageHands(f"c-{i}", (240, 200), [hand], seconds=i / 30) for i, hand in enumerate(hands)]
    clip_of(images)
    assert not caplog.text
    clip_of([replace(image, seconds=1000 * (image.seconds or 0.0)) for image in images])
    assert "frames are 33.3333 s apart (median)" in caplog.text
    clip_of([*images[:2], replace(images[2], hands=[replace(hands[2], palm_mm=None)])])
    assert "left_1 has no place in the camera frame in 1 of 3 frames" in caplog.text
    larger = replace(hands[2], bone_mm=3 * hands[2].bone_mm, palm_mm=None)
    clip_of([*images[:2], replace(images[2], hands=[larger])])
    assert "left_1 has bones of " in caplog.text
    assert f"to {larger.bone_mm:g} mm, so frames are of different hands or units" in caplog.text
    with pytest.raises(HandsError, match="least number of frames of a hand is 0"):
        clip_of(images, least=0)
