"""The one training loop: phases of steps over batches. The model knows no epoch."""

import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor
from torch.optim import AdamW

from latent_hands.build import Hands, build_batches, build_hands, build_phases, build_vae, build_validation
from latent_hands.data.batches import Batches
from latent_hands.data.labels import check_labels
from latent_hands.data.windows import check_keys
from latent_hands.errors import HandsError
from latent_hands.experiment import Data, Experiment, Training
from latent_hands.paper.algorithms import Feed, Phase, keys
from latent_hands.paper.bound import Term
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch
from latent_hands.runs.folder import (
    Place,
    check_new,
    cut_metrics,
    moments_of,
    restore_moments,
    save_run,
    start_run,
)
from latent_hands.training.beginning import begin, continue_run
from latent_hands.training.feeds import by_feed, share, stream
from latent_hands.training.interrupt import on_interrupt
from latent_hands.training.learning import parameters, take_step
from latent_hands.training.progress import Reporter
from latent_hands.training.schedule import learning_rate, share_done
from latent_hands.training.validation import validate


@dataclass
class Run:
    """A training under way: what its loop touches."""

    out: Path
    training: Training
    vae: DisentangledVAE
    place: Place
    accelerator: Accelerator
    reporter: Reporter
    interrupted: threading.Event
    saved: float = field(default_factory=time.monotonic)


def train(experiment: Experiment, out: str | Path, resume: bool = False, hands: Hands | None = None) -> bool:
    """Train an experiment into a run folder; True if it reached its end, False if Ctrl-C stopped it.

    On one machine the same experiment and data give the same weights, whether or not the run was stopped and
    resumed, unless [phases] count minutes. Ctrl-C saves and stops. Under `accelerate launch` every process
    learns from its own share of the data and gradients are averaged.

    Args:
        experiment: what to train; with `resume` it must be that of the run folder.
        out: the run folder.
        resume: continue the run that `out` holds.
        hands: windows to learn from, in place of those that [data] names.

    Raises HandsError for mistakes in the graph, before the first batch; for a term that is not finite, naming
    it, the phase, the update and the batch; and for a folder that already holds a run, or another one.
    """
    out = Path(out)
    vae = build_vae(experiment)
    phases = build_phases(experiment, vae)
    if not resume:
        check_new(out)
    place, moments = continue_run(out, experiment, vae) if resume else (Place(), {})
    if place.update == 0:
        begin(vae, experiment, phases)
    accelerator = Accelerator()
    main = accelerator.is_main_process
    if main and resume:
        cut_metrics(out, place.update if moments else -1)
    with Reporter(out, main) as reporter:
        hands = hands or build_hands(experiment, vae, phases, reporter.advance)
        check_data(experiment, vae, phases, hands)
        if main and not resume:
            start_run(out, experiment)
        vae.to(accelerator.device)
        with on_interrupt() as interrupted, torch.backends.cudnn.flags(enabled=True, deterministic=True):
            run = Run(out, experiment.training, vae, place, accelerator, reporter, interrupted)
            return run_phases(run, experiment, phases, hands, moments)


def check_data(experiment: Experiment, vae: DisentangledVAE, phases: tuple[Phase, ...], hands: Hands) -> None:
    """Raise HandsError if a phase needs what the data do not have, or a batch more samples than there are.

    Also if the joints of the data are not where the experiment says, or no hand's (`check_labels`).
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
                        f'there are no hands to feed "{feed}": [supervision] labelled is '
                        f"{experiment.supervision.labelled}; legal: below 1"
                    )
                build_batches(experiment, feeds[feed], phase, 0).batch(0, 0, keys(vae, steps))
            if hands.validation is not None:
                checked = [step for step in phase.steps if step.feed in ("labelled", "all")]
                check_keys(hands.validation, keys(vae, checked), experiment.data.frame)
        except HandsError as error:
            raise HandsError(f'phase "{phase.name}": {error}') from error


def check_joints(data: Data, found: str | None) -> None:
    """Raise HandsError if labels are in another joint convention than [data] states."""
    if found not in (None, data.convention):
        raise HandsError(
            f'[data] convention is "{data.convention}", but the joints of "{data.name}" are in "{found}": '
            f"train with --data.convention {found}"
        )


def run_phases(
    run: Run, experiment: Experiment, phases: tuple[Phase, ...], hands: Hands, moments: dict[str, Tensor]
) -> bool:
    """All phases from the run's place on; whether the end was reached."""
    accelerator = run.accelerator
    used: set[Feed] = {feed for phase in phases[run.place.phase :] for feed in by_feed(phase)}
    feeds = share(hands.feeds(experiment.supervision.labelled), used, accelerator)
    held = hands.validation and hands.validation.to(accelerator.device)
    validation = build_validation(experiment, held) if held else None
    for number in range(run.place.phase, len(phases)):
        phase = phases[number]
        seed = run.training.seed * len(phases) + number
        batches: dict[Feed, Batches] = {
            feed: build_batches(experiment, feeds[feed], phase, seed) for feed in by_feed(phase)
        }
        per_epoch = len(hands.training) // accelerator.num_processes // phase.batch_size
        learned = parameters(run.vae, phase)
        fused = accelerator.device.type in ("cpu", "cuda")
        optimiser = AdamW(learned.values(), weight_decay=run.training.weight_decay, fused=fused)
        restore_moments(optimiser, learned, moments)
        ended = run_phase(run, phase, batches, per_epoch, validation, optimiser, list(learned))
        if not ended:
            save(run, moments_of(optimiser, learned))
            run.reporter.stopped(run.place)
            return False
        run.place, moments = Place(phase=number + 1, update=run.place.update), {}
        save(run, moments)
    return True


def run_phase(
    run: Run,
    phase: Phase,
    batches: dict[Feed, Batches],
    per_epoch: int,
    validation: Batches | None,
    optimiser: AdamW,
    names: list[str],
) -> bool:
    """The rest of a phase; False if it was interrupted."""
    place, reporter = run.place, run.reporter
    started = time.monotonic() - place.phase_seconds
    reporter.restart()
    for fed in stream(run.vae, phase, batches, place.phase_update, run.accelerator.device):
        rate = learning_rate(run.training, phase, place, per_epoch)
        terms = update(run, phase, fed, optimiser, rate)
        place.advance()
        place.phase_seconds, interrupted = agree(run, time.monotonic() - started)
        done = share_done(phase, place, per_epoch)
        samples = phase.batch_size * run.accelerator.num_processes
        reporter.update(phase.name, place, done, terms, samples, rate)
        if validation is not None and (done >= 1 or place.phase_update % run.training.validate_every == 0):
            started += check_up(run, phase, validation, done >= 1)
        if done >= 1:
            break
        if interrupted:
            return False
        if time.monotonic() - run.saved > 60 * run.training.checkpoint_minutes:
            save(run, moments_of(optimiser, names))
    return True


def update(run: Run, phase: Phase, fed: dict[Feed, Batch], optimiser: AdamW, rate: float) -> list[Term]:
    """The steps that are due, each on its batch; its randomness depends on seed, update and process alone."""
    place, accelerator = run.place, run.accelerator
    for group in optimiser.param_groups:
        group["lr"] = rate
    entropy = [run.training.seed, place.update, accelerator.process_index]
    seed = int(np.random.SeedSequence(entropy).generate_state(1, np.uint32)[0])
    generator = torch.Generator(accelerator.device).manual_seed(seed)
    where = f'phase "{phase.name}", update {place.update}'
    told: list[Term] = []
    for number, step in phase.due(place.phase_update):
        terms: list[Term] = []
        for _ in range(step.repeats):
            terms = take_step(run.vae, step, fed[step.feed], optimiser, generator, accelerator, where)
        told += terms if number == 1 else [replace(t, name=f"step{number}_{t.name}") for t in terms]
    return told


def check_up(run: Run, phase: Phase, validation: Batches, ended: bool) -> float:
    """Validate on the main process; the seconds it took, which count in no rate and no budget."""
    began = time.monotonic()
    if run.accelerator.is_main_process:
        result = validate(run.vae, phase, validation, run.accelerator.device)
        run.reporter.validated(phase.name, run.place, result, ended)
    spent = time.monotonic() - began
    run.reporter.since += spent
    return spent


def agree(run: Run, seconds: float) -> tuple[float, bool]:
    """The main process's clock and whether it was interrupted: all processes must stop at the same update."""
    interrupted = run.interrupted.is_set()
    if run.accelerator.num_processes == 1:
        return seconds, interrupted
    told = torch.tensor([seconds, float(interrupted)], dtype=torch.float64, device=run.accelerator.device)
    seconds, flag = broadcast(told).tolist()
    return seconds, bool(flag)


def save(run: Run, moments: dict[str, Tensor]) -> None:
    """Write the run folder from the main process."""
    if run.accelerator.is_main_process:
        save_run(run.out, run.vae, moments, run.place)
    run.saved = time.monotonic()
