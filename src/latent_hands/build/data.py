"""The hands that an experiment is trained and validated on, as windows and as batches."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from latent_hands.build.unused import announce_enlarged, announce_unused
from latent_hands.configuration import Data, Experiment
from latent_hands.data import Sample, open_data
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.data.labels import image_keys
from latent_hands.data.sample import with_handedness
from latent_hands.data.shard_files import open_windows
from latent_hands.data.store import Cut, is_store
from latent_hands.data.windows import Windows, known_hands
from latent_hands.errors import HandsError
from latent_hands.paper.algorithms import Feed, Phase, keys
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.progress import Progress, renamed, silent

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hands:
    """Windows for training and for validation, and images without labels."""

    training: Windows
    validation: Windows | None
    photos: Windows | None = None

    def feeds(
        self, labelled: float, needed: Collection[str] = (), frame: str = "camera"
    ) -> dict[Feed, Windows]:
        """Return the windows of each feed that is not empty.

        "all" are the training hands of which all labels are known, and crops without a hand. "labelled" are
        those of them that are among the first share `labelled` of the training hands, "rest" all other
        training hands, and "photos" the images without labels.

        Args:
            labelled: the share of the training hands whose labels are used.
            needed: the batch keys that a hand with all labels has.
            frame: frame of the predicted pose.
        """
        windows = self.training
        complete = torch.ones(len(windows), dtype=torch.bool)
        for key in needed:
            complete &= known_hands(windows, key, frame).cpu()
        if windows.presence is not None:
            complete |= (windows.presence[:, 0] == 0).cpu()
        used = complete & (torch.arange(len(windows)) < share_of(labelled, len(windows)))
        masks: dict[Feed, Bool[Tensor, " n"]] = {"all": complete, "labelled": used, "rest": ~used}
        feeds: dict[Feed, Windows] = {}
        for feed, chosen in masks.items():
            if chosen.all():
                feeds[feed] = windows
            elif chosen.any():
                feeds[feed] = windows.select(chosen.nonzero()[:, 0])
        if self.photos is not None:
            feeds["photos"] = self.photos
        return feeds


def share_of(labelled: float, count: int) -> int:
    """Return how many hands a share of them is: at least 1 if the share is above 0."""
    return max(1, round(labelled * count)) if labelled > 0 else 0


def build_hands(
    experiment: Experiment,
    vae: DisentangledVAE,
    phases: tuple[Phase, ...],
    progress: Progress = silent,
    training: Sequence[Sample] | None = None,
    validation: Sequence[Sample] | None = None,
) -> Hands:
    """Cut the windows for training and validation, or open them from a packed store.

    `progress` receives each window that is cut. The samples `training` and `validation` replace those of
    [data] name and root.
    Raises HandsError if neither samples nor [data] root are given, if [data] validation_share leaves no
    training samples, and as `open_data`, `build_windows` and `open_windows` do.
    """
    data = experiment.data
    if training is None and not data.root:
        raise HandsError(
            f'[data] root is empty: give the folder of "{data.name}", as in --data.root FOLDER, or samples'
        )
    if experiment.augmentation is not None and data.window_px < data.crop_px:
        _LOG.warning(
            "[data] window_px is %d, and crop_px is %d: crops are enlarged from fewer pixels",
            *(data.window_px, data.crop_px),
        )
    announce_unused(experiment)
    needed = frozenset().union(*(keys(vae, phase.parts) for phase in phases))
    images = tuple(key for key in sorted(image_keys()) if key in needed and key != "rgb")
    margin, px = (1.0, data.crop_px) if experiment.augmentation is None else (data.margin, data.window_px)
    wide = Cut(data.name, data.crop, data.right_hands, margin, px, images)
    windows = _windows(data, data.split, data.limit, wide, training, progress)
    announce_enlarged(data, windows)
    photos = _photos(experiment, wide, progress)
    if validation is None and data.validation_share:
        return Hands(*_split(windows, data), photos)
    if training is not None and validation is None:
        return Hands(windows, None, photos)
    if validation is None and data.split == data.validation_split:
        _LOG.warning(
            "[data] validation_split is %s, as is split: the hands that are learnt from are validated on",
            data.split,
        )
    plain = replace(wide, margin=1.0, window_px=data.crop_px)
    held_out = _windows(data, data.validation_split, data.validation_limit, plain, validation, progress)
    return Hands(windows, held_out, photos)


def _windows(
    data: Data, split: str, limit: int | None, cut: Cut, given: Sequence[Sample] | None, progress: Progress
) -> Windows:
    """Return the windows of the given samples, or those of a split on disk."""
    if given is None and is_store(data.root):
        return open_windows(data.root, split, cut, limit)
    samples = open_data(data.name, Path(data.root), split, limit) if given is None else given[:limit]
    samples = with_handedness(samples, data.handedness or None)
    at = renamed(progress, f"reading {split}")
    return build_windows(
        samples, cut.crop, cut.margin, cut.window_px, cut.right_hands, cut.images, data.workers, at
    )


def _photos(experiment: Experiment, cut: Cut, progress: Progress) -> Windows | None:
    """Return the windows of the photographs without labels; None if there are none."""
    data, folder = experiment.data, experiment.supervision.photos
    if not folder:
        return None
    samples, at = open_data("images", Path(folder), data.split), renamed(progress, "reading photos")
    return build_windows(samples, "box", cut.margin, cut.window_px, cut.right_hands, (), data.workers, at)


def _split(windows: Windows, data: Data) -> tuple[Windows, Windows]:
    """Return the windows without the last [data] validation_share, and these."""
    kept = len(windows) - max(1, round(len(windows) * data.validation_share))
    if kept < 1:
        raise HandsError(
            f"[data] validation_share is {data.validation_share}, which leaves none of {len(windows)} "
            "samples to train on: give more samples, or validation samples and the share 0"
        )
    held = range(kept, min(len(windows), kept + data.validation_limit))
    return windows.select(range(kept)), windows.select(held)


def build_batches(experiment: Experiment, windows: Windows, phase: Phase, seed: int) -> Batches:
    """Return the shuffled, augmented batches of a phase."""
    data = experiment.data
    return Batches(
        windows, data.crop_px, phase.batch_size, experiment.augmentation, frame=data.frame, seed=seed
    )


def build_validation(experiment: Experiment, windows: Windows) -> Batches:
    """Return batches of the ground-truth crops, in order."""
    data = experiment.data
    return Batches(windows, data.crop_px, 64, frame=data.frame, shuffle=False)
