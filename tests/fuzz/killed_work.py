"""The work that `killer` stops; each takes well under a second."""

import argparse
import itertools
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot  # noqa: F401
import torch
import torch._dynamo  # forks then need not import it

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from killed_models import RUN, labels, model_work, weights, write_models
from killer import Killer, Work, become_reaper
from tiny_hands import TINY, hands, windows

from latent_hands.configuration import Experiment, load_experiment
from latent_hands.data import prepare as preparing
from latent_hands.data.export import export_data
from latent_hands.data.readers.reading import SPLITS
from latent_hands.data.shard_files import open_windows
from latent_hands.data.store import Cut
from latent_hands.rendering.sets import set_writer
from latent_hands.rendering.sets.dataset import render_dataset
from latent_hands.rendering.sets.relabel import relabel_rendered
from latent_hands.runs.folder import EXPERIMENT
from latent_hands.studies.demo import learning as demo
from latent_hands.studies.demo import run as demo_run
from latent_hands.studies.reproduce import Plan, Sets, Study, figures, reproduce
from latent_hands.studies.reproduce.sets import Source
from latent_hands.training import run, train

SMALL = (
    *TINY,
    "--networks.layers=2",
    "--training.batch-size=16",
    "--training.warmup=2",
    "--phases.disentangle.batch-size=16",
    "--phases.embed-pose.batch-size=16",
)
HANDS = {"count": 4, "size_px": 32, "seed": 3, "poses_per_scene": 2, "evaluation_count": 1, "progress": False}
DEMO_HANDS = HANDS | {"count": 8, "evaluation_count": 12}
CUT = Cut("rendered", "box", "mirror", 1.0, 16)
RENDERED = Source("rendered", Path("hands"), True, "rhd")


def save_at_every_update() -> None:
    """Let a quarter of an hour pass between any two looks at the clock of a training."""
    run.time = SimpleNamespace(monotonic=itertools.count(0, 1000).__next__)  # type: ignore[assignment]


def train_tiny(folder: Path) -> bool:
    save_at_every_update()
    experiment = load_experiment("study_estimation", [*SMALL, "--training.epochs=1"])
    phases = {name: replace(plan, epochs=1) for name, plan in experiment.phases.items()}
    out = folder / RUN
    if not train(replace(experiment, phases=phases), out, (out / EXPERIMENT).exists(), hands(24)):
        raise KeyboardInterrupt
    return True


class TinySets(Sets):
    """Sets of noise in memory."""

    @cached_property
    def rendered(self) -> Source:
        return RENDERED

    def training(self, experiment):
        return hands(24)

    def evaluation(self, model, source):
        return windows(12, 16, seed=1)


def reproduce_tiny(folder: Path) -> None:
    save_at_every_update()
    figures.ESTIMATION = Plan("study_estimation", SMALL)
    reproduce("fig7", Study(TinySets(folder / "out", count=256), 0.03, 1))


def demo_tiny(folder: Path) -> None:
    """Run the demo on a few hands, with trainings that end by epochs. Its trainings are forks."""
    multiprocessing.set_start_method("fork", force=True)
    demo.multiprocessing = SimpleNamespace(get_context=lambda _: multiprocessing)
    demo_run.demo_experiment = tiny_demo_experiment
    demo_run.shipped_runs = dict
    demo_run._render = lambda hands, _: render_dataset(hands, workers=1, **DEMO_HANDS) and {}
    os.chdir(folder)  # experiments name the folder of their hands
    demo_run.run_demo(Path("demo"), 256)


def tiny_demo_experiment(name: str, hands: Path, _: int) -> Experiment:
    """Return an experiment of the demo with 1 epoch a phase."""
    save_at_every_update()
    experiment = load_experiment(name, [*TINY, "--training.warmup=0", f"--data.root={hands}"])
    phases = {
        name: replace(plan, epochs=1, minutes=None, batch_size=4) for name, plan in experiment.phases.items()
    }
    return replace(experiment, phases=phases)


def render_tiny(folder: Path, workers: int = 1) -> None:
    """Render; workers are forks, which need not import everything again."""
    set_writer.get_context = lambda _: multiprocessing.get_context("fork")
    render_dataset(folder / "hands", workers=workers, **HANDS)


def relabel_tiny(folder: Path, root: Path) -> None:
    relabel_rendered(root, folder / "hands", "mediapipe")


def write_given(folder: Path) -> None:
    """Write what the works read: hands, a trained run, and models with their images."""
    render_tiny(folder)
    train_tiny(folder)
    write_models(folder)


def rendered(folder: Path) -> list[str]:
    return labels("rendered", folder / "hands")


def prepare_tiny(folder: Path, root: Path) -> None:
    preparing.SHARD_BYTES = 2 * 3 * 16**2
    preparing.prepare(root, folder / "store", dict.fromkeys(SPLITS, CUT), workers=1)


def prepared(folder: Path) -> list[object]:
    return [open_windows(folder / "store", split, CUT).rgb[:].sum() for split in SPLITS]


def export_tiny(folder: Path, root: Path, layout: str) -> None:
    export_data("rendered", root, folder / "out", layout, workers=1)


def exported(folder: Path, layout: str) -> list[str]:
    return labels(layout, folder / "out")


def all_work(given: Path) -> dict[str, Work]:
    """Return the work by name; `given` has what `write_given` wrote."""
    root = given / "hands"
    exports = {
        f"export-{each}": Work(partial(export_tiny, root=root, layout=each), partial(exported, layout=each))
        for each in ("rhd", "coco", "freihand")
    }
    return {
        "train": Work(train_tiny, weights),
        "prepare": Work(partial(prepare_tiny, root=root), prepared),
        "render": Work(render_tiny, rendered),
        "reproduce": Work(reproduce_tiny),
        "relabel": Work(partial(relabel_tiny, root=root), rendered),
        "demo": Work(demo_tiny, parallel=True),
        "render-parallel": Work(partial(render_tiny, workers=2), rendered, parallel=True),
        **exports,
        **model_work(given),
    }


def processor_s() -> float:
    """Return the processor time of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, help="random stops of each work, by default all there are")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process ignores it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and so does nohup
    become_reaper()
    torch.set_num_threads(1)
    scratch = Path(tempfile.mkdtemp(prefix="killer-"))
    try:
        given = Killer(Work(write_given), scratch / "given")
        works = all_work(given.scratch / "1")
        for name in options.names or works:
            started = processor_s()
            killer = Killer(works[name], scratch / name)
            stops = killer.stops(random.Random(f"{options.seed} {name}"), options.count)
            failures = []
            for each in stops:
                try:
                    killer.check(*each)
                except AssertionError as error:
                    failures.append(str(error))
                    print(f"FAILED {name}: {error}", flush=True)
            seconds = processor_s() - started
            print(
                f"{name}: {killer.changes} changes of files, {len(stops)} stops, {len(failures)} failures, "
                f"{seconds:.1f} s of processor time",
                flush=True,
            )
    finally:
        shutil.rmtree(scratch)
