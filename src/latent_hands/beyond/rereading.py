"""Rereading: a finished encoder reads what a decoder writes of poses in other scenes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.beyond.objective import Recipe, objective
from latent_hands.data.augmentation.appearance import soften
from latent_hands.errors import HandsError
from latent_hands.paper.algorithms import Phase, Step
from latent_hands.paper.bound import Bound, Evaluation, Feed, Term, average
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Gaussian, with_noise
from latent_hands.synthesis import content_factors


@dataclass(frozen=True)
class Rereading:
    """weight E log q(z' | m'), where m' is decoded from a z' that is composed of several samples.

    With a finished encoder this bounds the information of the images about z' (the mutual information of
    InfoGAN, Chen et al. 2016). The encoder reads softened images, so that patterns which only networks detect
    do not help. An overconfident encoder (trained without agreement) weighs its own errors so much that the
    images deteriorate.

    Attributes:
        encoder: reads the decoded images; it does not learn.
        decoder: writes them.
        weight: weight of the term.
        borrowed: the factors that each sample takes from another sample before decoding.
    """

    encoder: str
    decoder: str
    weight: float
    borrowed: tuple[str, ...] = ()
    feeds = frozenset[Feed]({"labelled"})

    def terms(self, evaluation: Evaluation) -> list[Term]:
        """Return `reread_<encoder>`."""
        value = average(self.log_density(evaluation), evaluation.batch)
        return [Term(f"reread_{self.encoder}", value, self.weight)]

    def log_density(self, evaluation: Evaluation) -> Float[Tensor, " batch"]:
        """Return log q(z' | m') of each sample up to a constant, summed over the encoder's factors."""
        vae, batch, generator = evaluation.vae, evaluation.batch, evaluation.generator
        z, image = evaluation.z, evaluation.predictions[self.decoder].output
        if self.borrowed:
            z = with_noise(z, dict.fromkeys(self.borrowed, "other"), generator)
            image = vae.decode(self.decoder, z, batch.get("right"))
        encoder = vae.encoder(self.encoder)
        q = vae.encode(self.encoder, {**batch, encoder.reads: soften(image, generator)})
        return torch.stack([log_density(q[factor], z[factor]) for factor in encoder.factors]).sum(dim=0)

    def encoders(self) -> tuple[str, ...]:
        """Return the encoder that reads the decoded images."""
        return (self.encoder,)

    def check(self, vae: DisentangledVAE, bound: Bound, batch_size: int) -> None:
        """Raise HandsError if the decoder lacks a factor that the encoder infers, or a batch has 1 sample."""
        written = vae.decoder(self.decoder).factors
        absent = [factor for factor in vae.encoder(self.encoder).factors if factor not in written]
        if absent:
            raise HandsError(
                f'encoder "{self.encoder}" rereads factor "{absent[0]}", which decoder "{self.decoder}" '
                "does not read"
            )
        if batch_size < 2 and self.borrowed:
            raise HandsError("batch_size is 1, so there is no other sample to borrow from; use at least 2")


def log_density(q: Gaussian, z: Float[Tensor, "batch size"]) -> Float[Tensor, " batch"]:
    """Return log q(z) of each sample in nats up to a constant, summed over the dimensions."""
    distance = (z - q.mean).square() * torch.exp(-q.log_var)
    return -0.5 * (distance + q.log_var).sum(dim=1)


def refinement(bounds: Sequence[Bound], epochs: int) -> tuple[Phase, ...]:
    """Return phases in which only image decoders learn, by Eq. 2 and the rereading of finished encoders."""
    return tuple(
        Phase(
            "refine_" + "_".join(arrow for each in bound.extra for arrow in each.encoders()),
            (Step(bound, theta=tuple(bound.decoders)),),
            epochs,
        )
        for bound in bounds
    )


@objective("rereading", adds_phases=True)
def with_rereading(
    recipe: Recipe, phases: Sequence[Phase], weights: Mapping[str, float]
) -> tuple[Phase, ...]:
    """Add a phase `refine_<encoder>` for each encoder of a colour image, {encoder: weight}."""
    if not recipe.trained:
        raise HandsError("[objectives] rereading needs a finished encoder, and this algorithm finishes none")
    refined = [_refined(recipe, arrow, weight) for arrow, weight in weights.items()]
    return (*phases, *refinement(refined, recipe.epochs))


def _refined(recipe: Recipe, arrow: str, weight: float) -> Bound:
    """Return Eq. 2 for the one decoder that writes what an encoder reads, with the rereading added.

    Raises HandsError for an encoder that reads no decoded colour image, and for one that is never trained.
    """
    vae = recipe.vae
    encoder = vae.encoder(arrow)
    eq_2 = recipe.bound(recipe.encode, f"refine_{arrow}")
    writers = [d for d in eq_2.decoders if vae.decoder(d).writes == encoder.reads]
    if not writers or encoder.modality.sizes != (3,):
        raise HandsError(
            f'[objectives] rereading: "{arrow}" reads {encoder.reads}; it must read a colour image that a '
            "decoder writes"
        )
    if arrow not in recipe.trained:
        raise HandsError(
            f'[objectives] rereading: "{arrow}" is never trained; it must be among encode or embed'
        )
    readers = [each for each in map(vae.encoder, (*recipe.encode, arrow)) if each.reads == encoder.reads]
    of_the_image = {factor for each in readers for factor in each.factors}
    borrowed = tuple(factor for factor in content_factors(vae) if factor in of_the_image)
    reread = Rereading(arrow, writers[0], weight, borrowed)
    return replace(eq_2, decoders={writers[0]: eq_2.decoders[writers[0]]}, extra=(reread,))
