"""Images are read with the pixels that a viewer shows, or refused: levels, planes, canvases and colours."""

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from latent_hands.data import read_rgb
from latent_hands.errors import HandsError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (24, 32, 3)).astype(np.uint8)
GREY = RGB[..., 0]


def png(pixels: np.ndarray, kind: int, depth: int, **chunks: bytes) -> bytes:
    """Return a PNG file of bytes (height, bytes of a row), with more chunks before its pixels."""
    width = pixels.shape[1] * 8 // depth // (3 if kind == 2 else 1)
    parts = {"IHDR": struct.pack(">IIBBBBB", width, len(pixels), depth, kind, 0, 0, 0), **chunks}
    parts["IDAT"] = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    named = [(name.encode(), data) for name, data in {**parts, "IEND": b""}.items()]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in named
    )


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_transparent_level_is_one_of_the_levels_of_the_file(depth, tmp_path):
    most = 2**depth - 1
    levels = GREY.astype(int) * most // 255
    levels[0, 0] = 1
    bits = np.unpackbits(levels.astype(np.uint8)[..., None], axis=-1)[..., 8 - depth :]
    file = png(np.packbits(bits.reshape(24, -1), axis=1), 0, depth, tRNS=struct.pack(">H", 1))
    (tmp_path / "a.png").write_bytes(file)
    expected = np.where(levels == 1, 128, levels * 255 // most)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png")[..., 0], expected)


@pytest.mark.parametrize("top", [1023, 65535])
def test_grey_maps_of_more_than_8_bits_are_read(top, tmp_path):
    levels = (GREY.astype(int) * top // 255).astype(">u2")
    (tmp_path / "a.pgm").write_bytes(f"P5\n32 24\n{top}\n".encode() + levels.tobytes())
    np.testing.assert_allclose(read_rgb(tmp_path / "a.pgm")[..., 0], GREY, atol=1)


def tiff(planes: np.ndarray) -> bytes:
    """Return a TIFF file of colours that are stored one after the other, (3, height, width)."""
    bits, (count, height, width) = 8 * planes.itemsize, planes.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 2, 273: 8, 277: 3, 278: height, 279: 0, 284: 2}
    entries, more, start = b"", planes.tobytes(), 8 + planes.nbytes
    plane, after = planes.nbytes // count, 2 + 12 * len(tags) + 4
    for tag, value in tags.items():
        triple = {258: (bits,) * 3, 273: tuple(8 + i * plane for i in range(3)), 279: (plane,) * 3}.get(tag)
        place = start + after + 12 * [258, 273, 279].index(tag) if triple else value
        entries += struct.pack("<HHII", tag, 4, 3 if triple else 1, place)
    lists = struct.pack("<9I", *(bits,) * 3, *(8 + i * plane for i in range(3)), *(plane,) * 3)
    return (
        struct.pack("<2sHI", b"II", 42, start)
        + more
        + struct.pack("<H", len(tags))
        + entries
        + bytes(4)
        + lists
    )


def test_bytes_of_colours_of_16_bits_are_not_read_as_colours(tmp_path):
    planes = np.ascontiguousarray(np.moveaxis(RGB, -1, 0))
    (tmp_path / "a.tif").write_bytes(tiff(planes))
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.tif"), RGB)
    (tmp_path / "b.tif").write_bytes(tiff(planes.astype(np.uint16) * 257))
    with pytest.raises(HandsError, match=r"b\.tif: its colours have 16 bits and are stored one after the"):
        read_rgb(tmp_path / "b.tif")


@pytest.mark.parametrize("bits", [4, 12, 16])
def test_colours_of_jpeg2000_have_8_bits(bits, tmp_path):
    """Pillow rounds white of 16 bits up to 256, which it stores as 0."""
    path = tmp_path / "a.jp2"
    Image.fromarray(RGB).save(path)
    np.testing.assert_array_equal(read_rgb(path), RGB)
    data = bytearray(path.read_bytes())
    place = data.find(b"\xff\x4f\xff\x51") + 42
    data[place : place + 9 : 3] = bytes([bits - 1] * 3)
    path.write_bytes(data)
    with pytest.raises(HandsError, match=rf"a\.jp2: its colours have {bits} bits each"):
        read_rgb(path)


def webp(box: tuple[int, int, int, int], transparent: bool, profile: bytes = b"") -> bytes:
    """Return a WebP file of 32x24 pixels whose only frame is the part (x, y, width, height) of RGB."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)

    x, y, width, height = box
    frame = io.BytesIO()
    Image.fromarray(RGB[y : y + height, x : x + width]).save(frame, "webp", lossless=True)
    numbers = (x // 2, y // 2, width - 1, height - 1, 100)
    head = b"".join(struct.pack("<I", number)[:3] for number in numbers) + b"\0"
    flags = 2 | 16 * transparent | 32 * bool(profile)
    size = struct.pack("<I", 31)[:3] + struct.pack("<I", 23)[:3]
    body = b"WEBP" + chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size)
    body += chunk(b"ICCP", profile) if profile else b""
    body += chunk(b"ANIM", bytes(6)) + chunk(b"ANMF", head + frame.getvalue()[12:])
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("profile", [b"", b"no profile"], ids=["bare", "profile"])
@pytest.mark.parametrize("box", [(0, 0, 32, 24), (8, 6, 20, 10), (30, 22, 2, 1)])
def test_what_the_frame_of_a_webp_file_does_not_cover_is_transparent(box, profile, transparent, tmp_path):
    (tmp_path / "a.webp").write_bytes(webp(box, transparent, profile))
    x, y, width, height = box
    part = np.s_[y : y + height, x : x + width]
    expected = np.full((24, 32, 3), 128, np.uint8)
    expected[part] = RGB[part]
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.webp"), expected)


def linear_profile() -> bytes:
    """Return the profile of sRGB with levels that are proportional to light."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for match in list(re.finditer(rb"[rgb]TRC(.{4})(.{4})", bytes(profile[:512]), re.S)):
        start, size = (int.from_bytes(part, "big") for part in match.groups())
        profile[start : start + size] = b"curv" + bytes(size - 4)
    return bytes(profile)


def light(levels: np.ndarray) -> np.ndarray:
    """Return levels of sRGB as levels that are proportional to light, all from 0 to 255."""
    share = levels / 255
    return 255 * np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_colour_profiles_are_applied(ending, tmp_path):
    bright = RGB // 2 + 128
    stored = light(bright).round().astype(np.uint8)
    Image.fromarray(stored).save(tmp_path / f"a.{ending}", icc_profile=linear_profile(), lossless=True)
    np.testing.assert_allclose(read_rgb(tmp_path / f"a.{ending}"), bright, atol=2)


def test_transparency_is_not_changed_by_a_profile(tmp_path):
    alpha = np.where(np.arange(32) < 16, 0, 255).astype(np.uint8) * np.ones((24, 1), np.uint8)
    bright = RGB // 2 + 128
    stored = np.dstack([light(bright).round().astype(np.uint8), alpha])
    Image.fromarray(stored).save(tmp_path / "a.png", icc_profile=linear_profile())
    pixels = read_rgb(tmp_path / "a.png")
    assert (pixels[:, :16] == 128).all()
    np.testing.assert_allclose(pixels[:, 16:], bright[:, 16:], atol=2)


@pytest.mark.parametrize(
    ("mode", "profile"), [("RGB", b"nonsense" * 20), ("L", linear_profile())], ids=["broken", "of RGB"]
)
def test_a_profile_that_cannot_be_applied_is_announced(mode, profile, tmp_path, caplog):
    image = Image.fromarray(RGB).convert(mode)
    image.save(tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), image.convert("RGB"))
    assert "a.png cannot be applied" in caplog.text


@pytest.mark.parametrize(("gamma", "power"), [(100000, 1 / 2.2), (45455, 1.0), (55556, 1 / 2.2 / 0.55556)])
def test_the_gamma_of_png_files_is_applied(gamma, power, tmp_path):
    file = png(RGB.reshape(24, -1), 2, 8, gAMA=struct.pack(">I", gamma))
    Path(tmp_path / "a.png").write_bytes(file)
    np.testing.assert_allclose(read_rgb(tmp_path / "a.png"), 255 * (RGB / 255) ** power, atol=0.51)


@pytest.mark.parametrize(("curve", "name"), [(16, "PQ"), (18, "HLG"), (13, "")])
@pytest.mark.parametrize("ending", ["png", "avif"])
def test_images_of_high_dynamic_range_are_announced(ending, curve, name, tmp_path, caplog):
    path = tmp_path / f"a.{ending}"
    if ending == "png":
        path.write_bytes(png(RGB.reshape(24, -1), 2, 8, cICP=bytes([9, curve, 0, 1])))
    else:
        Image.fromarray(RGB).save(path)
        data = bytearray(path.read_bytes())
        data[data.find(b"colrnclx") + 11] = curve
        path.write_bytes(data)
    read_rgb(path)
    assert (f"a.{ending} is HDR ({name}), which is read without tone mapping" in caplog.text) == bool(name)
    assert bool(caplog.text) == bool(name)


@pytest.mark.parametrize("exif", [False, True])
def test_an_orientation_of_xmp_alone_is_announced(exif, tmp_path, caplog):
    text = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    orientation = Image.Exif()
    orientation[0x0112] = 6
    more = {"eXIf": orientation.tobytes()[6:]} if exif else {"iTXt": b"XML:com.adobe.xmp" + bytes(5) + text}
    (tmp_path / "a.png").write_bytes(png(RGB.reshape(24, -1), 2, 8, **more))
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), np.rot90(RGB, -1))
    assert ("a.png is turned as only its XMP data state it" in caplog.text) == (not exif)


@pytest.mark.parametrize("alpha_bits", [0, 8])
def test_the_fourth_channel_of_tga_files_is_what_they_state(alpha_bits, tmp_path, caplog):
    alpha = np.tile(np.arange(32, dtype=np.uint8) * 8, (24, 1))
    Image.fromarray(np.dstack([RGB, alpha])).save(tmp_path / "a.tga")
    content = bytearray((tmp_path / "a.tga").read_bytes())
    content[17] = content[17] & 0xF0 | alpha_bits
    (tmp_path / "a.tga").write_bytes(content)
    assert (read_rgb(tmp_path / "a.tga") == RGB).all() == (alpha_bits == 0)
    assert ("is not transparency" in caplog.text) == (alpha_bits == 0)


def with_aperture(content: bytes, width: int, height: int) -> bytes:
    """Return an AVIF file with the box "clap", which crops it in viewers."""
    box, file = struct.pack(">I4s8I", 40, b"clap", width, 1, height, 1, 0, 1, 0, 1), bytearray(content)
    sizes = {name: file.find(name) - 4 for name in (b"ipco", b"iprp", b"meta")}
    end = sizes[b"ipco"] + int.from_bytes(file[sizes[b"ipco"] :][:4], "big")
    for place in (*sizes.values(), file.find(b"iloc") + 18):  # the last one is the place of the pixels
        number = int.from_bytes(file[place : place + 4], "big") + len(box)
        file[place : place + 4] = number.to_bytes(4, "big")
    return bytes(file[:end] + box + file[end:])


@pytest.mark.parametrize(("size", "legal"), [((32, 24), True), ((20, 24), False)])
def test_avif_files_that_viewers_crop_are_refused(size, legal, tmp_path):
    path = tmp_path / "a.avif"
    Image.fromarray(RGB).save(path)
    path.write_bytes(with_aperture(path.read_bytes(), *size))
    if legal:
        assert read_rgb(path).shape == RGB.shape
    else:
        with pytest.raises(HandsError, match="clean aperture"):
            read_rgb(path)
