"""Train the runs of the demo side by side, each in its own process with an equal share of the cores.

Threads of one network wait for each other at every layer. On a busy machine one core per network is much
faster.
"""

import contextlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from latent_hands.configuration import Experiment, load_experiment
from latent_hands.errors import HandsError
from latent_hands.interrupt import stop_with_parent
from latent_hands.progress import progress_bars
from latent_hands.runs.folder import EXPERIMENT, RESUME, WEIGHTS
from latent_hands.runs.metrics import METRICS, read_metrics
from latent_hands.training import train

BONE_MM = 40.0
"""The bone length that turns errors of poses into millimetres."""
FINISHED, FAILED, STOPPED = 0, 2, 130


def demo_experiment(name: str, hands: Path, share: int) -> Experiment:
    """Return a packaged experiment on these hands, with `share` times its minutes.

    A run has one of `share` parts of the cores, so it needs more time.
    """
    experiment = load_experiment(name, [f"--data.root={json.dumps(str(hands))}"])
    phases = {
        phase: replace(plan, minutes=plan.minutes and plan.minutes * share)
        for phase, plan in experiment.phases.items()
    }
    return replace(experiment, phases=phases)


def train_runs(folder: Path, experiments: Mapping[str, Experiment], restart: bool, console: Console) -> None:
    """Train every experiment into the run folder `folder`/name, and write its output to `folder`/name.log.

    A stopped training continues, or starts again with `restart`. Raises HandsError if a training fails, and
    KeyboardInterrupt after all are saved.
    """
    if restart:
        for run in experiments:
            for file in (EXPERIMENT, METRICS, RESUME, WEIGHTS):
                (folder / run / file).unlink(missing_ok=True)
    spawn = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // len(experiments))
    processes = {
        run: spawn.Process(target=_process, args=(experiment, folder / run, threads), daemon=True)
        for run, experiment in experiments.items()
    }
    try:
        for process in processes.values():
            process.start()
        _show_progress(folder, experiments, processes, console)
    except KeyboardInterrupt:
        for process in processes.values():
            if process.pid is not None:
                process.terminate()
                process.join()
        raise
    for run, process in processes.items():
        if process.exitcode == STOPPED:
            raise KeyboardInterrupt
        if process.exitcode != FINISHED:
            last = "".join((folder / f"{run}.log").read_text().strip().splitlines()[-1:])
            raise HandsError(f"training of {run} failed: {last} (full output: {folder / run}.log)")


def _process(experiment: Experiment, out: Path, threads: int) -> None:
    """Train in a process of its own process group, so that the terminal's Ctrl-C reaches only the parent."""
    stop_with_parent()
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    torch.set_num_threads(threads)
    with out.with_name(f"{out.name}.log").open("w", buffering=1) as log, contextlib.redirect_stdout(log):
        sys.exit(train_run(experiment, out))


def train_run(experiment: Experiment, out: Path) -> int:
    """Train one run, or continue it, and return FINISHED, STOPPED or FAILED. Errors are printed."""
    try:
        return FINISHED if train(experiment, out, resume=(out / EXPERIMENT).exists()) else STOPPED
    except HandsError as error:
        print(error)
        return FAILED


def _show_progress(
    folder: Path,
    experiments: Mapping[str, Experiment],
    processes: Mapping[str, BaseProcess],
    console: Console,
) -> None:
    """Show bars by the clock, which limits the phases, until all processes end."""
    started = time.monotonic()
    with progress_bars(console) as progress:
        while any(process.is_alive() for process in processes.values()):
            time.sleep(0.5)
            for run, experiment in experiments.items():
                total, seconds = _seconds(experiment), time.monotonic() - started
                done = min(seconds, 0.99 * total) if processes[run].is_alive() else total
                progress(run, done, total, _last_error(folder / run, experiment))


def _last_error(out: Path, experiment: Experiment) -> str:
    errors = [error_of(line, experiment.data.crop_px) for line in read_metrics(out / METRICS)[-1:]]
    return "".join(f"{phase}: {quantity} {value:.0f}" for quantity, phase, value in filter(None, errors))


def _seconds(experiment: Experiment) -> float:
    return 60.0 * sum(plan.minutes or 0 for plan in experiment.phases.values()) or 1.0


def error_of(line: Mapping[str, Any], px: int) -> tuple[str, str, float] | None:
    """Return (quantity, phase, value) of a line of metrics: the error that its likelihood corresponds to.

    log p is -1/2 of the sum of squared errors: over 3 px^2 colours in grey levels, or over 21 joints in bone
    lengths of BONE_MM. Returns None for a line without likelihood.
    """
    phase = str(line["phase"]).replace("_", " ")
    if "log_p_rgb" in line:
        return "image error, grey levels", phase, (-2 * line["log_p_rgb"] / (3 * px**2)) ** 0.5
    if "log_p_pose" in line:
        return "3DPose error, mm", phase, BONE_MM * (-2 * line["log_p_pose"] / 21) ** 0.5
    return None
