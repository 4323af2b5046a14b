"""Feeds: the hands that each step learns from, their check, and their batches."""

from collections.abc import Collection, Iterator, Mapping
from itertools import count

import torch
from accelerate import Accelerator

from latent_hands.build import Hands, build_batches
from latent_hands.configuration import Data, Experiment
from latent_hands.data.batches import Batches
from latent_hands.data.checks import check_labels
from latent_hands.data.windows import Windows, check_keys
from latent_hands.errors import HandsError
from latent_hands.paper.algorithms import Feed, Phase, Step, keys
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch


def by_feed(phase: Phase) -> dict[Feed, list[Step]]:
    """Return the steps of a phase, grouped by feed."""
    feeds: dict[Feed, None] = dict.fromkeys(step.feed for step in phase.steps)
    return {feed: [step for step in phase.steps if step.feed == feed] for feed in feeds}


def check_data(experiment: Experiment, vae: DisentangledVAE, phases: tuple[Phase, ...], hands: Hands) -> None:
    """Raise HandsError if a phase cannot learn from the data.

    The data lack a modality, are too few for a batch, have joints in another convention than the experiment
    states, or have labels that are not those of hands (`check_labels`).
    """
    for windows in filter(None, (hands.training, hands.validation)):
        check_labels(windows)
    check_joints(experiment.data, hands.training.convention)
    feeds = hands.feeds(experiment.supervision.labelled)
    for phase in phases:
        try:
            for feed, steps in by_feed(phase).items():
                if feed not in feeds:
                    raise HandsError(
                        f'there are no hands for the feed "{feed}": [supervision] labelled is '
                        f"{experiment.supervision.labelled}; it must be below 1"
                    )
                build_batches(experiment, feeds[feed], phase, 0).batch(0, 0, keys(vae, steps))
            if hands.validation is not None:
                validated = [step for step in phase.steps if step.feed in ("labelled", "all")]
                check_keys(hands.validation, keys(vae, validated), experiment.data.frame)
        except HandsError as error:
            raise HandsError(f'phase "{phase.name}": {error}') from error


def check_joints(data: Data, found: str | None) -> None:
    """Raise HandsError if the labels have another joint convention than [data] states."""
    if found not in (None, data.convention):
        raise HandsError(
            f'[data] convention is "{data.convention}", but the joints of "{data.name}" are in "{found}": '
            f"train with --data.convention {found}"
        )


def share(
    feeds: Mapping[Feed, Windows], used: Collection[Feed], accelerator: Accelerator
) -> dict[Feed, Windows]:
    """Return this process's part of the feeds that are used, on its device.

    Feeds with the same hands share one copy.
    """
    processes, rank = accelerator.num_processes, accelerator.process_index

    def part(windows: Windows) -> Windows:
        if processes > 1:
            windows = windows.select(range(rank, len(windows) - len(windows) % processes, processes))
        return windows.to(accelerator.device)

    distinct = {id(feeds[feed]): feeds[feed] for feed in used}
    parts = {key: part(windows) for key, windows in distinct.items()}
    return {feed: parts[id(feeds[feed])] for feed in used}


def stream(
    vae: DisentangledVAE, phase: Phase, batches: Mapping[Feed, Batches], start: int, device: torch.device
) -> Iterator[dict[Feed, Batch]]:
    """Yield one batch of every feed for each update, on a device, without end.

    If the steps of the phase take turns, only the feed of the step that is due is yielded, with the keys
    that this step needs.

    Args:
        start: the update of the phase to begin with.
    """
    if phase.in_turn:
        for update in count(start):
            ((_, step),) = phase.due(update)
            source = batches[step.feed]
            yield {
                step.feed: to_device(source.batch(*divmod(update, len(source)), keys(vae, [step])), device)
            }
    feeds = by_feed(phase)
    streams = [batches[feed].stream(keys(vae, steps), start) for feed, steps in feeds.items()]
    for parts in zip(*streams, strict=True):
        yield {feed: to_device(part, device) for feed, part in zip(feeds, parts, strict=True)}


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch on a device."""
    return {key: each.to(device) for key, each in batch.items()}
