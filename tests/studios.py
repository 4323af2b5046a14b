"""Tiny untrained runs as instruments of a studio, and hands of a data set."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import latent_hands as lh
from latent_hands.build import build_vae
from latent_hands.data import Sample
from latent_hands.data.sample import project
from latent_hands.hand.conventions import FRAMING
from latent_hands.studio.instrument import Instrument
from latent_hands.studio.puppet import Puppet

SMALL = {
    "data": {"crop_px": 32, "window_px": 32, "margin": 1.0, "convention": "rhd_bones"},
    "networks": {"width": 4, "decoder_width": 4, "hidden": 16},
}


@cache
def instrument(name: str = "synthesis") -> Instrument:
    """Return an untrained run of a shipped experiment, with small networks."""
    torch.manual_seed(0)
    px = {"crop_px": 64, "window_px": 64} if name == "portraits128" else {}
    experiment = lh.experiment(name, **SMALL | {"data": SMALL["data"] | px})
    return Instrument(lh.Model(build_vae(experiment), experiment), name)


def labelled(folder: Path, name: str = "00007", side: str = "left") -> Sample:
    """Return a hand in a noise image with another one as its tag image; a right hand is its mirror image."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(int(name))
    K = np.array([[200.0, 0, 47.5], [0, 200.0, 39.5], [0, 0, 1]], np.float32)
    xyz_mm = (Puppet.relaxed().joints_mm + torch.tensor([20.0, 0, 500])).numpy().astype(np.float32)
    files = [folder / f"{name}_{side}_{kind}.png" for kind in ("image", "tag")]
    for file in files:
        rgb = rng.integers(0, 256, (80, 96, 3), dtype=np.uint8)
        Image.fromarray(rgb if side == "left" else rgb[:, ::-1]).save(file)
    if side == "right":
        xyz_mm = xyz_mm * np.array([-1, 1, 1], np.float32)
    uv_px = project(xyz_mm, K)
    labels = {"xyz_mm": xyz_mm, "uv_px": uv_px, "K": K, "root": "palm", "wrist_px": uv_px[0]}
    return Sample(name, files[0], side, tag=files[1], convention=FRAMING, **labels)
