"""Writing of a rendered set: several processes do its jobs, and finished jobs are kept.

Each file is written under a temporary name and then renamed, so it is complete or absent.
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

from latent_hands.data.formats.rhd_files import encode_annotations
from latent_hands.errors import BROKEN, HandsError
from latent_hands.files import append_text, remove_temporary, write_bytes
from latent_hands.lock import one_writer
from latent_hands.progress import progress_bars
from latent_hands.rendering.scene import SPLITS
from latent_hands.rendering.sets.plan import Plan, current_names
from latent_hands.rendering.sets.shots import KINDS
from latent_hands.rendering.sets.workers import start_worker, stop_workers


def write_set(out: Path, plan: Plan, workers: int | None, progress: bool) -> Path:
    """Render the missing files of a plan, and return `out`. Raises HandsError as `render_dataset` does."""
    workers = os.cpu_count() or 1 if workers is None else workers
    if workers < 1:
        raise HandsError(f"workers is {workers}; it must be 1 or more")
    if out.exists() and not out.is_dir():
        raise HandsError(f"{out} is a file; give a new or an empty folder")
    try:
        with one_writer(out):
            _claim(out, plan)
            splits = [split for split in SPLITS if len(plan.jobs(split))]
            finished = {split: _finished_jobs(out / split, split, plan) for split in splits}
            _render_missing(out, plan, finished, workers, progress)
            for split in splits:
                _write_annotations(out / split, split)
    except OSError as error:
        raise HandsError(f"cannot write rendered hands to {out}: {error}") from error
    return out


def render_job(folder: Path, plan: Plan, split: str, job: int) -> list[dict[str, Any]]:
    """Do one job; a module-level function, so that it can be sent to other processes."""
    return plan.render(folder, split, job)


def _claim(out: Path, plan: Plan) -> None:
    """Create the folders, or check that they belong to the same plan."""
    path, wanted = out / "rendered.json", plan.as_json()
    if not path.is_file():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
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
        for kind in (*KINDS, *plan.tags()) if len(plan.jobs(split)) else ():
            (out / split / kind).mkdir(parents=True, exist_ok=True)


def _finished_jobs(folder: Path, split: str, plan: Plan) -> set[int]:
    """Return the jobs whose files are complete, and drop the records of all other jobs."""
    records = _read_records(folder / f"factors_{split}.jsonl")
    done, kept = set(), []
    for job in plan.jobs(split):
        numbers = plan.images(split, job)
        scenes = plan.scenes(split, job)
        files = [folder / kind / f"{scene:05d}.png" for scene in scenes for kind in plan.tags()]
        files += [folder / kind / f"{number:05d}.png" for number in numbers for kind in KINDS]
        if all(number in records for number in numbers) and all(file.is_file() for file in files):
            done.add(job)
            kept += [records[number] for number in numbers]
    write_bytes(folder / f"factors_{split}.jsonl", _lines(kept).encode())
    return done


def _render_missing(
    out: Path, plan: Plan, finished: dict[str, set[int]], workers: int, progress: bool
) -> None:
    every = [(split, job) for split in finished for job in plan.jobs(split)]
    jobs = [(split, job) for split, job in every if job not in finished[split]]
    total, missing = (sum(len(plan.images(*job)) for job in some) for some in (every, jobs))
    done, started = 0, time.monotonic()
    rendered = _results(out, plan, jobs, min(workers, len(jobs)))
    with progress_bars(hidden=not progress) as advance, contextlib.closing(rendered):
        for split, records in rendered:
            append_text(out / split / f"factors_{split}.jsonl", _lines(records))
            done += len(records)
            per_s = done / max(time.monotonic() - started, 1e-9)
            advance("rendering", total - missing + done, total, f"{per_s:.1f} images/s")


def _results(
    out: Path, plan: Plan, jobs: list[tuple[str, int]], workers: int
) -> Generator[tuple[str, list[dict[str, Any]]]]:
    """Yield the split and the records of each job when it is done."""
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
            remove_temporary(out)


def _write_annotations(folder: Path, split: str) -> None:
    """Sort the records by image number, and write RHD's annotation file."""
    records = _read_records(folder / f"factors_{split}.jsonl")
    ordered = [records[number] for number in sorted(records)]
    write_bytes(folder / f"factors_{split}.jsonl", _lines(ordered).encode())
    write_bytes(folder / f"anno_{split}.pickle", encode_annotations(ordered))


def _read_records(path: Path) -> dict[int, dict[str, Any]]:
    """Return records by image number; skip the last line of a killed run, which may be incomplete."""
    records = {}
    for line in path.read_text().splitlines() if path.is_file() else ():
        with contextlib.suppress(*BROKEN):
            record = json.loads(line)
            records[record["index"]] = record
    return records


def _lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)
