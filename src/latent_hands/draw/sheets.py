"""Arrange images on pages: grids with headings, animations. Files are written whole or not at all."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from latent_hands.draw.skeletons import INK, PAPER, RULE, ImageArray
from latent_hands.errors import HandsError
from latent_hands.files import check_file, write_whole

FRAME_MS = 80
ENDINGS = (".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp")
"""The endings of the formats in which images are written."""


@lru_cache
def font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font of drawings."""
    return ImageFont.load_default(size_px)


def grid(
    rows: Sequence[Sequence[ImageArray | None]],
    column_headings: Sequence[str] = (),
    row_headings: Sequence[str] = (),
    cell_px: int = 160,
    lead: tuple[int, int] = (0, 0),
) -> ImageArray:
    """Arrange images in rows of square cells, with headings left of the rows and above the columns.

    None is an empty cell. A wider gap follows the first `lead` = (rows, columns), which hold the given
    images.
    """
    gap, wide, text_px = 6, 20, 14
    letters = font(text_px)
    columns = max((len(row) for row in rows), default=0)
    margin = gap + max((round(letters.getlength(text)) + 2 * gap for text in row_headings), default=0)
    lines = max((1 + text.count("\n") for text in column_headings), default=0)
    top = gap + lines * (text_px + gap)

    def offset(index: int, leading: int) -> int:
        return index * (cell_px + gap) + (wide - gap if 0 < leading <= index else 0)

    size = (margin + offset(columns, lead[1]), top + offset(len(rows), lead[0]))
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for i, text in enumerate(column_headings):
        draw.text((margin + offset(i, lead[1]) + cell_px / 2, gap), text, INK, letters, anchor="ma")
    for i, text in enumerate(row_headings):
        draw.text((margin - 2 * gap, top + offset(i, lead[0]) + cell_px / 2), text, INK, letters, anchor="rm")
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            if image is not None:
                sheet.paste(_cell(image, cell_px), (margin + offset(j, lead[1]), top + offset(i, lead[0])))
    return np.array(sheet)


def _cell(image: ImageArray, cell_px: int) -> Image.Image:
    """Return the image centred on a square of `cell_px` pixels, with its aspect ratio."""
    fitted = Image.fromarray(image)
    zoom = cell_px / max(fitted.size)
    size = (max(round(fitted.width * zoom), 1), max(round(fitted.height * zoom), 1))
    fitted = fitted.resize(size, Image.Resampling.LANCZOS if zoom < 1 else Image.Resampling.BICUBIC)
    cell = Image.new("RGB", (cell_px, cell_px), RULE)
    cell.paste(fitted, ((cell_px - size[0]) // 2, (cell_px - size[1]) // 2))
    return cell


def contact_sheet(images: Sequence[ImageArray], columns: int = 8, cell_px: int = 128) -> ImageArray:
    """Arrange all images in reading order."""
    return grid([images[i : i + columns] for i in range(0, len(images), columns)], cell_px=cell_px)


def save_image(image: ImageArray, path: Path) -> Path:
    """Write an image in the format of the file name's ending, and return the path.

    Raises HandsError for an ending of no image format.
    """
    check_image_file(path)
    return write_drawing(path, lambda temporary: Image.fromarray(image).save(temporary))


def check_image_file(path: Path) -> None:
    """Raise HandsError if no image can be written to this file, for its ending or its folder."""
    if path.suffix.lower() not in ENDINGS:
        raise HandsError(f"{path} does not end like an image file; use .png, .jpg, .webp, .tif or .bmp")
    check_file(path)


def save_gif(frames: Sequence[ImageArray], path: Path) -> Path:
    """Write an endless animation that runs forwards and backwards, and return the path."""
    images = [Image.fromarray(frame) for frame in [*frames, *frames[-2:0:-1]]]
    return write_drawing(
        path,
        lambda temporary: images[0].save(
            temporary, save_all=True, append_images=images[1:], duration=FRAME_MS, loop=0
        ),
    )


def write_drawing(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file and its folders, by `files.write_whole`, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(path, write)
