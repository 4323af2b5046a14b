"""TrainedGraph: a graph with the conventions of its training; batches in, batches out."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands import synthesis
from latent_hands.configuration import Experiment
from latent_hands.data.windows import Windows
from latent_hands.hand import geometry
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Latent
from latent_hands.paper.modality import Batch
from latent_hands.predictor.photo import Photo
from latent_hands.predictor.rotations import Prediction, predict_rotated, window_px
from latent_hands.predictor.sources import Source, as_batch


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

    @property
    def crop_px(self) -> int:
        """Side of the images that the networks read and write."""
        return self.experiment.data.crop_px

    def reads(self, encoder: str | None = None) -> str:
        """Return the modality that an encoder reads; "rgb" if none is named.

        Raises HandsError for an unknown encoder.
        """
        return "rgb" if encoder is None else self.vae.encoder(encoder).reads

    @torch.inference_mode()
    def outputs(
        self,
        crops: Float[Tensor, "batch c px px"],
        right: Bool[Tensor, " batch"] | None = None,
        encoder: str | None = None,
    ) -> dict[str, Tensor]:
        """Decode the posterior mean of q(z | crops) into poses.

        Args:
            crops: images in [-1, 1].
            right: which hands are right ones, for graphs that read the handedness.
            encoder: the encoder that reads the crops; by default one that reads rgb.

        Returns "pose" and "cpose" (batch, 21, 3) in bone lengths, and "viewpoint" (batch, 3, 3), a rotation.
        Without decoders of their own, cpose and viewpoint are computed from the pose.
        Raises HandsError for a graph that cannot predict a pose from the crops.
        """
        right = None if right is None else right.to(self.device)
        batch: Batch = {self.reads(encoder): crops.to(self.device)}
        batch |= {} if right is None else {"right": right}
        latent = synthesis.infer(self.vae, self.factors_of("pose"), batch, encoder)
        return with_canonical(synthesis.decode(self.vae, latent, right), right)

    def predict(self, windows: Windows, rotations: int = 1, encoder: str | None = None) -> Prediction:
        """Predict the hand in every window, in the camera frame of the windows.

        `rotations` crops of each window are averaged (`predict_rotated`). `encoder` is as in `outputs`.
        Raises HandsError as these two do.
        """

        def predict(some: Windows, right: bool | None) -> Prediction:
            def network(crops: Tensor) -> dict[str, Tensor]:
                sides = None if right is None else torch.full((len(crops),), right)
                return self.outputs(crops, sides, encoder)

            return predict_rotated(
                network,
                some.images[self.reads(encoder)].pixels,
                some.K,
                self.crop_px,
                margin=some.margin,
                frame=self.experiment.data.frame,
                rotations=rotations,
                device=self.device,
            )

        if windows.handed is None:
            return predict(windows, None)
        groups = [(right, (windows.handed == right).nonzero()[:, 0]) for right in (False, True)]
        parts = [vars(predict(windows.select(index), right)) for right, index in groups if len(index)]
        order = torch.cat([index for _, index in groups]).argsort()
        return Prediction(**{name: torch.cat([part[name] for part in parts])[order] for name in parts[0]})

    def predict_photo(self, photo: Photo, rotations: int) -> dict[str, Tensor]:
        """Return pose, cpose and viewpoint of one photo, averaged over rotations."""
        size = window_px(self.crop_px, rotations)
        margin = size / self.crop_px
        K, right = photo.window_camera(size, margin), self.right_of(photo)
        prediction = predict_rotated(
            lambda crops: self.outputs(crops, right),
            photo.window(size, margin)[None],
            None if K is None else K[None],
            self.crop_px,
            margin=margin,
            frame="camera" if K is None else self.experiment.data.frame,
            rotations=rotations,
            device=self.device,
        )
        return {name: value[0] for name, value in vars(prediction).items()}

    def right_of(self, photo: Photo) -> Bool[Tensor, "1"] | None:
        """Return whether the hand is a right one, for graphs that read the handedness."""
        if self.experiment.data.right_hands != "condition":
            return None
        return torch.tensor([photo.handedness == "right"], device=self.device)

    def latent(self, source: Source, factors: str | Sequence[str], reads: str = "rgb") -> Latent:
        """Return the posterior means of some factors, inferred from one source.

        `factors` are one or more names of factors, "pose" or "content". `reads` is the modality of an image:
        "rgb" for an image of a hand, or "tag", "identity_tag", "background_tag".
        """
        chosen = synthesis.factors_named(self.vae, factors)
        with torch.inference_mode():
            batch = as_batch(source, reads, self.crop_px, self.experiment.data.crop)
            batch |= {"right": torch.zeros(1, dtype=torch.bool)}
            batch = {name: tensor.to(self.device) for name, tensor in batch.items()}
            return synthesis.infer(self.vae, chosen, batch)

    @torch.inference_mode()
    def decode(self, latent: Latent) -> Batch:
        """Decode every modality that has a decoder for the factors of a latent, as left hands."""
        count = len(next(iter(latent.values())))
        return synthesis.decode(self.vae, latent, torch.zeros(count, dtype=torch.bool, device=self.device))

    def factors_of(self, written: str) -> synthesis.Factors:
        """Return the factors that the decoder of this modality reads. Raises HandsError if there is none."""
        return self.vae.decoder(synthesis.find_decoder(self.vae, written, self.vae.latent)).factors


def with_canonical(decoded: Batch, right: Bool[Tensor, " batch"] | None) -> dict[str, Tensor]:
    """Return pose, cpose and viewpoint; the last two are computed from the pose if not both are decoded."""
    if "cpose" not in decoded or "viewpoint" not in decoded:
        cpose, viewpoint = geometry.canonicalise(decoded["pose"], right)
        decoded = {"cpose": cpose, "viewpoint": viewpoint} | decoded
    decoded["viewpoint"] = geometry.nearest_rotation(decoded["viewpoint"])
    return {name: decoded[name].float() for name in ("pose", "cpose", "viewpoint")}
