"""Sets of counterfactual images in the layout of `rendering.sets.dataset`.

A set consists of blocks of 24 images from 10 scenes. A block is a group of 8 images, followed by a grid of
4 poses (rows) in 4 scenes (columns). The evaluation split is a benchmark: its blocks always come from
BENCHMARK_SEED, and a smaller benchmark is the beginning of a larger one.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latent_hands.errors import HandsError, as_path
from latent_hands.hand.conventions import RHD
from latent_hands.portions import Portion
from latent_hands.progress import Progress
from latent_hands.rendering.scene import plain
from latent_hands.rendering.sets.counterfactual import (
    BLOCK_IMAGES,
    BLOCK_SCENES,
    GRID_POSES,
    GRID_SCENES,
    VARIETY,
    Framing,
    draw_block,
)
from latent_hands.rendering.sets.plan import Plan
from latent_hands.rendering.sets.set_writer import write_set
from latent_hands.rendering.sets.shots import write_shot
from latent_hands.rendering.sets.tags import write_tags

BENCHMARK_SEED = 2019
BENCHMARK_PX = 128
BENCHMARK_SCENE_SIZE = (0.85, 1.0)
BENCHMARK_IMAGES = 50 * BLOCK_IMAGES


@dataclass(frozen=True, kw_only=True)
class CounterfactualPlan(Plan):
    """The plan of a counterfactual set: a job is a block."""

    def jobs(self, split: str) -> range:
        """Return the numbers of a split's blocks."""
        return range(self.images_of(split) // BLOCK_IMAGES)

    def images(self, split: str, job: int) -> range:
        """Return the numbers of a block's images."""
        return range(job * BLOCK_IMAGES, (job + 1) * BLOCK_IMAGES)

    def scenes(self, split: str, job: int) -> range:
        """Return the numbers of a block's scenes."""
        return range(job * BLOCK_SCENES, (job + 1) * BLOCK_SCENES)

    def render(self, folder: Path, split: str, job: int) -> list[dict[str, Any]]:
        """Write the files of one block, and return one record for each image."""
        seed = self.seed if split == "training" else BENCHMARK_SEED
        framing = Framing(self.size_px, self.scene_size, self.joints, self.defocus)
        shots = draw_block(seed, split, job, framing)
        for scene in {shot.scene.index: shot.scene for shot in shots}.values():
            write_tags(folder, scene, self.tags())
        numbered = zip(shots, self.images(split, job), strict=True)
        return [write_shot(folder, s.scene, s.hand(), number) | s.record() for s, number in numbered]

    def check(self) -> None:
        """Raise HandsError if a setting is out of range."""
        super().check()
        if self.scene_size[1] > 1:
            raise HandsError(
                f"scene_size is {self.scene_size}; in a counterfactual set it must be at most 1 image side"
            )
        if self.count < 0:
            raise HandsError(f"count is {self.count}; it must be 0 or more")
        if not self.count and not self.evaluation_count:
            raise HandsError("count and evaluation_count are 0; one of them must be 1 or more")

    def in_whole_blocks(self) -> "CounterfactualPlan":
        """Return the plan with its numbers of images rounded up to whole blocks."""
        blocks = {name: -(-getattr(self, name) // BLOCK_IMAGES) for name in ("count", "evaluation_count")}
        return replace(self, **{name: number * BLOCK_IMAGES for name, number in blocks.items()})

    def as_json(self) -> dict[str, Any]:
        """Return the content of rendered.json."""
        kind = {
            "kind": "counterfactual",
            "variety": plain(VARIETY),
            "evaluation_seed": BENCHMARK_SEED,
            "grid": [GRID_POSES, GRID_SCENES],
        }
        return super().as_json() | kind


def render_counterfactual(
    out: str | Path,
    count: int = 0,
    size_px: int = BENCHMARK_PX,
    seed: int = 0,
    workers: int | None = None,
    evaluation_count: int = BENCHMARK_IMAGES,
    scene_size: tuple[float, float] = BENCHMARK_SCENE_SIZE,
    convention: str = RHD,
    factor_tags: bool = False,
    defocus: tuple[float, float] | None = None,
    shard: str | None = None,
    progress: Progress | bool = True,
) -> Path:
    """Render groups and grids of counterfactual images into a folder, and return the folder.

    The default settings are those of the benchmark (docs/counterfactual.md). Arguments, guarantees and errors
    are those of `lh.render`, except:

    * `count` and `evaluation_count` are rounded up to whole blocks of 24 images;
    * `seed` decides the training split only;
    * `scene_size` must not exceed 1, because the box of a scene must fit into the image;
    * images depend on `convention`, because a group keeps the viewpoint of its labels.

    >>> folder = lh.render_counterfactual("benchmark", evaluation_count=24)                  # doctest: +SKIP
    """
    plan = CounterfactualPlan(
        count=count,
        size_px=size_px,
        seed=seed,
        evaluation_count=evaluation_count,
        scene_size=(float(scene_size[0]), float(scene_size[1])),
        defocus=defocus,
        joints=convention,
        factor_tags=factor_tags,
    )
    plan.check()
    return write_set(as_path(out, "out"), plan.in_whole_blocks(), workers, progress, Portion.parse(shard))
