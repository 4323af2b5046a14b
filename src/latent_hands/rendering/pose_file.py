"""Files of articulations, retargeted from a data set, and drawing from them.

A safetensors file: ``articulations`` (n, 24) float32, degrees as in `Articulation.flat`, ``fit_error_mm``
(n,) float32, and in its metadata ``source``, the data set's name: how hands were held, not whose they were.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from latent_hands.errors import HandsError
from latent_hands.files import write_bytes
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.collision import penetration_mm
from latent_hands.hand.rig.poses import (
    ARCH_LIMITS_DEG,
    ATTEMPTS,
    FINGER_LIMITS_DEG,
    THUMB_LIMITS_DEG,
    TOUCH_MM,
    WRIST_LIMITS_DEG,
    jitter,
    sample_articulation,
    with_wrist,
)

FORMAT = "poses 1"
MAX_BYTES = 256 * 2**20
JITTER_DEG = 3.0
EVALUATION_SHARE = 0.1
"""The last tenth of a file is drawn from for evaluation, the rest for training."""
_LIMITS_DEG = np.vstack([*[FINGER_LIMITS_DEG] * 4, THUMB_LIMITS_DEG, ARCH_LIMITS_DEG, WRIST_LIMITS_DEG])
_ROUNDING_DEG = 0.01


@dataclass(frozen=True)
class PoseSource:
    """A share of poses that is drawn from a file, a little jittered; the others are those of the sampler."""

    path: Path
    sha256: str
    share: float

    @staticmethod
    def open(path: str | Path, share: float) -> "PoseSource":
        """A source of poses. Raises HandsError for a share beyond 0 .. 1 and as `read_poses` does."""
        if not 0 <= share <= 1:
            raise HandsError(f"poses_share is {share}; legal: 0 .. 1")
        read_poses(path)
        return PoseSource(Path(path), _sha256(Path(path)), share)

    def draw(self, rng: np.random.Generator, split: str) -> tuple[Articulation, int | None]:
        """A random articulation that does not collide, and its pose's number in the file, None if sampled."""
        if rng.uniform() < self.share:
            poses = _poses(self.path, self.sha256)
            cut = max(1, round((1 - EVALUATION_SHARE) * len(poses)))
            low, high = (0, cut) if split == "training" else (min(cut, len(poses) - 1), len(poses))
            for _ in range(ATTEMPTS):
                number = int(rng.integers(low, high))
                articulation = with_wrist(
                    jitter(Articulation.from_flat(poses[number].astype(float)), rng, JITTER_DEG), rng
                )
                if penetration_mm(articulation) < TOUCH_MM:
                    return articulation, number
        return sample_articulation(rng), None

    def as_json(self) -> dict[str, Any]:
        """What decides the images: the file's content, wherever it lies, and the share."""
        return {"sha256": self.sha256, "share": self.share}


def write_poses(
    path: str | Path,
    articulations: Float[np.ndarray, "n 24"],
    fit_error_mm: Float[np.ndarray, " n"],
    source: str,
) -> None:
    """Write a file of poses, whole or not at all."""
    tensors = {"articulations": articulations, "fit_error_mm": fit_error_mm}
    tensors = {name: np.ascontiguousarray(values, np.float32) for name, values in tensors.items()}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_bytes(Path(path), save(tensors, {"format": FORMAT, "source": source}))


def read_poses(path: str | Path) -> Float32[np.ndarray, "n 24"]:
    """The articulations of a file, which is taken for a stranger's: nothing in it is executed.

    Raises HandsError naming the file if it is missing, too large or of another kind, and naming the pose if
    an angle is not finite or not within the joint's limits.
    """
    path = Path(path)
    if not path.is_file():
        raise HandsError(f"no file of poses at {path}")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise HandsError(f"{path} has {size:,} bytes; at most {MAX_BYTES:,} are read")
    try:
        with safe_open(path, framework="numpy") as file:
            poses = file.get_tensor("articulations")
    except (SafetensorError, TypeError, ValueError) as error:
        raise HandsError(f"{path} is no file of poses of `latent-hands retarget`: {error}") from error
    if poses.dtype != np.float32 or poses.ndim != 2 or poses.shape[1] != 24 or not len(poses):
        raise HandsError(f"articulations of {path} are {poses.dtype} {poses.shape}; legal: float32 (n, 24)")
    low, high = _LIMITS_DEG.T
    legal = (poses >= low - _ROUNDING_DEG) & (poses <= high + _ROUNDING_DEG)
    if not legal.all():
        pose, angle = np.argwhere(~legal)[0]
        told = f"angle {angle} of pose {pose} in {path} is {poses[pose, angle]:g}"
        raise HandsError(f"{told}; legal: {low[angle]:g} .. {high[angle]:g} degrees")
    return poses


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _poses(path: Path, sha256: str) -> Float32[np.ndarray, "n 24"]:
    """The articulations, read once by every process; HandsError if the file is no longer the same."""
    poses = read_poses(path)
    if _sha256(path) != sha256:
        raise HandsError(f"{path} was changed while poses were drawn from it; start again")
    return poses
