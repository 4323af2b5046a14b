"""Factors taken apart and put together: from several sources, on a line, in all pairs (Fig. 4-6)."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.paper.graph import DisentangledVAE, Encoder
from latent_hands.paper.latent import Latent, Posterior, agreed, means
from latent_hands.paper.modality import Batch, modality

Factors = tuple[str, ...]
MOST_STEPS = 1000
"""Of a walk, all of which is decoded at once."""
Samples = dict[str, Float[Tensor, "_ _"]]
"""A latent in a signature where the number of samples changes."""


def pose_factors(vae: DisentangledVAE) -> Factors:
    """The factors that some encoder infers from points or matrices: z_pose, or z_cpose and z_viewpoint."""
    labels = [arrow for arrow in _encoders(vae).values() if not modality(arrow.reads).is_image]
    found = {factor for arrow in labels for factor in arrow.factors}
    return tuple(factor for factor in vae.latent if factor in found)


def content_factors(vae: DisentangledVAE) -> Factors:
    """All other factors: z_tag, or z_u, or z_identity and z_background."""
    pose = pose_factors(vae)
    return tuple(factor for factor in vae.latent if factor not in pose)


def factors_named(vae: DisentangledVAE, names: Iterable[str]) -> Factors:
    """Factors by their own names or by "pose" and "content"; HandsError for any other name."""
    roles = {"pose": pose_factors(vae), "content": content_factors(vae)}
    groups = {**{role: group for role, group in roles.items() if group}, **{f: (f,) for f in vae.latent}}
    for name in (names := tuple(names)):
        if name not in groups:
            raise HandsError(f'unknown factor "{name}"; {did_you_mean(name, groups)}')
    chosen = {factor for name in names for factor in groups[name]}
    return tuple(factor for factor in vae.latent if factor in chosen)


def infer(vae: DisentangledVAE, factors: Factors, batch: Batch, encoder: str | None = None) -> Latent:
    """Posterior means of these factors. Raises HandsError as `posterior` does."""
    return means(posterior(vae, factors, batch, encoder))


def posterior(vae: DisentangledVAE, factors: Factors, batch: Batch, encoder: str | None = None) -> Posterior:
    """q of these factors, by the narrowest encoder that infers them from what the batch holds.

    If no single one infers them all, each factor is inferred by the narrowest that does. Encoders that read
    the same and infer the same factors are averaged (`latents.agreed`). `encoder` admits one by name alone.
    Raises HandsError if a factor is not inferred.
    """
    arrows = _encoders(vae) if encoder is None else {encoder: vae.encoder(encoder)}
    readers = {name: arrow.factors for name, arrow in arrows.items() if arrow.reads in batch}
    together = [name for name, inferred in readers.items() if set(factors) <= set(inferred)]
    chosen: dict[str, str] = {}
    for factor in factors:
        able = together or [name for name, inferred in readers.items() if factor in inferred]
        if not able:
            seen = ", ".join(key for key in batch if key != "right")
            raise HandsError(f"no encoder infers {' and '.join(factors)} from {seen}; {_arrows(vae)}")
        chosen[factor] = min(able, key=lambda name: len(readers[name]))
    alike = {
        name: [n for n in readers if _kind(arrows[n]) == _kind(arrows[name])] for name in chosen.values()
    }
    inferred = {name: vae.encode(name, batch) for names in alike.values() for name in names}
    return {
        factor: agreed([inferred[each][factor] for each in alike[name]]) for factor, name in chosen.items()
    }


def _kind(arrow: Encoder) -> tuple[str, frozenset[str]]:
    return arrow.reads, frozenset(arrow.factors)


def _encoders(vae: DisentangledVAE) -> dict[str, Encoder]:
    return {name: vae.encoder(name) for name in vae.encoders}


def _arrows(vae: DisentangledVAE) -> str:
    arrows = _encoders(vae).values()
    return "the run has " + ", ".join(f"{arrow.reads} -> {' + '.join(arrow.factors)}" for arrow in arrows)


def decode(vae: DisentangledVAE, latent: Latent, right: Tensor | None = None) -> Batch:
    """Every modality that decoders can write from these factors, by the decoder that reads most of them."""
    written: Batch = {}
    decoders = {name: vae.decoder(name) for name in vae.decoders}
    for name, arrow in sorted(decoders.items(), key=lambda item: len(item[1].factors)):
        if set(arrow.factors) <= set(latent):
            written[arrow.writes] = vae.decode(name, latent, right)
    return written


def stack(latents: Sequence[Samples]) -> Samples:
    """Several latents of the same factors as the samples of one; HandsError for none."""
    if not latents:
        raise HandsError("nothing to transfer: give one pose and one content or more")
    return {factor: torch.cat([latent[factor] for latent in latents]) for factor in latents[0]}


def combine(first: Samples, second: Samples) -> Samples:
    """All pairs of two latents over disjoint factors: sample i * len(second) + j is row i, column j.

    Raises HandsError if both have a factor.
    """
    if twice := set(first) & set(second):
        raise HandsError(f'factor "{min(twice)}" is given twice: what is combined must be disjoint')
    rows, columns = (len(next(iter(latent.values()))) for latent in (first, second))
    left = {factor: z.repeat_interleave(columns, dim=0) for factor, z in first.items()}
    return left | {factor: z.repeat(rows, 1) for factor, z in second.items()}


def swap(latent: Latent, other: Latent, factors: Factors) -> Latent:
    """The latent with some factors taken from another one."""
    return latent | {factor: other[factor] for factor in factors}


def interpolate(start: Samples, end: Samples, factors: Factors, steps: int) -> Samples:
    """Samples on the line from one latent to another in these factors; the others stay as at the start.

    `start` and `end` hold one sample each, the result `steps` of them, 2 to 1,000. Raises HandsError for
    others.
    """
    if not 2 <= steps <= MOST_STEPS:
        raise HandsError(f"a walk of {steps} steps; legal: 2 .. {MOST_STEPS}")
    weight = torch.linspace(0, 1, steps)[:, None]
    return {
        factor: torch.lerp(z, end[factor], weight.to(z)) if factor in factors else z.expand(steps, -1)
        for factor, z in start.items()
    }


def to_images(images: Float[Tensor, "batch 3 height width"]) -> list[UInt8[np.ndarray, "height width 3"]]:
    """Decoded images of [-1, 1] as bytes."""
    grey = ((images.detach().cpu() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return list(grey.permute(0, 2, 3, 1).numpy())
