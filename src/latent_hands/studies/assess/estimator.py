"""Another independent reader: a model that estimates poses of photographs, shown the hand enlarged."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.errors import HandsError
from latent_hands.experiment import Data
from latent_hands.hand import camera
from latent_hands.hand.geometry import ray_rotation
from latent_hands.predictor import Model
from latent_hands.studies.assess.benchmark import Benchmark, Indices
from latent_hands.studies.assess.image_quality import Images
from latent_hands.studies.assess.subject import PART

SOURCE_PX = 256
"""Boxes are those of images enlarged to this side: `crop_box` knows neither smaller nor larger hands."""


@dataclass(frozen=True)
class Estimator:
    """A run that reads poses from crops of hands, such as the shipped `estimation`."""

    model: Model

    def check(self, data: Data) -> None:
        """Raise HandsError unless it reads boxes of left hands, and the joints that a run of `data` means."""
        own = self.model.experiment.data
        for whose, what, found, wanted in (
            ("estimator's", "convention", own.convention, data.convention),
            ("estimator's", "side", own.side, "mirror"),
            ("estimator's", "crop", own.crop, "box"),
            ("run's", "side", data.side, "mirror"),
        ):
            if found != wanted:
                raise HandsError(
                    f'the {whose} {what} is "{found}"; legal for an estimator to read: "{wanted}"'
                )

    @torch.no_grad()
    def read(self, images: Images, benchmark: Benchmark, index: Indices) -> Float[Tensor, "n 21 3"]:
        """3DPoses in bones, camera frame, of images that are to show what these of the benchmark do.

        It is told where the hand is, and the camera. Raises HandsError for a benchmark without either.
        """
        if benchmark.uv_px is None or benchmark.K is None:
            raise HandsError("an estimator needs to know where hands are (uv_px) and the cameras (K)")
        labels = (benchmark.uv_px[index], benchmark.visible[index], benchmark.K[index])
        parts = zip(*(tensor.split(PART) for tensor in (images, *labels)), strict=True)
        return torch.cat([self._read(*part) for part in parts])

    def _read(
        self,
        images: Images,
        uv_px: Float[Tensor, "n 21 2"],
        visible: Bool[Tensor, "n 21"],
        K: Float[Tensor, "n 3 3"],
    ) -> Float[Tensor, "n 21 3"]:
        enlarged, px = SOURCE_PX / images.shape[-1], self.model.crop_px
        centre, side_px = camera.crop_box(uv_px * enlarged, visible, (SOURCE_PX, SOURCE_PX))
        W = camera.warp_matrix(centre / enlarged, side_px / enlarged, px)
        said = self.model.outputs(camera.warp_images(images, W, px))["pose"].cpu()
        if self.model.experiment.data.frame == "camera":
            return said
        seen = camera.warp_camera(K, W)
        return said @ ray_rotation(seen, seen.new_full((len(seen), 2), (px - 1) / 2)).mT
