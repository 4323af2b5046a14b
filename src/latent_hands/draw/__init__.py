"""Draw hands over images and in 3D, and arrange images on pages."""

from latent_hands.draw.sheets import contact_sheet, grid, save_gif, save_image
from latent_hands.draw.skeletons import (
    PALETTE,
    PREDICTION,
    TRUTH,
    ImageArray,
    Points,
    framing,
    overlay,
    skeleton,
)
from latent_hands.draw.video import VideoWriter
from latent_hands.draw.whole_images import SIDES, Mark, readable_size, whole_image, with_panels

__all__ = [
    "PALETTE",
    "PREDICTION",
    "SIDES",
    "TRUTH",
    "ImageArray",
    "Mark",
    "Points",
    "VideoWriter",
    "contact_sheet",
    "framing",
    "grid",
    "overlay",
    "readable_size",
    "save_gif",
    "save_image",
    "skeleton",
    "whole_image",
    "with_panels",
]
