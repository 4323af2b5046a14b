"""A film of followed hands: the frames of rendered sequences, with joints, box, side and number."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from smoothing_series import Sequence_

from latent_hands import draw
from latent_hands.data import read_rgb
from latent_hands.draw.video import VideoWriter
from latent_hands.draw.whole_images import SIDES, Mark, whole_image
from latent_hands.predictor import Hand, Model

SIDE_PX = 320
MOST_SEQUENCES = 3


def film(model: Model, truth: list[Sequence_], path: Path) -> str:
    """Follow the hands of a few sequences, draw them, and write the film. Return a sentence about it."""
    frames, fps = [], truth[0].fps
    for each in truth[:MOST_SEQUENCES]:
        images = [read_rgb(sample.image) for sample in each.samples]
        for image, hands in zip(images, model.follow(images, fps=fps, K=each.samples[0].K), strict=True):
            frames.append(drawn(image, hands))
    write(frames, path, fps)
    return f"{path}: {len(frames)} frames, {path.stat().st_size / 1e6:.2f} MB"


def drawn(image: np.ndarray, hands: Sequence[Hand]) -> np.ndarray:
    """Draw followed hands: joints, box, side and number."""
    marks = [
        Mark(
            hand.in_order("rhd").uv_px, hand.box_px, SIDES[hand.handedness], f"{hand.handedness} {hand.track}"
        )
        for hand in hands
    ]
    height, width = image.shape[:2]
    return whole_image(image, marks, (SIDE_PX, round(SIDE_PX * height / width)))


def write(frames: list[np.ndarray], path: Path, fps: float) -> None:
    if path.suffix == ".gif":
        draw.save_gif(frames[::3], path)
    elif path.suffix == ".webp":
        images = [Image.fromarray(frame) for frame in frames[::2]]
        images[0].save(
            path,
            save_all=True,
            append_images=images[1:],
            duration=round(2000 / fps),
            loop=0,
            quality=45,
            method=4,
        )
    else:
        with VideoWriter(path) as writer:
            for i, frame in enumerate(frames):
                writer.add(frame, i / fps)
