"""Detection of hands in whole images: network, training and `Detector`."""

from typing import TYPE_CHECKING

from latent_hands.lazy import lazily

if TYPE_CHECKING:
    from latent_hands.detection.detection import Detection
    from latent_hands.detection.detector import Detector

__all__ = ["Detection", "Detector"]

__getattr__ = lazily(
    __name__,
    {
        "Detection": "detection",
        "Detector": "detector",
    },
)
