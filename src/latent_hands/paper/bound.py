"""The evidence lower bounds: Eq. 1, 2, 4, 6 and 8 of the paper are one class."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.paper.graph import Decoder, DisentangledVAE, present
from latent_hands.paper.latent import Latent, Noise, Posterior, draw, means, with_noise
from latent_hands.paper.modality import Batch

Feed = Literal["labelled", "all", "rest", "photos"]
"""The hands that a step learns from: the "labelled" ones, "all", the "rest", whose labels are used in part,
or "photos", further images without labels."""


@dataclass(frozen=True)
class Term:
    """One named summand of a bound: `weight * value`, the value averaged over the batch (`average`)."""

    name: str
    value: Float[Tensor, ""]
    weight: float


@dataclass(frozen=True)
class Prediction:
    """The output of one decoder and the ground truth of its modality, which is NaN where it is unknown."""

    decoder: Decoder
    truth: Float[Tensor, "batch *shape"]
    output: Float[Tensor, "batch *shape"]

    @cached_property
    def known(self) -> Bool[Tensor, " batch"] | None:
        """Return which samples have any known number; None for images, which every sample has."""
        if self.decoder.modality.is_image:
            return None
        return ~self.truth.isnan().flatten(1).all(dim=1)

    def log_likelihood(self) -> Float[Tensor, " batch"]:
        """Return log p(m | z) of each sample. Unknown numbers count as if they were predicted exactly."""
        likelihood, truth = self.decoder.modality.likelihood, self.truth
        if self.known is None:
            return likelihood(truth, self.output)
        truth = torch.where(truth.isnan(), self.output.detach().to(truth.dtype), truth)
        return likelihood(truth, self.output).where(self.known, 0)


@dataclass(frozen=True)
class Evaluation:
    """A bound on a batch: the posterior, a draw z, z with noise, and every decoder's prediction from it."""

    vae: DisentangledVAE
    batch: Batch
    posterior: Posterior
    z: Latent
    predictions: Mapping[str, Prediction]
    generator: torch.Generator | None


@runtime_checkable
class Objective(Protocol):
    """A further summand of a bound, beyond the paper (`latent_hands.beyond`)."""

    @property
    def feeds(self) -> frozenset[Feed]:
        """Return the feeds on which the objective is defined; steps on other feeds leave it out."""
        ...

    def terms(self, evaluation: Evaluation) -> list[Term]:
        """Return the summands on a batch."""
        ...

    def encoders(self) -> tuple[str, ...]:
        """Return the encoders that the objective runs and that do not learn from it."""
        ...

    def check(self, vae: DisentangledVAE, bound: "Bound", batch_size: int) -> None:
        """Raise HandsError if the objective is not defined on this graph and bound."""
        ...


@dataclass(frozen=True)
class Bound:
    """sum_m lam_m E_{z ~ q} log p(m | z) - beta KL(q(z | ..) || N(0, I)), to be maximised.

    q is the product of the encoders' posteriors; the m are what the decoders write.
    With x = rgb, y1 = pose, y2 = tag:

    Eq. 1, cross-modal:           Bound(("rgb",), {"rgb": 1.0, "pose": 1.0}, beta=1.0)
    Eq. 2, disentangling:         Bound(("pose", "tag"), {"rgb": lam_x, "pose": lam_y1, "tag": lam_y2}, beta)
    Eq. 4, embedding x:           Bound(("rgb",), {"rgb": lam_x, "pose": lam_y1, "tag": lam_y2}, beta)
    Eq. 6, z_u inferred from x:   Bound(("pose", "u"), {"rgb": lam_x, "pose": lam_y1}, beta)

    With x = pose, x^ = rgb, y1 = cpose, y2 = viewpoint:

    Eq. 8, embedding another x^:  Bound(("rgb",), {"pose": lam_x, "cpose": lam_y1, "viewpoint": lam_y2}, beta)

    Eq. 3 and Eq. 7 say why Eq. 4 and Eq. 8 embed: with lam = beta = 1 and fixed decoders, the bound minus the
    log evidence is -KL(q || true posterior), so its maximum over q is the true posterior.
    Each expectation is one draw of z. The KL covers only the factors that the decoders read.
    Numbers of m that are unknown (NaN) are left out of a sample's terms, and so is the KL of a factor from
    which nothing known of the sample is decoded.

    Attributes:
        encoders: names of the arrows whose product is q; their factors are disjoint.
        decoders: {name of the arrow: lam}.
        beta: weight of the KL.
        drawn: False decodes the mean of q instead of a draw; with beta = 0 this is plain least squares.
        extra: objectives beyond the paper, whose terms are added.
    """

    encoders: tuple[str, ...]
    decoders: Mapping[str, float]
    beta: float
    drawn: bool = True
    extra: tuple[Objective, ...] = ()

    def factors(self, vae: DisentangledVAE) -> tuple[str, ...]:
        """Return the factors that the decoders read, in the latent's order."""
        read = {factor for arrow in self.decoders for factor in vae.decoder(arrow).factors}
        return tuple(factor for factor in vae.latent if factor in read)

    def evaluate(
        self,
        vae: DisentangledVAE,
        batch: Batch,
        generator: torch.Generator | None = None,
        noise: Mapping[str, Noise] | None = None,
    ) -> Evaluation:
        """Encode, construct z, replace the factors in `noise`, and decode (lines 3-5 of both algorithms).

        Raises HandsError if the batch lacks a modality.
        """
        posterior = vae.infer(self.encoders, batch)
        z = draw(posterior, generator) if self.drawn else means(posterior)
        latent = with_noise(z, noise or {}, generator)
        predictions = {}
        for arrow in self.decoders:
            decoder = vae.decoder(arrow)
            truth = present(batch, decoder.writes, f'decoder "{arrow}"')
            predictions[arrow] = Prediction(decoder, truth, vae.decode(arrow, latent, batch.get("right")))
        return Evaluation(vae, batch, posterior, z, predictions, generator)

    def terms(
        self,
        vae: DisentangledVAE,
        batch: Batch,
        generator: torch.Generator | None = None,
        noise: Mapping[str, Noise] | None = None,
    ) -> list[Term]:
        """Return the summands on a batch.

        They are `log_p_<arrow>` for each decoder, `kl_<factor>` for each factor that the decoders read, and
        the terms of each objective.

        A sample counts as often in all of them as the batch's "weight" says, by default once.
        Factors in `noise` are replaced (see `with_noise`) and have no KL term.
        """
        found = self.evaluate(vae, batch, generator, noise)
        explained = [
            Term(f"log_p_{arrow}", average(found.predictions[arrow].log_likelihood(), batch), lam)
            for arrow, lam in self.decoders.items()
        ]
        divergence = [
            Term(f"kl_{factor}", average(self._kl(found, factor), batch), -self.beta)
            for factor in self.factors(vae)
            if factor not in (noise or {})
        ]
        further = [term for objective in self.extra for term in objective.terms(found)]
        return [*explained, *divergence, *further]

    def _kl(self, found: Evaluation, factor: str) -> Float[Tensor, " batch"]:
        """Return the KL of a factor; 0 for samples without any known modality that is decoded from it."""
        readers = [each for each in found.predictions.values() if factor in each.decoder.factors]
        masks = [each.known for each in readers if each.known is not None]
        kl = found.posterior[factor].kl()
        return kl if len(masks) < len(readers) else kl.where(torch.stack(masks).any(dim=0), 0)


def average(values: Float[Tensor, " batch"], batch: Batch) -> Float[Tensor, ""]:
    """Return the mean over a batch, in which a sample of "weight" w counts w times, by default once.

    The divisor is the number of samples, so a sample of weight 0 adds nothing to the sum.
    """
    weight = batch.get("weight")
    return values.mean() if weight is None else (weight * values).mean()


def total(terms: Iterable[Term]) -> Float[Tensor, ""]:
    """Return the value of the bound."""
    return torch.stack([term.weight * term.value for term in terms]).sum()
