"""Photographs without labels: single files and folders of them."""

from collections.abc import Iterable
from pathlib import Path

from latent_hands.data.sample import Sample, read_rgb
from latent_hands.errors import HandsError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def read_images(paths: str | Path | Iterable[str | Path], limit: int | None = None) -> list[Sample]:
    """List pictures without labels; a folder stands for the pictures directly in it, in order of their names.

    Every picture is decoded once, so that a broken one is told here and not in the middle of a run. ``limit``
    keeps the first so many. Raises HandsError for a path that does not exist, a folder without pictures, and
    a file that is empty, truncated, too large or no image.
    """
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    files = [file for path in paths for file in _files(Path(path))]
    if not files:
        raise HandsError("no image was named; give picture files or folders")
    for file in files[:limit]:
        read_rgb(file)
    return [Sample(name=file.stem, image=file) for file in files[:limit]]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise HandsError(f"no image file or folder at {path}")
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise HandsError(f"no image in the folder {path}; legal endings: {', '.join(SUFFIXES)}")
    return files
