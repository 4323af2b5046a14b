"""Model: a trained run that turns images into hands, and hands and scenes into images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from latent_hands import synthesis
from latent_hands.errors import HandsError
from latent_hands.evaluation import protocol
from latent_hands.experiment import Experiment
from latent_hands.hand import geometry
from latent_hands.paper.graph import DisentangledVAE, present
from latent_hands.paper.latent import Latent
from latent_hands.paper.modality import Batch
from latent_hands.predictor.hand import ASSUMED_BONE_MM, Hand
from latent_hands.predictor.photo import ImageSource, Photo
from latent_hands.predictor.placing import Reads, Source, as_batch, as_input, place, towards
from latent_hands.predictor.spread import joint_spread
from latent_hands.runs.folder import load_run

Rgb = UInt8[np.ndarray, "height width 3"]
TURNED_MARGIN = 1.5
"""A crop turned about its middle reaches sqrt(2) times as far."""


@dataclass(frozen=True)
class Walk:
    """What decodes along a line in the latent: images (if the graph writes any) and 3DPoses in bones."""

    images: list[Rgb]
    poses: Float[np.ndarray, "steps 21 3"]


class Model:
    """A trained graph with the conventions (crop, side, frame) it was trained under.

    Args:
        vae: the graph; it is put into evaluation mode.
        experiment: what it was trained by.
        device: where it runs.
    """

    def __init__(self, vae: DisentangledVAE, experiment: Experiment, device: str | torch.device = "cpu"):
        self.vae = vae.eval().to(device)
        self.experiment = experiment
        self.device = torch.device(device)

    @classmethod
    def load(cls, run: str | Path, device: str | torch.device | None = None) -> "Model":
        """From a run folder or the name of a shipped one; on a GPU if there is one, unless told otherwise.

        Raises HandsError for what is no run, and for a device that is unknown or not there.
        """
        there = find_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        vae, experiment = load_run(run)
        return cls(vae, experiment, there)

    @property
    def crop_px(self) -> int:
        """The side of the images that the networks see and write."""
        return self.experiment.data.crop_px

    @torch.inference_mode()
    def predict(
        self,
        crops: Float[Tensor, "batch c px px"],
        right: Bool[Tensor, " batch"] | None = None,
        encoder: str | None = None,
    ) -> dict[str, Tensor]:
        """Crops in [-1, 1] -> pose and cpose (batch, 21, 3) in bones, viewpoint (batch, 3, 3) a rotation.

        The posterior mean of q(z | rgb), or of the `encoder` of that name, is decoded by a decoder for each;
        what the graph does not write is derived from the pose. `right` is for graphs that are told the side.
        Raises HandsError for a graph that cannot go from the crops to a pose.
        """
        right = None if right is None else right.to(self.device)
        read = {self.reads(encoder): crops.to(self.device)}
        batch: Batch = read | ({} if right is None else {"right": right})
        latent = synthesis.infer(self.vae, self._factors_of("pose"), batch, encoder)
        said = synthesis.decode(self.vae, latent, right)
        if "cpose" not in said or "viewpoint" not in said:
            cpose, viewpoint = geometry.canonicalise(said["pose"], right)
            said = {"cpose": cpose, "viewpoint": viewpoint} | said
        said["viewpoint"] = geometry.nearest_rotation(said["viewpoint"])
        return {name: said[name].float() for name in ("pose", "cpose", "viewpoint")}

    def reads(self, encoder: str | None) -> str:
        """The kind of image that an encoder reads; without a name "rgb". HandsError for an unknown one."""
        return "rgb" if encoder is None else self.vae.encoder(encoder).reads

    def _factors_of(self, written: str) -> synthesis.Factors:
        arrows = self.experiment.decoders.values()
        able = [arrow.factors for arrow in arrows if arrow.writes == written]
        if not able:
            writes = ", ".join(sorted({arrow.writes for arrow in arrows}))
            raise HandsError(f"this run has no decoder that writes {written}; it writes: {writes}")
        return max(able, key=len)

    def estimate(
        self,
        image: Photo | ImageSource,
        handedness: str = "left",
        bone_mm: float | None = None,
        box: Sequence[float] | None = None,
        K: np.ndarray | None = None,
        rotations: int = 1,
        samples: int = 0,
    ) -> Hand:
        """The hand in an image.

        Args:
            image: a file, a Pillow image, bytes (height, width, 3), or a `Photo`, which carries the rest
                itself.
            handedness: "left" or "right"; right hands are mirrored, and their results mirrored back.
            bone_mm: the middle MCP-PIP bone; 40 is assumed without it, and the result says so.
            box: (x, y, width, height) in pixels, its middle on the middle knuckle (MCP) and just wide enough
                for the whole hand; without it the whole image, padded to a square.
            K: the image's camera (3, 3). A model of frame="ray" needs it to answer in the camera frame.
            rotations: average over so many turned crops, which is slower and more exact.
            samples: draw so many hands from q(z | image), 2 or more, which gives `Hand.spread_mm`.

        Raises HandsError as `Photo.open` does, for fewer than 1 rotation and for 1 sample.
        """
        photo = image if isinstance(image, Photo) else Photo.open(image, handedness, box, K, bone_mm)
        flip = photo.handedness == "right" and self.experiment.data.side == "mirror"
        shown = photo.mirrored() if flip else photo
        outputs = self._outputs(shown, rotations)
        uv_px = place(towards(outputs["pose"], shown), shown)
        if flip:
            outputs["pose"] = geometry.mirror(outputs["pose"])
            outputs["viewpoint"] = geometry.Mz @ outputs["viewpoint"] @ geometry.Mx
            uv_px[:, 0] = shown.rgb.shape[1] - 1 - uv_px[:, 0]
        told_ray = self.experiment.data.frame == "ray" and photo.K is None
        return Hand(
            handedness=photo.handedness,
            bone_mm=photo.bone_mm or ASSUMED_BONE_MM,
            bone_mm_assumed=photo.bone_mm is None,
            box_px=photo.box_px,
            uv_px=uv_px,
            frame="ray" if told_ray else "camera",
            spread=self._spread(shown, samples) if samples else None,
            **{name: value.numpy() for name, value in outputs.items()},
        )

    def _outputs(self, shown: Photo, rotations: int) -> dict[str, Tensor]:
        margin = TURNED_MARGIN if rotations > 1 else 1.0
        size = round(self.crop_px * margin)
        K, right = shown.window_camera(size, margin), self._told_side(shown)
        said = protocol.predict(
            lambda crops: self.predict(crops, right),
            shown.window(size, margin)[None],
            None if K is None else K[None],
            self.crop_px,
            margin=size / self.crop_px,
            frame="camera" if K is None else self.experiment.data.frame,
            rotations=rotations,
            device=self.device,
        )
        return {name: value[0] for name, value in vars(said).items()}

    def _told_side(self, shown: Photo) -> Bool[Tensor, "1"] | None:
        """Whether it is a right hand, for graphs that are told."""
        told = self.experiment.data.side == "condition"
        return torch.tensor([shown.handedness == "right"], device=self.device) if told else None

    @torch.inference_mode()
    def _spread(self, shown: Photo, samples: int) -> Float[np.ndarray, "21"]:
        batch: Batch = {"rgb": as_input(shown, self.crop_px).to(self.device)}
        if (right := self._told_side(shown)) is not None:
            batch["right"] = right
        q = synthesis.posterior(self.vae, self._factors_of("pose"), batch)
        temperature = self.experiment.sampling.temperature
        return joint_spread(self.vae, q, right, samples, temperature).cpu().numpy()

    def latent(self, source: Source, factors: Sequence[str], reads: str = "rgb") -> Latent:
        """Posterior means of some factors ("pose", "content" or single ones) of one image or hand.

        `reads` is what an image is taken for: any image of a hand, or a "tag", "identity_tag", ..
        """
        chosen = synthesis.factors_named(self.vae, factors)
        with torch.inference_mode():
            batch = as_batch(source, reads, self.crop_px) | {"right": torch.zeros(1, dtype=torch.bool)}
            there = {name: tensor.to(self.device) for name, tensor in batch.items()}
            return synthesis.infer(self.vae, chosen, there)

    def _whole(self, source: Source | Latent) -> Latent:
        """All factors of a source, or of a latent that must have them."""
        if isinstance(source, dict):
            return {factor: present(source, factor, "the latent") for factor in self.vae.latent}
        return self.latent(source, tuple(self.vae.latent))

    @torch.inference_mode()
    def decode(self, latent: Latent) -> Batch:
        """Everything that decodes from a latent, by modality."""
        count = len(next(iter(latent.values())))
        return synthesis.decode(self.vae, latent, torch.zeros(count, dtype=torch.bool, device=self.device))

    def _images(self, latent: Latent) -> list[Rgb]:
        self._factors_of("rgb")
        return synthesis.to_images(self.decode(latent)["rgb"])

    def synthesise(self, pose: Source, content: Source, content_reads: Reads = "rgb") -> Rgb:
        """The image of a left hand in the pose of one source and the scene of another (Fig. 2).

        Raises HandsError for a graph that writes no images, or that cannot infer a factor from its source.
        """
        return self.transfer([pose], [content], content_reads)[0][0]

    def transfer(
        self, poses: Sequence[Source], contents: Sequence[Source], content_reads: Reads = "rgb"
    ) -> list[list[Rgb]]:
        """Every pose (rows) in every scene (columns), Fig. 6. Raises HandsError as `synthesise` does."""
        self._factors_of("rgb")
        rows = synthesis.stack([self.latent(source, ["pose"]) for source in poses])
        columns = synthesis.stack([self.latent(source, ["content"], content_reads) for source in contents])
        images = self._images(synthesis.combine(rows, columns))
        return [images[i : i + len(contents)] for i in range(0, len(images), len(contents))]

    def swap(self, first: Source, second: Source, factors: Sequence[str]) -> Batch:
        """What decodes from the first image's latent with these factors taken from the second's."""
        every = tuple(self.vae.latent)
        chosen = synthesis.factors_named(self.vae, factors)
        return self.decode(synthesis.swap(self.latent(first, every), self.latent(second, every), chosen))

    def walk(self, factor: str, first: Source | Latent, second: Source | Latent, steps: int = 8) -> Walk:
        """From the first image to the second along one factor, the others staying as they are (Fig. 4, 5).

        An end may also be a latent, put together from several sources by `latent`.
        Raises HandsError for an unknown factor, one that an end lacks, and fewer than 2 steps.
        """
        moving = synthesis.factors_named(self.vae, [factor])
        start, end = (self._whole(source) for source in (first, second))
        said = self.decode(synthesis.interpolate(start, end, moving, steps))
        images = synthesis.to_images(said["rgb"]) if "rgb" in said else []
        return Walk(images, said["pose"].float().cpu().numpy())


def find_device(device: str | torch.device) -> torch.device:
    """A device that can be computed on; HandsError for any other."""
    try:
        return torch.ones(1, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # an absent one fails in its own way
        told = str(error).partition("\n")[0]
        raise HandsError(
            f'device "{device}" cannot be used: {told}; legal: cpu, or cuda with a GPU'
        ) from error
