"""The images of samples: their files, and squares cut out of them."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from latent_hands.data.cutting import cut_pixels
from latent_hands.data.image_stacks import ImageStack
from latent_hands.data.labels import Pixels, Square, image_keys, image_label
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError
from latent_hands.progress import Progress, silent


def file_of(sample: Sample, key: str) -> Path | None:
    """Return the file of a sample's image of some kind, None if it has none."""
    return image_label(key).path(sample)


def check_images(samples: Sequence[Sample], keys: Collection[str]) -> None:
    """Raise HandsError for an unknown kind of image, and for a sample that lacks one."""
    for key in keys:
        for sample in samples:
            if file_of(sample, key) is None:
                present = ", ".join(
                    sorted(each for each in image_keys() if file_of(sample, each) is not None)
                )
                raise HandsError(f"{sample.where} has no {key} image; it has {present}")


def cut_images(
    samples: Sequence[Sample],
    key: str,
    squares: Float[Tensor, "n 3"],
    flip: Bool[Tensor, " n"],
    margin: float,
    window_px: int,
    workers: int,
) -> ImageStack:
    """Return the images of one kind, cut by each sample's crop and the margin. Shared images are cut once."""
    kind = image_label(key)

    def identity(i: int) -> tuple[object, ...]:
        if not kind.shared:
            return (i,)
        place = None if kind.whole else tuple(squares[i].tolist())
        return file_of(samples[i], key), place, bool(flip[i])

    alike = [identity(i) for i in range(len(samples))]
    first = {each: i for i, each in reversed(list(enumerate(alike)))}
    cuts = list(dict.fromkeys(alike))
    order = {each: place for place, each in enumerate(cuts)}
    images = torch.empty(len(cuts), kind.modality.channels, window_px, window_px, dtype=torch.uint8)

    def cut(place: int) -> None:
        i = first[cuts[place]]
        sample, path = samples[i], file_of(samples[i], key)
        assert path is not None  # check_images was called
        cx, cy, side_px = squares[i].tolist()
        pixels = kind.read(path, sample, (cx, cy, side_px))
        if kind.whole:
            cx, cy, side_px = whole_square(pixels.shape[:2])
        images[place] = cut_square(pixels, (cx, cy), side_px * margin, window_px, bool(flip[i]))

    for_all(len(cuts), cut, workers)
    return ImageStack(images, torch.tensor([order[each] for each in alike]) if kind.shared else None)


def whole_square(size_px: tuple[int, ...]) -> Square:
    """Return the square around an image of (height, width)."""
    height, width = size_px
    return (width - 1) / 2, (height - 1) / 2, float(max(height, width))


def cut_square(
    pixels: Pixels, centre: tuple[float, float], side_px: float, out_px: int, flip: bool
) -> UInt8[Tensor, "channels {out_px} {out_px}"]:
    """Return a square of the image, resampled to `out_px` pixels and mirrored if `flip`.

    Enlarging is bilinear, shrinking averages over areas. Pixels from outside the image are mid-grey, or 0 in
    an image of one channel (depth).
    """
    resized = cut_pixels(pixels, centre, side_px, out_px)
    return torch.from_numpy((resized[:, ::-1] if flip else resized).transpose(2, 0, 1).copy())


def for_all(count: int, work: Callable[[int], None], workers: int, progress: Progress = silent) -> None:
    """Call `work` with 0 to count - 1 in threads: Pillow releases Python's interpreter lock."""
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for done, _ in enumerate(pool.map(work, range(count)), 1):
            progress("reading", done, count)
