"""The hands of one image, or of one frame of a video."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latent_hands.errors import HandsError
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


def name_files(files: Iterable[Path]) -> dict[str, Path]:
    """Return the files by unique names: their stems, or for equal stems their names with parent folders.

    Raises HandsError for files that are the same.
    """
    parts = {file: file.relative_to(file.anchor).parts for file in files}
    names, folders = {file: file.stem for file in parts}, 1
    while len(set(names.values())) < len(names):
        if folders > max(map(len, parts.values())):
            raise HandsError(f"these images have the same name: {', '.join(map(str, parts))}")
        counts, folders = Counter(names.values()), folders + 1
        alike = [file for file, name in names.items() if counts[name] > 1]
        names |= {file: "-".join(parts[file][-folders:]) for file in alike}
    return {name: file for file, name in names.items()}
