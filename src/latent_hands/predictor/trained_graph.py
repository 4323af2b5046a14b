"""TrainedGraph: a graph with the conventions of its training; batches in, batches out."""

import copy
from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from latent_hands import synthesis
from latent_hands.configuration import Experiment
from latent_hands.data.image_stacks import ShardedImages
from latent_hands.data.labels import modality
from latent_hands.data.windows import Windows
from latent_hands.errors import HandsError, check_whole
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Latent, Posterior, means
from latent_hands.paper.modality import Batch
from latent_hands.predictor.fast import FastGraph
from latent_hands.predictor.given_tensors import checked_crops, checked_latent, checked_right
from latent_hands.predictor.hand_crop import HandCrop
from latent_hands.predictor.hand_factors import DECODED, factors_of, hand_factors, reads, with_canonical
from latent_hands.predictor.judging import HandRules
from latent_hands.predictor.rotations import Prediction, predict_rotated, window_px
from latent_hands.predictor.sources import Source, as_batch
from latent_hands.predictor.spreads import drawn, moments, spread

SPREADS = {"pose": "spread", "uv": "uv_spread"}
"""The modalities of joints that are decoded from draws, and the names of their spreads."""
MOST_DRAWS = 10_000
"""The largest number of draws; all are decoded at once."""


class TrainedGraph:
    """A graph with the crop, the handedness and the frame that it was trained with.

    Args:
        vae: the graph; it is put into evaluation mode.
        experiment: the experiment that it was trained by.
        device: the device that it runs on.
    """

    def __init__(self, vae: DisentangledVAE, experiment: Experiment, device: str | torch.device = "cpu"):
        self.vae = vae.eval().to(device)
        self.experiment = experiment
        self.device = torch.device(device)
        self._fast: FastGraph | None = None

    @property
    def crop_px(self) -> int:
        """Side of the images that the networks read and write, in pixels."""
        return self.experiment.data.crop_px

    @property
    def rules(self) -> HandRules:
        """The rules of the experiment by which readings become hands."""
        e = self.experiment
        return HandRules(
            self.crop_px, e.data.frame, e.data.convention, e.handedness, e.presence, e.confidence
        )

    @property
    def fast(self) -> "TrainedGraph":
        """The same graph for inference only: faster, and equal up to rounding.

        It is built anew after the weights have changed, such as in a training loop of the user.
        """
        if self._fast is None or self._fast.is_outdated():
            self._fast = FastGraph(self.vae)
        graph = copy.copy(self)
        graph.vae = self._fast.vae
        return graph

    def reads(self, encoder: str | None = None) -> str:
        """Return the modality that an encoder reads; "rgb" if none is named.

        Raises HandsError for an unknown encoder.
        """
        return reads(self.vae, encoder)

    @torch.inference_mode()
    def outputs(
        self,
        crops: Float[Tensor, "batch c px px"],
        right: Bool[Tensor, " batch"] | None = None,
        encoder: str | None = None,
        draws: int = 0,
    ) -> dict[str, Tensor]:
        """Encode crops once, and decode the posterior mean, and draws, of q(z | crops) into hands.

        Args:
            crops: images in [-1, 1], of `crop_px` pixels a side.
            right: which hands are right ones, for graphs that read the handedness.
            encoder: the encoder that reads the crops; by default one that reads rgb.
            draws: number of hands to draw for the spreads: 0, or 2 and more.

        Returns "pose" and "cpose" (batch, 21, 3) in bone lengths, and "viewpoint" (batch, 3, 3), a rotation.
        Without decoders of their own, cpose and viewpoint are computed from the pose. Where the graph has
        decoders for them: "uv" (batch, 21, 2) and "place" (batch, 3) in the units of the crop; "side"
        (batch, 1), the log-odds that the crop shows a hand of the side that it is read as; and "presence"
        (batch, 1), those that it shows a hand at all. With draws: "spread", "uv_spread", "nats", "latent" and
        "latent_variance" as in `Prediction`.

        Raises HandsError for crops that are no such tensor, for a graph that cannot predict a pose from them,
        and for `draws` of 1 or below 0.
        """
        return self.hands_of(self.infer(crops, right, encoder), right, draws)

    @torch.no_grad()
    def infer(
        self,
        crops: Float[Tensor, "batch c px px"],
        right: Bool[Tensor, " batch"] | None = None,
        encoder: str | None = None,
    ) -> Posterior:
        """Return q(z | crops): for each factor a Gaussian with `mean` and `log_var`, both (batch, size).

        Arguments and errors are those of `outputs`. No gradients reach the encoder, but the result can be the
        input of a network that you train.
        """
        reads = self.reads(encoder)
        crops = checked_crops(crops, modality(reads).channels, self.crop_px)
        batch: Batch = {reads: crops.to(self.device)}
        batch |= {} if right is None else {"right": checked_right(right, len(crops)).to(self.device)}
        return synthesis.posterior(self.vae, self.hand_factors(encoder), batch, encoder)

    @torch.inference_mode()
    def hands_of(
        self, posterior: Posterior, right: Bool[Tensor, " batch"] | None = None, draws: int = 0
    ) -> dict[str, Tensor]:
        """Decode the mean of a posterior, and draws of it, into the hands of `outputs`.

        Draws are from q(z | image) widened by [sampling] temperature. They are the same for the same image,
        whatever else is in the batch. The spreads do not depend on the frame.
        """
        check_whole(draws=draws)
        if draws == 1 or not 0 <= draws <= MOST_DRAWS:
            raise HandsError(f"draws is {draws}, but must be 2 to {MOST_DRAWS:,}, or 0 for no spread")
        count = len(next(iter(posterior.values())).mean)
        right = None if right is None else checked_right(right, count).to(self.device)
        if not draws:
            return with_canonical(synthesis.decode(self.vae, means(posterior), right, DECODED), right)
        wide = synthesis.widened(posterior, self.experiment.sampling.temperature)
        mean, draw = means(posterior), drawn(wide, draws)
        sides = None if right is None else torch.cat([right, right.repeat_interleave(draws)])
        joined = synthesis.decode(self.vae, synthesis.stack([mean, draw]), sides, tuple(SPREADS))
        decoded = {name: value[:count] for name, value in joined.items()}
        decoded |= synthesis.decode(self.vae, mean, right, [name for name in DECODED if name not in decoded])
        each = {
            SPREADS[name]: spread(value[count:].float().unflatten(0, (count, draws)))
            for name, value in joined.items()
        }
        return with_canonical(decoded, right) | each | moments(posterior, wide, self.factors_of("pose"))

    @torch.inference_mode()
    def decoded_of(
        self, posterior: Posterior, only: Sequence[str], right: Bool[Tensor, " batch"] | None = None
    ) -> dict[str, Tensor]:
        """Decode the mean of a posterior into the modalities in `only` that the graph decodes."""
        right = None if right is None else right.to(self.device)
        return synthesis.decode(self.vae, means(posterior), right, only)

    @torch.inference_mode()
    def hands_at(
        self, latent: Float[Tensor, "batch d"], right: Bool[Tensor, " batch"] | None = None
    ) -> dict[str, Tensor]:
        """Decode vectors of the form of `Prediction.latent` into the hands of `outputs`."""
        factors = self.hand_factors()
        parts = latent.to(self.device).split([self.vae.latent[factor] for factor in factors], dim=1)
        right = None if right is None else right.to(self.device)
        decoded = synthesis.decode(self.vae, dict(zip(factors, parts, strict=True)), right, DECODED)
        return with_canonical(decoded, right)

    def predict_windows(self, windows: Windows, rotations: int = 1, encoder: str | None = None) -> Prediction:
        """Predict the hand in every window, in the camera frame of the windows.

        `rotations` crops of each window are averaged (`predict_rotated`). `encoder` is as in `outputs`.
        Raises HandsError as these two do.
        """
        pixels = windows.images[self.reads(encoder)].pixels
        return self.predict_images(
            pixels, windows.K, windows.handed, margin=windows.margin, rotations=rotations, encoder=encoder
        )

    def predict_images(
        self,
        images: UInt8[Tensor | ShardedImages, "n c size size"],
        K: Float[Tensor, "n 3 3"] | None,
        right: Bool[Tensor, " n"] | None = None,
        *,
        margin: float = 1.0,
        rotations: int = 1,
        angle: float = 0.0,
        draws: int = 0,
        encoder: str | None = None,
        frame: str | None = None,
    ) -> Prediction:
        """Predict the hand in the middle of every image, in the camera frame.

        Args:
            images: square windows, `margin` times as wide as the crops in their middle.
            K: the camera of each image.
            right: which images show right hands, for graphs that read the handedness.
            margin, rotations, angle: as in `predict_rotated`.
            draws, encoder: as in `outputs`; the draws are those of the first crop.
            frame: frame in which the graph predicts, by default that of its training.

        Raises HandsError as `predict_rotated` and `outputs` do.
        """

        def predict(index: Tensor | slice, side: bool | None) -> Prediction:
            def network(crops: Tensor, draws: int = 0) -> dict[str, Tensor]:
                sides = None if side is None else torch.full((len(crops),), side)
                return self.outputs(crops, sides, encoder, draws)

            return predict_rotated(
                network,
                images[index],
                None if K is None else K[index],
                self.crop_px,
                margin=margin,
                frame=frame or self.experiment.data.frame,
                rotations=rotations,
                angle=angle,
                device=self.device,
                first=partial(network, draws=draws),
            )

        if right is None:
            return predict(slice(None), None)
        groups = [(side, (right == side).nonzero()[:, 0]) for side in (False, True)]
        parts = [predict(index, side).known() for side, index in groups if len(index)]
        order = torch.cat([index for _, index in groups]).argsort()
        return Prediction(**{name: torch.cat([part[name] for part in parts])[order] for name in parts[0]})

    def predict_crop(self, crop: HandCrop, rotations: int, draws: int = 0) -> dict[str, Tensor]:
        """Return the prediction for one crop, averaged over rotations: attributes of `Prediction`."""
        size = window_px(self.crop_px, rotations)
        margin = size / self.crop_px
        K = crop.window_camera(size, margin)
        prediction = self.predict_images(
            crop.window(size, margin)[None],
            None if K is None else K[None],
            self.right_of(crop),
            margin=margin,
            rotations=rotations,
            draws=draws,
            frame="camera" if K is None else None,
        )
        return {name: value[0] for name, value in prediction.known().items()}

    def right_of(self, crop: HandCrop) -> Bool[Tensor, "1"] | None:
        """Return whether the hand is a right one, for graphs that read the handedness."""
        if self.experiment.data.right_hands != "condition":
            return None
        return torch.tensor([crop.handedness == "right"], device=self.device)

    def latent(self, source: Source, factors: str | Sequence[str], reads: str = "rgb") -> Latent:
        """Return the posterior means of some factors, inferred from one source: a tensor (1, size) by factor.

        An image is the crop of a left hand, of `crop_px` pixels a side; a `HandCrop` states box and side.
        `factors` are one or more names of factors, "pose" or "content". `reads` is the modality of an image:
        "rgb" for an image of a hand, or "tag", "identity_tag", "background_tag". A hand of another joint
        convention is translated; joints (21, 3) must be in that of the model.
        """
        chosen = synthesis.factors_named(self.vae, factors)
        with torch.no_grad():
            batch = as_batch(source, reads, self.experiment.data)
            batch |= {"right": torch.zeros(1, dtype=torch.bool)}
            batch = {name: tensor.to(self.device) for name, tensor in batch.items()}
            return synthesis.infer(self.vae, chosen, batch)

    @torch.no_grad()
    def decode(self, latent: Latent) -> Batch:
        """Decode a latent into every modality whose decoder reads only its factors, as left hands.

        Args:
            latent: a tensor (batch, size) for each factor, as `latent` returns them.

        Returns tensors by modality, such as "rgb" (batch, 3, crop_px, crop_px) from -1 to 1, and "pose"
        (batch, 21, 3) in bone lengths. `synthesis_of` returns an image of bytes and a `Hand` instead.
        Raises HandsError for anything but such tensors of one batch, and for unknown factors.
        """
        latent = checked_latent(latent, self.vae.latent, next(self.vae.parameters()))
        count = len(next(iter(latent.values())))
        return synthesis.decode(self.vae, latent, torch.zeros(count, dtype=torch.bool, device=self.device))

    def hand_factors(self, encoder: str | None = None) -> synthesis.Factors:
        """Return the factors of the pose, and those of `MEASURED` that can be inferred, too."""
        return hand_factors(self.vae, encoder)

    def factors_of(self, written: str) -> synthesis.Factors:
        """Return the factors that the decoder of this modality reads. Raises HandsError if there is none."""
        return factors_of(self.vae, written)
