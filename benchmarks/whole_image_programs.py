"""The two programs that are compared: MediaPipe Hands in a process of its own, and a run of this package."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mediapipe_client import MediaPipe
from whole_image_scores import Found

from latent_hands.data.formats.image import read_rgb
from latent_hands.hand.geometry import to_palm
from latent_hands.hand.skeleton import reorder
from latent_hands.lite.model import LiteModel
from latent_hands.predictor import Model

CONVENTION = {"mediapipe": "mediapipe", "ours": "rhd", "lite": "rhd"}
"""The joint conventions of the programs."""


@dataclass(frozen=True)
class Spent:
    """The time that a program spends on an image, without reading the file, in seconds.

    Attributes:
        wall: elapsed time.
        processor: time of all its threads on processors.
    """

    wall: float
    processor: float


def mediapipe_hands(mediapipe: MediaPipe, file: Path) -> tuple[list[Found], Spent]:
    """Return the hands that MediaPipe finds in an image, and the time that it takes."""
    answer = mediapipe.read(file)
    hands = []
    for hand in answer["hands"]:
        uv_px, world_mm = (np.array(hand[key], np.float32) for key in ("uv_px", "world_mm"))
        pose = to_palm(torch.from_numpy(reorder(world_mm, "mediapipe", "rhd")))
        pose = (pose - pose[:1]).numpy()
        hands.append(Found(hand["handedness"], reorder(uv_px, "mediapipe", "rhd"), pose))
    return hands, Spent(answer["seconds"], answer["processor_seconds"])


def our_hands(model: Model | LiteModel, file: Path, **given: Any) -> tuple[list[Found], Spent]:
    """Return the hands that a run or an exported model finds in an image, and the time that it takes.

    `given` are further arguments of its method `find`, such as bone_mm and K.
    """
    rgb = read_rgb(file)
    start, processor = time.perf_counter(), time.process_time()
    hands = model.find(rgb, **given)
    spent = Spent(time.perf_counter() - start, time.process_time() - processor)
    found = [
        Found(
            hand.handedness,
            np.asarray(hand.in_order("rhd").uv_px, np.float32),
            np.asarray(hand.pose, np.float32),
            float("nan") if hand.palm_mm is None else float(hand.palm_mm[2]) / hand.bone_mm,
        )
        for hand in hands
    ]
    return found, spent
