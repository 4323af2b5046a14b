"""Files of poses, which `latent-hands retarget` makes from a labelled data set, and random draws from them.

A file is a safetensors file with ``articulations``, (n, 24) float32, degrees as in `Articulation.flat`, and
``fit_error_mm``, (n,) float32. Its metadata have ``source``, the name of the data set. A file describes poses
only, not the shape of anyone's hand.
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

from latent_hands.errors import BROKEN, HandsError, as_path
from latent_hands.files import sorted_metadata, write_bytes
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.collision import penetration_mm
from latent_hands.hand.rig.limits import (
    ARCH_LIMITS_DEG,
    FINGER_LIMITS_DEG,
    THUMB_LIMITS_DEG,
    WRIST_LIMITS_DEG,
)
from latent_hands.hand.rig.poses import ATTEMPTS, TOUCH_MM, jitter, sample_articulation, with_wrist

FORMAT = "poses 1"
MAX_BYTES = 256 * 2**20
JITTER_DEG = 3.0
EVALUATION_SHARE = 0.1
"""The last tenth of a file is for the evaluation split, the rest for the training split."""
_LIMITS_DEG = np.vstack([*[FINGER_LIMITS_DEG] * 4, THUMB_LIMITS_DEG, ARCH_LIMITS_DEG, WRIST_LIMITS_DEG])
_ROUNDING_DEG = 0.01


@dataclass(frozen=True)
class PoseSource:
    """A mixture of poses from a file, with a small jitter, and sampled poses.

    Args:
        path: The file.
        sha256: Hash of its content.
        share: Share of poses from the file, 0 .. 1.
    """

    path: Path
    sha256: str
    share: float

    @staticmethod
    def open(path: str | Path, share: float) -> "PoseSource":
        """Open a file of poses. Raises HandsError if the share is out of range, and as `read_poses` does."""
        if not 0 <= share <= 1:
            raise HandsError(f"poses_share is {share}; it must be between 0 and 1")
        read_poses(path)
        return PoseSource(Path(path), _sha256(Path(path)), share)

    def draw(self, rng: np.random.Generator, split: str) -> tuple[Articulation, int | None]:
        """Draw a pose without collisions; return it and its number in the file, or None if it was sampled."""
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
        """Return what decides the images: the content of the file, not its path, and the share."""
        return {"sha256": self.sha256, "share": self.share}


def write_poses(
    path: str | Path,
    articulations: Float[np.ndarray, "n 24"],
    fit_error_mm: Float[np.ndarray, " n"],
    source: str,
) -> None:
    """Write a file of poses, completely or not at all."""
    tensors = {"articulations": articulations, "fit_error_mm": fit_error_mm}
    tensors = {name: np.ascontiguousarray(values, np.float32) for name, values in tensors.items()}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_bytes(Path(path), sorted_metadata(save(tensors, {"format": FORMAT, "source": source})))


def read_poses(path: str | Path) -> Float32[np.ndarray, "n 24"]:
    """Return the articulations of a file. The file is not trusted: nothing in it is executed.

    Raises HandsError if the file is missing, too large or no file of poses. Also raises HandsError, with the
    number of the pose, if an angle is not finite or exceeds the limits of its joint.
    """
    path = as_path(path, "path")
    if not path.is_file():
        raise HandsError(f"no file of poses at {path}")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise HandsError(f"{path} has {size:,} bytes; a file of poses must have at most {MAX_BYTES:,}")
    try:
        with safe_open(path, framework="numpy") as file:
            poses = file.get_tensor("articulations")
    except (SafetensorError, *BROKEN) as error:
        raise HandsError(
            f"{path} is no file of poses; `latent-hands retarget` writes them: {error}"
        ) from error
    if poses.dtype != np.float32 or poses.ndim != 2 or poses.shape[1] != 24 or not len(poses):
        raise HandsError(
            f"articulations of {path} are {poses.dtype} {poses.shape}; they must be float32 (n, 24)"
        )
    low, high = _LIMITS_DEG.T
    legal = (poses >= low - _ROUNDING_DEG) & (poses <= high + _ROUNDING_DEG)
    if not legal.all():
        pose, angle = np.argwhere(~legal)[0]
        wrong = f"angle {angle} of pose {pose} in {path} is {poses[pose, angle]:g} degrees"
        raise HandsError(f"{wrong}; it must be between {low[angle]:g} and {high[angle]:g}")
    return poses


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _poses(path: Path, sha256: str) -> Float32[np.ndarray, "n 24"]:
    """Read the articulations once in each process. Raises HandsError if the file has changed."""
    poses = read_poses(path)
    if _sha256(path) != sha256:
        raise HandsError(
            f"{path} was changed while poses were drawn from it; start again with an unchanged file"
        )
    return poses
