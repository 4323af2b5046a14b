"""Tiny untrained runs as instruments of a studio."""

from functools import cache

import torch

import latent_hands as lh
from latent_hands.build import build_vae
from latent_hands.studio.instrument import Instrument

SMALL = {
    "data": {"crop_px": 32, "window_px": 32, "margin": 1.0, "convention": "rhd_bones"},
    "networks": {"width": 4, "decoder_width": 4, "hidden": 16},
}


@cache
def instrument(name: str = "synthesis") -> Instrument:
    """Return an untrained run with small networks: "synthesis", "algorithm_2" or "estimation"."""
    torch.manual_seed(0)
    experiment = lh.experiment(name, **SMALL)
    return Instrument(lh.Model(build_vae(experiment), experiment), name)
