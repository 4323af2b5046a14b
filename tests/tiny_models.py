"""Untrained models of 32 px: Fig. 3 right and left, three and four factors, and Fig. 2b."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from latent_hands.build import build_vae
from latent_hands.configuration import Experiment, write_experiment
from latent_hands.files import write_text
from latent_hands.predictor import Model
from latent_hands.runs.folder import EXPERIMENT, WEIGHTS
from latent_hands.runs.tensors import write_tensors
from latent_hands.typed_toml import Table, parse, read

PX = 32
NETWORKS = (
    '[networks]\nwidth = 4\nstem = "unshuffle"\ndecoder_width = 4\nhidden = 16\nprecision = "float32"\n'
)
ESTIMATION = """
[latent]
cpose = 4
viewpoint = 4
[encoders]
cpose = { reads = "cpose", factors = ["cpose"] }
viewpoint = { reads = "viewpoint", factors = ["viewpoint"] }
pose = { reads = "pose", factors = ["cpose", "viewpoint"] }
rgb = { reads = "rgb", factors = ["cpose", "viewpoint"] }
[decoders]
cpose = { writes = "cpose", factors = ["cpose"] }
viewpoint = { writes = "viewpoint", factors = ["viewpoint"] }
pose = { writes = "pose", factors = ["cpose", "viewpoint"] }
[algorithm]
name = "algorithm_1"
encode = ["cpose", "viewpoint"]
embed = ["pose", "rgb"]
"""
PLACEMENT = """
[latent]
cpose = 4
viewpoint = 4
place = 4
[encoders]
cpose = { reads = "cpose", factors = ["cpose"] }
viewpoint = { reads = "viewpoint", factors = ["viewpoint"] }
place = { reads = "place", factors = ["place"] }
pose = { reads = "pose", factors = ["cpose", "viewpoint"] }
rgb = { reads = "rgb", factors = ["cpose", "viewpoint", "place"] }
[decoders]
cpose = { writes = "cpose", factors = ["cpose"] }
viewpoint = { writes = "viewpoint", factors = ["viewpoint"] }
place = { writes = "place", factors = ["place"] }
pose = { writes = "pose", factors = ["cpose", "viewpoint"] }
uv = { writes = "uv", factors = ["cpose", "viewpoint", "place"] }
[algorithm]
name = "algorithm_1"
encode = ["cpose", "viewpoint", "place"]
embed = ["pose", "rgb"]
"""
SYNTHESIS = """
[latent]
pose = 4
tag = 4
[encoders]
pose = { reads = "pose", factors = ["pose"] }
tag = { reads = "tag", factors = ["tag"] }
rgb = { reads = "rgb", factors = ["pose", "tag"] }
[decoders]
rgb = { writes = "rgb", factors = ["pose", "tag"] }
pose = { writes = "pose", factors = ["pose"] }
tag = { writes = "tag", factors = ["tag"] }
[algorithm]
name = "algorithm_1"
encode = ["pose", "tag"]
embed = ["rgb"]
[data]
crop = "scene"
"""
VIEWPOINT = """
[latent]
cpose = 4
viewpoint = 4
content = 4
[encoders]
cpose = { reads = "cpose", factors = ["cpose"] }
viewpoint = { reads = "viewpoint", factors = ["viewpoint"] }
tag = { reads = "tag", factors = ["content"] }
rgb = { reads = "rgb", factors = ["cpose", "viewpoint", "content"] }
[decoders]
rgb = { writes = "rgb", factors = ["cpose", "viewpoint", "content"] }
pose = { writes = "pose", factors = ["cpose", "viewpoint"] }
[algorithm]
name = "algorithm_1"
encode = ["cpose", "viewpoint", "tag"]
embed = ["rgb"]
[data]
crop = "scene"
"""
FOUR_FACTORS = """
[latent]
cpose = 4
viewpoint = 4
identity = 3
background = 2
[encoders]
cpose = { reads = "cpose", factors = ["cpose"] }
viewpoint = { reads = "viewpoint", factors = ["viewpoint"] }
identity = { reads = "identity_tag", factors = ["identity"] }
background = { reads = "background_tag", factors = ["background"] }
rgb = { reads = "rgb", factors = ["cpose", "viewpoint", "identity", "background"] }
[decoders]
rgb = { writes = "rgb", factors = ["cpose", "viewpoint", "identity", "background"] }
pose = { writes = "pose", factors = ["cpose", "viewpoint"] }
identity = { writes = "identity_tag", factors = ["identity"] }
background = { writes = "background_tag", factors = ["background"] }
[algorithm]
name = "algorithm_1"
encode = ["cpose", "viewpoint", "identity", "background"]
embed = ["rgb"]
"""
WITHOUT_TAGS = """
[latent]
pose = 4
u = 4
[encoders]
pose = { reads = "pose", factors = ["pose"] }
u = { reads = "rgb", factors = ["u"] }
rgb = { reads = "rgb", factors = ["pose", "u"] }
[decoders]
rgb = { writes = "rgb", factors = ["pose", "u"] }
pose = { writes = "pose", factors = ["pose", "u"] }
[algorithm]
name = "cross_modal"
encode = ["rgb"]
"""


def tiny_experiment(graph: str, **data: object) -> Experiment:
    table: Table = parse(graph + NETWORKS, "test")
    table["data"] = table.get("data", {}) | {"crop_px": PX, "window_px": PX} | data
    return read(Experiment, table, "test")


def tiny_model(graph: str, **data: object) -> Model:
    """Return a model with enlarged weights, whose outputs depend on the inputs as much as after training."""
    experiment = tiny_experiment(graph, **data)
    vae = build_vae(experiment)
    with torch.no_grad():
        for module in vae.modules():
            if isinstance(module, nn.Linear | nn.ConvTranspose2d):
                module.weight.mul_(1.5)
    return Model(vae, experiment)


def tiny_run(folder: Path, graph: str) -> Path:
    """Write a run folder with such a model."""
    model = tiny_model(graph)
    folder.mkdir(parents=True)
    write_text(folder / EXPERIMENT, write_experiment(model.experiment))
    write_tensors(folder / WEIGHTS, model.vae.state_dict(), {})
    return folder


def noise_image(height: int = 60, width: int = 80, seed: int = 0) -> np.ndarray:
    """Return blurred noise: all parts of the image differ."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3))
    return coarse.repeat(4, axis=0).repeat(4, axis=1)[:height, :width].astype(np.uint8)
