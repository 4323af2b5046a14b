"""Sets of counterfactual images, in the layout and with the guarantees of `rendering.sets.dataset`.

A set consists of blocks of 24 images and 10 scenes: a group of 8, then a grid of 4 poses (rows) in 4 scenes
(columns). The evaluation split is a benchmark: its blocks are drawn from BENCHMARK_SEED whatever the seed of
the set is, and a smaller one is the beginning of a larger one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latent_hands.data.rhd_files import tag_kinds
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import RHD, check_convention
from latent_hands.rendering.scene import check_settings, plain
from latent_hands.rendering.sets.counterfactual import (
    IMAGES,
    POSES,
    SCENES,
    TAGS,
    VARIETY,
    Framing,
    draw_block,
)
from latent_hands.rendering.sets.dataset import check_defocus, manifest
from latent_hands.rendering.sets.set_writer import write_set
from latent_hands.rendering.sets.shots import write_shot, write_tags

BENCHMARK_SEED = 2019
BENCHMARK_PX = 128
BENCHMARK_WINDOW = (0.85, 1.0)
BENCHMARK_IMAGES = 50 * IMAGES


@dataclass(frozen=True)
class CounterfactualSettings:
    """The plan of a counterfactual set, where a job is a block; `training` and `evaluation` are images.

    `joints` is the convention of the labels.
    """

    size: int
    seed: int
    training: int
    evaluation: int
    window: tuple[float, float]
    joints: str = RHD
    factor_tags: bool = False
    defocus: tuple[float, float] | None = None

    def jobs(self, split: str) -> range:
        """The block numbers of a split."""
        return range(getattr(self, split) // IMAGES)

    def images(self, split: str, job: int) -> range:
        """The image numbers of a block."""
        return range(job * IMAGES, (job + 1) * IMAGES)

    def tags(self, split: str, job: int) -> range:
        """The scene numbers of a block."""
        return range(job * TAGS, (job + 1) * TAGS)

    def render(self, folder: Path, split: str, job: int) -> list[dict[str, Any]]:
        """Write one block's files into its split's folder; returns the records of its images."""
        seed = self.seed if split == "training" else BENCHMARK_SEED
        framing = Framing(self.size, self.window, self.joints, self.defocus)
        shots = draw_block(seed, split, job, framing)
        for scene in {shot.scene.index: shot.scene for shot in shots}.values():
            write_tags(folder, scene, tag_kinds(self.factor_tags))
        numbered = zip(shots, self.images(split, job), strict=True)
        return [write_shot(folder, s.scene, s.hand(), number) | s.record() for s, number in numbered]

    def as_json(self) -> dict[str, Any]:
        """The content of rendered.json."""
        kind = {
            "variety": plain(VARIETY),
            "kind": "counterfactual",
            "evaluation_seed": BENCHMARK_SEED,
            "grid": [POSES, SCENES],
        }
        return manifest(kind | plain(self))


def render_counterfactual(
    out: str | Path,
    count: int = 0,
    size: int = BENCHMARK_PX,
    seed: int = 0,
    workers: int | None = None,
    evaluation: int = BENCHMARK_IMAGES,
    window: tuple[float, float] = BENCHMARK_WINDOW,
    convention: str = RHD,
    factor_tags: bool = False,
    defocus: tuple[float, float] | None = None,
    progress: bool = True,
) -> Path:
    """Render ``count`` training and ``evaluation`` images, both rounded up to whole blocks.

    The defaults are the benchmark; ``defocus`` makes another one, of portraits. ``seed`` decides the training
    split alone; all other arguments, errors and guarantees are those of `render_dataset`, but the window may
    not be larger than the image, and the images depend on ``convention``: the viewpoint a group keeps
    is that of its labels.
    """
    check_settings(seed, "training", size, window)
    check_convention(convention)
    check_defocus(defocus)
    if window[1] > 1:
        raise HandsError(f"window is {window}; legal in a counterfactual set: at most 1 image side")
    for name, value in (("count", count), ("evaluation", evaluation)):
        if value < 0:
            raise HandsError(f"{name} is {value}; legal: 0 or more")
    if not count and not evaluation:
        raise HandsError("count and evaluation are 0; legal: 1 or more images in all")
    training, evaluation = (-(-images // IMAGES) * IMAGES for images in (count, evaluation))
    bounds = (float(window[0]), float(window[1]))
    plan = CounterfactualSettings(size, seed, training, evaluation, bounds, convention, factor_tags, defocus)
    return write_set(Path(out), plan, workers, progress)
