"""Scores of predictions, by the protocol of the papers."""
