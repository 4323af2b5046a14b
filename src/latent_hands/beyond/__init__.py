"""Extensions of the paper: one file for each objective, and decoders that paint over a pose."""

from latent_hands.beyond.adversarial import Adversarial
from latent_hands.beyond.agreement import Agreement
from latent_hands.beyond.anatomy import Anatomy
from latent_hands.beyond.features import Features
from latent_hands.beyond.fine_painter import FinePainter
from latent_hands.beyond.map_painter import MapPainter
from latent_hands.beyond.objective import OBJECTIVES, Recipe, add_to_steps, objective
from latent_hands.beyond.painter import PaintedDecoder
from latent_hands.beyond.rereading import Rereading

__all__ = [
    "OBJECTIVES",
    "Adversarial",
    "Agreement",
    "Anatomy",
    "Features",
    "FinePainter",
    "MapPainter",
    "PaintedDecoder",
    "Recipe",
    "Rereading",
    "add_to_steps",
    "objective",
]
