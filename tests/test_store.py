"""Packed stores: the windows are equal bit by bit, also after interruptions and damage."""

import json
import struct
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context

import pytest
import torch
from folders import contents
from packed_hands import COUNT, CUT, WINDOW_PX, damage, name_painted, painted_scenes, same

from latent_hands.data import prepare as prepare_module
from latent_hands.data.augmentation import Augmentation
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.data.prepare import prepare
from latent_hands.data.shard_files import open_windows
from latent_hands.data.store import MANIFEST, verify
from latent_hands.data.windows import available
from latent_hands.errors import HandsError


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return painted_scenes(tmp_path_factory.mktemp("images"))


@pytest.fixture(autouse=True)
def painted(samples, monkeypatch):
    name_painted(samples, monkeypatch)


@pytest.fixture
def store(tmp_path):
    prepare("images", tmp_path / "store", {"training": CUT})
    return tmp_path / "store"


def direct(samples, cut):
    return build_windows(samples, cut.crop, cut.margin, cut.window_px, cut.right_hands, cut.images)


@pytest.mark.parametrize("crop", ["box", "scene"])
@pytest.mark.parametrize("side", ["mirror", "condition"])
def test_stored_windows_equal_cut_windows(samples, tmp_path, crop, side):
    cut = replace(CUT, crop=crop, right_hands=side)
    manifest = prepare("images", tmp_path / "store", {"training": cut})
    assert [shard.samples for shard in manifest.splits["training"].shards] == [3, 3, 3, 2]
    stored, built = open_windows(tmp_path / "store", "training", cut), direct(samples, cut)
    assert same(stored, built)
    turns = Augmentation(flip=0.5 if side == "condition" else 0.0)
    a, b = (Batches(w, 16, 4, turns, frame="ray").batch(3, 1, available(built)) for w in (stored, built))
    assert all(torch.equal(a[key], b[key]) for key in available(built))
    chosen = torch.tensor([10, 0, 4])
    assert same(stored.select(chosen), built.select(chosen))
    assert same(stored.select(chosen).select([2, 2]), built.select(chosen).select([2, 2]))


def test_a_limit_gives_the_first_samples(samples, store):
    assert same(open_windows(store, "training", CUT, limit=5), direct(samples[:5], CUT))
    assert len(open_windows(store, "training", CUT, limit=500)) == COUNT
    with pytest.raises(HandsError, match="limit is 0"):
        open_windows(store, "training", CUT, limit=0)


def test_images_that_are_not_requested_are_absent(store):
    windows = open_windows(store, "training", replace(CUT, images=()))
    assert "tag" not in available(windows)


def test_windows_on_another_device_have_all_images_in_one_tensor(samples, store):
    windows = open_windows(store, "training", CUT)
    assert windows.to("cpu").rgb is windows.rgb
    whole = windows.to("meta")
    assert isinstance(whole.rgb, torch.Tensor)
    assert whole.rgb.shape == windows.rgb.shape == (COUNT, 3, WINDOW_PX, WINDOW_PX)


class Stopped(KeyboardInterrupt):
    pass


@pytest.mark.parametrize("written", range(1, 9))
def test_preparing_again_after_an_interruption_gives_the_same_store(store, tmp_path, monkeypatch, written):
    write, done = prepare_module.write_bytes, []

    def stopping(path, data):
        if len(done) == written:
            raise Stopped
        done.append(write(path, data))

    with monkeypatch.context() as patch:
        patch.setattr(prepare_module, "write_bytes", stopping)
        with pytest.raises(Stopped):
            prepare("images", tmp_path / "parts", {"training": CUT})
    with pytest.raises(HandsError, match=r'no split "training"|is not finished'):
        open_windows(tmp_path / "parts", "training", CUT)
    with monkeypatch.context() as patch:
        kept, build = written // 2 - (written % 2 == 0), prepare_module.build_windows
        built = []
        patch.setattr(prepare_module, "build_windows", lambda *a: built.append(len(a[0])) or build(*a))
        prepare("images", tmp_path / "parts", {"training": CUT})
    assert built == [3, 3, 3, 2][kept:]
    assert contents(tmp_path / "parts") == contents(store)


def test_verify_finds_damage_and_prepare_repairs_it(store):
    whole, path = contents(store), store / "training" / "00001.safetensors"
    damage(path)
    open_windows(store, "training", CUT)  # size and header are right
    with pytest.raises(HandsError, match=r"00001\.safetensors .* its SHA-256 differs"):
        verify(store)
    prepare("images", store, {"training": CUT})
    assert contents(store) == whole
    verify(store)


def test_splits_can_be_prepared_one_after_another(store, tmp_path):
    small = replace(CUT, margin=1.0)
    prepare("images", store, {"evaluation": small})
    prepare("images", tmp_path / "both", {"training": CUT, "evaluation": small})
    assert contents(store) == contents(tmp_path / "both")


def image_sums(store):
    windows = open_windows(store, "training", CUT)
    return windows.rgb[:].sum((1, 2, 3)).tolist(), windows.pose.tolist()


def test_both_splits_of_images_without_splits_are_announced(samples, tmp_path, caplog):
    cut = replace(CUT, name="images", images=("rgb",))
    prepare(samples[0].image.parent, tmp_path / "one", {"training": cut})
    assert not caplog.text
    prepare(samples[0].image.parent, tmp_path / "both", {"training": cut, "evaluation": cut})
    assert "training and evaluation of" in caplog.text
    assert "get the same images" in caplog.text


def test_processes_read_a_store_at_the_same_time(samples, store):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(image_sums, [store, store]))
    built = direct(samples, CUT)
    assert results == [(built.rgb.sum((1, 2, 3)).tolist(), built.pose.tolist())] * 2


def test_a_set_larger_than_memory_opens(tmp_path):
    count, px, shards = 600, 1024, 32  # 60 GB of images: 32 links to one sparse file
    size = 4 * count + count * 3 * px**2
    header = {
        "crop_side_px": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]},
        "rgb": {"dtype": "U8", "shape": [count, 3, px, px], "data_offsets": [4 * count, size]},
        "__metadata__": {"names": json.dumps([f"{i}" for i in range(count)])},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (tmp_path / "training").mkdir()
    first = tmp_path / "training" / "00000.safetensors"
    with first.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + size)
    for number in range(1, shards):
        first.with_name(f"{number:05d}.safetensors").symlink_to(first)
    cut = replace(CUT, window_px=px, images=())
    shard = {"samples": count, "bytes": first.stat().st_size, "sha256": ""}
    split = {"cut": asdict(cut), "source": "", "source_bytes": 1, "samples": shards * count}
    manifest = {"format": 2, "conventions": {}, "splits": {"training": split | {"shards": [shard] * shards}}}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    windows = open_windows(tmp_path, "training", cut)
    assert len(windows) == 19_200
    assert not windows.select(range(0, 19_200, 2)).rgb[torch.tensor([9_599, 0])].any()


def test_weights_of_samples_reach_the_batch_through_the_store(samples, tmp_path, monkeypatch):
    weighted = [replace(sample, weight=0.25 * (i % 4)) for i, sample in enumerate(samples)]
    name_painted(weighted, monkeypatch)
    prepare("images", tmp_path / "weighted", {"training": CUT})
    windows = open_windows(tmp_path / "weighted", "training", CUT)
    batch = Batches(windows, 32, 4).batch(0, 0, ("pose", "index"))
    assert batch["weight"].tolist() == [0.25 * (i % 4) for i in batch["index"].tolist()]
    assert "weight" not in Batches(direct(samples, CUT), 32, 4).batch(0, 0, ("pose",))
    some = build_windows([replace(samples[0], weight=0.5), samples[1]], window_px=16)
    assert some.labels["weight"].tolist() == [0.5, 1.0]
    with pytest.raises(HandsError, match=r"has the weight -1\.0; it must be finite and 0 or more"):
        build_windows([replace(samples[0], weight=-1.0)], window_px=16)
