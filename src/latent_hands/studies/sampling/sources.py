"""Sources of latents: random ones, and those of given images and labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.errors import HandsError
from latent_hands.paper.latent import Latent, means
from latent_hands.predictor import Model
from latent_hands.studies.assess.subject import Subject
from latent_hands.studies.sampling.encoded import Encoded
from latent_hands.studies.sampling.mixture import LatentMixture

POSES = ("prior", "fitted", "labels")
CONTENTS = ("prior", "fitted", "tags", "images")


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


Source = Random | Given


def find_source(kind: str, role: str, model: Model, given: Encoded | None) -> Source:
    """Return the source of the latents of a role, "pose" or "content".

    kind: "prior" is N(0, I). "fitted" is a mixture fitted to the given latents. Any other kind
    stands for the given latents themselves.

    Raises HandsError if the kind needs images or labels that are not given.
    """
    subject = Subject(model.vae, model.device)
    factors = subject.pose if role == "pose" else subject.content
    if kind == "prior":
        return Random(LatentMixture.prior({factor: model.vae.latent[factor] for factor in factors}))
    if given is None:
        raise HandsError(f'{role}s from "{kind}" need images: give them with --data NAME --root DIR')
    if kind == "fitted":
        return Random(LatentMixture.fit(given.of(factors)))
    if kind == "labels" and given.pose is None:
        raise HandsError("the data set has no labelled poses; draw them from the prior")
    return Given(means(given.of(factors)), given.pose if kind == "labels" else None)
