"""Reader of images without labels: single files, folders and videos."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from latent_hands.data.formats.image import read_rgb
from latent_hands.data.formats.video import FORMATS, video_frames
from latent_hands.data.readers.reading import OnBroken, raise_error, read_each
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError
from latent_hands.mistaken_paths import meant

PHOTOGRAPHS = (".avif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".webp")
SUFFIXES = (*PHOTOGRAPHS, ".bmp", ".gif", ".png", ".ppm", ".tga", ".tif", ".tiff")
"""Endings of the images of a folder. A file that is named itself may have any ending."""
NOT_IMAGES = (".csv", ".json", ".jsonl", ".md", ".npz", ".txt", ".xml", ".yaml", ".yml")
"""Endings of files that are left out of a folder without a warning: labels and notes."""
_VIDEOS = "; name videos one by one"


def read_images(
    paths: str | Path | Iterable[str | Path], limit: int | None = None, on_broken: OnBroken = raise_error
) -> list[Sample]:
    """List images without labels. A folder stands for the images directly in it, a video for its frames.

    Images of a folder are in order of their names; a warning names files of it that are not read. Every image
    is decoded once, so that a broken one is reported here and not in the middle of a run. `limit` keeps the
    first images.

    Raises HandsError if a path does not exist or a folder has no images, and as `video_frames` does.
    `on_broken` receives the errors of files that are empty, truncated, too large or not images.
    """
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    if not paths:
        raise HandsError("no image was given; give image files, folders or videos")

    def decode(sample: Sample) -> Sample:
        if sample.seconds is None:
            read_rgb(sample.image)
        return sample

    return list(islice(read_each(decode, list_images(paths, on_broken), on_broken), limit))


def list_images(paths: Iterable[str | Path], on_broken: OnBroken = raise_error) -> Iterator[Sample]:
    """Iterate over the same images without decoding them, except the frames of videos, which have `seconds`.

    Raises HandsError if a path does not exist or a folder has no images. `on_broken` receives the error of a
    file that is not a readable video, or that ends too early.
    """
    for path in map(Path, paths):
        if path.is_file() and _is_video(path):
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
        raise HandsError(f"no image file or folder at {folder}{meant(folder)}")
    visible = sorted(file for file in folder.iterdir() if not (file.name.startswith(".") or file.is_dir()))
    files = [file for file in visible if file.suffix.lower() in SUFFIXES]
    others = [file.name for file in visible if file.suffix.lower() not in (*SUFFIXES, *NOT_IMAGES)]
    if not files:
        found = f"; it has {_some(others)}" if others else _folders_with_images(folder)
        raise HandsError(f"no image in the folder {folder}; names must end in {', '.join(SUFFIXES)}{found}")
    if others:
        logging.getLogger(__name__).warning(
            "%s: left out %s, whose names do not end like images%s",
            *(folder, _some(others), _VIDEOS if any(map(_is_video, visible)) else ""),
        )
    _announce_passed_over(folder)
    return files


def _announce_passed_over(folder: Path) -> None:
    """Announce hidden images, and the folders with images, that are in a folder and are not read."""
    hidden = [
        file.name
        for file in sorted(folder.glob(".*"))
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(("._", ".part-")) and file.is_file()
    ]
    if hidden:
        logging.getLogger(__name__).warning("%s: left out hidden images, %s", folder, _some(hidden))
    with suppress(PermissionError):  # nobody asked to read these folders
        if inside := _folders_with_images(folder):
            logging.getLogger(__name__).warning("%s: left out its folders%s", folder, inside)


def _folders_with_images(folder: Path) -> str:
    """Return the end of a message that names the folders inside a folder that have images."""
    inside = (each for pattern in ("*", "*/*") for each in sorted(folder.glob(pattern)) if each.is_dir())
    full = (each for each in islice(inside, 100) if any(f.suffix.lower() in SUFFIXES for f in each.iterdir()))
    found = list(map(str, islice(full, 3)))
    return f"; images are in {', '.join(found)}" if found else ""


def _is_video(file: Path) -> bool:
    return file.suffix.lower() in FORMATS


def _some(names: list[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
