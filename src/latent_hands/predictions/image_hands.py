"""The hands of one image, or of one frame of a video."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latent_hands.predictor import Hand


@dataclass(frozen=True, eq=False)
class ImageHands:
    """The predicted hands of one image.

    Attributes:
        name: the name of the image, unique among the images that are written together.
        size_px: (width, height) of the image.
        hands: the hands, those with the highest scores first; none is a valid result.
        file: the image file; for a frame its video, and None for a frame of a camera.
        frame: the number of the frame in its video, counted from 0; None for an image.
        seconds: the time of the frame; None if it is not known.
    """

    name: str
    size_px: tuple[int, int]
    hands: Sequence[Hand]
    file: str | Path | None = None
    frame: int | None = None
    seconds: float | None = None

    @property
    def path(self) -> Path | None:
        """The file as a path."""
        return None if self.file is None else Path(self.file)


def count_hands(images: Iterable[ImageHands]) -> int:
    """Return the number of hands in all images."""
    return sum(len(image.hands) for image in images)
