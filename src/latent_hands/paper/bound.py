"""The evidence lower bounds: Eq. 1, 2, 4, 6 and 8 of the paper are one class."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.beyond.features import perception
from latent_hands.beyond.rereading import Reread
from latent_hands.paper.graph import DisentangledVAE, present
from latent_hands.paper.latent import Latent, Noise, Posterior, means, sample, with_noise
from latent_hands.paper.modality import Batch, modality


@dataclass(frozen=True)
class Term:
    """One named summand of a bound: `weight * value`, the value averaged over the batch."""

    name: str
    value: Float[Tensor, ""]
    weight: float


@dataclass(frozen=True)
class Bound:
    """sum_m lam_m E_{z ~ q} log p(m | z) - beta KL(q(z | ..) || N(0, I)), to be maximised.

    q is the joint of the encoders, the m are what the decoders write. With x = rgb, y1 = pose, y2 = tag:

    Eq. 1, cross-modal:           Bound(("rgb",), {"rgb": 1.0, "pose": 1.0}, beta=1.0)
    Eq. 2, disentangling:         Bound(("pose", "tag"), {"rgb": lam_x, "pose": lam_y1, "tag": lam_y2}, beta)
    Eq. 4, embedding x:           Bound(("rgb",), {"rgb": lam_x, "pose": lam_y1, "tag": lam_y2}, beta)
    Eq. 6, z_u inferred from x:   Bound(("pose", "u"), {"rgb": lam_x, "pose": lam_y1}, beta)

    and with x = pose, x^ = rgb, y1 = cpose, y2 = viewpoint:

    Eq. 8, embedding another x^:  Bound(("rgb",), {"pose": lam_x, "cpose": lam_y1, "viewpoint": lam_y2}, beta)

    Expectations are one draw of z. The KL covers only the factors that the decoders read.

    Attributes:
        encoders: names of the arrows whose joint is q; their factors are disjoint.
        decoders: {name of the arrow: lam}.
        beta: weight of the KL.
        drawn: False decodes the mean of q instead of a draw; with beta = 0 this is plain least squares.
        agree: beyond the paper, {encoder of a label: weight}: - weight KL(q(z_f | label) || q), which draws q
            to what the label says of its factors and makes it as wide as it errs (as JMVAE does, Suzuki et
            al. 2016). Nothing of it reaches those encoders.
        features: beyond the paper, {decoder of an image: weight}: + weight E log p(features of m | z), see
            `Perception.log_likelihood`. What the bound does not decode is left out.
        reread: beyond the paper: + weight E log q(z' | m'), m' an image decoded from a z' that is put
            together from several samples, see `Reread`.
    """

    encoders: tuple[str, ...]
    decoders: Mapping[str, float]
    beta: float
    drawn: bool = True
    agree: Mapping[str, float] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)
    reread: tuple[Reread, ...] = ()

    def factors(self, vae: DisentangledVAE) -> tuple[str, ...]:
        """The factors that the decoders read, in the latent's order."""
        read = {factor for arrow in self.decoders for factor in vae.decoder(arrow).factors}
        return tuple(factor for factor in vae.latent if factor in read)

    def terms(
        self,
        vae: DisentangledVAE,
        batch: Batch,
        generator: torch.Generator | None = None,
        noise: Mapping[str, Noise] | None = None,
    ) -> list[Term]:
        """The summands on a batch: `log_p_<arrow>` for every decoder, `kl_<factor>` for every factor read,
        `agree_<arrow>` for the encoders to agree with, `features_<arrow>` for images compared by features,
        `reread_<arrow>` for the encoders that read again.

        Factors in `noise` are replaced (see `with_noise`) and carry no KL.
        """
        noise = noise or {}
        posterior = vae.infer(self.encoders, batch)
        z = sample(posterior, generator) if self.drawn else means(posterior)
        latent = with_noise(z, noise, generator)
        shown = {arrow: Shown.of(vae, arrow, latent, batch) for arrow in self.decoders}
        terms = [
            Term(f"log_p_{arrow}", shown[arrow].log_likelihood().mean(), lam)
            for arrow, lam in self.decoders.items()
        ]
        terms += [
            Term(f"features_{arrow}", shown[arrow].log_likelihood_of_features(generator).mean(), weight)
            for arrow, weight in self.features.items()
            if arrow in shown
        ]
        terms += [
            Term(f"reread_{r.encoder}", r.log_density(vae, z, batch, generator).mean(), r.weight)
            for r in self.reread
        ]
        kept = [factor for factor in self.factors(vae) if factor not in noise]
        terms += [Term(f"kl_{factor}", posterior[factor].kl().mean(), -self.beta) for factor in kept]
        return terms + [
            Term(f"agree_{arrow}", disagreement(vae, arrow, posterior, batch).mean(), -weight)
            for arrow, weight in self.agree.items()
        ]


@dataclass(frozen=True)
class Shown:
    """What the batch shows of a modality, and the mean of p(modality | z)."""

    name: str
    truth: Float[Tensor, "batch *shape"]
    prediction: Float[Tensor, "batch *shape"]

    @classmethod
    def of(cls, vae: DisentangledVAE, arrow: str, latent: Latent, batch: Batch) -> "Shown":
        """By a decoder; HandsError if the batch lacks its modality."""
        decoder = vae.decoder(arrow)
        truth = present(batch, decoder.writes, f'decoder "{arrow}"')
        return cls(decoder.writes, truth, vae.decode(arrow, latent, batch.get("right")))

    def log_likelihood(self) -> Float[Tensor, " batch"]:
        """log p(m | z), for every sample."""
        return modality(self.name).log_likelihood(self.truth, self.prediction)

    def log_likelihood_of_features(self, generator: torch.Generator | None) -> Float[Tensor, " batch"]:
        """log p(features of m | z), for every sample."""
        return perception(self.truth.device).log_likelihood(self.truth, self.prediction, generator)


def disagreement(
    vae: DisentangledVAE, arrow: str, posterior: Posterior, batch: Batch
) -> Float[Tensor, " batch"]:
    """KL(q(z_f | m) || posterior), summed over the factors f that an encoder infers of its modality m."""
    with torch.no_grad():
        told = vae.infer((arrow,), batch)
    return torch.stack([q.kl_to(posterior[factor]) for factor, q in told.items()]).sum(dim=0)


def total(terms: Iterable[Term]) -> Float[Tensor, ""]:
    """The value of the bound."""
    return torch.stack([term.weight * term.value for term in terms]).sum()
