"""The hands that an experiment learns from, as windows and as batches."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from latent_hands.data import open_data
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.data.labels import image_keys
from latent_hands.data.shard_files import open_windows
from latent_hands.data.store import Cut, is_store
from latent_hands.data.windows import Windows
from latent_hands.errors import HandsError
from latent_hands.experiment import Experiment
from latent_hands.paper.algorithms import Feed, Phase, keys
from latent_hands.paper.graph import DisentangledVAE

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Hands:
    """The windows that a run learns from, those that it is validated on, and images without labels."""

    training: Windows
    validation: Windows | None
    photos: Windows | None = None

    def feeds(self, labelled: float) -> dict[Feed, Windows]:
        """What steps learn from; the first share `labelled` of the training hands has all labels."""
        windows = self.training
        count = max(1, round(labelled * len(windows)))
        feeds: dict[Feed, Windows] = {"all": windows, "labelled": windows}
        if count < len(windows):
            feeds["labelled"] = windows.select(range(count))
            feeds["rest"] = windows.select(range(count, len(windows)))
        if self.photos is not None:
            feeds["photos"] = self.photos
        return feeds


def build_hands(
    experiment: Experiment, vae: DisentangledVAE, phases: tuple[Phase, ...], report: Report | None = None
) -> Hands:
    """Training and validation windows, cut or from a packed store; `report` is told (what, done, all)."""
    data = experiment.data
    needed = frozenset().union(*(keys(vae, phase.steps) for phase in phases))
    images = tuple(key for key in sorted(image_keys()) if key in needed and key != "rgb")
    if not data.root:
        raise HandsError(f'[data] root is empty: say where "{data.name}" lies, e.g. --data.root FOLDER')

    def cut(split: str, limit: int | None, margin: float, px: int) -> Windows:
        if is_store(data.root):
            return open_windows(
                data.root, split, Cut(data.name, data.crop, data.right_hands, margin, px, images), limit
            )
        progress = report and partial(report, f"reading {split}")
        samples = open_data(data.name, Path(data.root), split, limit)
        return build_windows(samples, data.crop, margin, px, data.right_hands, images, data.workers, progress)

    margin, px = (1.0, data.crop_px) if experiment.augmentation is None else (data.margin, data.window_px)
    training = cut(data.split, data.limit, margin, px)
    photos = None
    if experiment.supervision.photos:
        samples = open_data("images", Path(experiment.supervision.photos), data.split)
        progress = report and partial(report, "reading photos")
        photos = build_windows(samples, "box", margin, px, data.right_hands, (), data.workers, progress)
    if data.validation_share:
        kept = len(training) - max(1, round(len(training) * data.validation_share))
        held = range(kept, min(len(training), kept + data.validation_limit))
        return Hands(training.select(range(kept)), training.select(held), photos)
    return Hands(training, cut(data.validation_split, data.validation_limit, 1.0, data.crop_px), photos)


def build_batches(experiment: Experiment, windows: Windows, phase: Phase, seed: int) -> Batches:
    """The shuffled, augmented batches of a phase."""
    data = experiment.data
    return Batches(
        windows, data.crop_px, phase.batch_size, experiment.augmentation, frame=data.frame, seed=seed
    )


def build_validation(experiment: Experiment, windows: Windows) -> Batches:
    """The ground-truth crops, in order."""
    data = experiment.data
    return Batches(windows, data.crop_px, 64, frame=data.frame, shuffle=False)
