"""The images of a COCO label file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latent_hands.data.formats.numerals import integer_of
from latent_hands.errors import HandsError

_OF_IMAGES = ("file_name", "width", "height")


def images_by_id(images: Iterable[dict[str, Any]], path: Path) -> dict[Any, dict[str, Any]]:
    """Return the entries of "images" of the file `path` by their "id".

    Raises HandsError if different files, or different sizes, have the same id, as in sets that were joined:
    it would not be known which of them an annotation labels.
    """
    found = dict[Any, dict[str, Any]]()
    for image in images:
        other = found.setdefault(check_id(image["id"], f"{path}: an image"), image)
        if other is not image and any(other.get(key) != image.get(key) for key in _OF_IMAGES):
            raise HandsError(
                f"{path}: the images {_described(other)} and {_described(image)} have the same id "
                f"{image['id']!r}; give each image an id of its own, and its annotations the same image_id"
            )
    return found


def categories_by_id(categories: Iterable[dict[str, Any]], path: Path) -> dict[Any, dict[str, Any]]:
    """Return the entries of "categories" by their "id". Raises HandsError if different ones have the same."""
    found = dict[Any, dict[str, Any]]()
    for category in categories:
        other = found.setdefault(check_id(category["id"], f"{path}: a category"), category)
        if other != category:
            raise HandsError(
                f'{path}: the categories "{other.get("name")}" and "{category.get("name")}" have the same id '
                f"{category['id']!r}; give each an id of its own, and its annotations the same category_id"
            )
    return found


def check_id(value: Any, what: str) -> Any:
    """Return an id. Raises HandsError for true and false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise HandsError(f"{what} has the id {value}; it must be a number or a text")
    return value


def _described(image: dict[str, Any]) -> str:
    size = f" ({image['width']}x{image['height']})" if image.get("width") and image.get("height") else ""
    return f"{image['file_name']}{size}"


@dataclass(frozen=True)
class CocoImage:
    """An image of the label file: its file, and its width and height there, None if not named."""

    file: Path
    size_px: tuple[int, int] | None

    @staticmethod
    def read(folder: Path, image: dict[str, Any]) -> "CocoImage":
        """Raise HandsError for a file outside the folder, half of a size, and one that is not positive."""
        name = image["file_name"]
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise HandsError(f'file name "{name}" leads out of {folder}')
        if image.get("width") is None and image.get("height") is None:
            return CocoImage(folder / name, None)
        if None in (image.get("width"), image.get("height")):
            raise HandsError(f"{folder / name} has a width or a height alone; give both, or neither")
        size_px = integer_of(image["width"]), integer_of(image["height"])
        if min(size_px) < 1:
            raise HandsError(f"{folder / name} has the size {size_px}; width and height must be at least 1")
        return CocoImage(folder / name, size_px)
