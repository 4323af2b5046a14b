"""A package of somebody else: gloves. It adds one thing of each kind, and edits nothing of Latent Hands.

The entry point in latent_gloves-1.0.dist-info names this module; installing the package would put it there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from latent_hands import extend


@extend.DATA_SETS.register("gloves")
def read_gloves(root, split, limit=None, *, on_broken):
    """Read a data set: images and labels.json, in which each hand has the colour of its glove."""
    records = json.loads((Path(root) / split / "labels.json").read_text())[:limit]
    return [
        extend.Sample(
            record["name"],
            Path(root) / split / f"{record['name']}.png",
            record["side"],
            record["xyz_mm"],
            record["uv_px"],
            K=record["K"],
            factors={"glove": record["glove"]},
        )
        for record in records
    ]


def laplace(truth: Tensor, prediction: Tensor) -> Tensor:
    """Return log p of a Laplace distribution of scale 0.1, without its constant."""
    return -10 * (truth - prediction).abs().flatten(1).sum(dim=1)


extend.LABELS.register(
    "glove",
    extend.Label(
        (3,),
        "RGB in 0..1",
        read=lambda sample: torch.tensor(sample.factors["glove"]) if sample.factors else None,
        modality=extend.Modality("glove", "vector", (3,), sigma=0.1, likelihood=laplace),
    ),
)
extend.LABELS.register(
    "negative",
    extend.ImageLabel(
        extend.Modality("negative", "image", (1, None, None), sigma=10.0),
        path=lambda sample: sample.image,
        appearance="values",
        read=lambda path, sample, square: 255 - np.asarray(Image.open(path).convert("L")),
    ),
)


class Average(nn.Module):
    """An encoder of images that knows only their mean colour."""

    def __init__(self, channels: int, outputs: int):
        super().__init__()
        self.linear = nn.Linear(channels, outputs)

    def forward(self, image: Tensor, side: Tensor | None = None) -> Tensor:
        return self.linear(image.mean(dim=(2, 3)))


class Flat(nn.Module):
    """A decoder of images of one grey level."""

    def __init__(self, inputs: int, channels: int, px: int):
        super().__init__()
        self.px = px
        self.linear = nn.Linear(inputs, channels)

    def forward(self, z: Tensor, side: Tensor | None = None) -> Tensor:
        return self.linear(z)[:, :, None, None].expand(-1, -1, self.px, self.px)


@extend.ENCODERS.register("average")
def build_average(request: extend.Request) -> nn.Module:
    """Build the encoder."""
    return Average(request.modality.channels, request.size)


@extend.DECODERS.register("flat")
def build_flat(request: extend.Request) -> nn.Module:
    """Build the decoder."""
    return Flat(request.size, request.modality.channels, request.crop_px)


@dataclass(frozen=True)
class Calm:
    """An objective: - weight |mean of q|^2 of an encoder's factors."""

    encoder: str
    weight: float
    feeds = frozenset[extend.Feed]({"labelled", "all"})

    def terms(self, evaluation: extend.Evaluation) -> list[extend.Term]:
        factors = evaluation.vae.encoder(self.encoder).factors
        means = torch.cat([evaluation.posterior[factor].mean for factor in factors], dim=1)
        value = extend.average(means.square().sum(dim=1), evaluation.batch)
        return [extend.Term(f"calm_{self.encoder}", value, -self.weight)]

    def encoders(self) -> tuple[str, ...]:
        return ()

    def check(self, vae: extend.DisentangledVAE, bound: extend.Bound, batch_size: int) -> None:
        vae.encoder(self.encoder)


@extend.objective("calm")
def with_calm(
    recipe: extend.Recipe, phases: Sequence[extend.Phase], weights: Mapping[str, float]
) -> tuple[extend.Phase, ...]:
    """Add the objective to the steps of its encoders."""
    for arrow, weight in weights.items():
        phases = extend.add_to_steps(phases, Calm(arrow, weight), lambda step, a=arrow: a in step.phi)
    return tuple(phases)
