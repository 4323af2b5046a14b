"""The plan of a rendered set: all settings that decide its files."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from latent_hands.data.formats.rhd_files import tag_kinds
from latent_hands.data.readers.rendered_record import RECORD
from latent_hands.errors import HandsError, check_whole
from latent_hands.hand.conventions import CONVENTIONS, read_recorded, recorded
from latent_hands.rendering.rays.kernels import load_kernels
from latent_hands.rendering.scene import Scene, check_settings, defocused, plain, sample_scene
from latent_hands.rendering.sets.shots import KINDS
from latent_hands.rendering.sets.tags import write_tags
from latent_hands.rendering.variety import Variety, varied

MOST_DEFOCUS = 0.5
MOST_IMAGES = 10_000_000
"""The largest number of images of a split. A larger one is divided into sets of other seeds."""
ABOUT = {"format": 3, "licence": "CC0-1.0"}
"""`format` is the version of the renderer: another format means other images for the same settings."""
OLD_NAMES = {
    "size": "size_px",
    "training": "count",
    "evaluation": "evaluation_count",
    "window": "scene_size",
}
"""Settings that earlier versions wrote under another name."""


@dataclass(frozen=True, kw_only=True)
class Plan(ABC):
    """The settings of a rendered set and its division into jobs.

    Jobs do not depend on each other: any process may do any job, in any order.

    Args:
        count: Images of the training split.
        size_px: Side of the images.
        seed: Seed of all random numbers.
        evaluation_count: Images of the evaluation split.
        scene_size: Range of the side of a scene's box, in image sides.
        defocus: Range of the background's blur, in image sides; None keeps each scene's own blur.
        joints: Convention of the labels.
        factor_tags: Whether to write tag images of single factors.
    """

    count: int
    size_px: int
    seed: int
    evaluation_count: int
    scene_size: tuple[float, float]
    defocus: tuple[float, float] | None
    joints: str
    factor_tags: bool

    def __post_init__(self) -> None:
        """Convert whole numbers of numpy, which JSON and Pillow refuse. Raise HandsError for others."""
        for each in fields(self):
            if each.type is int:
                check_whole(**{each.name: getattr(self, each.name)})
                object.__setattr__(self, each.name, int(getattr(self, each.name)))

    @abstractmethod
    def jobs(self, split: str) -> range:
        """Return the jobs of a split."""

    @abstractmethod
    def images(self, split: str, job: int) -> range:
        """Return the numbers of a job's images."""

    def scenes(self, split: str, job: int) -> range:
        """Return the numbers of a job's scenes, which are those of its tag images: one, that of the job."""
        return range(job, job + 1)

    def tags(self) -> tuple[str, ...]:
        """Return the folders of tag images."""
        return tag_kinds(self.factor_tags)

    def kinds(self) -> tuple[str, ...]:
        """Return the folders of images, one file in each for an image."""
        return KINDS

    def work(self) -> str:
        """Return the name of the work, for its progress bar."""
        return "rendering"

    def prepare(self, quiet: bool) -> None:
        """Do what is needed once before all jobs: compile the kernels of the renderer (`load_kernels`)."""
        load_kernels(quiet)

    @abstractmethod
    def render(self, folder: Path, split: str, job: int) -> list[dict[str, Any]]:
        """Write a job's files into the folder of its split, and return one record for each image."""

    def begin_scene(self, folder: Path, split: str, job: int, variety: Variety) -> Scene:
        """Write the tag images of the scene of a job, and return the scene."""
        scene = sample_scene(self.seed, split, job, self.size_px, self.scene_size, convention=self.joints)
        scene = varied(scene, self.seed, variety)
        if self.defocus is not None:
            scene = defocused(scene, self.seed, self.defocus)
        write_tags(folder, scene, self.tags())
        return scene

    def images_of(self, split: str) -> int:
        """Return the number of images of a split."""
        return self.count if split == "training" else self.evaluation_count

    def check(self) -> None:
        """Raise HandsError if a setting is out of range."""
        check_settings(self.seed, "training", self.size_px, self.scene_size)
        CONVENTIONS.find(self.joints)
        if self.evaluation_count < 0:
            raise HandsError(f"evaluation_count is {self.evaluation_count}; it must be 0 or more")
        for name in ("count", "evaluation_count"):
            if (value := getattr(self, name)) > MOST_IMAGES:
                raise HandsError(
                    f"{name} is {value}; it must be at most {MOST_IMAGES:,}: render several sets"
                )
        if self.defocus and not 0 <= self.defocus[0] <= self.defocus[1] <= MOST_DEFOCUS:
            legal = f"(low, high) with 0 <= low <= high <= {MOST_DEFOCUS} image sides"
            raise HandsError(f"defocus is {self.defocus}; it must be {legal}")

    def as_json(self) -> dict[str, Any]:
        """Return the content of rendered.json, without settings that are None or False."""
        settings = ABOUT | plain(self) | {"joints": recorded(self.joints)}
        return {name: value for name, value in settings.items() if value is not None and value is not False}


def current_names(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a rendered.json under today's names; earlier versions used OLD_NAMES."""
    named = {OLD_NAMES.get(name, name): value for name, value in settings.items()}
    joints = recorded(read_recorded(str(named["joints"]), RECORD))
    return named | {"joints": joints}
