"""A picture in, a hand out; hands and scenes in, pictures out."""

from latent_hands.predictor.hand import Hand
from latent_hands.predictor.model import Model, Walk
from latent_hands.predictor.photo import Photo, photo_of, tag_of
from latent_hands.predictor.score import score_run, stored_windows

__all__ = ["Hand", "Model", "Photo", "Walk", "photo_of", "score_run", "stored_windows", "tag_of"]
