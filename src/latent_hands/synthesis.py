"""Factors inferred, recombined and decoded: swaps, walks and transfers (Fig. 4 to 6)."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.errors import HandsError, as_list, did_you_mean
from latent_hands.hand.geodesic import walk_weights
from latent_hands.paper.graph import DisentangledVAE, Encoder
from latent_hands.paper.latent import Gaussian, Latent, Posterior, means
from latent_hands.paper.modality import Batch

Factors = tuple[str, ...]
Samples = dict[str, Float[Tensor, "_ _"]]
"""A latent, in signatures where the number of samples changes."""


def pose_factors(vae: DisentangledVAE) -> Factors:
    """Return the factors that encoders infer from points or matrices: z_pose, or z_cpose and z_viewpoint."""
    labels = {arrow.reads for arrow in _encoders(vae).values() if not arrow.modality.is_image}
    return factors_from(vae, labels)


def factors_from(vae: DisentangledVAE, modalities: Collection[str]) -> Factors:
    """Return the factors that encoders of these modalities infer."""
    arrows = [arrow for arrow in _encoders(vae).values() if arrow.reads in modalities]
    inferred = {factor for arrow in arrows for factor in arrow.factors}
    return tuple(factor for factor in vae.latent if factor in inferred)


def content_factors(vae: DisentangledVAE) -> Factors:
    """Return all other factors: z_tag, or z_u, or z_identity and z_background."""
    pose = pose_factors(vae)
    return tuple(factor for factor in vae.latent if factor not in pose)


def factors_named(vae: DisentangledVAE, names: str | Iterable[str]) -> Factors:
    """Return factors by one or more names, or by "pose" and "content".

    Raises HandsError for another name, and without names.
    """
    roles = {"pose": pose_factors(vae), "content": content_factors(vae)}
    groups = {**{role: group for role, group in roles.items() if group}, **{f: (f,) for f in vae.latent}}
    names = (names,) if isinstance(names, str) else tuple(as_list(names, "factors", "names of factors"))
    if not names:
        raise HandsError(f"no factor is named; legal: {', '.join(groups)}")
    for name in names:
        if not isinstance(name, str):
            legal = ", ".join(groups)
            raise HandsError(f"factors must be names of factors, not a {type(name).__name__}; legal: {legal}")
        if name not in groups:
            raise HandsError(f'unknown factor "{name}"; {did_you_mean(name, groups)}')
    chosen = {factor for name in names for factor in groups[name]}
    return tuple(factor for factor in vae.latent if factor in chosen)


def infer(vae: DisentangledVAE, factors: Factors, batch: Batch) -> Latent:
    """Return the posterior means of these factors. Raises HandsError as `posterior` does."""
    return means(posterior(vae, factors, batch))


def posterior(vae: DisentangledVAE, factors: Factors, batch: Batch, encoder: str | None = None) -> Posterior:
    """Return q of these factors, inferred from the batch by the encoders of `encoders_of`.

    Encoders of the same modality and factors are averaged (`averaged`). `encoder` names the only encoder to
    use. Raises HandsError if a factor cannot be inferred.
    """
    chosen = encoders_of(vae, factors, batch, encoder)
    inferred = {name: vae.encode(name, batch) for name in _unique(chosen.values())}
    return {factor: averaged([inferred[name][factor] for name in names]) for factor, names in chosen.items()}


def encoders_of(
    vae: DisentangledVAE, factors: Factors, given: Collection[str], encoder: str | None = None
) -> dict[str, tuple[str, ...]]:
    """Return the encoders that infer each factor from the modalities in `given`.

    It is the encoder with the fewest factors that infers all of them, and those that are alike. If there is
    none, each factor has the encoder with the fewest factors that infers it. `encoder` names the only encoder
    to use. Raises HandsError if a factor cannot be inferred.
    """
    arrows = _encoders(vae) if encoder is None else {encoder: vae.encoder(encoder)}
    readers = {name: arrow.factors for name, arrow in arrows.items() if arrow.reads in given}
    together = [name for name, inferred in readers.items() if set(factors) <= set(inferred)]
    chosen: dict[str, tuple[str, ...]] = {}
    for factor in factors:
        able = together or [name for name, inferred in readers.items() if factor in inferred]
        if not able:
            raise HandsError(_not_inferred(vae, factors, readers, given))
        kind = _kind(arrows[min(able, key=lambda name: len(readers[name]))])
        chosen[factor] = tuple(name for name in readers if _kind(arrows[name]) == kind)
    return chosen


def _not_inferred(
    vae: DisentangledVAE, factors: Factors, readers: Mapping[str, Factors], given: Collection[str]
) -> str:
    """Return a message that names the factors that none of the encoders infers."""
    inferred = {factor for each in readers.values() for factor in each}
    missing = " and ".join(factor for factor in factors if factor not in inferred)
    present = ", ".join(key for key in given if key != "right")
    return f"no encoder infers {missing} from {present}; {_arrows(vae)}"


def _unique(groups: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for group in groups for name in group))


def averaged(posteriors: Sequence[Gaussian]) -> Gaussian:
    """Return one Gaussian for several encoders of the same factor: means and log-variances are averaged."""
    mean, log_var = (torch.stack([getattr(q, part) for q in posteriors]) for part in ("mean", "log_var"))
    return Gaussian(mean.mean(dim=0), log_var.mean(dim=0))


def widened(posterior: Posterior, temperature: float) -> Posterior:
    """Return the posterior with its standard deviations multiplied by `temperature`."""
    return {f: Gaussian(q.mean, q.log_var + 2 * math.log(temperature)) for f, q in posterior.items()}


def _kind(arrow: Encoder) -> tuple[str, frozenset[str]]:
    return arrow.reads, frozenset(arrow.factors)


def _encoders(vae: DisentangledVAE) -> dict[str, Encoder]:
    return {name: vae.encoder(name) for name in vae.encoders}


def _arrows(vae: DisentangledVAE) -> str:
    arrows = _encoders(vae).values()
    return "the run has " + ", ".join(f"{arrow.reads} -> {' + '.join(arrow.factors)}" for arrow in arrows)


def decode(
    vae: DisentangledVAE, latent: Latent, right: Tensor | None = None, only: Collection[str] | None = None
) -> Batch:
    """Decode every modality, or those in `only`, that has a decoder for these factors (`find_decoder`)."""
    written = dict.fromkeys(vae.decoder(name).writes for name in vae.decoders if _able(vae, name, latent))
    wanted = written if only is None else [name for name in written if name in only]
    return {each: vae.decode(find_decoder(vae, each, latent), latent, right) for each in wanted}


def find_decoder(vae: DisentangledVAE, written: str, factors: Iterable[str]) -> str:
    """Return the decoder of a modality that reads the most of these factors and no other factor.

    Raises HandsError if there is none.
    """
    arrows = {name: vae.decoder(name) for name in vae.decoders}
    able = [n for n, arrow in arrows.items() if arrow.writes == written and _able(vae, n, factors)]
    if not able:
        present = ", ".join(f"{' + '.join(arrow.factors)} -> {arrow.writes}" for arrow in arrows.values())
        use = '; use a run that decodes images, such as "synthesis"' if written == "rgb" else ""
        raise HandsError(f"no decoder writes {written} from {', '.join(factors)}; the run has {present}{use}")
    return max(able, key=lambda name: len(arrows[name].factors))


def _able(vae: DisentangledVAE, name: str, factors: Iterable[str]) -> bool:
    return set(vae.decoder(name).factors) <= set(factors)


def stack(latents: Sequence[Samples]) -> Samples:
    """Return several latents of the same factors as one batch. Raises HandsError if there are none."""
    if not latents:
        raise HandsError("nothing to transfer: give one or more poses and one or more contents")
    return {factor: torch.cat([latent[factor] for latent in latents]) for factor in latents[0]}


def combine(first: Samples, second: Samples) -> Samples:
    """Return all pairs of two latents of disjoint factors: row i, column j is sample i * len(second) + j.

    Raises HandsError if both have the same factor.
    """
    if twice := set(first) & set(second):
        raise HandsError(f'factor "{min(twice)}" is given twice: the two latents must be disjoint')
    rows, columns = (len(next(iter(latent.values()))) for latent in (first, second))
    left = {factor: z.repeat_interleave(columns, dim=0) for factor, z in first.items()}
    return left | {factor: z.repeat(rows, 1) for factor, z in second.items()}


def swap(latent: Latent, other: Latent, factors: Factors) -> Latent:
    """Return the latent with some factors taken from another one."""
    return latent | {factor: other[factor] for factor in factors}


def interpolate(start: Samples, end: Samples, factors: Factors, steps: int) -> Samples:
    """Return samples on a line from one latent to another in these factors; the others stay at the start.

    `start` and `end` hold one sample each. Raises HandsError unless `steps` is between 2 and 1000.
    """
    weight = walk_weights(steps)[:, None]
    return {
        factor: torch.lerp(z, end[factor], weight.to(z)) if factor in factors else z.expand(steps, -1)
        for factor, z in start.items()
    }
