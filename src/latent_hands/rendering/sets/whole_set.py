"""Sets of whole images in the layout of `rendering.sets.dataset`, with any number of hands an image.

Each line of ``factors_{split}.jsonl`` has a list "hands". The annotation of RHD has the labels of at most one
left and one right hand, those that cover the most pixels, and no entry for an image without hands.
There are no tag images.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latent_hands.data.formats.rhd_files import encode_depth, write_image
from latent_hands.errors import HandsError, as_path, check_whole
from latent_hands.portions import Portion
from latent_hands.progress import Progress
from latent_hands.rendering.sets.plan import Plan
from latent_hands.rendering.sets.set_writer import write_set
from latent_hands.rendering.sets.shots import KINDS
from latent_hands.rendering.whole.image import whole_image


@dataclass(frozen=True, kw_only=True)
class WholePlan(Plan):
    """The plan of a set of whole images: a job is an image.

    Args:
        no_hand: Share of images without hands, 0 .. 1.
    """

    no_hand: float

    def jobs(self, split: str) -> range:
        """Return the numbers of a split's images."""
        return range(self.images_of(split))

    def images(self, split: str, job: int) -> range:
        """Return the number of the image, which is the job's."""
        return range(job, job + 1)

    def scenes(self, split: str, job: int) -> range:
        """Return no scene: there are no tag images."""
        return range(0)

    def tags(self) -> tuple[str, ...]:
        """Return no folder: there are no tag images."""
        return ()

    def render(self, folder: Path, split: str, job: int) -> list[dict[str, Any]]:
        """Write the files of one image, and return its record."""
        image = whole_image(self.seed, split, job, self.size_px, self.no_hand, self.joints)
        for kind, pixels in zip(KINDS, (image.rgb, image.mask, encode_depth(image.depth_m)), strict=True):
            write_image(folder / kind / f"{job:05d}.png", pixels)
        return [image.record]

    def check(self) -> None:
        """Raise HandsError if a setting is out of range."""
        super().check()
        if not 0 <= self.no_hand <= 1:
            raise HandsError(f"no_hand is {self.no_hand}; it must be between 0 and 1")
        if self.count < 1:
            raise HandsError(f"count is {self.count}; it must be 1 or more")

    def as_json(self) -> dict[str, Any]:
        """Return the content of rendered.json."""
        settings = super().as_json() | {"kind": "whole images"}
        del settings["scene_size"]
        return settings


def render_whole_images(
    out: str | Path,
    count: int = 1000,
    size_px: int = 320,
    seed: int = 0,
    workers: int | None = None,
    evaluation_count: int | None = None,
    no_hand: float = 0.25,
    convention: str = "rhd",
    shard: str | None = None,
    progress: Progress | bool = True,
) -> Path:
    """Render whole images with no, one, two or more labelled hands into a folder, and return the folder.

    Args:
        out: A new or empty folder, or an unfinished one with the same settings.
        count: Number of training images.
        size_px: Side of the images, 64 .. 2048.
        seed: Seed of all random numbers, 0 or more.
        workers: Number of processes. None is one for each core, and one in all for fewer than 60 images.
        evaluation_count: Number of evaluation images, with other places; None takes a tenth of `count`.
        no_hand: Share of images that show no hand, 0 .. 1.
        convention: Convention of the labels: where the joints lie in the hand.
        shard: "I/N" renders the I-th of N portions (see `write_set`); None renders everything.
        progress: True shows a progress bar; a function receives (name of the work, images done, all images).

    Guarantees and errors are those of `render_dataset`.
    """
    check_whole(count=count)
    plan = WholePlan(
        count=count,
        size_px=size_px,
        seed=seed,
        evaluation_count=max(1, count // 10) if evaluation_count is None else evaluation_count,
        scene_size=(1.0, 1.0),
        defocus=None,
        joints=convention,
        factor_tags=False,
        no_hand=no_hand,
    )
    plan.check()
    return write_set(as_path(out, "out"), plan, workers, progress, Portion.parse(shard))
