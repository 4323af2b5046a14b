"""Sets of moving hands: sequences of images in the layout of `rendering.sets.dataset`.

A sequence is one scene: person, light, background and camera stay. The hand moves along a smooth path
(`rendering.movement`) and rests now and then. The noise of the sensor differs from image to image.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latent_hands.errors import HandsError, as_path, check_whole
from latent_hands.hand.conventions import RHD
from latent_hands.portions import Portion
from latent_hands.progress import Progress
from latent_hands.rendering.movement import sample_movement
from latent_hands.rendering.scene import plain, scene_rng
from latent_hands.rendering.sets.plan import Plan
from latent_hands.rendering.sets.set_writer import write_set
from latent_hands.rendering.sets.shots import write_shot
from latent_hands.rendering.variety import EVERYTHING, Variety, check_variety

MOVEMENT = 2**31 + 1000
"""Key of the random stream of a sequence's path and noise."""
MOVING_PX = 256
MOVING_SIZE = (0.4, 0.75)
LONGEST_S = 600


@dataclass(frozen=True, kw_only=True)
class MovingPlan(Plan):
    """The plan of a set of moving hands: a job is a sequence.

    Args:
        frames: Images of a sequence.
        fps: Images per second.
        variety: Share of scenes with each kind of variety.
    """

    frames: int
    fps: float
    variety: Variety

    def jobs(self, split: str) -> range:
        """Return the numbers of a split's sequences."""
        return range(self.images_of(split) // self.frames)

    def images(self, split: str, job: int) -> range:
        """Return the numbers of a sequence's images, in the order of time."""
        return range(job * self.frames, (job + 1) * self.frames)

    def render(self, folder: Path, split: str, job: int) -> list[dict[str, Any]]:
        """Write the files of one sequence, and return one record for each image."""
        scene = self.begin_scene(folder, split, job, self.variety)
        rng = scene_rng(self.seed, split, job, MOVEMENT)
        movement = sample_movement(scene, rng, self.frames / self.fps)
        records = []
        for frame, number in enumerate(self.images(split, job)):
            seconds = frame / self.fps
            moved, hand = movement.at(seconds)
            record = write_shot(folder, scene, hand, number, noise=int(rng.integers(2**31)))
            own = {"palm_m": plain(moved.palm_m), "seconds": round(seconds, 6)}
            records.append(record | own | {"still": movement.rests(seconds)})
        return records

    def check(self) -> None:
        """Raise HandsError if a setting is out of range."""
        super().check()
        check_variety(self.variety)
        for name in ("count", "frames"):
            if (value := getattr(self, name)) < 1:
                raise HandsError(f"{name} is {value}; it must be 1 or more")
        if not 1 <= self.fps <= 1000:
            raise HandsError(f"fps is {self.fps}; it must be between 1 and 1000 images per second")
        if self.frames > LONGEST_S * self.fps:
            raise HandsError(
                f"{self.frames} frames at {self.fps:g} images per second last longer than {LONGEST_S} s; "
                "render shorter sequences"
            )

    def in_whole_sequences(self) -> "MovingPlan":
        """Return the plan with its numbers of images rounded up to whole sequences."""
        whole = {n: -(-getattr(self, n) // self.frames) * self.frames for n in ("count", "evaluation_count")}
        return replace(self, **whole)

    def as_json(self) -> dict[str, Any]:
        """Return the content of rendered.json."""
        return super().as_json() | {"kind": "moving"}


def render_moving(
    out: str | Path,
    count: int = 900,
    size_px: int = MOVING_PX,
    seed: int = 0,
    workers: int | None = None,
    evaluation_count: int | None = None,
    scene_size: tuple[float, float] = MOVING_SIZE,
    frames: int = 90,
    fps: float = 30.0,
    convention: str = RHD,
    factor_tags: bool = False,
    defocus: tuple[float, float] | None = None,
    variety: Variety = EVERYTHING,
    shard: str | None = None,
    progress: Progress | bool = True,
) -> Path:
    """Render sequences of moving hands into a folder, and return the folder.

    Every image has the labels of an ordinary set, its time in seconds, and whether the hand is at rest
    ("still" of its factors). `Sample.block` names its sequence. Arguments, guarantees and errors are those of
    `render_dataset`, except:

    * `frames` is the number of images of a sequence, `fps` that of images per second;
    * `count` and `evaluation_count` are rounded up to whole sequences;
    * `scene_size` is the side of the hand's box at the beginning; the depth changes it by up to 28 %.
    """
    check_whole(count=count)
    plan = MovingPlan(
        count=count,
        size_px=size_px,
        seed=seed,
        evaluation_count=max(1, count // 10) if evaluation_count is None else evaluation_count,
        scene_size=(float(scene_size[0]), float(scene_size[1])),
        defocus=defocus,
        joints=convention,
        factor_tags=factor_tags,
        frames=frames,
        fps=float(fps),
        variety=variety,
    )
    plan.check()
    return write_set(as_path(out, "out"), plan.in_whole_sequences(), workers, progress, Portion.parse(shard))
