"""The images of labelled samples, and checks that 2D joints and cameras are for these images.

Labels are for another image if a tool ignored the EXIF orientation, or if images were resized and labels were
not. Such a set gives numbers that look right, so it is refused. `latent-hands check` names all such images.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from latent_hands.data.formats.image import decode_first, open_image, shown_size
from latent_hands.data.formats.image_pixels import ORIENTATION
from latent_hands.data.label_places import SizePx, check_camera, check_places
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError


def read_labelled(sample: Sample) -> UInt8[np.ndarray, "height width 3"]:
    """Read the image of a sample as `read_rgb` does.

    Raises HandsError, too, if 2D joints or camera of the sample are not for the image as it is displayed.
    """
    with open_image(sample.image) as image:
        check_size(sample, image)
        return decode_first(sample.image, image)


def check_files(samples: Iterable[Sample]) -> None:
    """Raise HandsError if labels are not for the images of their samples; pixels are not decoded.

    The errors are those of `check_size` and `check_places`.
    """
    samples, sizes = list(samples), list[SizePx]()
    for sample in samples:
        with open_image(sample.image) as image:
            check_size(sample, image)
            sizes.append(shown_size(image))
    check_places(samples, sizes)


def check_size(sample: Sample, image: Image.Image) -> None:
    """Raise HandsError if 2D joints or camera are for an image of another size or orientation, or of none."""
    if sample.uv_px is None and sample.K is None:
        return
    shown, orientation = shown_size(image), image.getexif().get(ORIENTATION, 1)
    if sample.size_px is not None and sample.size_px != shown:
        raise HandsError(_other_size(sample.size_px, shown, image.size))
    if orientation in range(2, 9) and (
        sample.size_px is None or image.width == image.height or shown == image.size
    ):
        raise HandsError(
            f"the EXIF orientation {orientation} turns or mirrors the image, and it is not "
            "known whether the labels are for the stored or for the turned image; save the one that was "
            "labelled without an EXIF orientation"
        )
    check_camera(sample, shown)


def _other_size(labelled: SizePx, shown: SizePx, stored: SizePx) -> str:
    text = "the labels are for an image of {}x{} pixels, but the image has {}x{}".format(*labelled, *shown)
    if labelled == stored:
        return (
            f"{text} after its EXIF orientation is applied; save the image without an EXIF orientation, "
            "as it was labelled"
        )
    across, down = shown[0] / labelled[0], shown[1] / labelled[1]
    if abs(across / down - 1) < 0.02:
        text += f"; multiply the 2D joints and the first two rows of K by {across:.3g}, or"
        return f"{text} use the images in the size that was labelled"
    return f"{text}; use the images in the size that was labelled"
