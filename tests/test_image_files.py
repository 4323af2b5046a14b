"""Image files of every kind give the same pixels for the same look, or one line that says why not."""

import logging
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent_hands.data import read_images, read_rgb
from latent_hands.data.formats import image
from latent_hands.data.formats.image import open_image, pages_of, read_pixels
from latent_hands.data.formats.image_pixels import to_pixels
from latent_hands.data.formats.timed_file import TimedFile
from latent_hands.errors import HandsError
from latent_hands.predictor import HandCrop
from latent_hands.predictor.checks import pixels_of

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (24, 32, 3)).astype(np.uint8)
ALPHA = np.zeros((24, 32), np.uint8)
ALPHA[6:20, 8:24] = 255


def seen(alpha: np.ndarray = ALPHA) -> np.ndarray:
    """What a viewer shows of RGB on mid-grey."""
    return np.where(alpha[..., None] > 0, RGB, 128).astype(np.uint8)


@pytest.mark.parametrize("hidden", ["original", "black", "white", "noise"])
@pytest.mark.parametrize("suffix", ["png", "tga", "tif"])
def test_colours_under_transparent_pixels_do_not_matter(hidden, suffix, tmp_path):
    noise = RNG.integers(0, 256, RGB.shape).astype(np.uint8)
    under = {"original": RGB, "black": RGB * 0, "white": RGB * 0 + 255, "noise": noise}[hidden]
    pixels = np.dstack([np.where(ALPHA[..., None] > 0, RGB, under), ALPHA])
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_rgb(tmp_path / f"a.{suffix}"), seen())


def test_half_transparent_pixels_are_mixed_with_mid_grey(tmp_path):
    pixels = np.full((4, 4, 4), 255, np.uint8)
    pixels[..., 3] = 128
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_allclose(read_rgb(tmp_path / "a.png"), 128 + 127 * 128 / 255, atol=1)


def test_grey_and_palette_images_may_be_transparent(tmp_path):
    grey = Image.fromarray(np.dstack([RGB[..., 0], ALPHA]))
    grey.save(tmp_path / "la.png")
    assert grey.mode == "LA"
    expected = np.where(ALPHA > 0, RGB[..., 0], 128)
    np.testing.assert_array_equal(read_rgb(tmp_path / "la.png")[..., 1], expected)
    palette = Image.fromarray((ALPHA > 0).astype(np.uint8)).convert("P")
    palette.putpalette([9, 9, 9, 200, 100, 50])
    palette.save(tmp_path / "p.png", transparency=0)
    pixels = read_rgb(tmp_path / "p.png")
    assert (pixels[ALPHA == 0] == 128).all()
    assert (pixels[ALPHA > 0] == [200, 100, 50]).all()


def test_grey_16_bit_and_cmyk_images_are_read(tmp_path):
    Image.fromarray(RGB[..., 0]).save(tmp_path / "l.png")
    Image.fromarray(RGB[..., 0].astype(np.uint16) * 257).save(tmp_path / "16.png")
    expected = RGB[..., :1].repeat(3, axis=2)
    np.testing.assert_array_equal(read_rgb(tmp_path / "l.png"), expected)
    np.testing.assert_array_equal(read_rgb(tmp_path / "16.png"), expected)
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "cmyk.tif")
    np.testing.assert_allclose(read_rgb(tmp_path / "cmyk.tif").astype(int), RGB, atol=2)


@pytest.mark.parametrize(("bits", "warned"), [(10, True), (12, True), (16, False)])
def test_16_bit_images_of_12_bits_or_fewer_are_named(bits, warned, caplog):
    levels = RGB[..., 0].astype(np.uint16) << (bits - 8)
    to_pixels(Image.fromarray(levels))
    assert bool(caplog.records) == warned
    assert not warned or f"no value above {levels.max()}" in caplog.text


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), np.rot90(RGB, -1))


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (3000, 2)])
def test_tiny_and_panoramic_images_are_read(size, tmp_path):
    Image.new("RGB", size).save(tmp_path / "a.png")
    assert read_rgb(tmp_path / "a.png").shape == (size[1], size[0], 3)


def count(path):
    with open_image(path) as image:
        return pages_of(image)


@pytest.mark.parametrize("suffix", ["gif", "webp", "tif", "png"])
def test_the_first_page_is_read_and_pages_are_counted(suffix, tmp_path, caplog):
    pages = [Image.new("RGB", (8, 8), (level,) * 3) for level in (200, 100, 0)]
    path = tmp_path / f"a.{suffix}"
    pages[0].save(
        path, save_all=True, append_images=pages[1:], **({"lossless": True} if suffix == "webp" else {})
    )
    assert count(path) == 3
    for read in (read_rgb, read_rgb, lambda file: HandCrop.open(file).rgb):
        assert (read(path) == 200).all()
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} has 3 pages or frames; the first is read"
    ]
    pages[0].save(tmp_path / f"one.{suffix}")
    assert count(tmp_path / f"one.{suffix}") == 1


def thin_png(width: int, height: int) -> bytes:
    """A file of some bytes that claims to be a large image."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"\(0 bytes\) is not a readable image"),
        (b"hello", "is not a readable image: its content has none of the formats AVIF, BMP"),
        (thin_png(1, 89_000_000), "the limit of a side is 65,535"),
        (thin_png(40_000, 40_000), "more than 89,000,000 pixels"),
        (thin_png(300, 300), "is not a readable image: .*truncated"),
        (EPS, "is not a readable image"),
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "it is a HEIC file, which is not supported; convert it to JPEG",
        ),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(content, message, tmp_path):
    path = tmp_path / "hand.jpg"
    path.write_bytes(content)
    with pytest.raises(HandsError, match=message) as error:
        read_rgb(path)
    assert "hand.jpg" in str(error.value)
    assert "\n" not in str(error.value)


def test_truncated_images_are_refused(tmp_path):
    for suffix in ("png", "jpg", "webp", "bmp"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(RGB).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
        with pytest.raises(HandsError, match="is not a readable image"):
            read_rgb(path)


def test_masks_keep_their_numbers(tmp_path):
    Image.fromarray(ALPHA // 128).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_pixels(tmp_path / "mask.png", "L"), ALPHA // 128)


def test_a_folder_has_all_kinds_and_names_what_it_leaves_out(tmp_path: Path, caplog):
    image = Image.fromarray(RGB)
    for name in ("a.jpg", "b.JPG", "e.gif", "h.tga"):
        image.save(tmp_path / name)
    for name, kind in (("c.jfif", "JPEG"), ("d.jpe", "JPEG"), ("noending", "PNG")):
        image.save(tmp_path / name, format=kind)
    (tmp_path / "._a.jpg").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    (tmp_path / "i.heic").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "v.mp4").write_bytes(b"")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    errors = []
    with caplog.at_level(logging.WARNING):
        samples = read_images(tmp_path, on_broken=errors.append)
    assert [sample.image.name for sample in samples] == [
        "a.jpg",
        "b.JPG",
        "c.jfif",
        "d.jpe",
        "e.gif",
        "h.tga",
    ]
    assert "left out i.heic, noending, v.mp4, whose names do not end like images; name videos" in caplog.text
    assert [str(error).endswith("gone.jpg") for error in errors] == [True]


@pytest.mark.parametrize(("bits", "warned"), [(10, True), (12, True), (16, False)])
@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_12_bits_or_fewer_are_named(bits, warned, channels, tmp_path, caplog):
    """Pillow drops the lower 8 bits of 16-bit colours, so nobody else would notice."""
    levels = np.dstack([RGB.astype(np.uint16) * 257 >> (16 - bits), np.full(RGB.shape[:2], 65535, np.uint16)])
    write_colours(tmp_path / "a.png", levels[..., :channels])
    found = read_rgb(tmp_path / "a.png")
    assert ("so it is read as almost black" in caplog.text) == warned
    assert warned or (found == RGB).all()


def write_colours(path: Path, levels: np.ndarray) -> None:
    """Write a PNG file of 16-bit colours, which Pillow cannot write."""
    height, width, channels = levels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    head = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_read(tmp_path, monkeypatch):
    """Its error must not end the work on the other images of a folder."""
    for name in "abc":
        Image.fromarray(RGB).save(tmp_path / f"{name}.png")

    def refuse(path: Path):
        if path.name == "b.png":
            raise PermissionError(13, "Permission denied", str(path))
        return TimedFile(path)

    monkeypatch.setattr(image, "TimedFile", refuse)
    monkeypatch.setattr(Path, "open", lambda path, *_: refuse(path))
    broken = []
    assert [sample.name for sample in read_images(tmp_path, on_broken=broken.append)] == ["a", "c"]
    assert "b.png" in str(broken[0])
    assert "Permission denied" in str(broken[0])


def test_common_images_do_not_import_the_plugins_of_all_formats(tmp_path):
    path = tmp_path / "hand.png"
    Image.new("RGB", (8, 8)).save(path)
    code = (
        "import sys; from latent_hands.data.formats.image import read_rgb; "
        "read_rgb(sys.argv[1]); sys.exit('PIL.AvifImagePlugin' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, path]).returncode == 0


@pytest.mark.parametrize("suffix", ["png", "tga", "tif"])
def test_a_fourth_channel_without_values_is_unused_and_named(suffix, tmp_path, caplog):
    """Screen recorders and game engines write 32 bits a pixel, of which 8 are zero."""
    Image.fromarray(np.dstack([RGB, ALPHA * 0])).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_rgb(tmp_path / f"a.{suffix}"), RGB)
    np.testing.assert_array_equal(pixels_of(np.dstack([RGB, ALPHA * 0])), RGB)
    for name in (f"{tmp_path / 'a'}.{suffix}", "an image"):
        assert f"all pixels of {name} are transparent, so its transparency is ignored" in caplog.text


def test_16_bits_may_be_inverted_and_have_a_transparent_level(tmp_path):
    levels = RGB[..., 0].astype(np.uint16) * 257
    grey = Image.fromarray(~levels)
    grey.save(tmp_path / "inverted.tif", tiffinfo={262: 0})
    np.testing.assert_array_equal(read_rgb(tmp_path / "inverted.tif")[..., 0], RGB[..., 0])
    Image.fromarray(levels).save(tmp_path / "clear.png", transparency=int(levels[0, 0]))
    expected = np.where(levels == levels[0, 0], 128, RGB[..., 0])
    np.testing.assert_array_equal(read_rgb(tmp_path / "clear.png")[..., 0], expected)


@pytest.mark.parametrize(
    ("tags", "message"),
    [({254: 1}, "a small copy of another"), ({254: 4}, "a mask of another"), ({339: 2}, "are signed")],
)
def test_pages_that_are_not_the_image_are_refused(tags, message, tmp_path):
    """Raw files of cameras begin with a small copy."""
    Image.fromarray(RGB[..., 0]).save(tmp_path / "a.tif", tiffinfo=tags)
    with pytest.raises(HandsError, match=message):
        read_rgb(tmp_path / "a.tif")


def part_of_gif(box: tuple[int, int, int, int], background: int) -> bytes:
    """Return a GIF of 32x24 pixels whose only frame is white in a box (x, y, width, height)."""
    codes = [code for _ in range(box[2] * box[3]) for code in (4, 1)] + [5]  # clear, white; end
    bits = [code >> i & 1 for code in codes for i in range(3)]
    data = bytes(sum(bit << i for i, bit in enumerate(bits[j : j + 8])) for j in range(0, len(bits), 8))
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))
    head = b"GIF89a" + struct.pack("<HHBBB", 32, 24, 0x80, background, 0)
    colours = bytes([200, 0, 0, 255, 255, 255])
    return head + colours + b"," + struct.pack("<HHHHB", *box, 0) + b"\x02" + blocks + b"\0;"


@pytest.mark.parametrize("background", [0, 1])
@pytest.mark.parametrize("box", [(0, 0, 32, 24), (8, 6, 20, 10), (31, 23, 1, 1)])
def test_what_the_frame_of_a_gif_does_not_cover_is_transparent(box, background, tmp_path):
    """Browsers do so, too: they ignore the colour that the file names as background."""
    (tmp_path / "a.gif").write_bytes(part_of_gif(box, background))
    x, y, width, height = box
    expected = np.full((24, 32, 3), 128, np.uint8)
    expected[y : y + height, x : x + width] = 255
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.gif"), expected)


def test_hidden_images_and_folders_that_are_not_read_are_announced(tmp_path, caplog):
    for name in ("a.png", ".b.png", "._a.png", ".hidden", "inside/c.png", "notes/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / name, "PNG")
    assert [sample.name for sample in read_images(tmp_path)] == ["a"]
    assert caplog.messages == [
        f"{tmp_path}: left out hidden images, .b.png",
        f"{tmp_path}: left out its folders; images are in {tmp_path / 'inside'}",
    ]
