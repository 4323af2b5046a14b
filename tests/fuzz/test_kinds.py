"""Kinds of input are answered rightly; the table of docs/results/reliability.md has more of them."""

from pathlib import Path

from kinds import answers_of_images, answers_of_labels
from label_mistakes import SILENT


def test_wrong_labels_are_refused_and_right_ones_used(tmp_path: Path):
    wrong = {kind for kind, answer in answers_of_labels(tmp_path, rounds=2) if answer == "wrong"}
    assert wrong <= SILENT


def test_a_picture_is_the_same_in_every_form(tmp_path: Path):
    assert {answer for _, answer in answers_of_images(tmp_path)} == {"right"}
