"""Batches: the same (seed, epoch, index) gives the same batch, and each epoch visits samples once."""

import threading

import pytest
import torch
from painted_hands import painted_hands

from latent_hands.data import batches as batches_module
from latent_hands.data.augmentation import Augmentation
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.errors import HandsError

KEYS = ("rgb", "pose", "viewpoint", "index")


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    return build_windows(painted_hands(tmp_path_factory.mktemp("hands"), 11), window_px=64)


def _batches(windows, seed=0, **options):
    augmentation = Augmentation(jpeg=0.5, occluders=0.5)
    return Batches(windows, 32, 3, augmentation, seed=seed, **options)


def _same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_a_batch_depends_on_seed_epoch_and_index_alone(windows):
    batches = _batches(windows)
    epoch = list(batches.epoch(4, KEYS))
    assert len(epoch) == len(batches) == 3
    for index in (2, 0, 1):
        assert _same(_batches(windows).batch(4, index, KEYS), epoch[index])
    resumed = list(batches.epoch(4, KEYS, start=1))
    assert all(_same(a, b) for a, b in zip(resumed, epoch[1:], strict=True))
    for other in (batches.batch(5, 0, KEYS), _batches(windows, seed=1).batch(4, 0, KEYS)):
        assert not torch.equal(other["index"], epoch[0]["index"])


def test_an_epoch_of_training_visits_every_sample_at_most_once(windows):
    visited = torch.cat([batch["index"] for batch in _batches(windows).epoch(0, ("index",))])
    assert len(visited) == len(set(visited.tolist())) == 9


def test_evaluation_keeps_the_order_and_the_last_partial_batch(windows):
    batches = Batches(windows, 32, 4, shuffle=False)
    epoch = list(batches.epoch(0, KEYS))
    assert [len(batch["rgb"]) for batch in epoch] == [4, 4, 3]
    assert len(batches) == 3
    assert torch.equal(torch.cat([batch["index"] for batch in epoch]), torch.arange(11))
    assert torch.allclose(torch.cat([batch["pose"] for batch in epoch]), windows.pose, atol=1e-5)


def test_labels_without_images_are_the_same_and_read_no_image(windows, monkeypatch):
    batches = _batches(windows)
    with_images = list(batches.epoch(2, KEYS))
    monkeypatch.setattr(batches_module, "draw_images", None)
    alone = list(batches.epoch(2, ("viewpoint", "pose")))
    for a, b in zip(alone, with_images, strict=True):
        assert a.keys() == {"viewpoint", "pose"}
        assert torch.equal(a["pose"], b["pose"])
        assert torch.equal(a["viewpoint"], b["viewpoint"])


def test_a_closed_epoch_ends_its_thread_and_errors_of_the_thread_are_raised(windows, monkeypatch):
    before = threading.active_count()
    epoch = _batches(windows).epoch(0, KEYS)
    next(epoch)
    assert threading.active_count() == before + 1
    epoch.close()
    assert threading.active_count() == before

    def fail(*_):
        raise RuntimeError("broken image")

    monkeypatch.setattr(batches_module, "draw_images", fail)
    with pytest.raises(RuntimeError, match="broken image"):
        next(_batches(windows).epoch(0, KEYS))
    assert threading.active_count() == before


def test_an_epoch_does_not_change_the_number_of_threads(windows):
    before = torch.get_num_threads()
    list(_batches(windows).epoch(0, KEYS))
    assert torch.get_num_threads() == before


def test_absent_labels_and_impossible_batches_are_errors(windows):
    with pytest.raises(HandsError, match=r'no "tag"; they have rgb, .*pose'):
        _batches(windows).batch(0, 0, ("tag",))
    with pytest.raises(HandsError, match=r"batch index is 3; it must be between 0 and 2"):
        _batches(windows).batch(0, 3, KEYS)
    with pytest.raises(HandsError, match=r"batch_size is 12; for these samples, it must be between 1 and 11"):
        Batches(windows, 32, 12)
