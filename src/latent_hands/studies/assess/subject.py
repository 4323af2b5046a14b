"""The assessed model: run its encoders and decoders over many samples, a part at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands import synthesis
from latent_hands.data.labels import LABELS, ImageLabel
from latent_hands.errors import HandsError
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Gaussian, Latent, Posterior, means
from latent_hands.paper.modality import Batch

PART = 64
"""Samples run at once."""
Right = Tensor | None
"""Mask (n,) of the right hands, for graphs that get the handedness as an input."""


def shared_images() -> tuple[str, ...]:
    """Return the kinds of images that the samples of a scene share."""
    return tuple(key for key, label in LABELS.items() if isinstance(label, ImageLabel) and label.shared)


@dataclass(frozen=True)
class Subject:
    """A graph that writes images. Results are in processor memory, whatever the device of the graph.

    Raises HandsError for a graph that writes no images, or that has no factor of the pose.
    """

    vae: DisentangledVAE
    device: str | torch.device = "cpu"

    def __post_init__(self) -> None:
        """Check the graph."""
        synthesis.find_decoder(self.vae, "rgb", self.vae.latent)
        if not self.pose:
            raise HandsError(
                "the run has no factor that labels are encoded into, so no pose can be transferred; "
                "choose a dVAE, such as synthesis or algorithm_2"
            )

    @property
    def pose(self) -> synthesis.Factors:
        """The factors that labels are encoded into."""
        return synthesis.pose_factors(self.vae)

    @property
    def content(self) -> synthesis.Factors:
        """All other factors."""
        return synthesis.content_factors(self.vae)

    @property
    def tagged(self) -> bool:
        """Return whether tag images (Fig. 2a) determine the content. If not, it includes z_u (Fig. 2b)."""
        return not self.free()

    def tags(self) -> tuple[str, ...]:
        """Return the kinds of tags that encoders read."""
        return tuple(kind for kind in shared_images() if kind in self.vae.reads)

    def free(self) -> synthesis.Factors:
        """Return z_u: the factors that only images determine, no label and no tag."""
        tagged = synthesis.factors_from(self.vae, shared_images())
        return tuple(factor for factor in self.content if factor not in tagged)

    def posterior(self, factors: Sequence[str], batch: Batch) -> Posterior:
        """Return q(z_factors | batch), each factor from the encoder with the fewest factors.

        Raises HandsError if no encoder infers a factor from this batch.
        """
        return self._posterior(
            batch,
            lambda part: {f: synthesis.posterior(self.vae, (f,), part)[f] for f in factors},
        )

    def encode(self, arrow: str, batch: Batch) -> Posterior:
        """Return q(z | batch) of one encoder, by its name."""
        return self._posterior(batch, lambda part: self.vae.encode(arrow, part))

    def _posterior(self, batch: Batch, infer: Callable[[Batch], Posterior]) -> Posterior:
        def flat(part: Batch) -> Batch:
            q = infer(part)
            parameters = {f"{factor}/mean": each.mean for factor, each in q.items()}
            return parameters | {f"{factor}/log_var": each.log_var for factor, each in q.items()}

        parameters = self._in_parts(flat, batch)
        factors = [name.removesuffix("/mean") for name in parameters if name.endswith("/mean")]
        return {f: Gaussian(parameters[f"{f}/mean"], parameters[f"{f}/log_var"]) for f in factors}

    def infer(self, factors: Sequence[str], batch: Batch) -> Latent:
        """Return the posterior means of some factors."""
        return means(self.posterior(factors, batch))

    def encode_images(self, images: Tensor, right: Right = None) -> Latent:
        """Return the posterior mean of every factor, from images."""
        return self.infer(tuple(self.vae.latent), observed(right, rgb=images))

    def decode(self, written: str, latent: Mapping[str, Tensor], right: Right = None) -> Tensor:
        """Decode a modality with the decoder that reads most of these factors.

        Raises HandsError if no decoder writes it from them.
        """
        arrow = synthesis.find_decoder(self.vae, written, latent)

        def write(part: Batch) -> Batch:
            side = part.pop("right", None)
            return {written: self.vae.decode(arrow, part, side)}

        return self._in_parts(write, dict(latent) | observed(right))[written]

    def own_pose(self, images: Tensor, right: Right = None) -> Float[Tensor, "n 21 3"]:
        """Return the 3DPose that this model itself estimates from images, in bones."""
        latent = self.infer(self.pose_decoder_factors(), observed(right, rgb=images))
        return self.decode("pose", latent, right)

    def pose_decoder_factors(self) -> synthesis.Factors:
        """Return the factors that the pose decoder reads."""
        return self.vae.decoder(synthesis.find_decoder(self.vae, "pose", self.vae.latent)).factors

    @torch.inference_mode()
    def _in_parts(self, work: Callable[[Batch], Batch], batch: Batch) -> Batch:
        count = len(next(iter(batch.values())))
        starts = range(0, count, PART)
        slices = ({name: t[i : i + PART].to(self.device) for name, t in batch.items()} for i in starts)
        parts = [{name: t.float().cpu() for name, t in work(part).items()} for part in slices]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def observed(right: Right, **modalities: Tensor) -> Batch:
    """Return a batch of these modalities, and of the handedness unless it is None."""
    return modalities if right is None else modalities | {"right": right}
