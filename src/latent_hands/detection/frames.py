"""Whole images with their hands: what a detector is trained on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from latent_hands.data import open_data
from latent_hands.data.formats.boxes import read_boxes
from latent_hands.data.labelled_images import check_files
from latent_hands.data.readers.images import list_images
from latent_hands.data.sample import Sample
from latent_hands.data.whole_images import hands_by_image, images_of
from latent_hands.errors import HandsError, counted
from latent_hands.hand.boxes import Box, box_of_joints

LEAST_VISIBLE = 8
"""Hands with fewer visible joints are neither hands nor background."""


@dataclass(frozen=True)
class LabelledHand:
    """One hand of a frame.

    Attributes:
        box: (x, y, width, height) in pixels from the image's upper left corner.
        side: "left" or "right", None if unknown.
        uv_px: The joints, if they are labelled; pixel centres are at integers.
        ignored: Whether it is so hidden that a detector may find it or not.
    """

    box: Box
    side: str | None = None
    uv_px: Float32[np.ndarray, "21 2"] | None = None
    ignored: bool = False


@dataclass(frozen=True)
class Frame:
    """An image file and all its hands; an image without hands teaches what is not a hand."""

    image: Path
    hands: tuple[LabelledHand, ...] = ()


@dataclass(frozen=True)
class Mixture:
    """Parts of a training set: a frame is drawn from a part by its share, then evenly within the part.

    Attributes:
        parts: The frames of each part.
        shares: The share of each part, in any unit.
    """

    parts: tuple[tuple[Frame, ...], ...]
    shares: tuple[float, ...]

    def draw(self, rng: np.random.Generator) -> Frame:
        """Return a random frame."""
        shares = np.array(self.shares)
        part = self.parts[rng.choice(len(shares), p=shares / shares.sum())]
        return part[rng.integers(len(part))]


def frames_of(samples: Iterable[Sample], images: Iterable[Path] = ()) -> list[Frame]:
    """Return a frame for each image of samples that have `uv_px`, and for each of `images`.

    Frames with a rendered hand in the background that has no labels are left out.
    Raises HandsError for labels of another image than the file (`check_files`).
    """
    grouped = hands_by_image(samples, images)
    check_files(hands[0] for hands in grouped.values() if hands)
    return [
        Frame(image, tuple(_hand_of(sample) for sample in hands))
        for image, hands in grouped.items()
        if not any(_has_unlabelled_hand(sample) for sample in hands)
    ]


def read_rendered_frames(root: str | Path, split: str, limit: int | None = None) -> list[Frame]:
    """Return the frames of a set that `latent-hands render` wrote, images without hands included."""
    images = images_of(root, split)[:limit]
    samples = open_data("rendered-hands", root, split)
    return frames_of((each for each in samples if each.image in set(images)), images)


def read_box_frames(path: str | Path) -> list[Frame]:
    """Return the frames of a file of boxes that `read_boxes` reads.

    Names of images are relative to the file's folder. Raises HandsError if an image is missing.
    """
    frames = []
    for name, labels in read_boxes(path).items():
        image = Path(path).parent / name
        if not image.is_file():
            raise HandsError(f"{path} lists {name}, but there is no image {image}")
        frames.append(Frame(image, tuple(LabelledHand(each.box, each.handedness) for each in labels)))
    return frames


def read_empty_frames(folder: str | Path) -> list[Frame]:
    """Return the images of a folder as frames without hands."""
    return [Frame(sample.image) for sample in list_images([folder])]


def check_frames(frames: Sequence[Frame]) -> None:
    """Raise HandsError if no frame has a hand."""
    if not any(frame.hands for frame in frames):
        raise HandsError(
            f"none of {counted(len(frames), 'image')} has a hand; a detector needs images with hands"
        )


def _hand_of(sample: Sample) -> LabelledHand:
    if sample.uv_px is None:
        raise HandsError(f"{sample.where} has no joints in the image (uv_px), so it has no box")
    hidden = int(sample.visible_or_all.sum()) < LEAST_VISIBLE
    return LabelledHand(box_of_joints(sample.uv_px), sample.handedness, sample.uv_px, hidden)


def _has_unlabelled_hand(sample: Sample) -> bool:
    """Return whether a rendered background contains a hand that is no sample."""
    look = (sample.factors or {}).get("look") or {}
    return bool((look.get("background") or {}).get("other"))
