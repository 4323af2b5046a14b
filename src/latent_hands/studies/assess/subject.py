"""The model under examination: its arrows run over many samples, a part at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands import synthesis
from latent_hands.data.image_files import KINDS
from latent_hands.errors import HandsError
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Gaussian, Latent, Posterior, means
from latent_hands.paper.modality import Batch

TAGS = tuple(key for key, kind in KINDS.items() if kind.shared)
"""Images of a scene, which samples share."""
PART = 64
"""Samples run at once."""
Right = Tensor | None
"""Which hands are right ones, (n,), for graphs that are told the side."""


@dataclass(frozen=True)
class Subject:
    """A graph that writes images. Results lie in the processor's memory, wherever the graph runs.

    `pose` and `content` are its factors by role. `tagged` says whether contents are inferred from tag
    images (Fig. 2a) or, as z_u is, from any image (Fig. 2b).
    """

    vae: DisentangledVAE
    device: str | torch.device = "cpu"

    def __post_init__(self) -> None:
        """Raises HandsError for a graph that writes no images, or has no factor of the pose."""
        synthesis.find_decoder(self.vae, "rgb", self.vae.latent)
        if not self.pose:
            raise HandsError(
                "the run has no factor that labels are encoded into, so no pose can be carried anywhere; "
                "legal: dVAEs, such as synthesis and algorithm_2"
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
        """Whether the whole content is told by tags."""
        return not self.free()

    def tags(self) -> tuple[str, ...]:
        """The kinds of tags that encoders read."""
        read = {self.vae.encoder(name).reads for name in self.vae.encoders}
        return tuple(kind for kind in TAGS if kind in read)

    def free(self) -> synthesis.Factors:
        """z_u: content that images alone tell, no label and no tag."""
        arrows = [self.vae.encoder(name) for name in self.vae.encoders]
        told = {factor for arrow in arrows if arrow.reads in TAGS for factor in arrow.factors}
        return tuple(factor for factor in self.content if factor not in told)

    def posterior(self, factors: Sequence[str], batch: Batch) -> Posterior:
        """q(z_factors | batch), each factor by the narrowest encoder. Raises HandsError if there is none."""
        return self._posterior(
            batch,
            lambda part: {f: synthesis.posterior(self.vae, (f,), part)[f] for f in factors},
        )

    def encode(self, arrow: str, batch: Batch) -> Posterior:
        """All that one encoder infers."""
        return self._posterior(batch, lambda part: self.vae.encode(arrow, part))

    def _posterior(self, batch: Batch, infer: Callable[[Batch], Posterior]) -> Posterior:
        def flat(part: Batch) -> Batch:
            q = infer(part)
            told = {f"{factor}/mean": each.mean for factor, each in q.items()}
            return told | {f"{factor}/log_var": each.log_var for factor, each in q.items()}

        said = self._in_parts(flat, batch)
        factors = [name.removesuffix("/mean") for name in said if name.endswith("/mean")]
        return {f: Gaussian(said[f"{f}/mean"], said[f"{f}/log_var"]) for f in factors}

    def infer(self, factors: Sequence[str], batch: Batch) -> Latent:
        """Posterior means."""
        return means(self.posterior(factors, batch))

    def read(self, images: Tensor, right: Right = None) -> Latent:
        """Every factor's posterior mean, from images."""
        return self.infer(tuple(self.vae.latent), observed(right, rgb=images))

    def decode(self, written: str, latent: Mapping[str, Tensor], right: Right = None) -> Tensor:
        """A modality, by the decoder that reads most of these factors; HandsError if there is none."""
        arrow = synthesis.find_decoder(self.vae, written, latent)

        def write(part: Batch) -> Batch:
            side = part.pop("right", None)
            return {written: self.vae.decode(arrow, part, side)}

        return self._in_parts(write, dict(latent) | observed(right))[written]

    def own_pose(self, images: Tensor, right: Right = None) -> Float[Tensor, "n 21 3"]:
        """The 3DPose that the model itself reads from images, in bones."""
        latent = self.infer(self.pose_decoder_factors(), observed(right, rgb=images))
        return self.decode("pose", latent, right)

    def pose_decoder_factors(self) -> synthesis.Factors:
        """What the pose decoder reads."""
        return self.vae.decoder(synthesis.find_decoder(self.vae, "pose", self.vae.latent)).factors

    @torch.inference_mode()
    def _in_parts(self, work: Callable[[Batch], Batch], batch: Batch) -> Batch:
        count = len(next(iter(batch.values())))
        starts = range(0, count, PART)
        slices = ({name: t[i : i + PART].to(self.device) for name, t in batch.items()} for i in starts)
        parts = [{name: t.float().cpu() for name, t in work(part).items()} for part in slices]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def observed(right: Right, **modalities: Tensor) -> Batch:
    """A batch of these modalities, and of the side where it is told."""
    return modalities if right is None else modalities | {"right": right}
