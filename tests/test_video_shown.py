"""Videos are read as a player shows them, or one line says what differs."""

import re
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from latent_hands.data.formats.video import read_video
from latent_hands.data.formats.video_crop import Crop
from latent_hands.data.formats.video_frame import displayed, square_pixels
from latent_hands.errors import HandsError

av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")
LEVELS = (20, 90, 160, 230)
ALPHA = np.zeros((32, 64), np.uint8)
ALPHA[8:24, 16:48] = 255


def images(size: tuple[int, int] = (32, 64), left: int = 250) -> list[np.ndarray]:
    """Return an image a level: bright above on the left, and of the level elsewhere."""
    frames = [np.full((*size, 3), level, np.uint8) for level in LEVELS]
    for frame in frames:
        frame[: size[0] // 2, : size[1] // 2] = left
    return frames


def add(video, frames, codec: str = "mpeg4", pixels: str = "yuv420p", **changes):
    """Add a stream to an open file; returns it with its packets."""
    options = changes.pop("options", {})
    stream = video.add_stream(codec, rate=5, options=options)
    stream.height, stream.width = frames[0].shape[:2]
    stream.pix_fmt = pixels
    for name, value in changes.items():
        setattr(stream.codec_context, name, value)
    form = "rgb24" if frames[0].shape[2] == 3 else "rgba"
    packets = [p for frame in frames for p in stream.encode(av.VideoFrame.from_ndarray(frame, form))]
    return stream, packets + stream.encode()


def film(path: Path, frames=None, **changes) -> Path:
    with av.open(str(path), "w") as video:
        for packet in add(video, images() if frames is None else frames, **changes)[1]:
            video.mux(packet)
    return path


def filtered(path: Path, source: Path, text: str) -> Path:
    """Copy a video through a filter of its stream."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        change = av.bitstream.BitStreamFilterContext(text, old.streams.video[0], stream)
        for packet in [*old.demux(video=0), None]:
            if packet is not None and packet.dts is None:
                continue
            for changed in change.filter(packet):
                changed.stream = stream
                new.mux(changed)
    return path


def h264(path: Path) -> Path:
    return film(path, codec="libx264", options={"qp": "8"})


@pytest.mark.parametrize("orientation", ["rotate=90", "rotate=180", "flip=horizontal"])
def test_an_orientation_that_the_first_frame_states_holds_for_all(tmp_path, orientation):
    plain = list(read_video(h264(tmp_path / "a.mp4")))
    text = f"h264_metadata=display_orientation=insert:{orientation}"
    turned = list(read_video(filtered(tmp_path / "b.mp4", tmp_path / "a.mp4", text)))
    expected = {
        "rotate=90": lambda rgb: np.rot90(rgb),
        "rotate=180": lambda rgb: rgb[::-1, ::-1],
        "flip=horizontal": lambda rgb: rgb[:, ::-1],
    }[orientation]
    for before, after in zip(plain, turned, strict=True):
        np.testing.assert_array_equal(after.rgb, expected(before.rgb))


def test_columns_are_cropped_exactly(tmp_path):
    """Decoders may keep columns on the left, because aligned rows are faster."""
    plain = list(read_video(h264(tmp_path / "a.mp4")))
    text = "h264_metadata=crop_left=16:crop_top=8"
    for before, after in zip(
        plain, read_video(filtered(tmp_path / "b.mp4", tmp_path / "a.mp4", text)), strict=True
    ):
        np.testing.assert_array_equal(after.rgb, before.rgb[8:, 16:])


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


APERTURE = box(b"clap", struct.pack(">8i", 40, 1, 20, 1, -2, 1, 1, 1))
"""Rows 7 to 26 and columns 10 to 49 of 32 and 64 are shown."""
PROJECTION = box(b"prhd", bytes(16)) + box(b"equi", bytes(20))
SPHERE = box(b"sv3d", box(b"svhd", bytes(5)) + box(b"proj", PROJECTION))


def with_box(path: Path, source: Path, more: bytes) -> Path:
    """Copy an MP4 file of H.264, and add a box to the description of its images."""
    data = bytearray(source.read_bytes())
    place = data.find(b"avcC") - 4
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        start = data.find(name, 0 if name == b"moov" else data.find(b"moov")) - 4
        size = int.from_bytes(data[start : start + 4], "big") + len(more)
        data[start : start + 4] = struct.pack(">I", size)
    data[place:place] = more
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("aspect", [1, 2])
def test_rows_and_columns_that_are_not_shown_are_cropped(tmp_path, suffix, aspect):
    changes = {"sample_aspect_ratio": Fraction(aspect, 1)} if aspect > 1 else {}
    noise = np.random.default_rng(0).integers(0, 256, (3, 32, 64, 3)).astype(np.uint8)
    whole = film(tmp_path / "whole.mp4", list(noise), codec="libx264", options={"qp": "8"}, **changes)
    part = with_box(tmp_path / "part.mp4", whole, APERTURE)
    if suffix == ".mkv":
        part = filtered(tmp_path / "part.mkv", part, "null")
    assert len(list(read_video(part))) == 3
    for shown, frame in zip(read_video(part), read_video(whole), strict=True):
        np.testing.assert_array_equal(shown.rgb, frame.rgb[7:27, 10 * aspect : 50 * aspect])


def test_a_file_that_shows_nothing_is_refused():
    with pytest.raises(HandsError, match="as hidden, which are all of a frame"):
        Crop(top=20, bottom=12).shown(np.zeros((32, 64, 3), np.uint8), (32, 64))


@pytest.mark.parametrize("tilt", [10, 45, 80])
def test_other_angles_are_refused(tilt):
    c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    with pytest.raises(HandsError, match="is no turn by 0, 90, 180 or 270 degrees"):
        displayed(np.zeros((3, 5, 3), np.uint8), (65536 * np.array([[c, s], [-s, c]])).astype(np.int32))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cover_picture_is_not_the_video(tmp_path, suffix, caplog):
    path = tmp_path / f"clip{suffix}"
    with av.open(str(path), "w") as video:
        cover, pictures = add(video, images((96, 96))[:1], "mjpeg", "yuvj420p")
        cover.disposition = av.stream.Disposition.attached_pic if suffix == ".mp4" else 0
        stream, packets = add(video, images())
        stream.disposition = av.stream.Disposition.default
        for packet in pictures + packets:
            video.mux(packet)
    assert [frame.rgb.shape for frame in read_video(path)] == [(32, 64, 3)] * len(LEVELS)
    assert ("has 2 video streams; the one of 64x32 is read" in caplog.text) == (suffix == ".mkv")


def test_the_largest_of_several_streams_is_read_and_announced(tmp_path, caplog):
    with av.open(str(tmp_path / "clip.mp4"), "w") as video:
        films = [add(video, images(size)) for size in ((32, 64), (64, 96))]
        for stream, _ in films:
            stream.disposition = av.stream.Disposition.default
        for packet in films[0][1] + films[1][1]:
            video.mux(packet)
    assert next(read_video(tmp_path / "clip.mp4")).rgb.shape == (64, 96, 3)
    assert "clip.mp4 has 2 video streams; the one of 96x64 is read" in caplog.text


def retimed(path: Path, times: list[int], last: int = 1) -> Path:
    """Write a film whose frames begin at these fifths of a second; the last one lasts for `last` of them."""
    with av.open(str(path), "w") as video:
        for packet, time in zip(add(video, images())[1], times, strict=True):
            packet.time_base, packet.pts, packet.dts = Fraction(1, 5), time, time
            packet.duration = last if time == times[-1] else 1
            video.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_times_begin_with_the_file(tmp_path, suffix, caplog):
    """A part that was cut out of a longer film may state the times of the film."""
    frames = list(read_video(retimed(tmp_path / f"clip{suffix}", [50, 51, 53, 54])))
    assert [frame.seconds for frame in frames] == pytest.approx([0, 0.2, 0.6, 0.8])
    assert not caplog.text


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_last_frame_that_is_shown_for_long_is_no_damage(tmp_path, suffix):
    assert len(list(read_video(retimed(tmp_path / f"clip{suffix}", [0, 1, 2, 3], last=40)))) == 4


def test_frames_of_avi_are_in_the_order_of_their_times(tmp_path, caplog):
    """AVI states when frames are decoded; frames between others are decoded after both."""
    path = film(tmp_path / "clip.avi", images() * 3, codec="libx264", options={"bf": "3", "b-adapt": "0"})
    times = np.array([frame.seconds for frame in read_video(path)])
    np.testing.assert_allclose(np.diff(times), 0.2, atol=1e-6)
    assert not caplog.text


@pytest.mark.parametrize(("codec", "pixels"), [("png", "rgba"), ("qtrle", "argb")])
@pytest.mark.parametrize("hidden", [0, 255])
def test_colours_under_transparent_pixels_do_not_matter(tmp_path, codec, pixels, hidden):
    frames = [np.dstack([np.where(ALPHA[..., None] > 0, rgb, hidden), ALPHA]) for rgb in images()]
    path = film(tmp_path / "clip.mov", frames, codec=codec, pixels=pixels)
    for frame, rgb in zip(read_video(path), images(), strict=True):
        np.testing.assert_array_equal(frame.rgb, np.where(ALPHA[..., None] > 0, rgb, 128))


def test_a_fourth_channel_without_values_is_unused():
    """32 bits a pixel of a screen recorder."""
    pixels = np.dstack([images()[1], 0 * ALPHA])
    frame = av.VideoFrame.from_ndarray(pixels, "rgba")
    np.testing.assert_array_equal(square_pixels(frame, 1.0), images()[1])


@pytest.mark.parametrize(("curve", "text"), [(16, "is HDR (PQ)"), (18, "is HDR (HLG)"), (1, "")])
def test_hdr_is_announced(tmp_path, curve, text, caplog):
    list(read_video(film(tmp_path / "clip.mkv", codec="libx264", color_trc=curve)))
    assert text in caplog.text
    assert bool(caplog.text) == bool(text)


@pytest.mark.parametrize(("packing", "announced"), [("", False), ("3", True), ("6", False)])
def test_stereoscopic_films_are_announced(tmp_path, packing, announced, caplog):
    """6 is x264's number of frames with one view."""
    options = {"x264-params": f"frame-packing={packing}"} if packing else {}
    list(read_video(film(tmp_path / "clip.mp4", codec="libx264", options=options)))
    assert ("clip.mp4 is stereoscopic: frames may show every hand twice" in caplog.text) == announced
    assert bool(caplog.text) == announced


def test_spherical_films_are_announced(tmp_path, caplog):
    list(read_video(with_box(tmp_path / "clip.mp4", h264(tmp_path / "plain.mp4"), SPHERE)))
    assert "clip.mp4 shows all directions or a fisheye's" in caplog.text
    assert "plain" not in caplog.text


@pytest.mark.parametrize("flags", ["+ilme+ildct", ""])
def test_interlaced_films_are_announced(tmp_path, flags, caplog):
    list(
        read_video(film(tmp_path / "clip.mkv", codec="mpeg2video", options={"flags": flags} if flags else {}))
    )
    assert ("clip.mkv is interlaced: moving hands are torn into lines" in caplog.text) == bool(flags)


def test_guessed_pixels_are_announced(tmp_path, caplog):
    noise = np.random.default_rng(0).integers(0, 256, (12, 32, 64, 3)).astype(np.uint8)
    path = film(tmp_path / "clip.avi", list(noise))
    assert len(list(read_video(path))) == 12
    assert not caplog.text
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = b"\xff" * 40
    path.write_bytes(data)
    assert len(list(read_video(path))) == 12
    (record,) = caplog.records
    assert re.search(
        r"clip\.avi is damaged at frame \d: the decoder guessed pixels of it", record.getMessage()
    )
