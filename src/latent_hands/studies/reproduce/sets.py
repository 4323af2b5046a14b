"""The data sets of a reproduction: rendered hands, and RHD and STB if they are given."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from latent_hands.build import Hands, build_hands, build_phases, build_vae
from latent_hands.configuration import Experiment
from latent_hands.data import Sample, open_data
from latent_hands.data.crops import convention_of
from latent_hands.data.windows import Windows
from latent_hands.errors import AbsentError, HandsError
from latent_hands.evaluation.scoring import evaluation_windows
from latent_hands.predictor import Model
from latent_hands.progress import messages, progress_bars, say
from latent_hands.rendering.sets.plan import MOST_IMAGES
from latent_hands.studies.demo import IMAGE_PX, SCENE_SIZE

FEWEST_TO_TRAIN = 256
"""A training split with fewer hands counts as absent, because it holds only a few examples."""
FEW = 128
"""Rendered hands that are enough for figures that show a few of them, in 32 scenes."""
TITLES = {"rendered": "rendered hands", "rhd": "RHD", "stb": "STB"}


@dataclass(frozen=True)
class Source:
    """A labelled data set by the name of its reader. `trainable` means that it has a training split."""

    name: str
    root: Path
    trainable: bool
    convention: str

    @property
    def title(self) -> str:
        """The name in figures."""
        return TITLES[self.name]

    def experiment_with(self, experiment: Experiment, count: int) -> Experiment:
        """Return the experiment with the first `count` hands of this set as its data."""
        origin = {"name": self.name, "root": str(self.root), "convention": self.convention}
        return replace(experiment, data=replace(experiment.data, limit=count, **origin))


class Sets:
    """The data sets for training and evaluation. Windows are cut once and kept.

    `rendered`, `rhd` and `stb` are folders, `count` the number of training hands. Without `rendered`, hands
    are rendered into `out`/hands when they are needed. If nothing is `trained`, only those for evaluation are
    rendered: into `out`/evaluation_hands, or, if `few` are shown and none scored, FEW of them into
    `out`/few_hands. RHD and STB are used for evaluation, and for training if they have a
    training split. Raises HandsError for a count below FEWEST_TO_TRAIN or above MOST_IMAGES, and for a folder
    in another layout.
    """

    def __init__(
        self,
        out: Path,
        rendered: Path | None = None,
        rhd: Path | None = None,
        stb: Path | None = None,
        count: int = 6000,
        trained: bool = True,
        few: bool = False,
    ):
        if not FEWEST_TO_TRAIN <= count <= MOST_IMAGES:
            raise HandsError(f"count is {count}; it must be between {FEWEST_TO_TRAIN} and {MOST_IMAGES:,}")
        self.out, self.rendered_root, self.count, self.trained, self.few = out, rendered, count, trained, few
        self.console = messages()
        self.given = [open_source(n, root) for n, root in (("rhd", rhd), ("stb", stb)) if root is not None]
        self._training: dict[Any, Hands] = {}
        self._evaluation: dict[Any, Windows] = {}
        self._samples: dict[Source, list[Sample]] = {}

    @cached_property
    def rendered(self) -> Source:
        """The rendered set. Its missing images are rendered first."""
        if self.rendered_root is not None:
            return open_source("rendered", self.rendered_root)
        root = self.out / ("hands" if self.trained else "few_hands" if self.few else "evaluation_hands")
        count = self.count if self.trained else 1  # the smallest set has one
        evaluation = FEW if self.few and not self.trained else self.count // 6
        say(self.console, f"rendering the missing ones of {count + evaluation} hands into {root}")
        from latent_hands.rendering.sets.dataset import render_dataset

        render_dataset(root, count, IMAGE_PX, evaluation_count=evaluation, scene_size=SCENE_SIZE)
        return open_source("rendered", root)

    def scored(self) -> list[Source]:
        """Return the sets for evaluation: RHD and STB if they are given, otherwise the rendered set."""
        return self.given or [self.rendered]

    def training_source(self, source: Source) -> Source:
        """Return the set to train on for evaluation on `source`: this set, or the rendered one."""
        return source if source.trainable else self.rendered

    def training_count(self, source: Source) -> int:
        """Return the number of training hands of a set, at most `count`."""
        if source.name == "rendered" and self.rendered_root is None:
            return self.count
        return len(open_data(source.name, source.root, "training", self.count))

    def samples(self, source: Source) -> list[Sample]:
        """Return the evaluation split."""
        if source not in self._samples:
            self._samples[source] = open_data(source.name, source.root, "evaluation")
        return self._samples[source]

    def training(self, experiment: Experiment) -> Hands:
        """Return the windows for training and validation of an experiment."""
        reads = {arrow.reads for arrow in experiment.encoders.values()}
        key = (experiment.data, experiment.augmentation is None, "tag" in reads)
        if key not in self._training:
            self._training.clear()
            vae = build_vae(experiment)
            with progress_bars(self.console, transient=True) as progress:
                phases = build_phases(experiment, vae)
                self._training[key] = build_hands(experiment, vae, phases, progress)
        return self._training[key]

    def evaluation(self, model: Model, source: Source) -> Windows:
        """Return the crops of the evaluation split with the settings of a model."""
        data = model.experiment.data
        key = (source, data.crop, data.right_hands, data.crop_px)
        if key not in self._evaluation:
            self._evaluation[key] = evaluation_windows(model, self.samples(source))
        return self._evaluation[key]


def open_source(name: str, root: Path) -> Source:
    """Open a data set by the name of its reader. Raises HandsError without an evaluation split."""
    root = root.resolve()
    first = open_data(name, root, "evaluation", 1)
    try:
        trainable = len(open_data(name, root, "training", FEWEST_TO_TRAIN)) == FEWEST_TO_TRAIN
    except AbsentError:
        trainable = False
    return Source(name, root, trainable, convention_of(first) or "rhd")
