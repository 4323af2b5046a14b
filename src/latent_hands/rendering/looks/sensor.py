"""The sensor: from linear light to the bytes of a photograph.

Its steps are tone curve, blur of lens and motion, noise and compression.
"""

import io
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray
from PIL import Image, ImageFilter

REFERENCE_PX = 128
"""Blur is given for images of this side and scales with the side."""
NORMAL = np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)], np.float32)
"""Standard normal deviates, one for each value of a byte."""


@dataclass(frozen=True)
class Sensor:
    """The imperfections of a camera.

    Args:
        stops: Exposure in stops, 0 for a medium one.
        contrast: Exponent of the gamma-coded image.
        saturation: Factor of the colours' saturation.
        blur_px: Standard deviation of the lens blur in an image of 128 px.
        motion_px: Length of the motion blur in an image of 128 px, 0 for none.
        motion_deg: Direction of the motion blur.
        noise: Standard deviation of the noise at middle grey, grey levels.
        vignette: Loss of light in the corners, 0 .. 1.
        quality: Quality of the JPEG compression, 101 for none.
        seed: Seed of the noise.
        resolution: Side of the sensor as a share of the image's side; the image is enlarged from it.
    """

    stops: float
    contrast: float
    saturation: float
    blur_px: float
    motion_px: float
    motion_deg: float
    noise: float
    vignette: float
    quality: int
    seed: int
    resolution: float = 1.0


PLAIN = Sensor(0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 101, 0)


def sample_sensor(rng: np.random.Generator) -> Sensor:
    """Draw a random sensor, mostly a good one."""
    return Sensor(
        stops=float(np.clip(rng.normal(0.0, 0.35), -1.2, 1.0)),
        contrast=float(rng.normal(1.0, 0.08)),
        saturation=float(rng.uniform(0.65, 1.1)),
        blur_px=float(rng.uniform(0.0, 0.75)),
        motion_px=float(rng.uniform(1.0, 4.0)) if rng.random() < 0.12 else 0.0,
        motion_deg=float(rng.uniform(0, 180)),
        noise=float(abs(rng.normal(0, 3.0))),
        vignette=float(max(0.0, rng.uniform(-0.3, 0.4))),
        quality=int(rng.integers(45, 97)) if rng.random() < 0.6 else 101,
        seed=int(rng.integers(2**31)),
    )


def film(light: Float32[ndarray, "*shape"]) -> Float32[ndarray, "*shape"]:
    """Apply the filmic tone curve of Narkowicz (2015), from linear light to display-referred linear light."""
    return np.clip(light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14), 0, 1)


def defocus(light: Float32[ndarray, "s s 3"], sigma_px: float) -> Float32[ndarray, "s s 3"]:
    """Blur display-referred light by a Gaussian, as a lens does."""
    coded = Image.fromarray(to_bytes(_encode(light, 1 / 2.2))).filter(ImageFilter.GaussianBlur(sigma_px))
    return (np.asarray(coded, np.float32) / 255) ** np.float32(2.2)


def develop(light: Float32[ndarray, "s s 3"], sensor: Sensor) -> UInt8[ndarray, "s s 3"]:
    """Return the image of display-referred linear light in 0 .. 1."""
    size = len(light)
    if sensor.vignette > 0:
        across = np.linspace(-1, 1, size, dtype=np.float32) ** 2
        light = light * (1 - 0.5 * sensor.vignette * (across[:, None] + across))[..., None]
    colour = sensor.saturation * np.eye(3) + (1 - sensor.saturation) / 3
    coded = _encode(light @ colour.astype(np.float32), sensor.contrast / 2.2)
    coded = _blur(coded, sensor, size / REFERENCE_PX)
    sensor_px = max(8, round(size * sensor.resolution))
    if sensor_px < size:
        coded = _resized(to_bytes(coded), sensor_px).astype(np.float32) / 255
    if sensor.noise > 0.3:
        bits = np.random.default_rng(sensor.seed).bytes(coded.size)
        grain = NORMAL.take(np.frombuffer(bits, np.uint8)).reshape(coded.shape)
        coded = coded + grain * (np.sqrt(0.25 + coded) * np.float32(sensor.noise / 255))
    image = to_bytes(coded)
    image = _compress(image, sensor.quality) if sensor.quality <= 100 else image
    return _resized(image, size) if sensor_px < size else image


def _encode(light: Float32[ndarray, "*shape"], exponent: float) -> Float32[ndarray, "*shape"]:
    """Raise light, clipped to 0 .. 1, to a power, with an error of at most a tenth of a grey level."""
    steps = (np.sqrt(np.clip(light, 0, 1)) * np.float32(4095) + np.float32(0.5)).astype(np.uint16)
    return (np.linspace(0, 1, 4096, dtype=np.float32) ** np.float32(2 * exponent)).take(steps)


def to_bytes(coded: Float32[ndarray, "*shape"]) -> UInt8[ndarray, "*shape"]:
    """Convert 0 .. 1 to 0 .. 255, clipped and rounded."""
    return (255 * np.clip(coded, 0, 1) + 0.5).astype(np.uint8)


def _blur(coded: ndarray, sensor: Sensor, scale: float) -> ndarray:
    sigma = sensor.blur_px * scale
    if sigma > 0.25:
        blurred = Image.fromarray(to_bytes(coded)).filter(ImageFilter.GaussianBlur(sigma))
        coded = np.asarray(blurred, np.float32) / 255
    reach = sensor.motion_px * scale
    if reach > 0:
        towards = np.deg2rad(sensor.motion_deg)
        offsets = np.linspace(-reach / 2, reach / 2, int(reach) + 2)
        rows, columns = (np.round(offsets * part).astype(int) for part in (np.sin(towards), np.cos(towards)))
        margin, size = int(np.abs([rows, columns]).max()), len(coded)
        padded = np.pad(coded, ((margin, margin), (margin, margin), (0, 0)), "edge")
        starts = zip(rows + margin, columns + margin, strict=True)
        moved = [padded[row : row + size, column : column + size] for row, column in starts]
        coded = np.stack(moved).mean(0)
    return coded


def _resized(image: UInt8[ndarray, "s s 3"], size: int) -> UInt8[ndarray, "t t 3"]:
    """Resize an image: by the mean over each pixel's square if smaller, by cubic interpolation if larger."""
    method = Image.Resampling.BOX if size < len(image) else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(image).resize((size, size), method))


def _compress(image: ndarray, quality: int) -> ndarray:
    with io.BytesIO() as file:
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))  # noqa: TID251
