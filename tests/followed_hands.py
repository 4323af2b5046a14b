"""Worlds of hands that move: the frames are blank, and fake readings look up the hands of a frame.

The first pixel of a frame holds its number.
"""

from dataclasses import dataclass

import numpy as np
import torch
from posed_hands import posed_hands
from tiny_models import PLACEMENT, tiny_model

from latent_hands.detection import Detection
from latent_hands.hand import geometry
from latent_hands.hand.boxes import box_of_joints
from latent_hands.hand.skeleton import MIDDLE_MCP
from latent_hands.predictor import follower
from latent_hands.predictor.reading import Reading

WIDTH, HEIGHT, SIZE_PX = 320, 200, 50


SHAPE = geometry.normalise(geometry.to_palm(torch.from_numpy(posed_hands(1)[0].xyz_mm)))[0].float()


@dataclass(frozen=True)
class True_:
    """A true hand in one frame."""

    x: float
    y: float = 100.0
    side: str = "left"

    @property
    def uv_px(self):
        flat = SHAPE[:, :2].numpy()
        return (flat * SIZE_PX / np.abs(flat).max() / 2 + [self.x, self.y]).astype(np.float32)


class World:
    """The true hands of each frame; it detects and reads them."""

    def __init__(self, frames, right=None, order=1, noise=0.0, uv_spread=0.05, overshoot=0.0):
        self.frames, self.right, self.order, self.noise = frames, right, order, noise
        self.uv_spread, self.overshoot = uv_spread, overshoot
        self.detections = 0

    def images(self, count=None, size=(HEIGHT, WIDTH)):
        for i in range(len(self.frames) if count is None else count):
            image = np.zeros((*size, 3), np.uint8)
            image[0, 0] = i // 256, i % 256, 0
            yield image

    def hands(self, rgb):
        return self.frames[int(rgb[0, 0, 0]) * 256 + int(rgb[0, 0, 1])]

    def detect(self, rgb):
        self.detections += 1
        found = []
        for hand in self.hands(rgb):
            right = self.right if self.right is not None else {"left": 0.01, "right": 0.99}[hand.side]
            side = "right" if right > 0.5 else "left"
            found.append(Detection(box_of_joints(hand.uv_px), side, 0.9, right))
        return found[:: self.order]

    def read(self, graph, photos, rotations=1, draws=0):
        return [self._reading(photo) for photo in photos]

    def _reading(self, photo):
        near = [
            h for h in self.hands(photo.rgb) if np.hypot(*(h.uv_px[0] - photo.centre_px)) < photo.side_px / 2
        ]
        hand = min(near, key=lambda h: np.hypot(*(h.uv_px[0] - photo.centre_px)), default=None)
        uv_px = True_(*photo.centre_px).uv_px if hand is None else hand.uv_px
        uv_px = uv_px + self.overshoot * (uv_px[MIDDLE_MCP] - photo.centre_px).astype(np.float32)
        frame = int(photo.rgb[0, 0, 1])
        rng = np.random.default_rng(frame)
        spread = 5.0 if hand is None else 0.2 if hand.side == photo.handedness else 0.6
        outputs = {
            "pose": SHAPE,
            "cpose": geometry.canonicalise(SHAPE)[0],
            "viewpoint": geometry.canonicalise(SHAPE)[1],
            "uv": torch.from_numpy((uv_px - photo.centre_px) / (photo.side_px / 2)).float(),
            "spread": torch.full((21,), spread),
            "uv_spread": torch.full((21,), self.uv_spread),
            "nats": torch.tensor(10.0),
            "latent": torch.from_numpy(self.noise * rng.normal(size=12)).float(),
            "latent_variance": torch.full((12,), 0.1),
        }
        return Reading(photo, outputs)


def line(start, end, count, **kwargs):
    return [True_(x, **kwargs) for x in np.linspace(start, end, count)]


def in_world(monkeypatch, model, world):
    """Return the model, which now detects and reads the hands of a world."""
    monkeypatch.setattr(follower, "read", world.read)
    monkeypatch.setattr(follower, "read_twice", world.read)
    model.detector = world
    return model


def follower_of(monkeypatch):
    """Return a function that follows the hands of a world."""
    model = tiny_model(PLACEMENT, frame="ray")

    def follow(world, images=None, **options):
        return in_world(monkeypatch, model, world).follow(
            world.images() if images is None else images, **{"smooth": "none", **options}
        )

    return follow


def tracks(frames):
    return [[hand.track for hand in hands] for hands in frames]
