"""Agreement: the embedded posterior is drawn towards what the label encoders infer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.beyond.objective import Recipe, add_to_steps, objective
from latent_hands.errors import HandsError
from latent_hands.paper.algorithms import Phase, Step
from latent_hands.paper.bound import Bound, Evaluation, Feed, Term, average
from latent_hands.paper.graph import DisentangledVAE


@dataclass(frozen=True)
class Agreement:
    """- weight KL(q(z_f | label) || q(z_f | x)), summed over the factors f that a label encoder infers.

    This is the divergence of JMVAE (Suzuki et al. 2016). It also makes the posterior as wide as its mean
    errs. No gradient reaches the label encoders.

    Attributes:
        weights: {label encoder: weight}.
    """

    weights: Mapping[str, float]
    feeds = frozenset[Feed]({"labelled", "all"})

    def terms(self, evaluation: Evaluation) -> list[Term]:
        """Return `agree_<encoder>` for each label encoder."""
        return [
            Term(f"agree_{arrow}", average(divergence(evaluation, arrow), evaluation.batch), -weight)
            for arrow, weight in self.weights.items()
        ]

    def encoders(self) -> tuple[str, ...]:
        """Return the label encoders."""
        return tuple(self.weights)

    def check(self, vae: DisentangledVAE, bound: Bound, batch_size: int) -> None:
        """Raise HandsError if no other encoder of the bound infers a factor of a label encoder."""
        inferred = {factor: arrow for arrow in bound.encoders for factor in vae.encoder(arrow).factors}
        for arrow in self.weights:
            for factor in vae.encoder(arrow).factors:
                if inferred.get(factor, arrow) == arrow:
                    raise HandsError(
                        f'[objectives] agreement names encoder "{arrow}", whose factor "{factor}" '
                        "no other encoder infers"
                    )


def divergence(evaluation: Evaluation, arrow: str) -> Float[Tensor, " batch"]:
    """Return KL(q(z_f | label) || posterior) of each sample, summed over the label encoder's factors f.

    It is 0 for samples whose label is unknown (NaN).
    """
    vae, batch, reads = evaluation.vae, evaluation.batch, evaluation.vae.encoder(arrow).reads
    known = ~batch[reads].isnan().flatten(1).any(dim=1)
    with torch.no_grad():
        label = vae.infer((arrow,), {**batch, reads: batch[reads].nan_to_num()})
    each = [q.kl_to(evaluation.posterior[factor]) for factor, q in label.items()]
    return torch.stack(each).sum(dim=0).where(known, 0.0)


@objective("agreement")
def with_agreement(
    recipe: Recipe, phases: Sequence[Phase], weights: Mapping[str, float]
) -> tuple[Phase, ...]:
    """Add the agreement with each label encoder to every embedding step that infers one of its factors.

    Raises HandsError if no step embeds, and as `Agreement.check` does if none infers a factor of an encoder.
    """
    embedding = [step for phase in phases for step in phase.steps if _embeds(recipe, step)]
    if not embedding:
        raise HandsError(
            "[objectives] agreement acts on the embedding step, and this algorithm has none: use an "
            "algorithm with embed, or remove agreement"
        )
    changed = tuple(phases)
    for arrow, weight in weights.items():
        factors = set(recipe.vae.encoder(arrow).factors)
        infer = [step for step in embedding if factors & _inferred(recipe, step, arrow)]
        names = {step.phi for step in infer or embedding}
        changed = add_to_steps(
            changed,
            Agreement({arrow: weight}),
            lambda step, names=names: _embeds(recipe, step) and step.phi in names,
        )
    return changed


def _embeds(recipe: Recipe, step: Step) -> bool:
    return not step.theta and set(step.phi) <= set(recipe.embed)


def _inferred(recipe: Recipe, step: Step, but: str) -> set[str]:
    """Return the factors that the encoders of a step infer, without one encoder."""
    arrows = [recipe.vae.encoder(name) for name in step.bound.encoders if name != but]
    return {factor for arrow in arrows for factor in arrow.factors}
