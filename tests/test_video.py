"""Videos as lists of images."""

import re
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from latent_hands.data import open_data, read_images, read_rgb
from latent_hands.data.formats import video as video_module
from latent_hands.data.formats import video_frame
from latent_hands.data.formats.camera import device_of, read_camera
from latent_hands.data.formats.video import FORMATS, decode, read_video
from latent_hands.data.formats.video_crop import Crop
from latent_hands.data.formats.video_frame import aspect_of, displayed
from latent_hands.errors import HandsError

av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")
LEVELS = [20, 90, 160, 230]


def film(path: Path, rotated_deg: int = 0) -> Path:
    """Write four frames of 64x32 pixels, bright above and of a level of LEVELS below."""
    with av.open(str(path), "w") as video:
        stream = video.add_stream("libvpx-vp9" if path.suffix == ".webm" else "mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        if rotated_deg:
            stream.set_display_rotation(rotated_deg)
        for level in LEVELS:
            rgb = np.full((32, 64, 3), level, np.uint8)
            rgb[:16] = 250
            video.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        video.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_frames_are_in_order(tmp_path, suffix):
    samples = open_data("images", film(tmp_path / f"clip{suffix}"), "evaluation")
    assert [s.name for s in samples] == [f"clip-{i:05d}" for i in range(4)]
    for sample, level in zip(samples, LEVELS, strict=True):
        rgb = read_rgb(sample.image)
        assert rgb.shape == (32, 64, 3)
        assert abs(rgb[20:].mean() - level) < 12
        assert rgb[:12].mean() > 225


def test_the_number_of_frames_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(video_module, "MAX_FRAMES", 2)
    clip = film(tmp_path / "clip.mp4")
    assert [s.name for s in read_images(clip, limit=2)] == ["clip-00000", "clip-00001"]
    with pytest.raises(HandsError, match=r"clip\.mp4 has more than 2 frames; .* cut the video"):
        read_images(clip)


def test_pixels_are_limited(tmp_path, monkeypatch):
    clip = film(tmp_path / "clip.mp4")
    with monkeypatch.context() as patched:
        patched.setattr(video_module, "MAX_PIXELS", 3 * 64 * 32)
        with pytest.raises(HandsError, match="has more than 3 frames"):
            read_images(clip)
    monkeypatch.setattr(video_frame, "MAX_FRAME_PIXELS", 1000)
    with pytest.raises(HandsError, match="is not a readable video"):
        read_images(clip)


def test_rotated_videos_are_upright(tmp_path):
    plain, rotated = (read_images(film(tmp_path / f"{deg}.mp4", deg))[0] for deg in (0, 90))
    upright = np.rot90(read_rgb(plain.image))
    np.testing.assert_array_equal(read_rgb(rotated.image), upright)


F = 1 << 16
MATRICES = {
    "plain": (F, 0, 0, F),
    "turned once": (0, F, -F, 0),
    "turned twice": (-F, 0, 0, -F),
    "turned three times": (0, -F, F, 0),
    "mirrored": (-F, 0, 0, F),
    "upside down": (F, 0, 0, -F),
    "mirrored and turned": (0, F, F, 0),
    "mirrored and turned back": (0, -F, -F, 0),
}


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
def test_the_display_matrix_moves_every_pixel(matrix):
    """A pixel moves to (x, y) @ matrix, but for a shift."""
    M = np.array(matrix, np.int32).reshape(2, 2)
    rgb = np.random.default_rng(0).integers(0, 256, (3, 5, 3)).astype(np.uint8)
    shown = displayed(rgb, M)
    places = np.stack(np.meshgrid(np.arange(5), np.arange(3)), axis=-1).reshape(-1, 2) @ (M // F)
    places -= places.min(axis=0)
    np.testing.assert_array_equal(shown[places[:, 1], places[:, 0]], rgb.reshape(-1, 3))


def test_mirrored_videos_are_mirrored(tmp_path):
    """The matrix of a phone's front camera: the file asks for the mirror image."""
    clip = film(tmp_path / "clip.mp4")
    data = bytearray(clip.read_bytes())
    start = data.find(struct.pack(">9i", F, 0, 0, 0, F, 0, 0, 0, 1 << 30), data.find(b"tkhd"))
    data[start : start + 36] = struct.pack(">9i", F, 0, 0, 0, -F, 0, 0, 32 * F, 1 << 30)
    (tmp_path / "flipped.mp4").write_bytes(data)
    plain, flipped = (next(read_video(tmp_path / name)).rgb for name in ("clip.mp4", "flipped.mp4"))
    np.testing.assert_array_equal(flipped, plain[::-1])


@pytest.mark.parametrize(("aspect", "shape"), [((2, 1), (32, 128)), ((1, 2), (64, 64)), ((4, 3), (32, 85))])
def test_pixels_become_square(tmp_path, aspect, shape):
    with av.open(str(tmp_path / "clip.mp4"), "w") as video:
        stream = video.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
        video.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((32, 64, 3), 90, np.uint8), "rgb24")))
        video.mux(stream.encode())
    assert next(read_video(tmp_path / "clip.mp4")).rgb.shape == (*shape, 3)


def test_absurd_pixels_are_refused():
    with pytest.raises(HandsError, match=r"100 times as wide as high; legal are 0\.25 to 4"):
        aspect_of(SimpleNamespace(sample_aspect_ratio=Fraction(100, 1)))


def test_frames_may_change_their_size(monkeypatch):
    monkeypatch.setattr(video_module, "stated_crop", lambda _: Crop())
    sizes = [(32, 64), (48, 80), (32, 64)]
    frames = [av.VideoFrame.from_ndarray(np.zeros((*size, 3), np.uint8), "rgb24") for size in sizes]
    unknown = dict.fromkeys(("sample_aspect_ratio", "time_base", "average_rate"))
    film = SimpleNamespace(codec_context=SimpleNamespace(), disposition=1, width=64, height=32, **unknown)
    container = SimpleNamespace(
        streams=SimpleNamespace(video=[film]),
        decode=lambda _: frames,
        start_time=None,
        format=SimpleNamespace(name="matroska"),
    )
    assert [each.frame.rgb.shape[:2] for each in decode(container)] == sizes


def damaged(path: Path) -> Path:
    """Write a film of noise whose bytes are overwritten from the middle on."""
    noise = np.random.default_rng(0)
    with av.open(str(path), "w") as video:
        stream = video.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for _ in range(12):
            rgb = noise.integers(0, 256, (32, 64, 3)).astype(np.uint8)
            video.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        video.mux(stream.encode())
    data = bytearray(path.read_bytes())
    start = data.find(b"mdat")
    middle = start + (data.find(b"moov") - start) // 2
    data[middle : middle + 3000] = b"\xff" * 3000
    path.write_bytes(data)
    return path


def test_frames_before_the_damage_are_kept(tmp_path):
    errors = []
    samples = read_images(damaged(tmp_path / "clip.mp4"), on_broken=errors.append)
    assert 1 <= len(samples) < 12
    pattern = rf"clip\.mp4 is damaged or cut off after frame {len(samples)} at .* s; the frames until there"
    assert re.search(pattern, str(errors[0]))
    assert len(errors) == 1


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
def test_a_video_that_was_cut_off_says_where_it_ends(tmp_path, suffix):
    """The decoder of Matroska ends such a file without an error."""
    path, noise = tmp_path / f"clip{suffix}", np.random.default_rng(0)
    with av.open(str(path), "w") as video:
        stream = video.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for _ in range(30):
            rgb = noise.integers(0, 256, (32, 64, 3)).astype(np.uint8)
            video.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        video.mux(stream.encode())
    assert len(list(read_video(path))) == 30
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    frames = []
    with pytest.raises(HandsError, match=r"is damaged or cut off after frame \d+ at .* s; the frames until"):
        frames.extend(read_video(path))
    assert 5 < len(frames) < 25


def test_a_film_of_sound_alone_is_refused(tmp_path):
    with av.open(str(tmp_path / "song.mp4"), "w") as video:
        stream = video.add_stream("aac", rate=8000)
        stream.layout = "mono"
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.rate = 8000
        video.mux(stream.encode(silence))
        video.mux(stream.encode())
    with pytest.raises(HandsError, match=r"song\.mp4: it has no images"):
        next(read_video(tmp_path / "song.mp4"))


def test_broken_videos_are_errors(tmp_path):
    data = film(tmp_path / "clip.mp4").read_bytes()
    playlist = f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/clip.mp4\n".encode()
    for name, content in {"empty": b"", "text": b"hello", "cut": data[:200], "list": playlist}.items():
        (tmp_path / f"{name}.mp4").write_bytes(content)
        with pytest.raises(HandsError, match=rf"{name}\.mp4 is not a readable video: [^\[]*$"):
            read_images(tmp_path / f"{name}.mp4")


def test_frames_are_removed_when_the_program_ends(tmp_path):
    code = (
        "import sys\nfrom latent_hands.data import read_images\n"
        "print(read_images(sys.argv[1])[0].image.parent)"
    )
    call = [sys.executable, "-c", code, str(film(tmp_path / "clip.mp4"))]
    folder = Path(subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip())
    assert folder.name.startswith("latent-hands-")
    assert not folder.exists()


def test_without_pyav_the_error_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(HandsError, match=r"clip\.mp4 is a video, .* pip install 'latent-hands\[video\]'"):
        read_images(film(tmp_path / "clip.mp4"))


def test_a_missing_camera_is_one_line():
    with pytest.raises(HandsError, match=r"there is no camera 97 \(/dev/video97\); .*") as error:
        next(read_camera("97"))
    assert "\n" not in str(error.value)


def test_cameras_of_operating_systems():
    assert device_of("0", "linux") == ("/dev/video0", "v4l2")
    assert device_of("/dev/video2", "linux") == ("/dev/video2", "v4l2")
    assert device_of("0", "darwin") == ("0", "avfoundation")
    assert device_of("Webcam", "win32") == ("video=Webcam", "dshow")
    with pytest.raises(HandsError, match="not supported on plan9"):
        device_of("0", "plan9")


def test_times_of_a_camera_begin_at_zero(monkeypatch):
    from latent_hands.data.formats import camera

    monkeypatch.setattr(camera, "device_of", lambda device, _: ("testsrc=size=32x16:rate=10", "lavfi"))
    frames = read_camera("0")
    assert [next(frames).seconds for _ in range(3)] == pytest.approx([0, 0.1, 0.2])
    assert next(frames).rgb.shape == (16, 32, 3)
