"""Portions: all together give what one call gives, bit for bit, in any order and for any number."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from folders import contents
from packed_hands import CUT, name_painted, painted_scenes, same
from test_render_dataset import SMALL

from latent_hands.data import prepare as prepare_module
from latent_hands.data.prepare import prepare
from latent_hands.data.shard_files import open_windows
from latent_hands.data.store import is_store, verify
from latent_hands.errors import HandsError
from latent_hands.lock import one_writer
from latent_hands.portions import FOLDER, Portion
from latent_hands.rendering.sets import set_writer
from latent_hands.rendering.sets.dataset import render_dataset


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("jobs", [range(0), range(1), range(5), range(3, 13)])
def test_portions_are_a_division(count, jobs):
    portions = [portion.of(jobs) for portion in Portion(1, count).all()]
    assert [job for portion in portions for job in portion] == list(jobs)
    assert max(map(len, portions)) - min(map(len, portions)) <= 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3", "1/3/5", "1 /3", ""])
def test_a_portion_outside_its_range_is_refused(text):
    with pytest.raises(HandsError, match=r"it must be I/N with 1 <= I <= N"):
        Portion.parse(text)
    assert Portion.parse("2/3") == Portion(2, 3)
    assert Portion.parse(None).whole


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return render_dataset(tmp_path_factory.mktemp("render") / "whole", workers=1, **SMALL)


@pytest.fixture
def copied(rendered, monkeypatch):
    """Let jobs copy the files of `rendered` instead of rendering them again."""

    def copy(folder, plan, split, job):
        names = [f"{kind}/{scene:05d}.png" for scene in plan.scenes(split, job) for kind in plan.tags()]
        names += [f"{kind}/{n:05d}.png" for n in plan.images(split, job) for kind in plan.kinds()]
        for name in names:
            shutil.copyfile(rendered / split / name, folder / name)
        lines = (rendered / split / f"factors_{split}.jsonl").read_text().splitlines()
        return [json.loads(lines[number]) for number in plan.images(split, job)]

    monkeypatch.setattr(set_writer, "render_job", copy)
    return rendered


def test_a_portion_renders_what_the_whole_set_has(rendered, tmp_path):
    render_dataset(tmp_path / "hands", workers=1, shard="2/4", **SMALL)
    found = contents(tmp_path / "hands")
    images = {name: data for name, data in contents(rendered).items() if name.endswith(".png")}
    assert {name: data for name, data in found.items() if name.endswith(".png")}.items() < images.items()
    assert any(name.endswith(".png") for name in found)


@pytest.mark.parametrize("order", [["1/1"], ["2/2", "1/2"], ["2/5", "5/5", "1/5", "4/5", "3/5"]])
def test_rendered_portions_equal_the_whole_set(copied, tmp_path, order):
    rendered = copied
    for shard in order:
        assert not (tmp_path / "hands/training/anno_training.pickle").exists()
        render_dataset(tmp_path / "hands", workers=1, shard=shard, **SMALL)
    assert contents(tmp_path / "hands") == contents(rendered)
    assert not (tmp_path / "hands" / FOLDER).exists()
    render_dataset(tmp_path / "hands", workers=1, shard=order[0], **SMALL)
    assert contents(tmp_path / "hands") == contents(rendered)


def test_portions_of_several_machines_are_joined_after_copying(copied, tmp_path):
    rendered = copied
    for shard in ("1/3", "2/3"):
        render_dataset(tmp_path / shard[0], workers=1, shard=shard, **SMALL)
        shutil.copytree(tmp_path / shard[0], tmp_path / "hands", dirs_exist_ok=True)
    (tmp_path / "hands/training/color/00000.png").unlink()
    render_dataset(tmp_path / "hands", workers=1, **SMALL)
    assert contents(tmp_path / "hands") == contents(rendered)


def test_a_portion_has_one_writer_and_the_whole_set_none_beside_it(copied, tmp_path):
    out = tmp_path / "hands"
    render_dataset(out, workers=1, shard="1/2", **SMALL)
    with one_writer(out, shared=True), one_writer(out / FOLDER / "1-of-2"):
        with pytest.raises(HandsError, match="another process is writing"):
            render_dataset(out, workers=1, **SMALL)
        with (
            pytest.raises(HandsError, match="another process is writing"),
            one_writer(out / FOLDER / "1-of-2"),
        ):
            pass


@pytest.fixture
def samples(tmp_path, monkeypatch):
    samples = painted_scenes(tmp_path)
    name_painted(samples, monkeypatch)
    return samples


@pytest.mark.parametrize(
    "order", [["2/2", "1/2"], ["3/3", "1/3", "3/3", "2/3"], [f"{i}/9" for i in range(9, 0, -1)]]
)
def test_prepared_portions_equal_the_whole_store(samples, tmp_path, order):
    samples[:] = samples[:7]
    cuts = {"training": CUT} | ({"evaluation": replace(CUT, margin=1.0)} if len(order) == 2 else {})
    prepare("images", tmp_path / "whole", cuts)
    for shard in order:
        assert not is_store(tmp_path / "parts")
        prepare("images", tmp_path / "parts", cuts, shard=shard)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    verify(tmp_path / "parts")
    prepare("images", tmp_path / "parts", cuts, shard=order[0])
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_the_whole_work_uses_the_portions_that_are_there(samples, tmp_path, monkeypatch):
    prepare("images", tmp_path / "whole", {"training": CUT})
    prepare("images", tmp_path / "parts", {"training": CUT}, shard="2/2")
    built, build = [], prepare_module.build_windows
    monkeypatch.setattr(prepare_module, "build_windows", lambda *a: built.append(len(a[0])) or build(*a))
    prepare("images", tmp_path / "parts", {"training": CUT})
    assert built == [3, 3]
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_portions_of_different_data_are_not_joined(samples, tmp_path):
    prepare("images", tmp_path / "parts", {"training": CUT}, shard="1/2")
    del samples[-1]
    with pytest.raises(HandsError, match="was cut from other data"):
        prepare("images", tmp_path / "parts", {"training": CUT}, shard="2/2")


def test_a_folder_of_stores_is_read_as_one(samples, tmp_path):
    prepare("images", tmp_path / "all/1", {"training": CUT, "evaluation": CUT})
    one = open_windows(tmp_path / "all/1", "training", CUT)
    samples[:] = samples[2:7]
    prepare("images", tmp_path / "elsewhere", {"training": CUT})
    (tmp_path / "all/2").symlink_to(tmp_path / "elsewhere")
    both = open_windows(tmp_path / "all", "training", CUT)
    verify(tmp_path / "all")
    assert len(both) == len(one) + 5
    assert same(both.select(range(len(one))).with_labels(block=one.block), one)
    assert torch.equal(both.rgb[torch.arange(len(one), len(both))], one.rgb[torch.arange(2, 7)])
    blocks = [len(part.block.unique()) for part in (both, one, both.select(range(len(one), len(both))))]
    assert blocks[0] == blocks[1] + blocks[2]  # scenes of different sets are different, whatever their names
    assert len(open_windows(tmp_path / "all", "evaluation", CUT)) == len(one)
    with pytest.raises(HandsError, match=r'none of the 2 stores in .* has a split "other"'):
        open_windows(tmp_path / "all", "other", CUT)
    with pytest.raises(HandsError, match=r"all/1 was prepared with margin"):
        open_windows(tmp_path / "all", "training", replace(CUT, margin=1.0))
    (tmp_path / "all/notes.txt").touch()
    assert not is_store(tmp_path / "all")


def test_labels_in_different_conventions_are_not_read_as_one(samples, tmp_path):
    for name, convention in (("1", "rhd"), ("2", "stb")):
        samples[:] = [replace(sample, convention=convention) for sample in samples]
        prepare("images", tmp_path / "all" / name, {"training": CUT})
    with pytest.raises(HandsError, match=r"different joint conventions: rhd in .*1, stb in .*2"):
        open_windows(tmp_path / "all", "training", CUT)
