"""Semi- and weakly-supervised learning (Sec. 3.3): steps that also learn from partly labelled hands."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from latent_hands.errors import HandsError
from latent_hands.paper.algorithms import Phase, Step
from latent_hands.paper.bound import Bound, Feed
from latent_hands.paper.graph import DisentangledVAE


def with_unpaired_labels(vae: DisentangledVAE, phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """Add semi-supervision (Sec. 3.3): every step that uses no image learns from the labels of all hands.

    The labels of hands without images train the encoders of the y_i and all decoders in the disentangling
    step, and the embedding of the pose. Raises HandsError if every step uses images.
    """

    def feed_all(step: Step) -> list[Step]:
        return [on_feed(step, "all") if _uses_no_image(vae, step.bound) else step]

    return rewritten(phases, feed_all, "semi", "a step that reads and writes no image")


def with_weak_labels(
    vae: DisentangledVAE, phases: Sequence[Phase], weak: Mapping[str, float], alone: bool = False
) -> tuple[Phase, ...]:
    """Add weak supervision (Sec. 3.3): images with few labels (the viewpoint) also train their encoder.

    Each step that embeds an image also maximises a bound on the rest of the hands, through the fixed
    decoders. It explains only the labels which are known of them, for the viewpoint
    E log p(y2 | z_y2) - beta KL(q(z_y2 | x)). So every kind of supervision takes the same number of steps, on
    the same labelled images.

    Args:
        weak: {decoder of a label, or of the image itself: lam}.
        alone: whether this bound replaces that of the labelled hands, because there are none.

    Raises HandsError if no step embeds an image.
    """

    def also_weak(step: Step) -> list[Step]:
        if not embeds_image(vae, step):
            return [step]
        rest = on_feed(replace(step, bound=replace(step.bound, decoders=dict(weak))), "rest")
        return [rest if alone else replace(step, further=rest.parts)]

    return rewritten(phases, also_weak, "weak", "a step that embeds an image")


def on_feed(step: Step, feed: Feed) -> Step:
    """Return the first bound of a step on other hands, without the objectives not defined on them."""
    extra = tuple(objective for objective in step.bound.extra if feed in objective.feeds)
    return replace(step, bound=replace(step.bound, extra=extra), feed=feed, further=())


def embeds_image(vae: DisentangledVAE, step: Step) -> bool:
    """Return whether a step trains the encoder of an image and no decoder."""
    return not step.theta and any(vae.encoder(arrow).modality.is_image for arrow in step.phi)


def rewritten(
    phases: Sequence[Phase], change: Callable[[Step], list[Step]], option: str, needed: str
) -> tuple[Phase, ...]:
    """Return the phases with every step replaced. Raises HandsError if that changes nothing."""
    changed = tuple(replace(p, steps=tuple(s for step in p.steps for s in change(step))) for p in phases)
    if changed == tuple(phases):
        raise HandsError(f"[supervision] {option} has no effect: no phase has {needed}")
    return changed


def _uses_no_image(vae: DisentangledVAE, bound: Bound) -> bool:
    read = [vae.encoder(arrow).modality for arrow in bound.encoders]
    written = [vae.decoder(arrow).modality for arrow in bound.decoders]
    return not any(modality.is_image for modality in (*read, *written))
