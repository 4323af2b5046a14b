"""Detectors that are told what they find, and counted calls of encoders."""

from collections.abc import Sequence

import numpy as np
import pytest

from latent_hands.detection import Detection
from latent_hands.paper.graph import DisentangledVAE

BOX, OTHER = (20.0, 16.0, 24.0, 30.0), (50.0, 10.0, 26.0, 20.0)


class Found:
    """A detector that always finds the same."""

    def __init__(self, *detections: Detection):
        self.detections = list(detections)

    def detect(self, rgb: np.ndarray) -> Sequence[Detection]:
        return self.detections


def detection(box: tuple = BOX, right: float = 0.99, score: float = 0.9) -> Detection:
    return Detection(box, "right" if right > 0.5 else "left", score, right)


def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that receives the size of every batch that an encoder reads."""
    sizes, encode = [], DisentangledVAE.encode

    def counting(self, name, batch):
        sizes.append(len(batch["rgb"]))
        return encode(self, name, batch)

    monkeypatch.setattr(DisentangledVAE, "encode", counting)
    return sizes
