"""FreiHAND (Zimmermann et al. 2019): photographs of right hands, 224x224 pixels.

``ROOT/{training,evaluation}/rgb/%08d.jpg``; ``ROOT/SPLIT_xyz.json``: (n, 21, 3) METRES in the camera frame,
wrist first, then thumb to little finger, base to tip; ``ROOT/SPLIT_K.json``: (n, 3, 3). Training has 32,560
labels and four images of each, which differ in their background: image i has label i modulo n.
"""

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from latent_hands.data.rhd import MM_PER_METRE, SPLITS
from latent_hands.data.sample import OnBroken, Sample, project, sparing, stop, whole
from latent_hands.errors import AbsentError, HandsError, did_you_mean
from latent_hands.hand.skeleton import reorder

VERSIONS = {"training": 4, "evaluation": 1}
MAX_BYTES = 128 * 2**20
"""The largest label file that is read has 45 MB."""


def read_freihand(
    root: str | Path, split: str, limit: int | None = None, on_broken: OnBroken = stop
) -> list[Sample]:
    """Read the images that are there, in order of their numbers; all joints count as visible.

    Where both label files are absent, the samples have no labels but the side. Raises HandsError for a
    missing folder, an unknown split, a folder without images and broken label files; a label that is not
    finite and an image beyond the labels are told to ``on_broken``. The joints' convention is "mano", or in
    a set that ``latent-hands export`` wrote the one that its export.json names.
    """
    if split not in SPLITS:
        raise HandsError(f'unknown split "{split}"; {did_you_mean(split, SPLITS)}')
    root = Path(root)
    images = _images(root, split)
    files = {key: root / f"{split}_{key}.json" for key in ("xyz", "K")}
    if not any(file.is_file() for file in files.values()):
        return [Sample(image.stem, image, "right") for image in images[:limit]]
    xyz_mm = reorder(_numbers(files["xyz"], (21, 3)), "snap", "rhd") * np.float32(MM_PER_METRE)
    K = _numbers(files["K"], (3, 3))
    if len(K) != len(xyz_mm):
        raise HandsError(f"{files['K']} has {len(K)} labels, but {files['xyz'].name} has {len(xyz_mm)}")
    uv_px, count = project(xyz_mm, K), len(xyz_mm) * VERSIONS[split]
    convention = _convention(root / "export.json")

    def read(image: Path) -> Sample:
        if int(image.stem) >= count:
            raise HandsError(f"{image} has no label; legal for {len(xyz_mm)} labels: 0 .. {count - 1}")
        i = int(image.stem) % len(xyz_mm)
        for key, array in (("xyz", xyz_mm), ("K", K)):
            if not np.isfinite(array[i]).all():
                raise HandsError(f"label {i} of {files[key]} holds values that are not finite")
        labels = xyz_mm[i], uv_px[i], np.ones(21, bool), K[i]
        return Sample(image.stem, image, "right", *labels, convention=convention)

    return whole(map(sparing(read, on_broken), images[:limit]))


def _images(root: Path, split: str) -> list[Path]:
    """The numbered images of a split, in order."""
    folder = root / split / "rgb"
    if not folder.is_dir():
        others = [f"--split {other}" for other in SPLITS if (root / other / "rgb").is_dir()]
        told = f"legal here: {', '.join(others)}" if others else "for images alone use the data name images"
        raise AbsentError(f"FreiHAND's folder {folder} is not there; {told}")
    numbered = (image for image in folder.glob("*.jpg") if image.stem.isdecimal())
    images = sorted(numbered, key=lambda image: int(image.stem))
    if not images:
        found = next((f"; it has {file.name}" for file in sorted(folder.iterdir()) if file.is_file()), "")
        raise HandsError(
            f"no image of FreiHAND's layout in {folder}; legal: JPEGs called 00000000.jpg, 00000001.jpg, "
            f"..{found}"
        )
    return images


def _convention(record: Path) -> str | None:
    """Where the joints lie: as in MANO, or as our own export says that it found them."""
    if not record.is_file():
        return "mano"
    if record.stat().st_size > MAX_BYTES:
        raise HandsError(f"{record} has more than {MAX_BYTES:,} bytes, the most that is read")
    try:
        convention = json.loads(record.read_bytes()).get("convention", "mano")
    except (ValueError, AttributeError, RecursionError) as error:
        raise HandsError(f"{record} is no record of an export: {error!r}") from error
    if not isinstance(convention, str | None):
        raise HandsError(f"{record} has the convention {convention!r}; legal: a name, or null")
    return convention


def _numbers(path: Path, shape: tuple[int, int]) -> Float32[np.ndarray, "n _ _"]:
    """The arrays of a label file, each of this shape."""
    if not path.is_file():
        raise HandsError(f"no label file at {path}, but its sibling is there")
    if path.stat().st_size > MAX_BYTES:
        raise HandsError(f"{path} has more than {MAX_BYTES:,} bytes, the most that is read")
    try:
        array = np.array(json.loads(path.read_bytes()), np.float32)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise HandsError(f"{path} is no JSON of {shape[0]} x {shape[1]} numbers a label: {error}") from error
    if array.ndim != 3 or array.shape[1:] != shape or not len(array):
        raise HandsError(f"{path} has the shape {array.shape}; legal: n x {shape[0]} x {shape[1]}")
    return array
