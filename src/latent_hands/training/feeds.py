"""Feeds: the hands that each step learns from, their check, and their batches."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import count

import torch
from accelerate import Accelerator

from latent_hands.build import Hands, build_batches
from latent_hands.configuration import Data, Experiment
from latent_hands.data.batches import Batches
from latent_hands.data.checks import check_labels
from latent_hands.data.windows import Windows, check_keys
from latent_hands.errors import HandsError
from latent_hands.paper.algorithms import Feed, Part, Phase, keys
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch
from latent_hands.training.learning import try_step


def by_feed(parts: Iterable[Part]) -> dict[Feed, list[Part]]:
    """Return the parts of a phase or of a step, grouped by feed."""
    feeds: dict[Feed, list[Part]] = {}
    for part in parts:
        feeds.setdefault(part.feed, []).append(part)
    return feeds


def feeds_of(
    experiment: Experiment, vae: DisentangledVAE, phases: tuple[Phase, ...], hands: Hands
) -> dict[Feed, Windows]:
    """Return the windows of each feed. Labelled hands have every label that any phase needs of them."""
    parts = [part for phase in phases for part in phase.parts if part.feed in ("labelled", "all")]
    return hands.feeds(experiment.supervision.labelled, keys(vae, parts), experiment.data.frame)


def check_data(experiment: Experiment, vae: DisentangledVAE, phases: tuple[Phase, ...], hands: Hands) -> None:
    """Raise HandsError if a phase cannot learn from the data.

    The data lack a modality, are too few for a batch, have joints in another convention than the experiment
    states, have labels that are not those of hands (`check_labels`), or give BatchNorm a single value.
    """
    for windows in filter(None, (hands.training, hands.validation)):
        check_labels(windows)
    check_joints(experiment.data, hands.training.convention, experiment.training.start)
    feeds = feeds_of(experiment, vae, phases, hands)
    for phase in phases:
        single = phase.batch_size == 1 and not experiment.training.frozen_batchnorm
        try:
            batches: dict[Feed, Batch] = {}
            for feed, parts in by_feed(phase.parts).items():
                if feed not in feeds:
                    check_keys(hands.training, keys(vae, parts), experiment.data.frame)
                    raise HandsError(_no_hands(feed, experiment.supervision.labelled))
                drawn = build_batches(experiment, feeds[feed], phase, 0)
                batches[feed] = drawn.batch(0, 0, keys(vae, parts))
            for step in phase.steps if single else ():
                try_step(vae, step, batches)
            if hands.validation is not None:
                validated = [Part(s.bound, s.feed) for s in phase.steps if s.feed != "photos"]
                check_keys(hands.validation, keys(vae, validated), experiment.data.frame)
        except HandsError as error:
            raise HandsError(f'phase "{phase.name}": {error}') from error


def _no_hands(feed: Feed, labelled: float) -> str:
    text = f'there are no hands for the feed "{feed}": [supervision] labelled is {labelled}'
    if feed == "rest":
        return f"{text}; it must be below 1, or some hands must lack labels"
    return f"{text}; it must be above 0, and some of these hands must have all labels that are learnt from"


def check_joints(data: Data, found: str | None, start: str = "") -> None:
    """Raise HandsError if the labels have another joint convention than [data] states.

    A run that starts with the weights of another keeps the convention of that one, so its labels must be
    translated. A new run can learn the convention of its labels.
    """
    if found not in (None, data.convention):
        advice = f'train with [data] convention = "{found}" (--data.convention {found})'
        if start:
            advice = f"`latent-hands fine-tune {start}` translates the labels"
        raise HandsError(
            f'[data] convention is "{data.convention}", but the joints of "{data.name}" are in "{found}": '
            f"{advice}"
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
            drawn: dict[Feed, Batch] = {}
            for feed, parts in by_feed(step.parts).items():
                epoch, index = divmod(update, len(batches[feed]))
                drawn[feed] = to_device(batches[feed].batch(epoch, index, keys(vae, parts)), device)
            yield drawn
    feeds = by_feed(phase.parts)
    streams = [batches[feed].stream(keys(vae, parts), start) for feed, parts in feeds.items()]
    for parts in zip(*streams, strict=True):
        yield {feed: to_device(part, device) for feed, part in zip(feeds, parts, strict=True)}


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch on a device."""
    return {key: each.to(device) for key, each in batch.items()}
