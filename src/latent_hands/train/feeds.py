"""What the steps of a phase are fed: the labelled hands, all, the rest, other pictures."""

from collections.abc import Iterator

import torch
from accelerate import Accelerator

from latent_hands.algorithms import Feed, Phase, Step, keys
from latent_hands.data.batches import Batches
from latent_hands.data.windows import Windows
from latent_hands.modalities import Batch
from latent_hands.vae import DisentangledVAE


def share(windows: Windows, accelerator: Accelerator) -> Windows:
    """This process's part of the training data, on its device."""
    count, rank = accelerator.num_processes, accelerator.process_index
    if count > 1:
        windows = windows.select(range(rank, len(windows) - len(windows) % count, count))
    return windows.to(accelerator.device)


def by_feed(phase: Phase) -> dict[Feed, list[Step]]:
    """The steps of a phase by what they learn from."""
    feeds: dict[Feed, None] = dict.fromkeys(step.feed for step in phase.steps)
    return {feed: [step for step in phase.steps if step.feed == feed] for feed in feeds}


def stream(
    vae: DisentangledVAE, phase: Phase, batches: dict[Feed, Batches], start: int, device: torch.device
) -> Iterator[dict[Feed, Batch]]:
    """One batch of every feed an update, from update `start` of the phase on and without end, on a device."""
    feeds = by_feed(phase)
    streams = [batches[feed].stream(keys(vae, steps), start) for feed, steps in feeds.items()]
    for parts in zip(*streams, strict=True):
        moved = [{key: each.to(device) for key, each in part.items()} for part in parts]
        yield dict(zip(feeds, moved, strict=True))
