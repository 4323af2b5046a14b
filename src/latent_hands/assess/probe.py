"""Small networks that read poses from single latent factors: what a factor knows, welcome or not."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.assess.benchmark import Benchmark
from latent_hands.assess.intervals import Blocks, block_weights, stated
from latent_hands.assess.subject import Subject
from latent_hands.hand.geometry import canonicalise
from latent_hands.metrics import epe, joint_errors

HIDDEN, STEPS, LEARNING_RATE, WEIGHT_DECAY = 128, 300, 3e-3, 1e-2


def train_probe(inputs: Float[Tensor, "n d"], targets: Float[Tensor, "n k"], seed: int = 0) -> nn.Sequential:
    """An MLP of two hidden layers by least squares, as it was when the last quarter of the rows knew it best.

    It begins as the mean of its targets, so inputs that tell nothing leave it there. Full batches, STEPS of
    Adam, the same for the same seed.
    """
    kept = max(len(inputs) - len(inputs) // 4, 1)
    x, y = inputs[:kept], targets[:kept]
    held_x, held_y = (inputs[kept:], targets[kept:]) if kept < len(inputs) else (x, y)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
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


def measure_probes(subject: Subject, benchmark: Benchmark) -> dict[str, dict[str, Any]]:
    """{factor: EPE of CPose and 3DPose that a probe reads from its posterior mean}, and the mean pose's."""
    cpose, _ = canonicalise(benchmark.pose, benchmark.right)
    targets = torch.cat([cpose.flatten(1), benchmark.pose.flatten(1)], dim=1)
    rows, mean = {}, targets
    for factor, z in subject.read(benchmark.rgb, benchmark.right).items():
        said, mean = read_across(z, targets, benchmark.block)
        rows[factor] = _epes(said, targets, benchmark)
    return rows | {"mean_pose": _epes(mean, targets, benchmark)}


def _epes(said: Tensor, truth: Tensor, benchmark: Benchmark) -> dict[str, Any]:
    weights, numbers = block_weights(benchmark.block), {}
    parts = zip(("cpose_epe_mm", "epe_mm"), said.chunk(2, dim=1), truth.chunk(2, dim=1), strict=True)
    for name, ours, theirs in parts:
        errors = joint_errors(ours.unflatten(1, (21, 3)), theirs.unflatten(1, (21, 3)))
        errors_mm = errors * benchmark.bone_mm[:, None]
        numbers |= stated(name, epe(errors_mm, benchmark.visible, weights))
    return numbers
