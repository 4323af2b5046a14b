"""Videos as lists of images."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from latent_hands.data import open_data, read_images, read_rgb
from latent_hands.data.formats import image as image_module
from latent_hands.data.formats import video as video_module
from latent_hands.data.formats.video import FORMATS
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
    monkeypatch.setattr(image_module, "MAX_PIXELS", 1000)
    with pytest.raises(HandsError, match="is not a readable video"):
        read_images(clip)


def test_rotated_videos_are_upright(tmp_path):
    plain, rotated = (read_images(film(tmp_path / f"{deg}.mp4", deg))[0] for deg in (0, 90))
    upright = np.rot90(read_rgb(plain.image))
    np.testing.assert_array_equal(read_rgb(rotated.image), upright)


def test_broken_videos_are_errors(tmp_path):
    data = film(tmp_path / "clip.mp4").read_bytes()
    playlist = f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/clip.mp4\n".encode()
    for name, content in {"empty": b"", "text": b"hello", "cut": data[:200], "list": playlist}.items():
        (tmp_path / f"{name}.mp4").write_bytes(content)
        with pytest.raises(HandsError, match=rf"{name}\.mp4 is not a readable video"):
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
