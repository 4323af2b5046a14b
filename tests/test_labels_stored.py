"""Stores contain the labels of the table, also those of other packages."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from packed_hands import CUT, name_painted, painted_scenes
from registries import register
from safetensors import safe_open

from latent_hands.data.augmentation import Augmentation
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.data.labels import LABELS, ImageLabel, Label, modality
from latent_hands.data.motion import turn
from latent_hands.data.palm import palm_visible, palm_xyz_mm
from latent_hands.data.prepare import prepare
from latent_hands.data.shard_files import DTYPES, open_windows
from latent_hands.errors import HandsError
from latent_hands.paper.modality import Modality

PX = 128
STORED = {name for name, label in LABELS.items() if isinstance(label, Label) and not label.derive}
STORED.remove("presence")  # hands alone lack it
WARPS = replace(Augmentation.none(), rotation_deg=180.0, scale=(0.8, 1.25), shift=0.1)


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "images").mkdir()
    samples = [replace(sample, weight=0.5) for sample in painted_scenes(tmp_path / "images")]
    name_painted(samples, monkeypatch)
    return samples


def packed(folder: Path, *images: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Prepare a store, and return type and shape of each tensor of its first shard."""
    prepare("images", folder, {"training": replace(CUT, images=images)})
    with safe_open(folder / "training" / "00000.safetensors", framework="pt") as file:
        pieces = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        return {name: (piece.get_dtype(), tuple(piece.get_shape())) for name, piece in pieces.items()}


@pytest.mark.usefixtures("samples")
def test_a_store_contains_the_stored_labels_with_type_and_shape_of_the_table(tmp_path: Path):
    found = packed(tmp_path / "store")
    assert found.keys() == STORED | {"rgb"}
    for name in STORED:
        label = LABELS[name]
        assert isinstance(label, Label)
        assert found[name] == (DTYPES[label.dtype], (3, *label.shape))


FINGERTIPS = [1, 5, 9, 13, 17]


def tips_mm(sample):
    xyz_mm = palm_xyz_mm(sample)
    return None if xyz_mm is None else xyz_mm[FINGERTIPS]


def spread(batch, crops):
    return {"spread_mm": (batch["tips_mm"][:, 0] - batch["tips_mm"][:, 4]).norm(dim=-1)}


OUTSIDE = {
    "tips_mm": Label(
        (5, 3),
        "mm, camera frame",
        read=tips_mm,
        move=turn,
        modality=Modality("tips_mm", "points", (5, 3), sigma=0.1),
    ),
    "tip_visible": Label((5,), "which", torch.bool, read=lambda s: palm_visible(s)[FINGERTIPS]),
    "joints_visible": Label((), "how many", torch.int64, read=lambda s: palm_visible(s).sum()),
    "spread_mm": Label((), "mm", derive=spread, needs=("tips_mm",)),
    "copy": ImageLabel(Modality("copy", "image", (3, None, None), 10.0), lambda s: s.image),
}


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, label in OUTSIDE.items():
        register(monkeypatch, LABELS, name, label)


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("source", ["images", "store"])
def test_labels_of_other_packages_reach_windows_store_and_batches(samples, tmp_path, source):
    cut = replace(CUT, right_hands="condition", images=("copy",))
    if source == "store":
        prepare("images", tmp_path / "store", {"training": cut})
        windows = open_windows(tmp_path / "store", "training", cut)
    else:
        windows = build_windows(samples, margin=1.75, window_px=32, right_hands="condition", images=["copy"])
    augmentation = replace(WARPS, flip=0.5)
    keys = {*OUTSIDE, "rgb", "xyz_mm", "visible"}
    batch = Batches(windows, 16, 8, augmentation).batch(0, 0, keys)
    assert batch.keys() == keys | {"weight"}
    tips = batch["xyz_mm"][:, FINGERTIPS]
    torch.testing.assert_close(batch["tips_mm"], tips)
    torch.testing.assert_close(batch["spread_mm"], (tips[:, 0] - tips[:, 4]).norm(dim=-1))
    assert torch.equal(batch["tip_visible"], batch["visible"][:, FINGERTIPS])
    assert torch.equal(batch["joints_visible"], batch["visible"].sum(dim=1))
    assert torch.equal(batch["copy"], batch["rgb"])
    assert modality("tips_mm").shape == (5, 3)


@pytest.mark.usefixtures("samples", "outside")
def test_a_store_contains_labels_of_other_packages(tmp_path: Path):
    found = packed(tmp_path / "store", "copy")
    assert found.keys() == STORED | {"rgb", "copy", "tips_mm", "tip_visible", "joints_visible"}
    assert found["tips_mm"] == ("F32", (3, 5, 3))
    assert found["tip_visible"] == ("BOOL", (3, 5))
    assert found["joints_visible"] == ("I64", (3,))


@pytest.mark.parametrize("label", [Label((21,), ""), Label((21, 1), "", torch.bool)])
def test_a_label_that_differs_from_its_entry_is_an_error(samples, monkeypatch, label):
    register(monkeypatch, LABELS, "also_visible", replace(label, read=palm_visible))
    with pytest.raises(HandsError, match=r"sample 0 .*also_visible is torch.bool \(21,\); it must be torch"):
        build_windows(samples)
