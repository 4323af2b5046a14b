"""The training loop: for every phase, for every update, for every step. The model does not depend on it."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator

from latent_hands.build import Hands, build_hands, build_phases, build_vae
from latent_hands.configuration import Experiment
from latent_hands.errors import HandsError
from latent_hands.files import check_outside
from latent_hands.interrupt import on_interrupt
from latent_hands.lock import one_writer
from latent_hands.memory import keep_freed_memory
from latent_hands.paper.algorithms import Feed, Phase
from latent_hands.paper.bound import Term
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch
from latent_hands.runs.folder import Place, check_new, start_run
from latent_hands.runs.hub import pinned
from latent_hands.runs.metrics import cut_metrics
from latent_hands.training.beginning import begin, continue_run
from latent_hands.training.feeds import check_data
from latent_hands.training.learning import take_step
from latent_hands.training.progress import Reporter
from latent_hands.training.run import Run


def train(experiment: Experiment, out: str | Path, resume: bool = False, hands: Hands | None = None) -> bool:
    """Train an experiment into a run folder; return True at its end and False if a signal stopped it.

    On one machine the same experiment and data give the same weights, whether the run was stopped and resumed
    or not, unless [phases] limits the minutes. Ctrl-C, SIGTERM and SIGHUP save and stop. Under
    `accelerate launch` each process learns from its own share of the data, and the gradients are averaged.

    Args:
        experiment: what to train; with `resume` it must be the experiment of the run folder.
        out: the run folder.
        resume: continue the run in `out`.
        hands: the hands to learn from, instead of those that [data] names.

    Raises HandsError before the first update if the graph or the data do not fit the experiment, and if the
    folder already holds a run, is in the data set, or is written by another process. Raises HandsError with
    the phase and the update if a term is not finite.
    """
    out = Path(out)
    if not resume and hands is None:
        _check_place(out, experiment.data.root)
    keep_freed_memory()
    experiment = _pinned(experiment)
    vae = build_vae(experiment)
    phases = build_phases(experiment, vae)
    accelerator = Accelerator()
    with one_writer(out) if accelerator.is_main_process else nullcontext():
        return _train(experiment, out, resume, hands, vae, phases, accelerator)


def _check_place(out: Path, root: str) -> None:
    """Raise HandsError for a run in its data set, unless the working folder is there: all paths would be."""
    if root and not Path.cwd().is_relative_to(Path(root).resolve()):
        check_outside(out, Path(root))


def _pinned(experiment: Experiment) -> Experiment:
    """Return the experiment with the commit of a run on the Hub that it starts with, which is recorded."""
    return replace(experiment, training=replace(experiment.training, start=pinned(experiment.training.start)))


def _train(
    experiment: Experiment,
    out: Path,
    resume: bool,
    hands: Hands | None,
    vae: DisentangledVAE,
    phases: tuple[Phase, ...],
    accelerator: Accelerator,
) -> bool:
    """Train a graph into a folder that no other process writes to."""
    if resume:
        place, state = continue_run(out, experiment, vae, len(phases))
    else:
        check_new(out)
        place, state = Place(), {}
    if place.update == 0:
        begin(vae, experiment, phases)
    with Reporter(out, accelerator.is_main_process) as reporter:
        hands = hands or build_hands(experiment, vae, phases, reporter.advance)
        check_data(experiment, vae, phases, hands)
        # All processes must have checked that the folder is new before the main process creates the run.
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            if resume and place.phase == len(phases):
                reporter.finished(place)
            if resume:
                cut_metrics(out, place.update if state else -1)
            else:
                start_run(out, experiment)
        vae.to(accelerator.device)
        with on_interrupt() as interruption, torch.backends.cudnn.flags(enabled=True, deterministic=True):
            run = Run(
                out=out,
                experiment=experiment,
                vae=vae,
                phases=phases,
                hands=hands,
                place=place,
                state=state,
                accelerator=accelerator,
                reporter=reporter,
                interruption=interruption,
            )
            return run_phases(run)


def run_phases(run: Run) -> bool:
    """Run the phases from the run's place on; return True at the end and False if Ctrl-C stopped them."""
    for _ in run.remaining_phases():
        for batches in run.updates():
            run.advance(update(run, batches))
            if run.stopped:
                run.save()
                run.reporter.stopped(run.place)
                return False
    return True


def update(run: Run, batches: dict[Feed, Batch]) -> list[Term]:
    """Take every step that is due, on the batches of its feeds; return the terms of their bounds.

    Raises HandsError with the phase and the update if a term is not finite.
    """
    generator, reported = run.generator(), list[Term]()
    frozen_batchnorm = run.experiment.training.frozen_batchnorm
    for number, step in run.phase.due(run.place.phase_update):
        terms: list[Term] = []
        for _ in range(step.repeats):
            try:
                terms = take_step(
                    run.vae, step, batches, run.optimiser, generator, run.accelerator, frozen_batchnorm
                )
            except HandsError as error:
                raise HandsError(f'phase "{run.phase.name}", update {run.place.update}: {error}') from error
        reported += terms if number == 1 else [replace(t, name=f"step{number}_{t.name}") for t in terms]
    return reported
