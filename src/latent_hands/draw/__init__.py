"""Pictures of hands, and pages of pictures."""

from latent_hands.draw.hands import PALETTE, PREDICTION, TRUTH, Picture, framing, overlay, skeleton
from latent_hands.draw.sheets import contact_sheet, curves, grid, save_figure, save_gif, save_picture

__all__ = [
    "PALETTE",
    "PREDICTION",
    "TRUTH",
    "Picture",
    "contact_sheet",
    "curves",
    "framing",
    "grid",
    "overlay",
    "save_figure",
    "save_gif",
    "save_picture",
    "skeleton",
]
