"""What the steps of a phase are fed: the labelled hands, all, the rest, other images."""

from collections.abc import Collection, Iterator, Mapping
from itertools import count

import torch
from accelerate import Accelerator

from latent_hands.data.batches import Batches
from latent_hands.data.windows import Windows
from latent_hands.paper.algorithms import Feed, Phase, Step, keys
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch


def share(
    feeds: Mapping[Feed, Windows], used: Collection[Feed], accelerator: Accelerator
) -> dict[Feed, Windows]:
    """This process's part of the feeds that are used, on its device; the same hands are copied there once."""
    processes, rank = accelerator.num_processes, accelerator.process_index

    def part(windows: Windows) -> Windows:
        if processes > 1:
            windows = windows.select(range(rank, len(windows) - len(windows) % processes, processes))
        return windows.to(accelerator.device)

    distinct = {id(feeds[feed]): feeds[feed] for feed in used}
    parts = {key: part(windows) for key, windows in distinct.items()}
    return {feed: parts[id(feeds[feed])] for feed in used}


def by_feed(phase: Phase) -> dict[Feed, list[Step]]:
    """The steps of a phase by what they learn from."""
    feeds: dict[Feed, None] = dict.fromkeys(step.feed for step in phase.steps)
    return {feed: [step for step in phase.steps if step.feed == feed] for feed in feeds}


def stream(
    vae: DisentangledVAE, phase: Phase, batches: dict[Feed, Batches], start: int, device: torch.device
) -> Iterator[dict[Feed, Batch]]:
    """One batch of every feed an update, from update `start` of the phase on and without end, on a device.

    Of steps in turn only the one that is due is fed, with no more than it needs.
    """
    if phase.in_turn:
        for update in count(start):
            ((_, step),) = phase.due(update)
            source = batches[step.feed]
            yield {step.feed: moved(source.batch(*divmod(update, len(source)), keys(vae, [step])), device)}
    feeds = by_feed(phase)
    streams = [batches[feed].stream(keys(vae, steps), start) for feed, steps in feeds.items()]
    for parts in zip(*streams, strict=True):
        yield {feed: moved(part, device) for feed, part in zip(feeds, parts, strict=True)}


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device."""
    return {key: each.to(device) for key, each in batch.items()}
