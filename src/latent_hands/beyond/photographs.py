"""Photographs without any label: they train their encoder, which must explain them."""

from collections.abc import Sequence
from dataclasses import replace

from latent_hands.paper.algorithms import Phase, Step
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.supervision import embeds_image, on_feed, rewritten


def with_photographs(vae: DisentangledVAE, phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """Add to every step that embeds an image one on unlabelled photographs that explains the image alone.

    Raises HandsError if no step embeds an image that a decoder writes.
    """

    def also_photos(step: Step) -> list[Step]:
        read = {vae.encoder(arrow).reads for arrow in step.bound.encoders}
        explained = {d: lam for d, lam in step.bound.decoders.items() if vae.decoder(d).writes in read}
        if not embeds_image(vae, step) or not explained:
            return [step]
        return [step, on_feed(replace(step, bound=replace(step.bound, decoders=explained)), "photos")]

    return rewritten(phases, also_photos, "photos", "a step that embeds an image and explains it")
