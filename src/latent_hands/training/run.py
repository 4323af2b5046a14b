"""The state of a training, and what is done between its updates: report, validate, save."""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor, nn
from torch.optim import AdamW

from latent_hands.beyond.objective import networks
from latent_hands.build import Hands, build_batches, build_validation
from latent_hands.configuration import Experiment
from latent_hands.data.batches import Batches
from latent_hands.data.windows import Windows
from latent_hands.paper.algorithms import Feed, Phase
from latent_hands.paper.bound import Term
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch
from latent_hands.runs.folder import Place, restore_networks, save_run, state_of
from latent_hands.runs.moments import moments_of, restore_moments
from latent_hands.training.feeds import by_feed, feeds_of, share, stream
from latent_hands.training.learning import parameters
from latent_hands.training.progress import Reporter
from latent_hands.training.schedule import check_warmup, learning_rate, share_done
from latent_hands.training.validation import validate

BETAS = (0.9, 0.999)
ADVERSARIAL_BETAS = (0.5, 0.99)
"""Adam's betas where a network learns against decoders: older gradients mislead (Radford et al. 2016)."""


@dataclass(kw_only=True)
class Run:
    """A training in progress.

    Attributes:
        out: the run folder.
        experiment, vae, phases, hands: what is trained, and what it learns from.
        place: how far the training has come.
        state: Adam's moments that the first phase resumes with, by `moments_of`; empty for a new training.
        accelerator: the device and the processes.
        reporter: writes progress and metrics.
        interruption: set by Ctrl-C.
        windows: this process's share of the hands, by feed.
        validation: the validation batches, if there are validation hands.
        networks: the networks of objectives, by name; they are saved with Adam's moments.
        phase, batches, optimiser, learned: the current phase, its batches by feed, Adam, and the parameters
            that learn, by name.
        per_epoch: updates in an epoch of the current phase.
        rate: the learning rate of the current update.
        started, saved: times of the monotonic clock at which the phase began and the run was last saved.
        stopped: whether the training must stop after the current update.
    """

    out: Path
    experiment: Experiment
    vae: DisentangledVAE
    phases: tuple[Phase, ...]
    hands: Hands
    place: Place
    state: Mapping[str, Tensor]
    accelerator: Accelerator
    reporter: Reporter
    interruption: threading.Event
    windows: dict[Feed, Windows] = field(init=False)
    validation: Batches | None = field(init=False)
    networks: Mapping[str, nn.Module] = field(init=False)
    phase: Phase = field(init=False)
    batches: dict[Feed, Batches] = field(init=False)
    optimiser: AdamW = field(init=False)
    learned: dict[str, nn.Parameter] = field(init=False)
    per_epoch: int = field(init=False)
    rate: float = field(init=False)
    started: float = field(init=False)
    saved: float = field(init=False)
    stopped: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Move this process's share of the hands, and the networks of objectives, to its device."""
        used: set[Feed] = {feed for phase in self.phases[self.place.phase :] for feed in by_feed(phase.parts)}
        feeds = feeds_of(self.experiment, self.vae, self.phases, self.hands)
        self.windows = share(feeds, used, self.accelerator)
        held = self.hands.validation and self.hands.validation.to(self.accelerator.device)
        self.validation = build_validation(self.experiment, held) if held else None
        self.networks = networks(self.phases)
        restore_networks(self.networks, self.state)
        for network in self.networks.values():
            network.to(self.accelerator.device)
        self.saved = time.monotonic()

    def remaining_phases(self) -> Iterator[Phase]:
        """Yield the phases from the place on; save at the end of each."""
        for number in range(self.place.phase, len(self.phases)):
            self._begin_phase(number)
            yield self.phase
            self.place = Place(phase=number + 1, update=self.place.update)
            self._save({})

    def _begin_phase(self, number: int) -> None:
        """Set up the batches and the optimiser of a phase. The first one continues with the loaded state."""
        self.phase = phase = self.phases[number]
        training, accelerator = self.experiment.training, self.accelerator
        seed = training.seed * len(self.phases) + number
        self.batches = {
            feed: build_batches(self.experiment, self.windows[feed], phase, seed)
            for feed in by_feed(phase.parts)
        }
        self.per_epoch = len(self.hands.training) // accelerator.num_processes // phase.batch_size
        check_warmup(training, phase, self.per_epoch)
        self.learned = parameters(self.vae, phase)
        fused = accelerator.device.type in ("cpu", "cuda")
        betas = ADVERSARIAL_BETAS if networks([phase]) else BETAS
        self.optimiser = AdamW(
            self.learned.values(), betas=betas, weight_decay=training.weight_decay, fused=fused
        )
        restore_moments(self.optimiser, self.learned, self.state)
        state, self.state = self.state, {}
        self.started = time.monotonic() - self.place.phase_seconds
        self.reporter.begin(phase.name, phase.batch_size * accelerator.num_processes)
        self.reporter.restore(state)

    def updates(self) -> Iterator[dict[Feed, Batch]]:
        """Yield the batches of each update, by feed, until the phase is done; set the learning rate."""
        for batches in stream(
            self.vae, self.phase, self.batches, self.place.phase_update, self.accelerator.device
        ):
            self.rate = learning_rate(self.experiment.training, self.phase, self.place, self.per_epoch)
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate
            yield batches
            if self.done >= 1:
                return

    @property
    def done(self) -> float:
        """The finished share of the phase; 1 or more at its end."""
        return share_done(self.phase, self.place, self.per_epoch)

    def generator(self) -> torch.Generator:
        """Return the random numbers of an update, which depend on seed, update and process alone."""
        entropy = [self.experiment.training.seed, self.place.update, self.accelerator.process_index]
        seed = int(np.random.SeedSequence(entropy).generate_state(1, np.uint32)[0])
        return torch.Generator(self.accelerator.device).manual_seed(seed)

    def advance(self, terms: list[Term]) -> None:
        """Count an update. Report its terms; validate and save when due."""
        training, place = self.experiment.training, self.place
        place.advance()
        place.phase_seconds, interrupted = self._synchronise(time.monotonic() - self.started)
        done = self.done
        self.stopped = interrupted and done < 1
        self.reporter.update(place, done, terms, self.rate)
        if self.validation is not None and (done >= 1 or place.phase_update % training.validate_every == 0):
            self._validate(self.validation)
        if done < 1 and not self.stopped and time.monotonic() - self.saved > 60 * training.checkpoint_minutes:
            self.save()

    def _synchronise(self, seconds: float) -> tuple[float, bool]:
        """Return the clock of the main process and whether it was interrupted.

        All processes use them, so that they stop at the same update.
        """
        interrupted = self.interruption.is_set()
        if self.accelerator.num_processes == 1:
            return seconds, interrupted
        values = torch.tensor(
            [seconds, float(interrupted)], dtype=torch.float64, device=self.accelerator.device
        )
        seconds, flag = broadcast(values).tolist()
        return seconds, bool(flag)

    def _validate(self, batches: Batches) -> None:
        """Validate on the main process. The time it takes counts in no rate and no budget."""
        began = time.monotonic()
        if self.accelerator.is_main_process:
            result = validate(self.vae, self.phase, batches, self.accelerator.device)
            self.reporter.validated(self.place, result, self.done >= 1)
        spent = time.monotonic() - began
        self.started += spent
        self.reporter.since += spent

    def save(self) -> None:
        """Write the run folder in the middle of a phase, with Adam's moments and the unreported terms."""
        self._save(moments_of(self.optimiser, self.learned) | self.reporter.state())

    def _save(self, moments: Mapping[str, Tensor]) -> None:
        """Write the run folder from the main process."""
        if self.accelerator.is_main_process:
            further = {**moments, **state_of(self.networks)}
            save_run(self.out, self.vae, further, self.place)
        self.saved = time.monotonic()
