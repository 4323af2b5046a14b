"""The images of a COCO label file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latent_hands.errors import HandsError


def images_by_id(images: Iterable[dict[str, Any]], path: Path) -> dict[Any, dict[str, Any]]:
    """Return the entries of "images" of the file `path` by their "id".

    Raises HandsError if different files have the same id, as in sets that were joined: it would not be known
    which of them an annotation labels.
    """
    found = dict[Any, dict[str, Any]]()
    for image in images:
        other = found.setdefault(image["id"], image)
        if other["file_name"] != image["file_name"]:
            raise HandsError(
                f"{path}: the images {other['file_name']} and {image['file_name']} have the same id "
                f"{image['id']!r}; give each image an id of its own, and its annotations the same image_id"
            )
    return found


@dataclass(frozen=True)
class CocoImage:
    """An image of the label file: its file, and its width and height there, None if not named."""

    file: Path
    size_px: tuple[int, int] | None

    @staticmethod
    def read(folder: Path, image: dict[str, Any]) -> "CocoImage":
        """Raise HandsError for a file outside the folder and for a size that is not positive."""
        name = image["file_name"]
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise HandsError(f'file name "{name}" leads out of {folder}')
        if image.get("width") is None or image.get("height") is None:
            return CocoImage(folder / name, None)
        size_px = int(image["width"]), int(image["height"])
        if min(size_px) < 1:
            raise HandsError(f"{folder / name} has the size {size_px}; width and height must be at least 1")
        return CocoImage(folder / name, size_px)
