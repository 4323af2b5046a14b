"""Short videos for tests."""

from pathlib import Path

import pytest
from tiny_models import noise_image


def film(path: Path, count: int = 3, fps: int = 5) -> Path:
    """Write a video of blurred noise, 80x64 pixels; skip the test without PyAV."""
    av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")
    with av.open(str(path), "w") as video:
        stream = video.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 80, 64, "yuv420p"
        for seed in range(count):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(noise_image(64, 80, seed), "rgb24")))
        video.mux(stream.encode())
    return path
