"""Image files whose pixels would be misread: other pages than the image, and numbers that Pillow mistakes.

`hdr_curve` tells which ones are of high dynamic range, `has_unused_alpha` which ones are not transparent.
"""

import struct
from contextlib import suppress

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from latent_hands.errors import HandsError

_KIND, _BITS, _PLANES, _SIGN = 254, 258, 284, 339
"""The TIFF tags of what a page is (1: a small copy, 4: a mask), of the bits of its colours, of their order
(2: one colour after the other), and of the kind of their numbers (2: signed)."""
HDR = {16: "PQ", 18: "HLG"}
"""The numbers of brightness curves of high dynamic range, in images and videos."""
_CURVES = {"PNG": (b"cICP", 5), "AVIF": (b"colrnclx", 11)}
"""Format -> what precedes the number of the curve, and how far it is from there."""
_SIZES, _DEPTHS, _HEAD = b"\xff\x4f\xff\x51", 42, 2**20
"""JPEG2000's marker of sizes, how far behind it the bits of colours are, and where it is searched for."""


def check_readable(image: Image.Image) -> None:
    """Raise HandsError for an open file whose pixels would be misread."""
    if isinstance(image, TiffImageFile):
        _check_page(image)
        _check_planes(image)
    if image.format == "AVIF":
        _check_aperture(image)
    if image.format == "JPEG2000" and image.mode != "I;16" and (other := _depths(image) - {8}):
        raise HandsError(
            f"its colours have {min(other)} bits each, which wrap around in JPEG2000; they must have 8 bits"
        )


def _check_aperture(image: Image.Image) -> None:
    """Raise HandsError for an AVIF file that viewers crop, as its box "clap" states; Pillow does not."""
    head = _head(image).split(b"mdat")[0]
    numbers = head[head.find(b"clap") + 4 :][:16] if b"clap" in head else b""
    if len(numbers) < 16:
        return
    width, across, height, down = struct.unpack(">4I", numbers)
    shown = [float(side) for side in (width / max(across, 1), height / max(down, 1))]
    if sorted(shown) != sorted(image.size):
        raise HandsError(
            f"viewers show a part of {shown[0]:g}x{shown[1]:g} of its {image.width}x{image.height} pixels "
            "(clean aperture), which is not supported; convert it to PNG"
        )


def has_unused_alpha(image: Image.Image) -> bool:
    """Return whether a TGA file that is not decoded yet states that its fourth channel has no meaning."""
    if image.format != "TGA" or len(head := _head(image)) < 18:
        return False
    return head[17] & 15 == 0


def _check_page(image: TiffImageFile) -> None:
    """Raise HandsError if the first page is not the image, or if its numbers are signed."""
    if (kind := image.tag_v2.get(_KIND, 0)) & 5:
        what = "a small copy" if kind & 1 else "a mask"
        raise HandsError(
            f"its first page is {what} of another one, as in raw files of cameras; convert it to JPEG or PNG"
        )
    if image.mode != "I" and 2 in image.tag_v2.get(_SIGN, ()):
        raise HandsError("its numbers are signed; they must be unsigned")


def _check_planes(image: TiffImageFile) -> None:
    """Raise HandsError for 16 bits a colour, one colour after the other: Pillow reads bytes of them."""
    bits, planes = image.tag_v2.get(_BITS, (8,)), image.tag_v2.get(_PLANES) == 2
    if planes and len(bits) > 1 and max(bits) > 8 and any(codec == "raw" for codec, *_ in image.tile):
        raise HandsError(
            "its colours have 16 bits and are stored one after the other, without compression; "
            "compress it, or convert it to PNG"
        )


def hdr_curve(image: Image.Image) -> str | None:
    """Return the name of the brightness curve of an open PNG or AVIF file of high dynamic range, or None."""
    marker, distance = _CURVES.get(image.format or "", (b"", 0))
    head = _head(image).split(b"IDAT")[0] if marker else b""
    return HDR.get(head[head.find(marker) + distance]) if marker and marker in head[:-distance] else None


def _depths(image: Image.Image) -> set[int]:
    """Return the bits of the colours of a JPEG2000 file; empty if they are not found."""
    head = _head(image)
    sizes = head[head.find(_SIZES) :] if _SIZES in head else b""
    count = int.from_bytes(sizes[_DEPTHS - 2 : _DEPTHS], "big")
    return {(bits & 127) + 1 for bits in sizes[_DEPTHS : _DEPTHS + 3 * count : 3]}


def _head(image: Image.Image) -> bytes:
    """Return the first bytes of the file of an image that is not decoded yet; empty without a file."""
    file, head = getattr(image, "fp", None), b""
    if file is not None:
        place = file.tell()
        with suppress(OSError):
            file.seek(0)
            head = file.read(_HEAD)
        file.seek(place)
    return head
