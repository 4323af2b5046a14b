"""Model: a trained run that predicts hands from images, and images from poses and contents."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from latent_hands import synthesis
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.paper.graph import present
from latent_hands.paper.latent import Latent
from latent_hands.pixels import to_images
from latent_hands.predictor.checks import ImageSource
from latent_hands.predictor.hand import ASSUMED_BONE_MM, Hand
from latent_hands.predictor.photo import Photo
from latent_hands.predictor.sources import ContentReads, Source, as_photo
from latent_hands.predictor.trained_graph import TrainedGraph, with_canonical
from latent_hands.runs.folder import load_run, write_run

Rgb = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Synthesis:
    """An image and a hand, decoded from one latent.

    Attributes:
        image: (height, width, 3) bytes; None if the run has no image decoder.
        hand: the decoded left hand. Its bone is assumed to be 40 mm, its box is the whole image.
    """

    image: Rgb | None
    hand: Hand


@dataclass(frozen=True)
class Walk:
    """Images and hands, decoded from the latents on a line, step by step.

    Attributes:
        images: one image a step; empty if the run has no image decoder.
        hands: one left hand a step, as in `Synthesis`.
    """

    images: list[Rgb]
    hands: list[Hand]

    @property
    def poses(self) -> Float[np.ndarray, "steps 21 3"]:
        """Poses of the hands, in bone lengths."""
        return np.stack([hand.pose for hand in self.hands])


class Model(TrainedGraph):
    """A trained run.

    `load` opens one. `estimate` predicts the hand in an image. `synthesise`, `transfer`, `swap` and `walk`
    decode images and hands from recombined factors. `save` writes a run folder.
    """

    @classmethod
    def load(cls, run: str | Path, device: str | torch.device | None = None) -> "Model":
        """Load a run folder or a shipped model by name, by default onto a GPU if there is one.

        Raises HandsError if there is no such run, and for a device that is unknown or absent.
        """
        found = find_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        vae, experiment = load_run(run)
        return cls(vae, experiment, found)

    def save(self, path: str | Path) -> Path:
        """Write a run folder that `load` reads, and return its path.

        Raises HandsError if the folder exists and is not empty, or cannot be written.
        """
        return write_run(Path(path), self.vae, self.experiment)

    def estimate(
        self,
        image: Photo | Sample | ImageSource,
        handedness: str | None = None,
        bone_mm: float | None = None,
        box: Sequence[float] | None = None,
        K: np.ndarray | None = None,
        rotations: int = 1,
        draws: int = 0,
    ) -> Hand:
        """Estimate the 3D pose of the hand in an image.

        Args:
            image: a file, a Pillow image or bytes (height, width, 3). A `Photo` or a `Sample` brings the next
                four values with it.
            handedness: "left" or "right"; without it, "left" is assumed. A right hand is mirrored for the
                prediction, and the result is mirrored back.
            bone_mm: length of the middle finger's bone between MCP (knuckle) and PIP, 15 to 80 mm. If it is
                not given, 40 mm is assumed.
            box: (x, y, width, height) in pixels, centred on the middle finger's MCP and just large enough for
                the whole hand. If it is not given, the whole image is read.
            K: the camera (3, 3) in pixels. A model of frame "ray" needs it to predict in the camera frame.
            rotations: number of rotated crops to average. More are slower and more accurate.
            draws: number of hands to draw from q(z | image) for `Hand.spread_mm`: 0, or 2 and more.

        Raises HandsError as `Photo.open` does, and if `rotations < 1`, `draws < 0` or `draws == 1`.
        """
        photo = self._photo(image, handedness, box, K, bone_mm)
        flip = photo.handedness == "right" and self.experiment.data.right_hands == "mirror"
        view = photo.mirrored() if flip else photo
        outputs = self.predict_photo(view, rotations, draws)
        uv_px = view.joints_px(outputs)
        if flip:
            outputs["pose"] = geometry.mirror(outputs["pose"])
            outputs["viewpoint"] = geometry.Mz @ outputs["viewpoint"] @ geometry.Mx
            uv_px[:, 0] = view.rgb.shape[1] - 1 - uv_px[:, 0]
        return self._hand(photo, outputs, uv_px)

    def synthesise(self, pose: Source, content: Source, content_reads: ContentReads = "rgb") -> Rgb:
        """Return the image of a left hand in the pose of one source and the scene of another (Fig. 2).

        Args:
            pose: an image, a sample, a hand, or joints (21, 3).
            content: an image of a hand, a tag image of a scene, or a sample.
            content_reads: "rgb" if `content` is an image of a hand, "tag" if it is a tag image. A sample has
                both.

        Raises HandsError if the run has no image decoder, or no encoder for one of the sources.
        """
        return self.transfer([pose], [content], content_reads)[0][0]

    def transfer(
        self, poses: Sequence[Source], contents: Sequence[Source], content_reads: ContentReads = "rgb"
    ) -> list[list[Rgb]]:
        """Return the images of every pose (rows) in every scene (columns), as in Fig. 6.

        Sources and errors are those of `synthesise`.
        """
        self.factors_of("rgb")
        rows = synthesis.stack([self.latent(source, ["pose"]) for source in poses])
        columns = synthesis.stack([self.latent(source, ["content"], content_reads) for source in contents])
        images = to_images(self.decode(synthesis.combine(rows, columns))["rgb"])
        return [images[i : i + len(contents)] for i in range(0, len(images), len(contents))]

    def swap(
        self, first: Source | Latent, second: Source | Latent, factors: str | Sequence[str]
    ) -> Synthesis:
        """Decode the first source with some factors taken from the second.

        `factors` are one or more names of factors, "pose" or "content". A source may also be a latent with
        all factors.
        Raises HandsError for an unknown factor, and for a factor that a source does not give.
        """
        chosen = synthesis.factors_named(self.vae, factors)
        images, hands = self._decoded(synthesis.swap(self._whole(first), self._whole(second), chosen))
        return Synthesis(images[0] if images else None, hands[0])

    def walk(self, factor: str, start: Source | Latent, end: Source | Latent, steps: int = 8) -> Walk:
        """Decode a straight line in the latent, along one factor, from one source to another (Fig. 4, 5).

        The other factors stay those of `start`. A source may also be a latent with all factors.
        Raises HandsError for an unknown factor, for a factor that a source does not give, and unless `steps`
        is between 2 and 1000.
        """
        moving = synthesis.factors_named(self.vae, [factor])
        line = synthesis.interpolate(self._whole(start), self._whole(end), moving, steps)
        return Walk(*self._decoded(line))

    def _photo(
        self,
        image: Photo | Sample | ImageSource,
        handedness: str | None,
        box: Sequence[float] | None,
        K: np.ndarray | None,
        bone_mm: float | None,
    ) -> Photo:
        if not isinstance(image, Photo | Sample):
            return Photo.open(image, handedness or "left", box, K, bone_mm)
        given = {"handedness": handedness, "box": box, "K": K, "bone_mm": bone_mm}
        for name, value in given.items():
            if value is not None:
                raise HandsError(
                    f"{name} is {value}, but a {type(image).__name__} brings its own: leave {name} out"
                )
        return as_photo(image, crop=self.experiment.data.crop)

    def _hand(self, photo: Photo, outputs: dict[str, Tensor], uv_px: Float[np.ndarray, "21 2"]) -> Hand:
        without_camera = self.experiment.data.frame == "ray" and photo.K is None
        arrays = {name: value.numpy() for name, value in outputs.items()}
        uv_spread = arrays.get("uv_spread")
        return Hand(
            handedness=photo.handedness,
            pose=arrays["pose"],
            cpose=arrays["cpose"],
            viewpoint=arrays["viewpoint"],
            bone_mm=photo.bone_mm or ASSUMED_BONE_MM,
            bone_mm_assumed=photo.bone_mm is None,
            crop_px=photo.crop_box_px,
            uv_px=uv_px,
            frame="ray" if without_camera else "camera",
            spread=arrays.get("spread"),
            uv_spread_px=None if uv_spread is None else uv_spread * (photo.side_px / 2),
            K=photo.K,
            camera=None if photo.K is None else "given",
        )

    def _whole(self, source: Source | Latent) -> Latent:
        """Return all factors of a source."""
        if isinstance(source, dict):
            return {factor: present(source, factor, "the latent") for factor in self.vae.latent}
        return self.latent(source, tuple(self.vae.latent))

    def _decoded(self, latent: Latent) -> tuple[list[Rgb], list[Hand]]:
        """Decode images, if the run has a decoder for them, and left hands."""
        self.factors_of("pose")
        decoded = self.decode(latent)
        images = to_images(decoded["rgb"]) if "rgb" in decoded else []
        blank = Photo.open(np.zeros((self.crop_px, self.crop_px, 3), np.uint8))
        poses = {name: value.cpu() for name, value in with_canonical(decoded, None).items()}
        each = [{name: value[i] for name, value in poses.items()} for i in range(len(poses["pose"]))]
        return images, [self._hand(blank, outputs, blank.joints_px(outputs)) for outputs in each]


def find_device(device: str | torch.device) -> torch.device:
    """Return a device that can be used. Raises HandsError for any other."""
    try:
        return torch.ones(1, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # each backend fails in its own way
        reason = str(error).partition("\n")[0]
        raise HandsError(
            f'device "{device}" cannot be used: {reason}; use "cpu", or "cuda" with a GPU'
        ) from error
