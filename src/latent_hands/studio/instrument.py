"""A run that all clients of a studio share, with the directions of its factors and the hands it shows."""

from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from latent_hands import draw, synthesis
from latent_hands.draw import ImageArray
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.hand.conventions import FRAMING
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.hand.translation import translate
from latent_hands.paper.latent import Gaussian, Latent, Posterior, means
from latent_hands.paper.modality import Batch
from latent_hands.pixels import from_bytes, to_images
from latent_hands.predictor import Model
from latent_hands.runs.folder import weights_checksum
from latent_hands.studies.sampling.mixture import LatentMixture
from latent_hands.studies.sampling.own_latents import own_latents
from latent_hands.studio.directions import Directions, measured
from latent_hands.studio.puppet import Puppet, joints_mm, pose_of

JOINTS = ("pose", "cpose", "viewpoint")
"""The modalities that follow from 21 joints."""
_HANDS, _PER_UNIT = 192, 4
_SKELETON_PX = 256
_COARSE_PX = 32
"""Images are averaged to this side before their directions are fitted: details only take time and memory."""


class Instrument:
    """A run as an instrument: joints in, factors, images and hands out. It keeps no state of a user.

    Args:
        model: the run.
        name: its name, as the user wrote it.

    Raises HandsError for a run that decodes neither the pose that its factors hold, nor an image.
    """

    def __init__(self, model: Model, name: str):
        self.model, self.name = model, name
        self.vae, self.sizes = model.fast.vae, dict(model.vae.latent)
        self.posed = synthesis.factors_from(self.vae, JOINTS)
        """The factors that follow from joints."""
        self.others = tuple(factor for factor in self.sizes if factor not in self.posed)
        """All other factors: the content."""
        shown = ("pose",) if self.posed else ("pose", "rgb")
        if not set(shown) & set(self.vae.writes):
            raise HandsError(
                f'the run "{name}" has no decoder of {" or ".join(shown)}, so the studio cannot show its '
                f"factors; its decoders write {', '.join(self.vae.writes)}"
            )
        self.rereads = "rgb" in self.vae.writes and self.reads_images(self.sizes)
        """Whether all factors can be read again from the image that they make."""

    @torch.inference_mode()
    def pose_posterior(self, pose: Float[Tensor, "n 21 3"]) -> Posterior:
        """Return q of the factors `posed`, given 3DPoses of left hands in "rhd_bones"."""
        pose = pose.float()
        if self.convention != FRAMING:
            pose = translate(pose, FRAMING, self.convention)
        cpose, viewpoint = geometry.canonicalise(pose)
        return self._posterior(self.posed, {"pose": pose, "cpose": cpose, "viewpoint": viewpoint})

    @torch.inference_mode()
    def image_posterior(
        self, images: Float[Tensor, "n 3 px px"], factors: Sequence[str], reads: str = "rgb"
    ) -> Posterior:
        """Return q of some factors, given crops in [-1, 1] of the modality `reads`, "rgb" or "tag".

        Raises HandsError if the run cannot infer them from such images.
        """
        return self._posterior(tuple(factors), {reads: images})

    @torch.inference_mode()
    def images(self, latent: synthesis.Samples) -> list[ImageArray]:
        """Return the images of latents, or drawings of their hands if the run decodes no images."""
        latent = self._moved(latent)
        if "rgb" in self.vae.writes:
            return to_images(self._decoded(latent, "rgb"))
        poses = self._decoded(latent, "pose").float().cpu().numpy()
        frame = draw.framing(*poses)
        return [draw.skeleton(pose, size_px=_SKELETON_PX, frame=frame) for pose in poses]

    @torch.inference_mode()
    def poses(self, latent: synthesis.Samples) -> Float[Tensor, "n 21 3"]:
        """Return the 3DPoses of latents, as left hands in "rhd_bones"."""
        pose = self._decoded(self._moved(latent), "pose").float().cpu()
        return pose if self.convention == FRAMING else translate(pose, self.convention, FRAMING)

    def reread(self, latent: Latent) -> Latent:
        """Return the factors that the run's own encoder reads from the image of a latent."""
        images = from_bytes(torch.from_numpy(np.stack(self.images(latent))).permute(0, 3, 1, 2))
        return {name: z.cpu() for name, z in means(self.image_posterior(images, tuple(self.sizes))).items()}

    def reads_images(self, factors: Iterable[str]) -> bool:
        """Return whether encoders of images infer all of these factors."""
        return set(factors) <= set(self.inferred("rgb"))

    def inferred(self, reads: str) -> tuple[str, ...]:
        """Return the factors that encoders of a modality infer."""
        return synthesis.factors_from(self.vae, (reads,))

    @cached_property
    def contents(self) -> LatentMixture:
        """The distribution of the factors `others`: the run's own mixture, or N(0, I) if it holds none."""
        own = own_latents(self.model)[0].get("content")
        if own is not None and set(own.components[0].sizes) == set(self.others):
            return own
        return LatentMixture.prior({name: self.sizes[name] for name in self.others})

    def random_contents(self, count: int, seed: int) -> Latent:
        """Return draws of the factors `others` from `contents`."""
        return self.contents.draw([np.random.default_rng([seed, i]) for i in range(count)])

    def unknown(self, factors: Sequence[str]) -> Posterior:
        """Return the mean and the variances of typical latents, as a posterior that knows nothing."""
        return {name: self.directions[name].gaussian for name in factors}

    def random_puppet(self, seed: int) -> Puppet:
        """Return a hand in a random pose and viewpoint."""
        return Puppet(*(part[0] for part in random_hands(1, seed)))

    @cached_property
    def weights(self) -> str | None:
        """The checksum of the weights; None for a model that is not saved."""
        return None if self.model.folder is None else weights_checksum(self.model.folder)

    @property
    def convention(self) -> str:
        """The joint convention of the run."""
        return self.model.experiment.data.convention

    @cached_property
    def directions(self) -> dict[str, Directions]:
        """The principal directions of each factor, measured once for all clients.

        Typical latents of the factors `posed` come from random hands, those of the others from `contents`.
        """
        typical = means(self.pose_posterior(pose_of(joints_mm(*random_hands(_HANDS, 0)))))
        if self.others:
            typical |= self.random_contents(_PER_UNIT * max(self.sizes[name] for name in self.others), 0)
        return {name: self._directions(name, typical) for name in self.sizes}

    @torch.inference_mode()
    def _directions(self, factor: str, typical: Latent) -> Directions:
        written = self._shown_by(factor)
        rest = {name: z.mean(dim=0, keepdim=True).cpu() for name, z in typical.items()}

        def decode(part: Tensor) -> Tensor:
            latent = {name: each.expand(len(part), -1) for name, each in rest.items()} | {factor: part}
            found = self._decoded(self._moved(latent), written)
            return adaptive_avg_pool2d(found, _COARSE_PX) if found.ndim == 4 else found

        return measured(typical[factor].cpu(), decode)

    def _shown_by(self, factor: str) -> str:
        """Return the modality that shows a factor best."""
        arrows = [self.vae.decoder(name) for name in self.vae.decoders]
        written = [arrow.writes for arrow in arrows if factor in arrow.factors]
        first = "pose" if factor in self.posed else "rgb"
        return first if first in written else written[0]

    def _decoded(self, latent: synthesis.Samples, written: str) -> Tensor:
        left = torch.zeros(len(next(iter(latent.values()))), dtype=torch.bool, device=self.model.device)
        return synthesis.decode(self.vae, latent, left, [written])[written]

    def _posterior(self, factors: tuple[str, ...], batch: Batch) -> Posterior:
        batch = batch | {"right": torch.zeros(len(next(iter(batch.values()))), dtype=torch.bool)}
        found = synthesis.posterior(self.vae, factors, self._moved(batch))
        return {name: Gaussian(q.mean.float().cpu(), q.log_var.float().cpu()) for name, q in found.items()}

    def _moved(self, tensors: Batch) -> Batch:
        return {name: each.to(self.model.device) for name, each in tensors.items()}


@lru_cache(4)
def random_hands(count: int, seed: int) -> tuple[Float[Tensor, "n 24"], Float[Tensor, "n 3 3"]]:
    """Return joint angles and rotations of random hands, as attributes of `Puppet`."""
    rng = np.random.default_rng(seed)
    angles = torch.from_numpy(np.stack([sample_articulation(rng).flat() for _ in range(count)]))
    angles[:, 22:] = 0  # no keypoint depends on the wrist
    return angles, geometry.nearest_rotation(torch.from_numpy(rng.standard_normal((count, 3, 3))))
