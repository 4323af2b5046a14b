"""The hands of a reproduction: rendered ones, made where none are given, RHD and STB where they are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from latent_hands.build import Hands, build_hands, build_phases, build_vae
from latent_hands.data import Sample, open_data
from latent_hands.data.crops import convention_of
from latent_hands.data.windows import Windows
from latent_hands.errors import AbsentError, HandsError
from latent_hands.evaluation.scoring import evaluation_windows
from latent_hands.experiment import Experiment
from latent_hands.predictor import Model
from latent_hands.studies.demo import IMAGE_PX, WINDOW

ENOUGH_TO_LEARN = 256
"""A training split of fewer hands counts as absent: someone keeps a few images for looking at."""
TITLES = {"rendered": "rendered hands", "rhd": "RHD", "stb": "STB"}


@dataclass(frozen=True)
class Source:
    """A labelled data set by its reader's name, and whether its training split is there to learn from."""

    name: str
    root: Path
    learns: bool
    convention: str

    @property
    def title(self) -> str:
        """What figures call it."""
        return TITLES[self.name]

    def learned_by(self, experiment: Experiment, hands: int) -> Experiment:
        """The experiment on the first `hands` of this set."""
        told = {"name": self.name, "root": str(self.root), "convention": self.convention}
        return replace(experiment, data=replace(experiment.data, limit=hands, **told))


class Sets:
    """What a reproduction learns from and is scored on; every window is cut once.

    Without `data` hands are rendered into `out`/hands, as soon as they are asked for. RHD and STB, given by
    their folders, are scored on, and learned from if their training split is there.
    Raises HandsError for a folder that is not in its set's layout.
    """

    def __init__(
        self,
        out: Path,
        data: Path | None = None,
        rhd: Path | None = None,
        stb: Path | None = None,
        hands: int = 6000,
    ):
        if hands < ENOUGH_TO_LEARN:
            raise HandsError(f"hands is {hands}; legal: {ENOUGH_TO_LEARN} or more")
        self.out, self.data, self.hands = out, data, hands
        self.console = Console(stderr=True)
        self.given = [open_source(n, root) for n, root in (("rhd", rhd), ("stb", stb)) if root is not None]
        self._training: dict[Any, Hands] = {}
        self._evaluation: dict[Any, Windows] = {}
        self._samples: dict[Source, list[Sample]] = {}

    @cached_property
    def rendered(self) -> Source:
        """The rendered set, which is finished first if it has to be."""
        if self.data is not None:
            return open_source("rendered", self.data)
        root, evaluation = self.out / "hands", self.hands // 6
        self.console.print(
            f"rendering {self.hands + evaluation} hands into {root}, as far as they are missing"
        )
        from latent_hands.rendering.sets.dataset import render_dataset

        scene_size = WINDOW[0], WINDOW[1]
        render_dataset(root, self.hands, IMAGE_PX, evaluation_count=evaluation, scene_size=scene_size)
        return open_source("rendered", root)

    def scored(self) -> list[Source]:
        """RHD and STB as far as they are given, else the rendered set."""
        return self.given or [self.rendered]

    def teacher(self, source: Source) -> Source:
        """What a model that is scored on a set learns from: the set itself, or else rendered hands."""
        return source if source.learns else self.rendered

    def count(self, teacher: Source) -> int:
        """How many hands of a set are learned from: `hands`, or all that it has if these are fewer."""
        if teacher.name == "rendered" and self.data is None:
            return self.hands
        return len(open_data(teacher.name, teacher.root, "training", self.hands))

    def samples(self, source: Source) -> list[Sample]:
        """The evaluation split."""
        if source not in self._samples:
            self._samples[source] = open_data(source.name, source.root, "evaluation")
        return self._samples[source]

    def training(self, experiment: Experiment) -> Hands:
        """The windows that an experiment learns from and is validated on."""
        reads = {arrow.reads for arrow in experiment.encoders.values()}
        key = (experiment.data, experiment.augmentation is None, "tag" in reads)
        if key not in self._training:
            self._training.clear()
            vae = build_vae(experiment)
            with self._progress() as report:
                phases = build_phases(experiment, vae)
                self._training[key] = build_hands(experiment, vae, phases, report)
        return self._training[key]

    def evaluation(self, model: Model, source: Source) -> Windows:
        """The crops of the evaluation split, as the model was trained to see them."""
        data = model.experiment.data
        key = (source, data.crop, data.side, data.crop_px)
        if key not in self._evaluation:
            self._evaluation[key] = evaluation_windows(model, self.samples(source))
        return self._evaluation[key]

    @contextmanager
    def _progress(self) -> Iterator[Callable[[str, int, int], None]]:
        with Progress(console=self.console, transient=True) as bars:
            tasks: dict[str, Any] = {}

            def report(what: str, done: int, count: int) -> None:
                if what not in tasks:
                    tasks[what] = bars.add_task(what, total=count)
                bars.update(tasks[what], completed=done)

            yield report


def open_source(name: str, root: Path) -> Source:
    """A set by its reader's name and folder. Raises HandsError if its evaluation split is not there."""
    root = root.resolve()
    first = open_data(name, root, "evaluation", 1)
    try:
        learns = len(open_data(name, root, "training", ENOUGH_TO_LEARN)) == ENOUGH_TO_LEARN
    except AbsentError:
        learns = False
    return Source(name, root, learns, convention_of(first) or "rhd")
