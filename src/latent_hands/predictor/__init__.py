"""Predict hands from images, and images from poses and contents."""

from typing import TYPE_CHECKING

from latent_hands.lazy import lazily

if TYPE_CHECKING:
    from latent_hands.predictor.decoded import Synthesis, Walk
    from latent_hands.predictor.hand import Hand, OrderedJoints
    from latent_hands.predictor.model import Model, as_model
    from latent_hands.predictor.photo import Photo, photo_of, tag_of
    from latent_hands.predictor.sources import ContentReads, Source, as_photo

__all__ = [
    "ContentReads",
    "Hand",
    "Model",
    "OrderedJoints",
    "Photo",
    "Source",
    "Synthesis",
    "Walk",
    "as_model",
    "as_photo",
    "photo_of",
    "tag_of",
]

__getattr__ = lazily(
    __name__,
    {
        "ContentReads": "sources",
        "Hand": "hand",
        "Model": "model",
        "OrderedJoints": "hand",
        "Photo": "photo",
        "Source": "sources",
        "Synthesis": "decoded",
        "Walk": "decoded",
        "as_model": "model",
        "as_photo": "sources",
        "photo_of": "photo",
        "tag_of": "photo",
    },
)
