"""Training the demo's runs side by side: a process and an equal share of the cores for each.

Threads that share one network wait for each other at every layer; on a machine with anything else to do that
is many times slower than a core for each network.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from latent_hands.errors import HandsError
from latent_hands.experiment import Experiment, load_experiment
from latent_hands.runs.folder import EXPERIMENT, METRICS, RESUME, WEIGHTS, read_metrics
from latent_hands.training import train

SHOWN_BONE_MM = 40.0
FINISHED, FAILED, STOPPED = 0, 2, 130


def demo_experiment(name: str, hands: Path, share: int) -> Experiment:
    """A packaged experiment on these hands, with `share` times its minutes since it has that part of the
    cores."""
    chosen = load_experiment(name, [f"--data.root={json.dumps(str(hands))}"])
    plans = {
        phase: replace(plan, minutes=plan.minutes and plan.minutes * share)
        for phase, plan in chosen.phases.items()
    }
    return replace(chosen, phases=plans)


def learn(folder: Path, experiments: Mapping[str, Experiment], anew: bool, console: Console) -> None:
    """Train every experiment into its run folder `folder`/name, going on where one was stopped, or `anew`.

    What the trainings tell goes to `folder`/name.log. Raises HandsError if one fails, and KeyboardInterrupt
    once both are saved.
    """
    if anew:
        for path in (
            folder / run / file for run in experiments for file in (EXPERIMENT, METRICS, RESUME, WEIGHTS)
        ):
            path.unlink(missing_ok=True)
    spawn = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // len(experiments))
    processes = {
        run: spawn.Process(target=_learn_one, args=(experiment, folder / run, threads), daemon=True)
        for run, experiment in experiments.items()
    }
    for process in processes.values():
        process.start()
    try:
        _watch(folder, experiments, processes, console)
    except KeyboardInterrupt:
        for process in processes.values():
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGINT)
            process.join()
        raise
    for run, process in processes.items():
        if process.exitcode == STOPPED:
            raise KeyboardInterrupt
        if process.exitcode != FINISHED:
            last = (folder / f"{run}.log").read_text().strip().splitlines()[-1:]
            raise HandsError(f"learning {run} failed: {''.join(last)} (all of it: {folder / run}.log)")


def _learn_one(experiment: Experiment, out: Path, threads: int) -> None:
    """The body of a process: deaf to the terminal's Ctrl-C, which its parent passes on, once."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    torch.set_num_threads(threads)
    with out.with_name(f"{out.name}.log").open("w", buffering=1) as log, contextlib.redirect_stdout(log):
        try:
            finished = train(experiment, out, resume=(out / EXPERIMENT).exists())
            sys.exit(FINISHED if finished else STOPPED)
        except HandsError as error:
            print(error)
            sys.exit(FAILED)


def _watch(
    folder: Path,
    experiments: Mapping[str, Experiment],
    processes: Mapping[str, BaseProcess],
    console: Console,
) -> None:
    """Bars by the clock, which ends the phases, until all processes have ended."""
    columns = (
        TextColumn("    {task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[told]}"),
    )
    with Progress(*columns, console=console) as bars:
        tasks = {run: bars.add_task(run, total=_seconds(e), told="reading") for run, e in experiments.items()}
        started = time.monotonic()
        while any(process.is_alive() for process in processes.values()):
            time.sleep(0.5)
            for run, task in tasks.items():
                _advance(
                    bars, task, time.monotonic() - started, folder / run, processes[run], experiments[run]
                )


def _advance(
    bars: Progress, task: TaskID, seconds: float, out: Path, process: BaseProcess, experiment: Experiment
) -> None:
    total = _seconds(experiment)
    if not process.is_alive():
        bars.update(task, completed=total)
        bars.stop_task(task)
        return
    bars.update(task, completed=min(seconds, 0.99 * total))
    told = [meaning(line, experiment.data.crop_px) for line in read_metrics(out / METRICS)[-1:]]
    if told and told[0] is not None:
        quantity, phase, value = told[0]
        bars.update(task, told=f"{phase}: {quantity} {value:.0f}")


def _seconds(experiment: Experiment) -> float:
    return 60 * sum(plan.minutes or 0 for plan in experiment.phases.values()) or 1.0


def meaning(line: Mapping, px: int) -> tuple[str, str, float] | None:
    """(quantity, phase, value) of a line of metrics with terms: the error that its likelihood means.

    log p = -1/2 sum of squared errors over 3 px^2 colours in grey levels, or over 21 joints in bone lengths,
    which are shown for a bone of 40 mm.
    """
    phase = str(line["phase"]).replace("_", " ")
    if "log_p_rgb" in line:
        return "image error, grey levels", phase, (-2 * line["log_p_rgb"] / (3 * px**2)) ** 0.5
    if "log_p_pose" in line:
        return "3DPose error, mm", phase, SHOWN_BONE_MM * (-2 * line["log_p_pose"] / 21) ** 0.5
    return None
