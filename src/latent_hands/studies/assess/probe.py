"""Probes: small networks that read poses from single latent factors, to measure what a factor contains."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.data.sample import Sample
from latent_hands.evaluation.metrics import epe, joint_errors, resampled_counts
from latent_hands.hand.geometry import canonicalise
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.content import content_of
from latent_hands.studies.assess.intervals import Blocks, stated
from latent_hands.studies.assess.subject import Subject

ARM_SHARE = 0.01
"""The least share of an image's pixels that counts as a visible forearm."""
HIDDEN, STEPS, LEARNING_RATE, WEIGHT_DECAY = 128, 300, 3e-3, 1e-2


@dataclass(frozen=True)
class ProbeImages:
    """Training images of probes, of other people and places than the benchmark's.

    `rgb` is in [-1, 1], `pose` in bones and in the frame of the model. `right` is None unless the model
    gets the handedness as an input. `content` has the numbers of `content_of`, None if they are unknown.
    """

    rgb: Float[Tensor, "n 3 px px"]
    pose: Float[Tensor, "n 21 3"]
    right: Bool[Tensor, " n"] | None = None
    content: Float[Tensor, "n 19"] | None = None


def read_probe_images(samples: Sequence[Sample], px: int, right_hands: str, frame: str) -> ProbeImages:
    """Read the scene crops of rendered samples.

    Raises HandsError for samples that cannot be cut, and for those without the factors of their scenes.
    """
    windows = build_windows(samples, "scene", 1.0, px, right_hands)
    batch = Batches(windows, px, len(windows), frame=frame, shuffle=False).batch(0, 0, {"rgb", "pose"})
    return ProbeImages(batch["rgb"], batch["pose"], windows.handed, content_of(samples))


def train_probe(inputs: Float[Tensor, "n d"], targets: Float[Tensor, "n k"]) -> nn.Sequential:
    """Train an MLP of two hidden layers by least squares, with early stopping on the last quarter of rows.

    It starts as the mean of its targets, so uninformative inputs leave it there. It takes STEPS steps of Adam
    with full batches, always from the same initial weights.
    """
    kept = max(len(inputs) - len(inputs) // 4, 1)
    x, y = inputs[:kept].clone(), targets[:kept]
    held_x, held_y = (inputs[kept:], targets[kept:]) if kept < len(inputs) else (x, y)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first, last = nn.Linear(inputs.shape[1], HIDDEN), nn.Linear(HIDDEN, y.shape[1])
        probe = nn.Sequential(first, nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), last)
    with torch.no_grad():
        first.weight.div_(x.std(dim=0, correction=0).clamp(min=1e-6))
        first.bias.sub_(first.weight @ x.mean(dim=0))
        last.weight.zero_()
        last.bias.copy_(y.mean(dim=0))
    optimiser = torch.optim.AdamW(probe.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    best, weights = float("inf"), probe.state_dict()
    for _ in range(STEPS):
        with torch.no_grad():
            loss = float((probe(held_x) - held_y).square().mean())
        if loss < best:
            best, weights = loss, {name: t.clone() for name, t in probe.state_dict().items()}
        optimiser.zero_grad()
        (probe(x) - y).square().mean().backward()
        optimiser.step()
    probe.load_state_dict(weights)
    return probe.requires_grad_(False)


def read_across(
    inputs: Float[Tensor, "n d"], targets: Float[Tensor, "n k"], blocks: Blocks
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
    """Return the predictions of probes and of the mean, both fitted on the other half of the blocks."""
    _, block = blocks.unique(return_inverse=True)
    predicted, mean = torch.empty_like(targets), torch.empty_like(targets)
    for half in (0, 1):
        training, test = (block % 2 == half).nonzero()[:, 0], block % 2 != half
        training = training[block[training].argsort(stable=True)]
        predicted[test] = train_probe(inputs[training], targets[training])(inputs[test])
        mean[test] = targets[training].mean(dim=0)
    return predicted, mean


def measure_probes(
    subject: Subject, benchmark: Benchmark, images: ProbeImages | None = None
) -> dict[str, dict[str, Any]]:
    """Return {factor: errors of CPose and 3DPose that a probe reads from its posterior mean}.

    The row "mean_pose" has the errors of the mean pose.

    Probes train on `images`. Without them, each half of the benchmark's blocks trains on the other half.
    Scores with suffix `_with_arm` are of the images with a visible forearm, `_without_arm` of all others.
    """
    targets = _targets(benchmark.pose, benchmark.right)
    factors, mean = subject.encode_images(benchmark.rgb, benchmark.right), targets
    inputs = {} if images is None else subject.encode_images(images.rgb, images.right)
    known = None if images is None else _targets(images.pose, images.right)
    rows = {}
    for factor, z in factors.items():
        if known is None:
            predicted, mean = read_across(z, targets, benchmark.block)
        else:
            predicted = train_probe(inputs[factor], known)(z)
            mean = known.mean(dim=0).expand_as(targets)
        rows[factor] = _epes(predicted, targets, benchmark)
    return rows | {"mean_pose": _epes(mean, targets, benchmark)}


def _targets(pose: Tensor, right: Tensor | None) -> Tensor:
    """Return CPose and 3DPose in one row."""
    cpose, _ = canonicalise(pose, right)
    return torch.cat([cpose.flatten(1), pose.flatten(1)], dim=1)


def _epes(predicted: Tensor, truth: Tensor, benchmark: Benchmark) -> dict[str, Any]:
    arm = (~benchmark.ground & ~benchmark.hand).flatten(1).float().mean(dim=1) > ARM_SHARE
    weights, scores = resampled_counts(benchmark.block), {}
    parts = zip(("cpose_epe_mm", "epe_mm"), predicted.chunk(2, dim=1), truth.chunk(2, dim=1), strict=True)
    for name, ours, theirs in parts:
        errors = joint_errors(ours.unflatten(1, (21, 3)), theirs.unflatten(1, (21, 3)))
        errors_mm = errors * benchmark.bone_mm[:, None]
        subsets = {name: torch.ones_like(arm), f"{name}_with_arm": arm, f"{name}_without_arm": ~arm}
        for key, chosen in subsets.items():
            visible = benchmark.visible & chosen[:, None]
            if visible.any():
                scores |= stated(key, epe(errors_mm, visible, weights))
    return scores
