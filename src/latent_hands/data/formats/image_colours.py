"""The colours of images as viewers show them: their colour profile or gamma is applied."""

import io
import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from PIL import Image

_LOG = logging.getLogger(__name__)
DISPLAY_GAMMA = 2.2
SAME_GAMMA = 0.05
"""The gamma of PNG files that differs relatively by less from that of displays is not applied."""
_WITHOUT_ALPHA = {"1": "L", "LA": "L", "La": "L"}
"""Modes of grey images -> the mode that profiles are applied to; for CMYK it is CMYK, otherwise RGB."""


def shown_colours(image: Image.Image, name: str) -> Image.Image:
    """Return an image of 8 bits with the colours of sRGB, in the mode RGB, or RGBA if it is transparent.

    Its ICC profile is applied, or else the gamma that a PNG file states. A warning, with the `name` of the
    image, says that a profile cannot be applied.
    """
    if profile := image.info.get("icc_profile"):
        shown = _by_profile(image, profile, name)
    elif (gamma := _stated_gamma(image.info)) is not None:
        shown = _by_gamma(image, gamma)
    else:
        return image
    if image.has_transparency_data:
        shown.putalpha(image.convert("RGBA").getchannel("A"))
    return shown


def _stated_gamma(info: Mapping[Any, Any]) -> float | None:
    """Return the gamma that a PNG file states; None if it is that of displays, or nonsense."""
    gamma = info.get("gamma") or 0.0
    other = 0 < gamma < DISPLAY_GAMMA and abs(gamma * DISPLAY_GAMMA - 1) > SAME_GAMMA
    return gamma if other and "srgb" not in info else None


def _by_gamma(image: Image.Image, gamma: float) -> Image.Image:
    power = 1 / (gamma * DISPLAY_GAMMA)
    return image.convert("RGB").point([round(255 * (level / 255) ** power) for level in range(256)] * 3)


def _by_profile(image: Image.Image, profile: bytes, name: str) -> Image.Image:
    mode = image.mode if image.mode in ("L", "CMYK") else _WITHOUT_ALPHA.get(image.mode, "RGB")
    try:
        from PIL import ImageCms

        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        shown = ImageCms.profileToProfile(image.convert(mode), source, _srgb(), outputMode="RGB")
    except Exception as error:  # the library raises almost every type on broken profiles
        _LOG.warning("the colour profile of %s cannot be applied, so colours may differ: %s", name, error)
        return image.convert("RGB")
    assert shown is not None
    return shown


@lru_cache(1)
def _srgb() -> Any:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
