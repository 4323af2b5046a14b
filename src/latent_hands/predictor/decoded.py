"""Images and hands that are decoded from latents."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from latent_hands.errors import counted
from latent_hands.predictor.checks import Rgb
from latent_hands.predictor.hand import Hand


@dataclass(frozen=True)
class Synthesis:
    """An image and a hand, decoded from one latent.

    Attributes:
        image: (height, width, 3) uint8; None if the run has no image decoder.
        hand: the decoded left hand: its joints in the image (`uv_px`) and in space. Its bone (40 mm) and its
            camera are assumed.
    """

    image: Rgb | None
    hand: Hand

    def __repr__(self) -> str:
        """Return one line: the size of the image, and the hand."""
        size = "no image" if self.image is None else f"image {self.image.shape}"
        return f"Synthesis({size}, {self.hand})"


@dataclass(frozen=True)
class Walk:
    """Images and hands, decoded from the latents on a line, step by step.

    Attributes:
        images: one image a step; empty if the run has no image decoder.
        hands: one left hand a step, as in `Synthesis`.
    """

    images: list[Rgb]
    hands: list[Hand]

    def __repr__(self) -> str:
        """Return one line: the numbers of images and hands."""
        return f"Walk({counted(len(self.images), 'image')}, {counted(len(self.hands), 'hand')})"

    @property
    def poses(self) -> Float[np.ndarray, "steps 21 3"]:
        """Poses of the hands, in bone lengths."""
        return np.stack([hand.pose for hand in self.hands])
