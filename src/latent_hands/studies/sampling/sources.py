"""Sources of latents: random ones, poses of the renderer, and those of given images and labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.hand import geometry
from latent_hands.paper.latent import Latent, means
from latent_hands.predictor import Model
from latent_hands.rendering.placed_hand import sample_hand
from latent_hands.rendering.scene import sample_scene
from latent_hands.studies.assess.subject import Subject
from latent_hands.studies.sampling.encoded import Encoded
from latent_hands.studies.sampling.mixture import LatentMixture
from latent_hands.studies.sampling.own_latents import find_mixtures


@dataclass(frozen=True)
class Random:
    """Latents from a mixture of Gaussians."""

    mixture: LatentMixture

    def draw(self, rngs: Sequence[np.random.Generator]) -> tuple[Latent, None]:
        """Return one latent for each generator."""
        return self.mixture.draw(rngs), None


@dataclass(frozen=True)
class Given:
    """Latents of given images or labels.

    latent: one row for each.
    pose: their labelled 3DPoses in bone lengths; None if the latents are decoded instead.
    """

    latent: dict[str, Float[Tensor, "n _"]]
    pose: Float[Tensor, "n 21 3"] | None = None

    def draw(self, rngs: Sequence[np.random.Generator]) -> tuple[Latent, Float[Tensor, "batch 21 3"] | None]:
        """Return a latent, and its pose if there are poses, for each generator."""
        count = len(next(iter(self.latent.values())))
        index = torch.tensor([int(rng.integers(count)) for rng in rngs])
        latent = {factor: z[index] for factor, z in self.latent.items()}
        return latent, None if self.pose is None else self.pose[index]


@dataclass(frozen=True)
class Rendered:
    """Latents of poses and viewpoints that the renderer draws, in the joint convention of a model.

    No image is rendered.
    """

    model: Model

    def draw(self, rngs: Sequence[np.random.Generator]) -> tuple[Latent, Float[Tensor, "batch 21 3"]]:
        """Return a latent and its pose for each generator."""
        pose = torch.stack([self._pose(rng) for rng in rngs])
        cpose, viewpoint = geometry.canonicalise(pose)
        subject = Subject(self.model.vae, self.model.device)
        labels = {"pose": pose, "cpose": cpose, "viewpoint": viewpoint, "right": torch.zeros(len(pose)) > 0}
        return subject.infer(subject.pose, labels), pose

    def _pose(self, rng: np.random.Generator) -> Float[Tensor, "21 3"]:
        """Return the 3DPose of a random hand, mirrored to a left one, in bone lengths."""
        seed, convention = int(rng.integers(2**31)), self.model.experiment.data.convention
        scene = sample_scene(seed, "training", 0, self.model.crop_px, convention=convention)
        joints = torch.from_numpy(sample_hand(scene, rng).label_m).float()
        pose, _ = geometry.normalise(geometry.to_palm(joints))
        return geometry.mirror(pose) if scene.side == "right" else pose


Source = Random | Given | Rendered

KINDS = {
    "pose": ("labels", "renderer", "fitted", "prior"),
    "content": ("tags", "images", "fitted", "prior"),
}
"""The sources of latents of each role."""


def find_source(kind: str, role: str, model: Model, given: Encoded | None) -> Source:
    """Return the source of the latents of a role, "pose" or "content".

    kind: "prior" is N(0, I). "renderer" are poses that the renderer draws. "fitted" is a mixture fitted to
    the given latents, or that of the run if none are given. Any other kind stands for the given latents
    themselves.

    Raises HandsError for an unknown kind, and if the kind needs images or labels that are not given.
    """
    if kind not in KINDS[role]:
        raise HandsError(f'unknown source of {role}s "{kind}"; {did_you_mean(kind, KINDS[role])}')
    subject = Subject(model.vae, model.device)
    factors = subject.pose if role == "pose" else subject.content
    if kind == "prior":
        return Random(LatentMixture.prior({factor: model.vae.latent[factor] for factor in factors}))
    if kind == "renderer":
        return Rendered(model)
    if kind == "fitted":
        known = {role: given.of(factors)} if given else {}
        return Random(find_mixtures(model, known, fitted=True)[0][role])
    if given is None:
        way = "give them with --data NAME --root DIR (samples=...)"
        raise HandsError(f'{role}s from "{kind}" need images: {way}')
    if kind == "labels" and given.pose is None:
        raise HandsError("the data set has no labelled poses; draw them from the prior")
    return Given(means(given.of(factors)), given.pose if kind == "labels" else None)
