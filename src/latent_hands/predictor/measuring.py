"""What a reading measures of the state of a track, with variances.

The variances of a measurement are those of q(z | image), widened by [sampling] temperature, and the spreads
that they cause. Much of an error is the same from frame to frame; `NOISE_SHARE` is the part that is not.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from latent_hands.predictor.reading import Reading

NOISE_SHARE = {"latent": 0.05, "palm": 0.06, "size": 0.06, "rotation": 0.12}
"""Share of the variance of an error that counts as noise of one frame."""
LEAST_VARIANCE = 1e-8


@dataclass(frozen=True)
class Measurement:
    """A measurement of the state by one reading, with variances; `unit_px` is the unit of the palm."""

    values: Float[np.ndarray, " n"]
    rotation: Float[np.ndarray, "3 3"]
    variance: Float[np.ndarray, " d"]
    unit_px: float


def bone_px_log(reading: Reading) -> float:
    """Return the logarithm of the length of a bone in pixels: least squares of the joints on the pose."""
    pose = reading.crop.along_ray(reading.outputs["pose"])
    return bone_px_log_of(reading.uv_px, pose)


def measure(reading: Reading, unit_px: float | None = None) -> Measurement:
    """Return what a reading with draws measures; by default the unit is its own bone."""
    outputs = {name: value.numpy().astype(np.float64) for name, value in reading.outputs.items()}
    size = bone_px_log(reading)
    unit = float(np.exp(size)) if unit_px is None else unit_px
    latent, palm = outputs["latent"], reading.uv_px[0] / unit
    spread_px = outputs["uv_spread"] * reading.crop.side_px / 2 if "uv_spread" in outputs else None
    if spread_px is None:
        spread_px = outputs["spread"] * np.exp(size)
    rms_px = _rms(reading.uv_px - reading.uv_px.mean(axis=0))
    variances = {
        "latent": outputs["latent_variance"],
        "palm": np.full(2, spread_px[0] ** 2 / 2 / unit**2),
        "size": np.array([np.square(spread_px).mean() / max(rms_px, 1.0) ** 2 / 2]),
        "rotation": np.full(3, np.square(outputs["spread"]).mean() / _rms(outputs["pose"]) ** 2 / 2),
    }
    parts = [NOISE_SHARE[name] * value + LEAST_VARIANCE for name, value in variances.items()]
    values = np.concatenate([latent, palm, [size]])
    return Measurement(values, outputs["viewpoint"], np.concatenate(parts), unit)


def bone_px_log_of(uv_px: Float[np.ndarray, "21 2"], pose: Float[np.ndarray, "21 3"]) -> float:
    """Return the logarithm of the length of a bone in pixels, from joints and the pose seen along the ray."""
    flat, seen = pose[:, :2] - pose[0, :2], uv_px - uv_px[0]
    product = float((flat * seen).sum() / max(float((flat**2).sum()), 1e-9))
    # Joints that do not fit to the pose at all still have a size.
    return float(np.log(max(product, 0.1 * _rms(seen) / max(_rms(flat), 1e-9), 1e-3)))


def _rms(points: Float[np.ndarray, "21 c"]) -> float:
    return float(np.sqrt(np.square(points).sum(axis=1).mean()))
