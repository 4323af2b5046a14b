"""Photographs without labels: single files, folders of them, and videos."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from latent_hands.data.sample import OnBroken, Sample, read_rgb, sparing, stop
from latent_hands.data.video import FORMATS, video_frames
from latent_hands.errors import HandsError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def read_images(
    paths: str | Path | Iterable[str | Path], limit: int | None = None, on_broken: OnBroken = stop
) -> list[Sample]:
    """List images without labels; a folder stands for the images directly in it, in order of their names.

    A video file stands for its frames. Every image is decoded once, so that a broken one is told here and
    not in the middle of a run. ``limit`` keeps the first so many. Raises HandsError for a path that does not
    exist, a folder without images, and as ``video_frames`` does; a file that is empty, truncated, too large
    or no image is told to ``on_broken``.
    """
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    if not paths:
        raise HandsError("no image was named; give image files, folders or videos")
    decode = sparing(read_rgb, on_broken)
    decoded = (s for s in list_images(paths) if s.seconds is not None or decode(s.image) is not None)
    return list(islice(decoded, limit))


def list_images(paths: Iterable[str | Path], on_broken: OnBroken = stop) -> Iterator[Sample]:
    """The same images, none of them decoded yet but the frames of videos, which know their `seconds`.

    Raises HandsError for a path that does not exist and a folder without images; where a video ends too
    early or is none, `on_broken` is told.
    """
    for path in map(Path, paths):
        if path.is_file() and path.suffix.lower() in FORMATS:
            try:
                for file, seconds in video_frames(path):
                    yield Sample(name=file.stem, image=file, seconds=seconds)
            except HandsError as error:
                on_broken(error)
        else:
            for file in [path] if path.is_file() else _images(path):
                yield Sample(name=file.stem, image=file)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise HandsError(f"no image file or folder at {folder}")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise HandsError(f"no image in the folder {folder}; legal endings: {', '.join(SUFFIXES)}")
    return files
