"""Predict hands from images, and images from poses and contents."""

from latent_hands.predictor.decoded import Synthesis, Walk
from latent_hands.predictor.hand import Hand
from latent_hands.predictor.model import Model
from latent_hands.predictor.photo import Photo, photo_of, tag_of
from latent_hands.predictor.sources import ContentReads, Source, as_photo

__all__ = [
    "ContentReads",
    "Hand",
    "Model",
    "Photo",
    "Source",
    "Synthesis",
    "Walk",
    "as_photo",
    "photo_of",
    "tag_of",
]
