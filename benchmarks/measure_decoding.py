"""Measure what decoding the largest legal image of each format costs: processor time and memory.

    python benchmarks/measure_decoding.py [MEGAPIXELS]

Images are noise, which is the slowest content. They have fewer pixels than the limit (4 million by default);
time and memory are scaled to the limit. Each image is read in a process of its own. Films are measured by the
frame. The table is Markdown.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latent_hands.data import read_rgb
from latent_hands.data.formats.image import MAX_PIXELS
from latent_hands.data.formats.video import import_av, read_video

IMAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "AVIF": ("a.avif", {"quality": 100, "speed": 10}),
    "BMP": ("a.bmp", {}),
    "GIF": ("a.gif", {}),
    "JPEG": ("a.jpg", {"quality": 95}),
    "JPEG, progressive": ("b.jpg", {"quality": 95, "progressive": True}),
    "JPEG2000, lossless": ("a.jp2", {}),
    "PNG": ("a.png", {"compress_level": 1}),
    "PPM": ("a.ppm", {}),
    "PPM in decimal digits": ("plain.ppm", {}),
    "TGA": ("a.tga", {"compression": "tga_rle"}),
    "TIFF": ("a.tif", {}),
    "TIFF, LZMA": ("b.tif", {"compression": "lzma"}),
    "TIFF, LZW": ("c.tif", {"compression": "tiff_lzw"}),
    "WebP": ("a.webp", {"quality": 100, "method": 0}),
    "WebP, lossless": ("b.webp", {"lossless": True, "quality": 0, "method": 0}),
}
"""What is measured -> its file and the options with which Pillow writes it."""
VIDEOS = ("mpeg4", "libx264")


def write_image(path: Path, rgb: np.ndarray, options: dict[str, Any]) -> None:
    """Write noise in the format of the file's ending."""
    if path.name == "plain.ppm":
        head = f"P3 {rgb.shape[1]} {rgb.shape[0]} 255\n"
        path.write_text(head + " ".join(map(str, rgb.ravel().tolist())))
    else:
        Image.fromarray(rgb).save(path, **options)


def write_video(path: Path, codec: str, rgb: np.ndarray) -> bool:
    """Write two frames of noise. Return whether the encoder exists."""
    av = import_av("measuring films")
    try:
        with av.open(str(path), "w") as film:
            stream = film.add_stream(codec, rate=10)
            stream.height, stream.width = rgb.shape[:2]
            stream.pix_fmt = "yuv420p"
            for frame in (rgb, rgb[::-1]):
                for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")):
                    film.mux(packet)
            film.mux(stream.encode())
    except (av.FFmpegError, ValueError):
        return False
    return True


def cost(path: Path) -> tuple[float, float, int]:
    """Return seconds, memory in MiB and frames of reading a file in this process."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins here
    before = memory_mib("VmRSS")
    begin, frames = time.process_time(), 1
    if path.suffix == ".mkv":
        frames = sum(1 for _ in read_video(path))
    else:
        read_rgb(path)
    seconds = time.process_time() - begin
    return seconds, memory_mib("VmHWM") - before, frames


def memory_mib(name: str) -> float:
    """Return an entry of the process's status, in MiB."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[name].split()[0]) / 1024


def measured(path: Path) -> tuple[float, float, int]:
    """Return `cost`, of another process."""
    result = subprocess.run([sys.executable, __file__, str(path)], capture_output=True, text=True, check=True)
    seconds, memory, frames = result.stdout.split()
    return float(seconds), float(memory), int(frames)


def main(megapixels: float) -> None:
    """Print the table."""
    width = int((megapixels * 1e6) ** 0.5) // 16 * 16
    rgb = np.random.default_rng(0).integers(0, 256, (width, width, 3)).astype(np.uint8)
    scale = MAX_PIXELS / width**2
    print(f"| format | file at {MAX_PIXELS:,} pixels | seconds | memory |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, (file, options) in IMAGES.items():
            path = Path(folder) / file
            write_image(path, rgb, options)
            print(row(name, path, scale), flush=True)
        for codec in VIDEOS:
            path = Path(folder) / f"{codec}.mkv"
            if write_video(path, codec, rgb):
                print(row(f"a frame of {codec}", path, scale), flush=True)


def row(name: str, path: Path, scale: float) -> str:
    """Return the row of a file, or of one of its frames; `scale` multiplies all numbers."""
    seconds, memory, frames = measured(path)
    size = path.stat().st_size / 2**20 / frames
    return (
        f"| {name} | {size * scale:,.0f} MiB | {seconds / frames * scale:.1f} | {memory * scale:,.0f} MiB |"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1 and Path(sys.argv[1]).is_file():
        print(*cost(Path(sys.argv[1])))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0)
