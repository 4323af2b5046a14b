"""Sets of rendered hands in RHD's own layout, with tag images and generating factors beside the labels.

``OUT/{training,evaluation}/{color,mask,depth}/%05d.png`` and ``anno_{training,evaluation}.pickle`` are as in
RHD (Zimmermann & Brox 2017). Ours are ``tag/%05d.png`` (one a scene, as are the tags of its factors alone),
``factors_{split}.jsonl`` (one line an image) and ``OUT/rendered.json`` (what decides every byte).
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latent_hands.data.rhd_files import tag_kinds
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import RHD, check_convention
from latent_hands.rendering.pose_file import PoseSource
from latent_hands.rendering.scene import check_settings, defocused, plain, sample_scene
from latent_hands.rendering.sets.set_writer import write_set
from latent_hands.rendering.sets.shots import write_shots, write_tags
from latent_hands.rendering.variety import EVERYTHING, Variety, check_variety, varied

MOST_DEFOCUS = 0.5
ABOUT = {"format": 2, "joints": RHD, "licence": "CC0-1.0"}


@dataclass(frozen=True)
class Settings:
    """The plan of an ordinary set, where a job is a scene.

    `joints` is the convention of the labels.
    """

    size: int
    seed: int
    training: int
    evaluation: int
    poses_per_scene: int
    window: tuple[float, float]
    defocus: tuple[float, float] | None = None
    joints: str = RHD
    poses: PoseSource | None = None
    variety: Variety = EVERYTHING
    factor_tags: bool = False

    def jobs(self, split: str) -> range:
        """The scene numbers of a split."""
        return range(-(-getattr(self, split) // self.poses_per_scene))

    def images(self, split: str, job: int) -> range:
        """The image numbers of a scene; the last scene of a split may have fewer."""
        first = job * self.poses_per_scene
        return range(first, min(first + self.poses_per_scene, getattr(self, split)))

    def tags(self, split: str, job: int) -> range:
        """The scene's own number."""
        return range(job, job + 1)

    def render(self, folder: Path, split: str, job: int) -> list[dict[str, Any]]:
        """Write one scene's files into its split's folder; returns the records of its images."""
        scene = sample_scene(self.seed, split, job, self.size, self.window, convention=self.joints)
        scene = varied(scene, self.seed, self.variety)
        if self.defocus is not None:
            scene = defocused(scene, self.seed, self.defocus)
        write_tags(folder, scene, tag_kinds(self.factor_tags))
        return write_shots(folder, scene, self.seed, self.images(split, job), self.poses)

    def as_json(self) -> dict[str, Any]:
        """The content of rendered.json."""
        return manifest(plain(replace(self, poses=None)) | {"poses": self.poses and self.poses.as_json()})


def manifest(settings: dict[str, Any]) -> dict[str, Any]:
    """The content of rendered.json, which leaves out what is None or False."""
    return {n: value for n, value in (ABOUT | settings).items() if value is not None and value is not False}


def render_dataset(
    out: str | Path,
    count: int,
    size: int = 320,
    seed: int = 0,
    workers: int | None = None,
    poses_per_scene: int = 4,
    evaluation: int | None = None,
    window: tuple[float, float] = (0.8, 1.3),
    defocus: tuple[float, float] | None = None,
    convention: str = RHD,
    poses: str | Path | None = None,
    poses_share: float = 0.5,
    variety: Variety = EVERYTHING,
    factor_tags: bool = False,
    progress: bool = True,
) -> Path:
    """Render ``count`` training images of ``size`` px and ``evaluation`` (default a tenth) of other scenes.

    ``workers`` processes (default: all cores) share the scenes; what they write does not depend on their
    number. A run that was stopped goes on where it was when it is started again with the same settings.
    ``poses_per_scene`` images share a scene, ``window`` is as in `sample_scene`, ``defocus`` as in
    `defocused` and ``variety`` as in `varied`. ``convention`` says where the labels place the joints; the
    images do not depend on it. ``poses_share`` of the poses come from the file ``poses``. ``factor_tags``
    also writes each scene's person and background alone (`factor_tags`). Returns ``out``.
    Raises HandsError for settings that make no sense, for a folder that holds something else or images of
    other settings, and if nothing can be written.
    """
    evaluation = max(1, count // 10) if evaluation is None else evaluation
    window = float(window[0]), float(window[1])
    source = None if poses is None else PoseSource.open(poses, poses_share)
    settings = Settings(
        size,
        seed,
        count,
        evaluation,
        poses_per_scene,
        window,
        defocus,
        convention,
        source,
        variety,
        factor_tags,
    )
    _check(settings)
    return write_set(Path(out), settings, workers, progress)


def _check(settings: Settings) -> None:
    check_settings(settings.seed, "training", settings.size, settings.window)
    check_convention(settings.joints)
    check_variety(settings.variety)
    legal = {"count": settings.training, "poses_per_scene": settings.poses_per_scene}
    for name, value in legal.items():
        if value < 1:
            raise HandsError(f"{name} is {value}; legal: 1 or more")
    if settings.evaluation < 0:
        raise HandsError(f"evaluation is {settings.evaluation}; legal: 0 or more")
    check_defocus(settings.defocus)


def check_defocus(defocus: tuple[float, float] | None) -> None:
    """Raises HandsError for a range that is none, or that blurs beyond recognition."""
    if defocus and not 0 <= defocus[0] <= defocus[1] <= MOST_DEFOCUS:
        legal = f"(low, high) with 0 <= low <= high <= {MOST_DEFOCUS} image sides"
        raise HandsError(f"defocus is {defocus}; legal: {legal}")
