"""Training on data sets in several layouts, by the command line."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from latent_hands.cli import main
from latent_hands.data import read_stb
from latent_hands.data.export import export_data
from latent_hands.data.readers.stb import SEQUENCES
from latent_hands.hand.rig.articulation import neutral
from latent_hands.hand.skeleton import reorder
from latent_hands.rendering.scene import left_form
from latent_hands.rendering.sets.dataset import render_dataset
from latent_hands.runs.folder import load_run

NETWORKS = ("--networks.width", "4", "--networks.hidden", "16", "--networks.decoder-width", "4")
BUDGET = ("--training.batch-size", "4", "--phases.disentangle.epochs", "1", "--phases.embed-rgb.epochs", "1")


def trained(name, data, root, out, *more):
    options = ["--data.name", data, "--data.root", str(root), "--out", str(out), *NETWORKS, *BUDGET, *more]
    assert main(["train", name, *options]) == 0
    vae, _ = load_run(out)
    return vae.state_dict()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")
    root = tmp_path_factory.mktemp("render") / "hands"
    return render_dataset(root, 8, 64, seed=3, workers=1, evaluation_count=4, progress=False)


@pytest.mark.parametrize("layout", ["rhd", "coco"])
def test_the_same_hands_in_another_layout_give_the_same_weights(rendered, tmp_path, layout):
    export_data("rendered", rendered, tmp_path / layout, layout)
    small = ("--data.crop-px", "32", "--data.window-px", "56", "--phases.embed-pose.epochs", "1")
    own = trained("paper_rhd", "rendered", rendered, tmp_path / "own", *small)
    other = trained("paper_rhd", layout, tmp_path / layout, tmp_path / "other", *small)
    assert all(torch.equal(other[name], tensor) for name, tensor in own.items())


@pytest.fixture
def stb(tmp_path, monkeypatch):
    """STB with four frames a sequence, images of two of them, and an open hand in each."""
    monkeypatch.setattr("latent_hands.data.readers.stb.FRAMES", 4)
    root, rng = tmp_path / "stb", np.random.default_rng(0)
    hand_mm = 1000 * reorder(left_form(np.zeros(12), neutral(), "stb"), "rhd", "stb") + [60, 20, 650]
    (root / "labels").mkdir(parents=True)
    for sequence in (*SEQUENCES["training"], *SEQUENCES["evaluation"]):
        hands_mm = hand_mm + rng.normal(0, 3, (4, 21, 3))
        savemat(root / f"labels/{sequence}_BB.mat", {"handPara": hands_mm.transpose(2, 1, 0)})
        (root / "images" / sequence).mkdir(parents=True)
        for frame in (0, 2):
            colours = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
            image = Image.fromarray(colours).resize((640, 480))
            image.save(root / f"images/{sequence}/BB_left_{frame}.png")
    return root


def test_models_of_poses_and_images_train_on_stb(stb, tmp_path, capsys):
    assert len(read_stb(stb, "training", views=("left",))) == 20
    wrong = [
        "train",
        "synthesis",
        "--data.name",
        "stb-left",
        "--data.root",
        str(stb),
        "--out",
        str(tmp_path / "0"),
    ]
    assert main(wrong) == 2
    assert 'train with [data] convention = "stb" (--data.convention stb)' in capsys.readouterr().err
    for name, px in (("paper_rhd", "32"), ("synthesis", "16")):
        window = ("--data.crop-px", px, "--data.window-px", "56" if px == "32" else px)
        more = ("--phases.embed-pose.epochs", "1") if name == "paper_rhd" else ()
        weights = trained(name, "stb-left", stb, tmp_path / name, "--data.convention", "stb", *window, *more)
        assert all(tensor.isfinite().all() for tensor in weights.values())
    run, image = str(tmp_path / "synthesis"), tmp_path / "transfer.png"
    command = ["transfer", run, "--data", "stb-left", "--root", str(stb), "--out", str(image)]
    names = [f"B1{kind}_BB_left_{frame}" for kind in ("Counting", "Random") for frame in (0, 2)]
    assert main([*command, "--poses", *names[:2], "--contents", *names[2:]]) == 0
    assert image.is_file()
