"""Hands in a stream: a camera or a video that plays, its newest frame, and a page that shows it."""

from latent_hands.streaming.live import Live
from latent_hands.streaming.page import Page
from latent_hands.streaming.source import LiveFrame

__all__ = ["Live", "LiveFrame", "Page"]
