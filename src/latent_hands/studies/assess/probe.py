"""Small networks that read poses from single latent factors: what a factor knows, welcome or not."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.evaluation.metrics import epe, joint_errors
from latent_hands.hand.geometry import canonicalise
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.intervals import Blocks, block_weights, stated
from latent_hands.studies.assess.lessons import Lessons
from latent_hands.studies.assess.subject import Subject

ARM_SHARE = 0.01
"""Of an image's pixels: less is no forearm to read a pose from."""
HIDDEN, STEPS, LEARNING_RATE, WEIGHT_DECAY = 128, 300, 3e-3, 1e-2


def train_probe(inputs: Float[Tensor, "n d"], targets: Float[Tensor, "n k"]) -> nn.Sequential:
    """An MLP of two hidden layers by least squares, as it was when the last quarter of the rows knew it best.

    It begins as the mean of its targets, so inputs that tell nothing leave it there. Full batches, STEPS of
    Adam, always from the same weights.
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
    """(what probes say, what the mean says) of every row, each fitted on the other half of the blocks."""
    _, block = blocks.unique(return_inverse=True)
    said, mean = torch.empty_like(targets), torch.empty_like(targets)
    for half in (0, 1):
        known, asked = (block % 2 == half).nonzero()[:, 0], block % 2 != half
        known = known[block[known].argsort(stable=True)]
        said[asked] = train_probe(inputs[known], targets[known])(inputs[asked])
        mean[asked] = targets[known].mean(dim=0)
    return said, mean


def measure_probes(
    subject: Subject, benchmark: Benchmark, lessons: Lessons | None = None
) -> dict[str, dict[str, Any]]:
    """{factor: EPE of CPose and 3DPose that a probe reads from its posterior mean}, and the mean pose's.

    Probes learn from the lessons, or without them each half of the benchmark's blocks from the other.
    `.._with_arm` and `.._without_arm` are of the images that show the forearm and of all others.
    """
    targets = _targets(benchmark.pose, benchmark.right)
    factors, mean = subject.read(benchmark.rgb, benchmark.right), targets
    taught = {} if lessons is None else subject.read(lessons.rgb, lessons.right)
    known = None if lessons is None else _targets(lessons.pose, lessons.right)
    rows = {}
    for factor, z in factors.items():
        if known is None:
            said, mean = read_across(z, targets, benchmark.block)
        else:
            said, mean = train_probe(taught[factor], known)(z), known.mean(dim=0).expand_as(targets)
        rows[factor] = _epes(said, targets, benchmark)
    return rows | {"mean_pose": _epes(mean, targets, benchmark)}


def _targets(pose: Tensor, right: Tensor | None) -> Tensor:
    """CPose and 3DPose in one row."""
    cpose, _ = canonicalise(pose, right)
    return torch.cat([cpose.flatten(1), pose.flatten(1)], dim=1)


def _epes(said: Tensor, truth: Tensor, benchmark: Benchmark) -> dict[str, Any]:
    arm = (~benchmark.ground & ~benchmark.hand).flatten(1).float().mean(dim=1) > ARM_SHARE
    weights, numbers = block_weights(benchmark.block), {}
    parts = zip(("cpose_epe_mm", "epe_mm"), said.chunk(2, dim=1), truth.chunk(2, dim=1), strict=True)
    for name, ours, theirs in parts:
        errors = joint_errors(ours.unflatten(1, (21, 3)), theirs.unflatten(1, (21, 3)))
        errors_mm = errors * benchmark.bone_mm[:, None]
        for told, seen in ((name, None), (f"{name}_with_arm", arm), (f"{name}_without_arm", ~arm)):
            visible = benchmark.visible if seen is None else benchmark.visible & seen[:, None]
            if visible.any():
                numbers |= stated(told, epe(errors_mm, visible, weights))
    return numbers
