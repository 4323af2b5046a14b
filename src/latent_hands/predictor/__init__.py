"""An image in, a hand out; hands and scenes in, images out."""

from latent_hands.predictor.hand import Hand
from latent_hands.predictor.model import Model, Walk
from latent_hands.predictor.photo import Photo, photo_of, tag_of

__all__ = ["Hand", "Model", "Photo", "Walk", "photo_of", "tag_of"]
