"""An exported model in 8-bit integers: its ranges are measured on images, and its hands are compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from latent_hands.data.readers.images import list_images
from latent_hands.errors import HandsError, counted
from latent_hands.files import write_bytes
from latent_hands.hand.boxes import iou
from latent_hands.lite.folder import Arrays, Networks
from latent_hands.lite.model import LiteModel, load
from latent_hands.portable.description import write_description
from latent_hands.portable.integers import in_integers
from latent_hands.predictor.hand import Hand
from latent_hands.progress import Progress

MOST_IMAGES, LEAST_HANDS = 100, 20
SAME_IOU, LEAST_SHARE = 0.5, 0.75
"""Hands are the same if their boxes overlap by more. The least share of the hands that must stay the same."""
Found = list[list[Hand]]
"""The hands of each image."""


class Recorder(Networks):
    """Networks that keep the inputs of the detector and of the encoders of images, by file."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        encoders = [each["file"] for each in self.about["encoders"].values() if len(each["shape"]) == 3]
        self.inputs: dict[str, list[Arrays]] = {
            file: [] for file in (self.about["detector"]["file"], *encoders)
        }

    def _run(self, file: str, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        if file in self.inputs:
            self.inputs[file].append({name: np.asarray(each, np.float32) for name, each in inputs.items()})
        return super()._run(file, inputs)


def chosen_images(folder: str | Path) -> list[Path]:
    """Return at most MOST_IMAGES images of a folder, evenly spread.

    Raises HandsError if there is no such folder, or if it has no image.
    """
    found = [each.image for each in list_images([folder])]
    rows = np.linspace(0, len(found) - 1, min(len(found), MOST_IMAGES)).round().astype(int)
    return [found[i] for i in rows]


def quantise(folder: Path, images: Sequence[Path], progress: Progress) -> None:
    """Replace the networks of an exported model that read images by networks in 8-bit integers.

    The entry `int8` of model.json then states how the hands agree with those of float32 (`agreement`).

    Raises HandsError if the model finds fewer than LEAST_HANDS hands in the images, and as `agreement` does.
    """
    recorder = Recorder(folder)
    before = find_in(LiteModel(recorder), images, progress)
    if (hands := sum(map(len, before))) < LEAST_HANDS:
        raise HandsError(
            f"the model finds {counted(hands, 'hand')} in {counted(len(images), 'image')} of int8 (--int8), "
            f"but the ranges of 8-bit integers need {LEAST_HANDS}: give a folder with more images of hands"
        )
    used = {file: inputs for file, inputs in recorder.inputs.items() if inputs}
    for done, (file, inputs) in enumerate(used.items(), 1):
        write_bytes(folder / file, in_integers((folder / file).read_bytes(), inputs))
        progress("computing 8-bit integers", done, len(used))
    write_description(folder, recorder.about)
    after = find_in(load(folder), images, progress)
    write_description(folder, recorder.about | {"int8": agreement(before, after)})


def find_in(model: LiteModel, images: Sequence[Path], progress: Progress) -> Found:
    """Return the hands of each image."""
    found = []
    for image in images:
        found.append(model.find(image))
        progress("finding hands", len(found), len(images))
    return found


def agreement(before: Found, after: Found) -> dict[str, Any]:
    """Return how two models agree on the hands of the same images.

    Keys: images; hands (those that the first model finds); same (those that the second one finds, too, as the
    same side); moved (the median distance of their joints over the larger side of the box).

    Raises HandsError if less than LEAST_SHARE of the hands are the same.
    """
    moved = [
        distance
        for first, second in zip(before, after, strict=True)
        for hand in first
        if (distance := min((_distance(hand, other) for other in second), default=np.inf)) < np.inf
    ]
    hands = sum(map(len, before))
    if len(moved) < LEAST_SHARE * hands:
        raise HandsError(
            f"with 8-bit integers, only {len(moved)} of {hands} hands stay the same, and at least "
            f"{LEAST_SHARE:.0%} should: leave out int8 (--int8), or give images like those of your use"
        )
    return {"images": len(before), "hands": hands, "same": len(moved), "moved": float(np.median(moved))}


def _distance(hand: Hand, other: Hand) -> float:
    """Return the mean distance of the joints of two hands over the larger side of the first one's box.

    It is infinite for different hands.
    """
    if hand.handedness != other.handedness or iou(hand.box_px, other.box_px) <= SAME_IOU:
        return np.inf
    return float(np.linalg.norm(hand.uv_px - other.uv_px, axis=1).mean() / max(hand.box_px[2:]))
