"""Make the run that a training of `portraits128` starts with, from a model of 64 px and an estimator.

    python benchmarks/enlarge_synthesis.py OUT --poses SCENES [--small synthesis] [--estimator estimation]

SCENES is a rendered set. What the run takes over:

* from the estimator: the encoder of images, and the decoders of cpose, viewpoint and pose;
* from the small model: the encoder and the decoder of tags, and the coarse painter. Weights for z_pose stay
  random, because cpose and viewpoint replace it.

The encoders of cpose and viewpoint are smaller than those of the estimator. They learn its posteriors from
the poses of SCENES. If the small model is itself a run of `portraits128`, all its decoders are taken over.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from latent_hands.build import build_vae
from latent_hands.configuration import load_experiment
from latent_hands.data import open_data
from latent_hands.hand import geometry
from latent_hands.hand.skeleton import PALM
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch
from latent_hands.runs.folder import load_run, write_run
from latent_hands.runs.shrink import without_folders
from latent_hands.studies.gallery import labelled_pose
from latent_hands.training.beginning import start_with

SMALLER = ("cpose", "viewpoint")
STEPS, BATCH, RATE = 6000, 256, 2e-3
JITTER = 0.01
"""Standard deviation of noise on joints, in bone lengths."""


def main() -> None:
    """Write the run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--poses", required=True, help="folder of a rendered set")
    parser.add_argument("--small", default="synthesis", help="a model of 64 px, or a run of portraits128")
    parser.add_argument("--estimator", default="estimation")
    chosen = parser.parse_args()
    experiment = without_folders(load_experiment("portraits128"))
    vae, (small, given), (large, _) = (
        build_vae(experiment),
        load_run(chosen.small),
        load_run(chosen.estimator),
    )
    kept = [f"encoders.{name}" for name in vae.encoders if name not in (*SMALLER, "tag")]
    if given.data.crop_px == experiment.data.crop_px:
        decoders = [f"decoders.{name}" for name in vae.decoders]
        start_with(vae, chosen.small, [*decoders, "encoders.tag"])
        start_with(vae, chosen.estimator, kept)
        large = small
    else:
        start_with(vae, chosen.estimator, [*kept, *(f"decoders.{name}" for name in (*SMALLER, "pose"))])
        copy_content(vae, small)
    samples = open_data("rendered", chosen.poses, "training")
    poses = torch.stack([torch.from_numpy(labelled_pose(sample)).float() for sample in samples])
    learn_posteriors(vae, large, poses)
    print(write_run(chosen.out, experiment, vae.state_dict(), {"enlarged_from": chosen.small}))


@torch.no_grad()
def copy_content(vae: DisentangledVAE, small: DisentangledVAE) -> None:
    """Set the arrows of tags and the coarse painter to those of the small model."""
    for of, to in (
        (small.encoder("tag").network, vae.encoder("tag").network.network),
        (small.decoder("tag").network, vae.decoder("tag").network.network),
        (small.decoder("rgb").network, vae.decoder("rgb").network.coarse),
    ):
        assert isinstance(of, nn.Module)
        assert isinstance(to, nn.Module)
        content = vae.latent["content"]
        own, given = to.state_dict(), of.state_dict()
        to.load_state_dict({name: last_inputs(own[name], given[name], content) for name in own})


def last_inputs(own: Tensor, given: Tensor, count: int) -> Tensor:
    """Return the given weights, or own ones whose last `count` inputs are those of the given ones."""
    if own.shape == given.shape:
        return given
    weight = own.clone()
    if own.dim() == 4:  # transposed convolutions have the inputs first
        weight[-count:] = given[-count:]
    else:
        weight[:, -count:] = given[:, -count:]
    return weight


def learn_posteriors(vae: DisentangledVAE, large: DisentangledVAE, poses: Tensor) -> None:
    """Let the encoders of SMALLER learn the posteriors of the large ones, by KL(large || small)."""
    parameters = [p for name in SMALLER for p in vae.encoder(name).parameters()]
    optimiser = torch.optim.AdamW(parameters, RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, STEPS)
    total = 0.0
    for step, batch in zip(range(1, STEPS + 1), batches(poses), strict=False):
        with torch.no_grad():
            truth = large.infer(SMALLER, batch)
        found = vae.infer(SMALLER, batch)
        loss = sum((truth[factor].kl_to(found[factor]).mean() for factor in truth), torch.zeros(()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        total += loss.item()
        if step % 1000 == 0:
            print(f"step {step}: KL {total / 1000:.2f} nats", flush=True)
            total = 0.0


def batches(poses: Tensor) -> Iterator[Batch]:
    """Yield canonical poses and viewpoints of random hands, with noise, in random rotations."""
    generator = torch.Generator().manual_seed(0)
    pose, _ = geometry.normalise(poses)
    while True:
        index = torch.randint(len(pose), (BATCH,), generator=generator)
        noise = JITTER * torch.randn(BATCH, 21, 3, generator=generator)
        noise[:, PALM] = 0
        cpose, viewpoint = geometry.canonicalise(pose[index] + noise)
        turn = torch.linalg.qr(torch.randn(BATCH, 3, 3, generator=generator))[0]
        turn[:, :, 0] *= torch.linalg.det(turn)[:, None]
        near = torch.rand(BATCH, generator=generator) < 0.8
        yield {
            "cpose": cpose,
            "viewpoint": torch.where(near[:, None, None], viewpoint, turn @ viewpoint),
            "right": torch.zeros(BATCH, dtype=torch.bool),
        }


if __name__ == "__main__":
    main()
