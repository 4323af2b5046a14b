"""Let the map of places learn alone, before a training of `portraits128`.

    python benchmarks/pretrain_map.py START OUT --rendered scenes --photographs PHOTOS --faces faces.json

Under Eq. 2 from the start, the map collapses to the prior: it costs divergence before the painter can use it.
Here only the encoder of contents and the scene of the painter learn, at half the resolution, by the absolute
difference of images and of their gradients, with little weight on the divergence. The median of the images of
a scene shows no hand, so absolute differences teach the scene behind the hand.

START is a run of `portraits128`, or one that lacks the map: weights that fit are taken over. OUT holds all
arrows, to start `train_portraits.py` with. `portrait_hands.py` describes the data.
"""

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import portrait_hands
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from latent_hands.beyond.map_painter import MapPainter
from latent_hands.build import build_batches, build_vae
from latent_hands.configuration import Experiment, load_experiment
from latent_hands.paper.algorithms import Phase, embed_only
from latent_hands.paper.bound import Bound
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch
from latent_hands.runs.folder import load_run, write_run

BATCH, WARMUP = 64, 100
GRADIENT_WEIGHT, DIVERGENCE_WEIGHT = 0.5, 2.4e-6
POSE = ("cpose", "viewpoint")


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("start")
    parser.add_argument("out", type=Path)
    portrait_hands.add_arguments(parser)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    chosen = parser.parse_args()
    experiment = load_experiment("portraits128", ["--training.start", "", f"--training.seed={chosen.seed}"])
    vae = build_vae(experiment)
    copy_common(vae, load_run(chosen.start)[0])
    learn(vae, batches(experiment, chosen), chosen.minutes, chosen.learning_rate)
    print(write_run(chosen.out, experiment, vae.state_dict(), {"start": chosen.start}))


def copy_common(vae: DisentangledVAE, given: DisentangledVAE) -> None:
    """Copy the weights that have the same name and shape in both."""
    own = vae.state_dict()
    own.update({n: t for n, t in given.state_dict().items() if n in own and own[n].shape == t.shape})
    vae.load_state_dict(own)


def batches(experiment: Experiment, chosen: argparse.Namespace) -> Iterator[Batch]:
    """Yield batches of images, tags and poses without end."""
    windows = portrait_hands.open_hands(chosen, experiment).training
    step = embed_only(Bound(("content",), {"rgb": 1.0}, beta=1.0))
    stream = build_batches(experiment, windows, Phase("map", (step,), 1, batch_size=BATCH), chosen.seed)
    return stream.stream({"rgb", "tag", *POSE}, 0)


def learn(vae: DisentangledVAE, stream: Iterator[Batch], minutes: float, rate: float) -> None:
    """Train the encoder of contents and the scene for some minutes."""
    encoder, scene = vae.encoder("content"), cast(MapPainter, vae.decoder("rgb").network).coarse.scene
    vae.requires_grad_(False)
    parameters = [p.requires_grad_() for part in (encoder, scene) for p in part.parameters()]
    optimiser = torch.optim.AdamW(parameters, rate, weight_decay=0.01)
    encoder.train()
    scene.train()
    began, total = time.monotonic(), 0.0
    for update, batch in enumerate(stream, 1):
        share = (time.monotonic() - began) / 60 / minutes
        if share >= 1:
            return
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, update / WARMUP) * (1 + math.cos(math.pi * share)) / 2
        loss = loss_of(vae, scene, batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        total += loss.item()
        if update % 100 == 0:
            print(f"update {update}, {share:.0%}: loss {total / 100:.4f}", flush=True)
            total = 0.0


def loss_of(vae: DisentangledVAE, scene: torch.nn.Module, batch: Batch) -> Tensor:
    """Return the difference of the decoded scenes from the images, with the divergence of the contents."""
    with torch.no_grad():
        pose = vae.infer(POSE, batch)
    content = vae.encode("content", batch)["content"]
    z = [*(pose[factor].mean for factor in POSE), content.draw()]
    found, truth = scene(torch.cat(z, dim=1)), avg_pool2d(batch["rgb"], 2)
    steps = sum((each(found) - each(truth)).abs().mean() for each in (across, down))
    nats = content.kl().mean()
    return (found - truth).abs().mean() + GRADIENT_WEIGHT * steps + DIVERGENCE_WEIGHT * nats


def across(image: Tensor) -> Tensor:
    """Return the differences of neighbouring columns."""
    return image[..., 1:] - image[..., :-1]


def down(image: Tensor) -> Tensor:
    """Return the differences of neighbouring rows."""
    return image[..., 1:, :] - image[..., :-1, :]


if __name__ == "__main__":
    main()
