"""Writing of a rendered set: several processes do its jobs, and finished jobs are kept.

Each file is written under a temporary name and then renamed, so it is complete or absent. Several machines
may each write a portion of the set into the same folder, or into folders that are copied into one.
"""

import contextlib
import json
import os
import time
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from latent_hands.errors import BROKEN, HandsError, check_whole
from latent_hands.files import is_temporary, remove_temporary, write_bytes
from latent_hands.lock import one_writer
from latent_hands.portions import WHOLE, Portion
from latent_hands.progress import Progress, shown
from latent_hands.rendering.scene import SPLITS
from latent_hands.rendering.sets.plan import Plan, current_names
from latent_hands.rendering.sets.records import add_records, finish, keep_lines, known_lines, portion_folder
from latent_hands.rendering.sets.workers import start_worker, stop_workers

MOST_WORKERS = 1024
FEW_IMAGES = 60
"""For fewer images, one process is faster than several, which take a second to start."""


def write_set(
    out: Path, plan: Plan, workers: int | None, progress: Progress | bool, portion: Portion = WHOLE
) -> Path:
    """Render the missing files of a plan, and return `out`.

    `workers` None is one process for fewer than `FEW_IMAGES` missing images, and one for each core otherwise.
    Raises HandsError as `render_dataset` does.
    """
    if workers is not None:
        check_whole(workers=workers)
        if not 1 <= workers <= MOST_WORKERS:
            raise HandsError(f"workers is {workers}; it must be between 1 and {MOST_WORKERS:,}")
    if out.exists() and not out.is_dir():
        raise HandsError(f"{out} is a file; give a new or an empty folder")
    try:
        with one_writer(out, shared=not portion.whole):
            _claim(out, plan)
            own = contextlib.nullcontext() if portion.whole else one_writer(portion_folder(out, portion))
            with own:
                _write_portion(out, plan, portion, workers, progress)
    except OSError as error:
        file = Path(os.fsdecode(error.filename or out))
        if not file.absolute().is_relative_to(out.absolute()):  # such as a file of the package
            raise HandsError(f"cannot render hands: {file}: {error.strerror}") from error
        raise HandsError(f"cannot write rendered hands to {out}: {error.strerror or error}") from error
    return out


def _write_portion(
    out: Path, plan: Plan, portion: Portion, workers: int | None, progress: Progress | bool
) -> None:
    splits = [split for split in SPLITS if len(plan.jobs(split))]
    jobs = {split: portion.of(plan.jobs(split)) for split in splits}
    finished = {split: _finished_jobs(out, split, plan, portion) for split in splits}
    _render_missing(out, plan, portion, jobs, finished, workers, progress)
    finish(out, plan, splits, portion)


def render_job(folder: Path, plan: Plan, split: str, job: int) -> list[dict[str, Any]]:
    """Do one job; a module-level function, so that it can be sent to other processes."""
    return plan.render(folder, split, job)


def _claim(out: Path, plan: Plan) -> None:
    """Create the folders, or check that they belong to the same plan."""
    path, wanted = out / "rendered.json", plan.as_json()
    if not path.is_file():
        others = [each for each in out.iterdir() if not is_temporary(each)] if out.exists() else []
        if others and not path.is_file():  # another portion may write it at this moment
            raise HandsError(
                f"{out} exists and is no folder of rendered hands; give a new or an empty folder"
            )
        out.mkdir(parents=True, exist_ok=True)
        write_bytes(path, (json.dumps(wanted, indent=2) + "\n").encode())
    try:
        found = current_names(dict(json.loads(path.read_text())))
    except BROKEN as error:
        raise HandsError(f"{path} is broken ({error}); give another folder") from error
    for name in dict.fromkeys([*wanted, *found]):
        if found.get(name) != wanted.get(name):
            raise HandsError(
                f"{out} holds rendered hands with {name} = {found.get(name)}, not {wanted.get(name)}; "
                "use the same settings again or give another folder"
            )
    for split in SPLITS:
        for kind in (*plan.kinds(), *plan.tags()) if len(plan.jobs(split)) else ():
            (out / split / kind).mkdir(parents=True, exist_ok=True)


def _finished_jobs(out: Path, split: str, plan: Plan, portion: Portion) -> set[int]:
    """Return the portion's jobs whose files are complete, and drop the records of all other jobs."""
    lines, folder = known_lines(out, split, portion), out / split
    done, kept = set(), {}
    for job in portion.of(plan.jobs(split)):
        numbers = plan.images(split, job)
        scenes = plan.scenes(split, job)
        files = [folder / kind / f"{scene:05d}.png" for scene in scenes for kind in plan.tags()]
        files += [folder / kind / f"{number:05d}.png" for number in numbers for kind in plan.kinds()]
        if all(number in lines for number in numbers) and all(file.is_file() for file in files):
            done.add(job)
            kept |= {number: lines[number] for number in numbers}
    keep_lines(out, split, portion, kept)
    return done


def _render_missing(
    out: Path,
    plan: Plan,
    portion: Portion,
    jobs: dict[str, range],
    finished: dict[str, set[int]],
    workers: int | None,
    progress: Progress | bool,
) -> None:
    every = [(split, job) for split in jobs for job in jobs[split]]
    missing = [(split, job) for split, job in every if job not in finished[split]]
    total, left = (sum(len(plan.images(*job)) for job in some) for some in (every, missing))
    if workers is None:
        workers = 1 if left < FEW_IMAGES else os.cpu_count() or 1
    if missing:
        plan.prepare(quiet=progress is not True)
    done, started = 0, time.monotonic()
    rendered = _results(out, plan, missing, min(workers, len(missing)), alone=portion.whole)
    with shown(progress) as progress, contextlib.closing(rendered):
        for split, records in rendered:
            add_records(out, split, portion, records)
            done += len(records)
            per_s = done / max(time.monotonic() - started, 1e-9)
            progress(plan.work(), total - left + done, total, f"{per_s:.1f} images/s")


def _results(
    out: Path, plan: Plan, jobs: list[tuple[str, int]], workers: int, alone: bool
) -> Generator[tuple[str, list[dict[str, Any]]]]:
    """Yield the split and the records of each job when it is done.

    `alone`: no other portion writes here, so that all temporary files are those of this call.
    """
    if workers <= 1:
        for split, job in jobs:
            yield split, render_job(out / split, plan, split, job)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=start_worker)
    finished = False
    try:
        futures = {pool.submit(render_job, out / split, plan, split, job): split for split, job in jobs}
        for future in as_completed(futures):
            yield futures.pop(future), future.result()
        finished = True
    except BrokenProcessPool as error:
        raise HandsError(
            "a rendering process died (out of memory?); start again with fewer workers"
        ) from error
    finally:
        if finished:
            pool.shutdown()
        else:
            stop_workers(pool)
            if alone:
                remove_temporary(out)
