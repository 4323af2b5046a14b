"""Reproduce the figures and tables of the paper, one command each: train, measure, draw."""

from latent_hands.studies.reproduce.by_name import FIGURES, ONE_MODEL, SHOWING, reproduce
from latent_hands.studies.reproduce.sets import Sets
from latent_hands.studies.reproduce.study import Plan, Study, Trial

__all__ = ["FIGURES", "ONE_MODEL", "SHOWING", "Plan", "Sets", "Study", "Trial", "reproduce"]
