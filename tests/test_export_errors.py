"""Stopped and impossible exports: nothing incomplete looks complete, and errors give the reason."""

import dataclasses

import numpy as np
import pytest
from folders import contents
from painted_hands import painted_hands
from registries import register

from latent_hands.cli import main
from latent_hands.data import READERS, open_data
from latent_hands.data.export import LAYOUTS, export_data
from latent_hands.errors import AbsentError, HandsError


@pytest.fixture
def hands(tmp_path, monkeypatch):
    """Hands as the data set "painted". Tests may change the list."""
    samples = [hand for hand in painted_hands(tmp_path, 6) if hand.xyz_mm[:, 2].min() > 0]
    register(monkeypatch, READERS, "painted", lambda root, split, limit, **_: samples[:limit])
    return samples


def stopping_at(layout, count):
    """Return the layout, interrupted at a hand of this number."""

    def write_hand(folder, number, sample):
        if number == count:
            raise KeyboardInterrupt
        return layout.write_hand(folder, number, sample)

    return dataclasses.replace(layout, write_hand=write_hand)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_stopped_export_is_hidden_and_can_be_continued(hands, tmp_path, monkeypatch, layout):
    export_data("painted", tmp_path, tmp_path / "complete", layout, ["training"])
    with monkeypatch.context() as patch:
        register(patch, LAYOUTS, layout, stopping_at(LAYOUTS[layout], 3))
        with pytest.raises(KeyboardInterrupt):
            export_data("painted", tmp_path, tmp_path / "out", layout, ["training"], workers=1)
    assert not (tmp_path / "out").exists()
    part = tmp_path / ".out.part"
    begun = {path: path.stat().st_ino for path in part.rglob("*.*g")}
    assert len(begun) >= 3
    assert not [
        path for path in part.rglob("*") if path.suffix in (".pickle", ".json") and path.parent != part
    ]
    assert [path.name for path in part.glob("*.json")] == ["export.json"]
    export_data("painted", tmp_path, tmp_path / "out", layout, ["training"])
    kept = {path: (tmp_path / "out" / path.relative_to(part)).stat().st_ino for path in begun}
    assert kept == begun
    assert contents(tmp_path / "out") == contents(tmp_path / "complete")
    assert not part.exists()


def test_nothing_is_overwritten(hands, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").write_text("mine")
    for out in ("full", "full/letter.txt"):
        with pytest.raises(HandsError, match="is not empty; give a new or an empty folder"):
            export_data("painted", tmp_path, tmp_path / out, "coco")
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part/letter.txt").write_text("mine")
    with pytest.raises(HandsError, match=r"\.out\.part is left from another export"):
        export_data("painted", tmp_path, tmp_path / "out", "coco")
    (tmp_path / "empty").mkdir()
    export_data("painted", tmp_path, tmp_path / "empty", "coco", ["evaluation"], limit=2)
    assert len(open_data("coco", tmp_path / "empty", "evaluation")) == 2


def test_a_finished_export_is_not_written_again(hands, tmp_path):
    first, again = (
        export_data("painted", tmp_path, tmp_path / "out", "coco", ["training"]) for _ in range(2)
    )
    assert again == first
    with pytest.raises(HandsError, match="is not empty; give a new or an empty folder"):
        export_data("painted", tmp_path, tmp_path / "out", "coco", ["training"], limit=2)


def test_other_data_do_not_continue_a_stopped_export(hands, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        register(patch, LAYOUTS, "coco", stopping_at(LAYOUTS["coco"], 1))
        with pytest.raises(KeyboardInterrupt):
            export_data("painted", tmp_path, tmp_path / "out", "coco", ["training"])
    hands[0] = dataclasses.replace(hands[0], xyz_mm=hands[0].xyz_mm + 1)
    with pytest.raises(HandsError, match="another state of the data; remove it"):
        export_data("painted", tmp_path, tmp_path / "out", "coco", ["training"])


def test_hands_that_a_layout_cannot_represent_are_left_out_and_counted(hands, tmp_path):
    behind = hands[1].xyz_mm.copy()
    behind[3, 2] = -5
    hands[1] = dataclasses.replace(hands[1], xyz_mm=behind)
    hands[2] = dataclasses.replace(hands[2], visible=np.zeros(21, bool))
    count = len(hands)
    for layout, names in (("freihand", [0, *range(3, count)]), ("coco", [0, 1, *range(3, count)])):
        exported = export_data("painted", tmp_path, tmp_path / layout, layout, ["training"])
        assert exported.names["training"] == [hands[i].name for i in names]
        note = f"{count - len(names)} of {count} hands are left out: {LAYOUTS[layout].refuses}"
        assert any(note in each for each in exported.notes)
        assert len(open_data(layout, tmp_path / layout, "training")) == len(names)
    exported = export_data("painted", tmp_path, tmp_path / "rhd", "rhd", ["training"])
    assert exported.names["training"] == [hand.name for hand in hands]
    assert "have no mask" in exported.notes[0]


def test_missing_and_broken_labels_are_errors(hands, tmp_path):
    def refuses(message, layout="freihand", **changes):
        hands[0] = dataclasses.replace(first, **changes)
        with pytest.raises(HandsError, match=message):
            export_data("painted", tmp_path, tmp_path / "out", layout)
        assert not list(tmp_path.glob("*out*"))

    first = hands[0]
    refuses(r"sample 0 \(.*0\.png\) has no K, which the layout needs", K=None)
    refuses(r"has no handedness", "rhd", handedness=None)
    refuses("uv_px contains values that are not finite", "coco", uv_px=first.uv_px * np.float32(np.nan))
    refuses("labels the palm, and no rule gives its wrist", "coco", root="palm")
    refuses('unknown layout "freihnd"; did you mean "freihand"', "freihnd")
    hands[:] = [dataclasses.replace(hand, visible=np.zeros(21, bool)) for hand in hands]
    with pytest.raises(
        HandsError, match="the layout coco can represent no hand of training: no joint is visible"
    ):
        export_data("painted", tmp_path, tmp_path / "out", "coco")


def test_2d_labels_are_enough_for_coco(hands, tmp_path):
    hands[:] = [dataclasses.replace(hand, xyz_mm=None, K=None, handedness=None) for hand in hands]
    export_data("painted", tmp_path, tmp_path / "out", "coco", ["training"])
    for a, b in zip(hands, open_data("coco", tmp_path / "out", "training"), strict=True):
        assert b.xyz_mm is b.K is b.handedness is None
        np.testing.assert_array_equal(a.uv_px, b.uv_px)


def test_by_default_all_existing_splits_are_exported(hands, tmp_path, monkeypatch):
    def raising(error):
        def read(root, split, limit, **_):
            if split == "training":
                raise error
            return hands

        return read

    register(monkeypatch, READERS, "painted", raising(AbsentError("there is none")))
    assert list(export_data("painted", tmp_path, tmp_path / "out", "coco").names) == ["evaluation"]
    register(monkeypatch, READERS, "painted", raising(HandsError("training is broken")))
    with pytest.raises(HandsError, match="training is broken"):
        export_data("painted", tmp_path, tmp_path / "again", "coco")


def test_a_broken_image_is_an_error(hands, tmp_path):
    hands[2].image.write_bytes(hands[2].image.read_bytes()[:100])
    with pytest.raises(HandsError, match=r"2\.png .* is not a readable image"):
        export_data("painted", tmp_path, tmp_path / "out", "rhd", ["training"])
    assert not (tmp_path / "out").exists()


def test_the_command_prints_counts_and_notes(hands, tmp_path, capsys):
    (tmp_path / "set").mkdir()
    words = [
        "export",
        str(tmp_path / "out"),
        "--data",
        "painted",
        "--root",
        str(tmp_path / "set"),
        "--layout",
        "freihand",
    ]
    assert main([*words, "--split", "evaluation", "--limit", "3"]) == 0
    printed = capsys.readouterr().out
    assert f"{tmp_path / 'out'}: 3 of evaluation" in printed
    assert "2 of 3 hands are left hands and were mirrored" in printed
    assert main(words) == 2
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.parametrize("split", [(), "", []])
def test_an_export_of_no_split_is_refused(hands, tmp_path, split):
    with pytest.raises(HandsError, match="name one or more splits"):
        export_data("painted", tmp_path, tmp_path / "out", "coco", split)


def test_labels_that_evaluation_refuses_are_not_exported(hands, tmp_path):
    hands[:] = [dataclasses.replace(hand, xyz_mm=hand.xyz_mm / 1000) for hand in hands]
    with pytest.raises(HandsError, match="The labels look like metres, not millimetres"):
        export_data("painted", tmp_path, tmp_path / "out", "coco", ["training"])
    assert not (tmp_path / "out").exists()
