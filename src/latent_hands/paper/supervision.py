"""Semi- and weakly-supervised learning (Sec. 3.3): what steps learn from beside fully labelled images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from latent_hands.errors import HandsError
from latent_hands.paper.algorithms import Phase, Step
from latent_hands.paper.bound import Bound
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import modality


def with_unpaired_labels(vae: DisentangledVAE, phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """Semi-supervised (Sec. 3.3): whatever touches no image learns from the labels of all hands.

    The labels without images train the encoders of the y_i and all decoders in the disentangling step, and
    the embedding of the pose. Raises HandsError if every step needs images.
    """

    def feed_all(step: Step) -> list[Step]:
        return [replace(step, feed="all") if _without_images(vae, step.bound) else step]

    return _changed(phases, feed_all, "semi", "a step that reads and writes no image")


def with_weak_labels(
    vae: DisentangledVAE, phases: Sequence[Phase], weak: Mapping[str, float]
) -> tuple[Phase, ...]:
    """Weakly-supervised (Sec. 3.3): images with few labels, say the viewpoint, train their encoder as well.

    Beside every step that embeds an image there is one on the rest of the hands that explains only what is
    known of them: E log p(y2 | z_y2) - beta KL(q(z_y2 | x)), through the fixed decoders.

    Args:
        weak: {decoder of a label: lam}.

    Raises HandsError if no step embeds an image.
    """

    def also_weak(step: Step) -> list[Step]:
        if not _embeds_image(vae, step):
            return [step]
        bound = replace(step.bound, decoders=dict(weak), agree={})
        return [step, replace(step, bound=bound, feed="rest")]

    return _changed(phases, also_weak, "weak", "a step that embeds an image")


def with_photos(vae: DisentangledVAE, phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """Beyond the paper: images without any label train their encoder, which is to explain them.

    Raises HandsError if no step embeds an image that a decoder writes.
    """

    def also_photos(step: Step) -> list[Step]:
        read = {vae.encoder(arrow).reads for arrow in step.bound.encoders}
        explained = {d: lam for d, lam in step.bound.decoders.items() if vae.decoder(d).writes in read}
        if not _embeds_image(vae, step) or not explained:
            return [step]
        bound = replace(step.bound, decoders=explained, agree={})
        return [step, replace(step, bound=bound, feed="photos")]

    return _changed(phases, also_photos, "photos", "a step that embeds an image and explains it")


def _without_images(vae: DisentangledVAE, bound: Bound) -> bool:
    read = [vae.encoder(arrow).reads for arrow in bound.encoders]
    written = [vae.decoder(arrow).writes for arrow in bound.decoders]
    return not any(modality(name).is_image for name in (*read, *written))


def _embeds_image(vae: DisentangledVAE, step: Step) -> bool:
    return not step.theta and any(modality(vae.encoder(arrow).reads).is_image for arrow in step.phi)


def _changed(
    phases: Sequence[Phase], change: Callable[[Step], list[Step]], option: str, needed: str
) -> tuple[Phase, ...]:
    changed = tuple(replace(p, steps=tuple(s for step in p.steps for s in change(step))) for p in phases)
    if changed == tuple(phases):
        raise HandsError(f"[supervision] {option} changes nothing here: no phase has {needed}")
    return changed
