"""Sets of synthesised hands with labels, in the layout of rendered sets.

There are no masks and no depth images, and tag images only if the run decodes them. The file rendered.json
states that the images are synthesised. It names the run, the checksum of its weights and the sources.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from latent_hands.data.formats.rhd_files import write_image
from latent_hands.data.readers.reading import SPLITS
from latent_hands.data.readers.rendered_hands import read_records
from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry
from latent_hands.hand.conventions import recorded
from latent_hands.paper.latent import Latent
from latent_hands.pixels import from_bytes, to_bytes
from latent_hands.predictor import Model
from latent_hands.predictor.decoded_hands import camera_of_crop, palm_of_crop
from latent_hands.predictor.hand import ASSUMED_BONE_MM
from latent_hands.rendering.scene import plain
from latent_hands.rendering.sets.plan import Plan
from latent_hands.studies.assess.subject import Subject
from latent_hands.studies.sampling.sources import Source

SYNTHESISED = "synthesised"
"""The kind of these sets in rendered.json."""
JOB_SCENES = 16
TRIALS, ATTEMPTS = 10, 10
"""Contents tried for a scene, and poses tried for each of its images."""


@dataclass(frozen=True)
class Made:
    """A synthesised image, its content, its asked pose in bones, and the distance of the reread pose."""

    rgb: UInt8[Tensor, "3 px px"]
    content: Latent
    pose: Float[Tensor, "21 3"]
    reread_mm: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SynthesisPlan(Plan):
    """The plan of a synthesised set: a job is some scenes, and the images of a scene share a content.

    An image is kept if the run rereads its pose: if the mean distance of the joints from the asked pose is at
    most `max_reread_mm`, for a bone of 40 mm. Otherwise another pose is drawn. If too few poses of a scene
    are reread, its content is drawn anew.
    """

    model: Model
    poses: Source
    contents: Source
    about: dict[str, Any]
    poses_per_scene: int
    max_reread_mm: float

    def jobs(self, split: str) -> range:
        """Return the numbers of a split's jobs."""
        return range(-(-self.images_of(split) // (JOB_SCENES * self.poses_per_scene)))

    def images(self, split: str, job: int) -> range:
        """Return the numbers of a job's images."""
        width = JOB_SCENES * self.poses_per_scene
        return range(job * width, min((job + 1) * width, self.images_of(split)))

    def scenes(self, split: str, job: int) -> range:
        """Return the numbers of a job's scenes."""
        images = self.images(split, job)
        return range(images.start // self.poses_per_scene, (images.stop - 1) // self.poses_per_scene + 1)

    def tags(self) -> tuple[str, ...]:
        """Return the folder of tag images, if the run decodes them."""
        decoders = map(self.model.vae.decoder, self.model.vae.decoders)
        return ("tag",) if any(arrow.writes == "tag" for arrow in decoders) else ()

    def kinds(self) -> tuple[str, ...]:
        """Return the folders of images."""
        return ("color",)

    def work(self) -> str:
        """Return the name of the work, for its progress bar."""
        return "synthesising"

    def prepare(self, quiet: bool) -> None:
        """Do nothing: the renderer is not used."""

    def render(self, folder: Path, split: str, job: int) -> list[dict[str, Any]]:
        """Write the images of some scenes, and return one record for each image."""
        made, drawn = self._make(split, job)
        records = []
        for number, image in made.items():
            scene = number // self.poses_per_scene
            write_image(folder / "color" / f"{number:05d}.png", _pixels(image.rgb))
            if number % self.poses_per_scene == 0 and self.tags():
                tag = self._subject.decode("tag", image.content, _left(1))
                write_image(folder / "tag" / f"{scene:05d}.png", _pixels(to_bytes(tag)[0]))
            records.append(self._record(image, number, scene) | {"dropped": drawn[number] - 1})
        return records

    def check(self) -> None:
        """Raise HandsError if a setting is out of range."""
        super().check()
        for name in ("count", "poses_per_scene"):
            if (value := getattr(self, name)) < 1:
                raise HandsError(f"{name} is {value}; it must be 1 or more")
        if not 0 < self.max_reread_mm < float("inf"):
            raise HandsError(f"max_reread_mm is {self.max_reread_mm}; it must be finite and above 0 mm")

    def as_json(self) -> dict[str, Any]:
        """Return the content of rendered.json."""
        own = ("count", "evaluation_count", "size_px", "seed", "poses_per_scene", "max_reread_mm")
        settings = {name: getattr(self, name) for name in own}
        return {"kind": SYNTHESISED, "joints": recorded(self.joints)} | settings | self.about

    @property
    def _subject(self) -> Subject:
        return Subject(self.model.vae, self.model.device)

    def _of(self, split: str, scene: int) -> range:
        first = scene * self.poses_per_scene
        return range(first, min(first + self.poses_per_scene, self.images_of(split)))

    def _make(self, split: str, job: int) -> tuple[dict[int, Made], Counter[int]]:
        """Return the kept images by number, and how often each number was drawn."""
        left, done, drawn = list(self.scenes(split, job)), dict[int, Made](), Counter[int]()
        for trial in range(TRIALS):
            found = self._try(split, left, trial, drawn)
            whole = [scene for scene in left if all(number in found for number in self._of(split, scene))]
            done |= {number: found[number] for scene in whole for number in self._of(split, scene)}
            left = [scene for scene in left if scene not in whole]
            if not left:
                return dict(sorted(done.items())), drawn
        raise HandsError(
            f"scene {left[0]}, {split}: the run rereads too few of its own poses within "
            f"{self.max_reread_mm:g} mm: give a new folder, and raise --max-reread-mm (max_reread_mm), or "
            "take poses and contents of a data set"
        )

    def _try(self, split: str, scenes: Sequence[int], trial: int, drawn: Counter[int]) -> dict[int, Made]:
        """Return the images of these scenes whose poses are reread; each has ATTEMPTS attempts."""
        contents, _ = self.contents.draw([self._rng(split, 0, scene, trial) for scene in scenes])
        place = {number: i for i, scene in enumerate(scenes) for number in self._of(split, scene)}
        found: dict[int, Made] = {}
        for attempt in range(ATTEMPTS):
            numbers = [number for number in place if number not in found]
            if not numbers:
                break
            rows = torch.tensor([place[number] for number in numbers])
            rngs = [self._rng(split, 1, number, trial, attempt) for number in numbers]
            made = self._decode({factor: z[rows] for factor, z in contents.items()}, rngs)
            drawn.update(numbers)
            found |= {
                n: each for n, each in zip(numbers, made, strict=True) if each.reread_mm <= self.max_reread_mm
            }
        return found

    def _decode(self, content: Latent, rngs: Sequence[np.random.Generator]) -> list[Made]:
        """Decode an image for each content and generator, and read its pose again."""
        z_pose, asked = self.poses.draw(rngs)
        left = _left(len(rngs))
        rgb = to_bytes(self._subject.decode("rgb", content | z_pose, left))
        if asked is None:
            asked = self._subject.decode("pose", content | z_pose, left)
        asked, _ = geometry.normalise(asked)
        again = self._subject.own_pose(from_bytes(rgb), left)
        error_mm = ASSUMED_BONE_MM * (again - asked).norm(dim=-1).mean(dim=-1)
        rows = [{factor: z[i : i + 1] for factor, z in content.items()} for i in range(len(rngs))]
        return [Made(*each) for each in zip(rgb, rows, asked, error_mm.tolist(), strict=True)]

    def _record(self, image: Made, number: int, scene: int) -> dict[str, Any]:
        """Return labels in millimetres of a left hand with a bone of 40 mm before the assumed camera."""
        px, data = self.size_px, self.model.experiment.data
        K, palm = camera_of_crop(px), palm_of_crop(image.pose, data.crop)
        xyz_m = geometry.to_wrist(image.pose + palm) * (ASSUMED_BONE_MM / 1000)
        uv_px = camera.project(xyz_m, K)
        visible = ((uv_px > -0.5) & (uv_px < px - 0.5)).all(dim=-1)
        centre = (px - 1) / 2
        return {
            "name": f"{number:05d}",
            "index": number,
            "side": "left",
            "K": plain(K.numpy()),
            "xyz_m": plain(xyz_m.numpy()),
            "uv_px": plain(uv_px.numpy()),
            "visible": visible.tolist(),
            "scene": scene,
            "window": [centre, centre, float(px)],
            "viewpoint": plain(geometry.canonicalise(image.pose)[1].numpy()),
            "reread_mm": round(image.reread_mm, 3),
            "synthesised": True,
        }

    def _rng(self, split: str, *numbers: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, SPLITS.index(split), *numbers])


def _pixels(rgb: UInt8[Tensor, "3 px px"]) -> UInt8[np.ndarray, "px px 3"]:
    return np.ascontiguousarray(rgb.permute(1, 2, 0).numpy())


def _left(count: int) -> Tensor:
    """Return the sides of left hands."""
    return torch.zeros(count, dtype=torch.bool)


def count_images(out: Path) -> dict[str, int]:
    """Return how many images a finished set has, and how many were dropped because of their reread poses."""
    records = [record for split in SPLITS for record in _records(out, split)]
    return {"images": len(records), "dropped": sum(int(record["dropped"]) for record in records)}


def _records(out: Path, split: str) -> list[dict[str, Any]]:
    return list(read_records(out, split)) if (out / split).is_dir() else []
