"""Hands seen from other viewpoints: the latents of one canonical pose along a rotation."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands import synthesis
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.hand.geodesic import rotations_between
from latent_hands.paper.latent import Latent
from latent_hands.paper.modality import Batch
from latent_hands.predictor.hand import Hand
from latent_hands.predictor.hand_factors import with_canonical
from latent_hands.predictor.in_memory import joints_of
from latent_hands.predictor.sources import Source, as_batch
from latent_hands.predictor.trained_graph import TrainedGraph


def viewed(graph: TrainedGraph, source: Source | Latent) -> Batch:
    """Return "cpose" (1, 21, 3) and "viewpoint" (1, 3, 3) of a source, as a left hand.

    Hands are translated into the joint convention of the model, joints are taken as they are. Images and
    latents with all factors are decoded.
    """
    if isinstance(source, Mapping):
        hand = with_canonical(graph.decode(source), None)
    elif isinstance(source, Hand) or joints_of(source) is not None:
        hand = as_batch(source, "rgb", graph.experiment.data)
    else:
        hand = with_canonical(graph.decode(graph.latent(source, tuple(graph.vae.latent))), None)
    return {name: hand[name].to(graph.device) for name in ("cpose", "viewpoint")}


@torch.inference_mode()
def rotated(
    graph: TrainedGraph, start: Latent, hand: Batch, end: Float[Tensor, "3 3"], steps: int
) -> synthesis.Samples:
    """Return latents of one hand that rotates on the geodesic from its viewpoint to the viewpoint `end`.

    Every viewpoint is encoded again. If the graph encodes viewpoints, their factors alone change. In other
    graphs, viewpoint and canonical pose are composed, and all factors of the pose change. All remaining
    factors stay those of `start`.

    Args:
        graph: the model.
        start: a latent of one sample with all factors.
        hand: "cpose" (1, 21, 3) and "viewpoint" (1, 3, 3) of the hand, as `viewed` returns them.
        end: the last viewpoint.
        steps: the number of latents.

    Raises HandsError for a graph that encodes neither viewpoints nor poses, and unless `steps` is between 2
    and 1000.
    """
    V = rotations_between(hand["viewpoint"][0], end, steps)
    pose = geometry.compose(hand["cpose"].expand(steps, -1, -1), V)
    left = torch.zeros(steps, dtype=torch.bool, device=V.device)
    for key, value in {"viewpoint": V, "pose": pose}.items():
        if factors := synthesis.factors_from(graph.vae, (key,)):
            kept = {factor: z.expand(steps, -1) for factor, z in start.items()}
            return kept | synthesis.infer(graph.vae, factors, {key: value, "right": left})
    raise HandsError("no hand can be rotated in this run: it encodes neither viewpoints nor poses")
