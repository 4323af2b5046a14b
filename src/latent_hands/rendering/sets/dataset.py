"""Sets of rendered hands in the layout of RHD (Zimmermann & Brox 2017), with more files.

RHD's own files are ``OUT/{training,evaluation}/{color,mask,depth}/%05d.png`` and ``anno_{split}.pickle``.
Additional files are ``tag/%05d.png`` (one a scene), ``factors_{split}.jsonl`` (one line an image) and
``OUT/rendered.json`` (the settings). The same settings give the same bytes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latent_hands.errors import HandsError, as_path, check_whole
from latent_hands.hand.conventions import RHD
from latent_hands.portions import Portion
from latent_hands.progress import Progress
from latent_hands.rendering.pose_file import PoseSource
from latent_hands.rendering.sets.plan import Plan
from latent_hands.rendering.sets.set_writer import write_set
from latent_hands.rendering.sets.shots import write_shots
from latent_hands.rendering.variety import EVERYTHING, Variety, check_variety


@dataclass(frozen=True, kw_only=True)
class ScenesPlan(Plan):
    """The plan of an ordinary set: a job is a scene, and its images differ in pose and viewpoint."""

    poses_per_scene: int
    poses: PoseSource | None
    variety: Variety

    def jobs(self, split: str) -> range:
        """Return the numbers of a split's scenes."""
        return range(-(-self.images_of(split) // self.poses_per_scene))

    def images(self, split: str, job: int) -> range:
        """Return the numbers of a scene's images; the last scene of a split may have fewer."""
        first = job * self.poses_per_scene
        return range(first, min(first + self.poses_per_scene, self.images_of(split)))

    def render(self, folder: Path, split: str, job: int) -> list[dict[str, Any]]:
        """Write the files of one scene, and return one record for each image."""
        scene = self.begin_scene(folder, split, job, self.variety)
        return write_shots(folder, scene, self.seed, self.images(split, job), self.poses)

    def check(self) -> None:
        """Raise HandsError if a setting is out of range."""
        super().check()
        check_variety(self.variety)
        for name in ("count", "poses_per_scene"):
            if (value := getattr(self, name)) < 1:
                raise HandsError(f"{name} is {value}; it must be 1 or more")

    def as_json(self) -> dict[str, Any]:
        """Return the content of rendered.json; it names a file of poses by its content, not by its path."""
        poses = {} if self.poses is None else {"poses": self.poses.as_json()}
        return super().as_json() | poses


def render_dataset(
    out: str | Path,
    count: int = 1000,
    size_px: int = 320,
    seed: int = 0,
    workers: int | None = None,
    poses_per_scene: int = 4,
    evaluation_count: int | None = None,
    scene_size: tuple[float, float] = (0.8, 1.3),
    defocus: tuple[float, float] | None = None,
    convention: str = RHD,
    poses: str | Path | None = None,
    poses_share: float = 0.5,
    variety: Variety = EVERYTHING,
    factor_tags: bool = False,
    shard: str | None = None,
    progress: Progress | bool = True,
) -> Path:
    """Render labelled hands into a folder, and return the folder.

    A stopped run continues when it is called again with the same settings.
    The images do not depend on the number of workers or on the convention.

    Args:
        out: A new or empty folder, or an unfinished one with the same settings.
        count: Number of training images.
        size_px: Side of the images in pixels, 16 to 2048.
        seed: Seed of all random numbers, 0 or more.
        workers: Number of processes. None is one for each core, and one in all for fewer than 60 images.
        poses_per_scene: Number of images that share a scene.
        evaluation_count: Number of evaluation images, from other scenes; None takes a tenth of `count`.
        scene_size: Smallest and largest side of the square around a hand, over the side of the image.
        defocus: Smallest and largest blur of the background (standard deviation), over the side of the image;
            None blurs a third of the scenes.
        convention: The joint convention of the labels (docs/joint_conventions.md).
        poses: A file of poses that `latent-hands retarget` wrote; None draws poses.
        poses_share: Share of images whose pose comes from that file, 0 to 1.
        variety: Share of scenes with each kind of variety (docs/rendering.md).
        factor_tags: Whether to write images of each scene's person alone and of its background alone.
        shard: "I/N" renders portion I of N (docs/many_machines.md); None renders everything.
        progress: True shows a progress bar; a function receives (name of the work, images done, all images).

    Raises HandsError if a setting is out of range or a file cannot be written. Also raises HandsError if the
    folder holds other files, or images of other settings.

    >>> folder = lh.render("hands", count=4, size_px=64, workers=1, progress=False)
    >>> len(lh.open_data("rendered", folder))
    4
    """
    check_whole(count=count)
    plan = ScenesPlan(
        count=count,
        size_px=size_px,
        seed=seed,
        evaluation_count=max(1, count // 10) if evaluation_count is None else evaluation_count,
        scene_size=(float(scene_size[0]), float(scene_size[1])),
        defocus=defocus,
        joints=convention,
        factor_tags=factor_tags,
        poses_per_scene=poses_per_scene,
        poses=None if poses is None else PoseSource.open(poses, poses_share),
        variety=variety,
    )
    plan.check()
    return write_set(as_path(out, "out"), plan, workers, progress, Portion.parse(shard))
