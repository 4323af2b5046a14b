"""The kinds of images that a sample has: which file each comes from, and cutting squares out of it."""

import math
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor

from latent_hands.data.depth import read_levels
from latent_hands.data.formats.image import read_rgb
from latent_hands.data.sample import Sample
from latent_hands.data.windows import ImageStack
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.paper.modality import modality

Square = tuple[float, float, float]
"""Centre and side of a crop, (cx, cy, side), in pixels of the sample's image."""
Progress = Callable[[int, int], None]
Pixels = UInt8[np.ndarray, "height width *channels"]

_GREY = (128, 128, 128)


@dataclass(frozen=True)
class Kind:
    """Where images of a modality come from.

    Attributes:
        file: the field of Sample that names the file.
        shared: whether samples share images, which are then cut and kept once.
        whole: whether the whole image is the crop, whatever the sample's own is.
        read: makes the pixels of (file, sample, crop): (height, width, 3), or (height, width) of one channel.
    """

    file: str
    shared: bool = False
    whole: bool = False
    read: Callable[[Path, Sample, Square], Pixels] = lambda path, sample, square: read_rgb(path)


KINDS = {
    "rgb": Kind("image"),
    "depth": Kind("depth", read=read_levels),
    "tag": Kind("tag", shared=True),
    "identity_tag": Kind("identity_tag", shared=True, whole=True),
    "background_tag": Kind("background_tag", shared=True),
}
"""Modality -> where its images come from."""


def file_of(sample: Sample, key: str) -> Path | None:
    """The file of a sample's image of some kind; None if it has none."""
    return getattr(sample, KINDS[key].file)


def check_images(samples: Sequence[Sample], keys: Collection[str]) -> None:
    """Raise HandsError for a kind of image that is unknown, and for a sample that lacks one."""
    for key in keys:
        if key not in KINDS:
            raise HandsError(f'unknown image "{key}"; {did_you_mean(key, KINDS)}')
        for sample in samples:
            if file_of(sample, key) is None:
                has = ", ".join(each for each in KINDS if file_of(sample, each) is not None)
                raise HandsError(f"{sample.where} has no {key} image; it has {has}")


def cut_images(
    samples: Sequence[Sample],
    key: str,
    squares: Float[Tensor, "n 3"],
    flip: Bool[Tensor, " n"],
    margin: float,
    window_px: int,
    workers: int,
) -> ImageStack:
    """The images of one kind, each cut by its sample's crop with the margin; shared ones once a crop."""
    kind = KINDS[key]

    def shown(i: int) -> tuple[object, ...]:
        if not kind.shared:
            return (i,)
        place = None if kind.whole else tuple(squares[i].tolist())
        return file_of(samples[i], key), place, bool(flip[i])

    alike = [shown(i) for i in range(len(samples))]
    first = {each: i for i, each in reversed(list(enumerate(alike)))}
    cuts = list(dict.fromkeys(alike))
    order = {each: place for place, each in enumerate(cuts)}
    images = torch.empty(len(cuts), modality(key).channels, window_px, window_px, dtype=torch.uint8)

    def cut(place: int) -> None:
        i = first[cuts[place]]
        sample, path = samples[i], file_of(samples[i], key)
        assert path is not None  # check_images was asked
        cx, cy, side_px = squares[i].tolist()
        pixels = kind.read(path, sample, (cx, cy, side_px))
        if kind.whole:
            cx, cy, side_px = whole_square(pixels.shape[:2])
        images[place] = cut_square(pixels, (cx, cy), side_px * margin, window_px, bool(flip[i]))

    for_all(len(cuts), cut, workers, None)
    return ImageStack(images, torch.tensor([order[each] for each in alike]) if kind.shared else None)


def whole_square(size_px: tuple[int, ...]) -> Square:
    """The square around an image of (height, width)."""
    height, width = size_px
    return (width - 1) / 2, (height - 1) / 2, float(max(height, width))


def cut_square(
    pixels: Pixels, centre: tuple[float, float], side_px: float, out_px: int, flip: bool
) -> UInt8[Tensor, "channels {out_px} {out_px}"]:
    """The square resampled: bilinear where it grows, averaged over areas where it shrinks.

    Beyond the image's border lies mid-grey; of one channel, which is depth, 0.
    """
    image = Image.fromarray(pixels)
    factor = max(1, int(side_px / out_px / 2))
    if factor > 1:
        image, side_px = image.reduce(factor), side_px / factor
    rim = math.ceil(side_px / out_px) + 1  # what the filter sees beyond the square
    extent = math.ceil(side_px) + 2 * rim + 1
    left, top = (
        (c + 0.5) / factor - side_px / 2 for c in centre
    )  # Pillow counts from the first pixel's corner
    x, y = math.floor(left) - rim, math.floor(top) - rim
    canvas = Image.new(image.mode, (extent, extent), _GREY if image.mode == "RGB" else 0)
    canvas.paste(image, (-x, -y))
    box = (left - x, top - y, left - x + side_px, top - y + side_px)
    resized = np.asarray(canvas.resize((out_px, out_px), Image.Resampling.BILINEAR, box=box))
    resized = resized.reshape(out_px, out_px, -1)
    return torch.from_numpy((resized[:, ::-1] if flip else resized).transpose(2, 0, 1).copy())


def for_all(count: int, work: Callable[[int], None], workers: int, progress: Progress | None) -> None:
    """Threads are enough: Pillow decodes and resamples outside the GIL."""
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for done, _ in enumerate(pool.map(work, range(count)), 1):
            if progress is not None:
                progress(done, count)
