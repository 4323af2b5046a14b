"""Detection of hands in whole images: network, training and `Detector`."""

from latent_hands.detection.detector import Detection, Detector

__all__ = ["Detection", "Detector"]
