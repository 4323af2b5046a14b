"""The estimator: a trained run that reads poses from the assessed images, independently of their model."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.configuration import Data
from latent_hands.errors import HandsError
from latent_hands.hand import camera
from latent_hands.hand.geometry import crop_ray_rotation
from latent_hands.hand.translation import translate
from latent_hands.predictor import Model
from latent_hands.studies.assess.benchmark import Benchmark, Indices
from latent_hands.studies.assess.image_quality import Images
from latent_hands.studies.assess.subject import PART

SOURCE_PX = 256
"""Crops are computed in images enlarged to this side, because `crop_box` has limits in pixels."""


@dataclass(frozen=True)
class Estimator:
    """A run that estimates poses from crops of hands, such as the shipped `estimation`."""

    model: Model

    def check(self, data: Data) -> None:
        """Raise HandsError unless this run can estimate the hands of a run with these settings.

        The estimator must read box crops of left hands, and the run must show hands as left ones.
        """
        own = self.model.experiment.data
        for whose, what, value, needed in (
            ("estimator's", "side", own.right_hands, "mirror"),
            ("estimator's", "crop", own.crop, "box"),
            ("run's", "side", data.right_hands, "mirror"),
        ):
            if value != needed:
                raise HandsError(f'the {whose} {what} is "{value}"; an estimator needs "{needed}"')

    @torch.no_grad()
    def read(self, images: Images, benchmark: Benchmark, index: Indices) -> Float[Tensor, "n 21 3"]:
        """Estimate 3DPoses in bones, camera frame, from images with the labels of benchmark[index].

        They are translated into the joint convention of the benchmark.
        The labels give the crop and the camera. Raises HandsError for a benchmark without them.
        """
        if benchmark.uv_px is None or benchmark.K is None:
            raise HandsError("an estimator needs a benchmark with 2D joints (uv_px) and cameras (K)")
        labels = (benchmark.uv_px[index], benchmark.visible[index], benchmark.K[index])
        parts = zip(*(tensor.split(PART) for tensor in (images, *labels)), strict=True)
        pose = torch.cat([self._read(*part) for part in parts])
        own = self.model.experiment.data.convention
        return pose if benchmark.convention == own else translate(pose, own, benchmark.convention)

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
        pose = self.model.outputs(camera.warp_images(images, W, px))["pose"].cpu()
        if self.model.experiment.data.frame == "camera":
            return pose
        return pose @ crop_ray_rotation(camera.warp_camera(K, W), px).mT
