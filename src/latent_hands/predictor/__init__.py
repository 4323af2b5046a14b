"""Predict hands from images, and images from poses and contents."""

from typing import TYPE_CHECKING

from latent_hands.lazy import lazily

if TYPE_CHECKING:
    from latent_hands.predictor.decoded import Synthesis, Walk
    from latent_hands.predictor.hand import Hand, OrderedJoints
    from latent_hands.predictor.hand_crop import HandCrop, crop_of_sample, tag_of
    from latent_hands.predictor.model import Model, as_model
    from latent_hands.predictor.sources import ContentReads, Source, as_crop

__all__ = [
    "ContentReads",
    "Hand",
    "HandCrop",
    "Model",
    "OrderedJoints",
    "Source",
    "Synthesis",
    "Walk",
    "as_crop",
    "as_model",
    "crop_of_sample",
    "tag_of",
]

__getattr__ = lazily(
    __name__,
    {
        "ContentReads": "sources",
        "Hand": "hand",
        "Model": "model",
        "OrderedJoints": "hand",
        "HandCrop": "hand_crop",
        "Source": "sources",
        "Synthesis": "decoded",
        "Walk": "decoded",
        "as_model": "model",
        "as_crop": "sources",
        "crop_of_sample": "hand_crop",
        "tag_of": "hand_crop",
    },
)
