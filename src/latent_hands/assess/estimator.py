"""Another independent reader: a model that estimates poses of photographs, shown the hand enlarged."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.assess.benchmark import Benchmark, Indices
from latent_hands.assess.pictures import Images
from latent_hands.assess.subject import PART
from latent_hands.errors import HandsError
from latent_hands.experiment import Data
from latent_hands.hand import camera
from latent_hands.hand.geometry import ray_rotation
from latent_hands.predictor import Model

ENLARGED = 4
"""Boxes are those of pictures so many times as large: `crop_box` knows no small ones."""


@dataclass(frozen=True)
class Estimator:
    """A run that reads poses from crops of hands, such as the shipped `estimation`."""

    model: Model

    def check(self, data: Data) -> None:
        """Raise HandsError unless it reads boxes of left hands, and the joints that a run of `data` means."""
        own = self.model.experiment.data
        for what, found, wanted in (
            ("convention", own.convention, data.convention),
            ("side", own.side, "mirror"),
            ("crop", own.crop, "box"),
        ):
            if found != wanted:
                raise HandsError(f'the estimator has {what} "{found}"; legal here: "{wanted}"')

    @torch.no_grad()
    def read(self, pictures: Images, benchmark: Benchmark, index: Indices) -> Float[Tensor, "n 21 3"]:
        """3DPoses in bones, camera frame, of pictures that are to show what these of the benchmark do.

        It is told where the hand is, and the camera. Raises HandsError for a benchmark without either.
        """
        if benchmark.uv_px is None or benchmark.K is None:
            raise HandsError("an estimator needs to know where hands are (uv_px) and the cameras (K)")
        labels = (benchmark.uv_px[index], benchmark.visible[index], benchmark.K[index])
        parts = zip(*(tensor.split(PART) for tensor in (pictures, *labels)), strict=True)
        return torch.cat([self._read(*part) for part in parts])

    def _read(
        self,
        pictures: Images,
        uv_px: Float[Tensor, "n 21 2"],
        visible: Bool[Tensor, "n 21"],
        K: Float[Tensor, "n 3 3"],
    ) -> Float[Tensor, "n 21 3"]:
        size, px = pictures.shape[-1] * ENLARGED, self.model.crop_px
        centre, side_px = camera.crop_box(uv_px * ENLARGED, visible, (size, size))
        W = camera.warp_matrix(centre / ENLARGED, side_px / ENLARGED, px)
        said = self.model.predict(camera.warp_images(pictures, W, px))["pose"].cpu()
        if self.model.experiment.data.frame == "camera":
            return said
        seen = camera.warp_camera(K, W)
        return said @ ray_rotation(seen, seen.new_full((len(seen), 2), (px - 1) / 2)).mT
