"""Assembly: a reading of a crop, with its camera and score, becomes a hand."""

import numpy as np

from latent_hands.predictor.cameras import ImageCamera
from latent_hands.predictor.crop import CropReading
from latent_hands.predictor.hand import ASSUMED_BONE_MM, Hand
from latent_hands.predictor.judging import HandRules, confidence
from latent_hands.predictor.placing import BONE_SPREAD, joint_spread_px, place_palm
from latent_hands.shapes import Float


def assembled(
    rules: HandRules, reading: CropReading, camera: ImageCamera | None, score: float | None
) -> Hand:
    """Return the hand of a reading, with its palm in space where the camera is known."""
    crop, arrays = reading.crop, {name: np.asarray(value) for name, value in reading.outputs.items()}
    bone_mm, uv_spread = crop.bone_mm or ASSUMED_BONE_MM, arrays.get("uv_spread")
    uv_spread_px = None if uv_spread is None else uv_spread * (crop.side_px / 2)
    palm = palm_spread = None
    if camera is not None and "uv" in arrays:
        palm, palm_spread = _palm(arrays, bone_mm, crop.bone_mm is None, reading.uv_px, uv_spread_px, camera)
    along_ray = rules.frame == "ray" and crop.K is None
    return Hand(
        handedness=crop.handedness,
        pose=arrays["pose"],
        cpose=arrays["cpose"],
        viewpoint=arrays["viewpoint"],
        bone_mm=bone_mm,
        bone_mm_assumed=crop.bone_mm is None,
        crop_px=crop.crop_box_px,
        uv_px=reading.uv_px,
        frame="ray" if along_ray else "camera",
        spread=arrays.get("spread"),
        uv_spread_px=uv_spread_px,
        score=score,
        confidence=confidence(rules.confidence, reading, bone_mm, score, rules.crop_px),
        palm_mm=palm,
        palm_spread_mm=palm_spread,
        K=crop.K,
        camera=None if camera is None else camera.source,
        convention=rules.convention,
    )


def _palm(
    arrays: dict[str, np.ndarray],
    bone_mm: float,
    assumed: bool,
    uv_px: Float[np.ndarray, "21 2"],
    uv_spread_px: Float[np.ndarray, "21"] | None,
    camera: ImageCamera,
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Return the palm in the camera frame and its spread, in mm."""
    xyz_mm = arrays["pose"] * bone_mm
    sigma = None
    if uv_spread_px is not None:
        sigma = joint_spread_px(uv_spread_px, arrays["spread"] * bone_mm, xyz_mm, uv_px)
    palm = place_palm(xyz_mm, uv_px, camera.K, sigma)
    spread = palm.spread_mm(BONE_SPREAD if assumed else 0.0, camera.focal_spread)
    return palm.xyz_mm.astype(np.float32), spread.astype(np.float32)
