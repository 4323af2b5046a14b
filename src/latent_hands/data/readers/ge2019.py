"""Reader of the real-world photographs of Ge et al. (2019): crops of 256x256 pixels of left hands.

`ROOT/images/%05d.jpg` are the crops. `ROOT/pose_gt.mat` has pose_gt (n, 21, 3), centimetres in the camera
frame: the wrist, then thumb to little finger, each from base to tip. `ROOT/params.mat` has cam_param (n, 4),
fx, fy, u0, v0 of the photograph, and bbox (n, 4), x, y, width, height of the crop in the photograph.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from latent_hands.data.formats.mat_file import load_mat
from latent_hands.data.readers.reading import OnBroken, raise_error, read_each, warn_of_unlabelled
from latent_hands.data.sample import Sample, project
from latent_hands.errors import AbsentError, HandsError
from latent_hands.hand.skeleton import reorder

CROP_PX = 256
MM_PER_CM = 10.0


def read_ge2019(
    root: str | Path, split: str, limit: int | None = None, *, on_broken: OnBroken = raise_error
) -> list[Sample]:
    """Read the photographs, each with the camera of its crop. The only split is "evaluation".

    All joints count as visible. The 2D joints are the projected 3D joints. Raises HandsError if the split is
    another one, a file is missing or labels are broken. `on_broken` receives the error of a label without
    image.
    """
    if split != "evaluation":
        raise AbsentError(f'ge2019 has no split "{split}"; the only one is evaluation')
    root = Path(root)
    xyz_cm = load_mat(root / "pose_gt.mat", {"pose_gt": (None, 21, 3)})["pose_gt"]
    count = len(xyz_cm)
    params = load_mat(root / "params.mat", {"cam_param": (count, 4), "bbox": (count, 4)})
    xyz_mm = reorder(xyz_cm, "mediapipe", "rhd") * np.float32(MM_PER_CM)
    K = _crop_cameras(params["cam_param"], params["bbox"])
    uv_px = project(xyz_mm, K)
    warn_of_unlabelled(root / "images", "[!.]*.jpg", {f"{i:05d}" for i in range(count)})

    def read(i: int) -> Sample:
        name = f"{i:05d}"
        image = root / "images" / f"{name}.jpg"
        if not image.is_file():
            raise HandsError(f"image {name} of {root} has labels but no image: {image} is missing")
        labels = xyz_mm[i], uv_px[i], np.ones(21, bool), K[i]
        return Sample(name, image, "left", *labels, convention="ge2019", size_px=(CROP_PX, CROP_PX))

    return list(read_each(read, range(count)[:limit], on_broken))


def _crop_cameras(
    camera_px: Float32[np.ndarray, "n 4"], box_px: Float32[np.ndarray, "n 4"]
) -> Float32[np.ndarray, "n 3 3"]:
    """Return K of the crops. Pixel (u, v) of a photograph becomes (u - x, v - y) 256 / (width, height)."""
    if not (box_px[:, 2:] > 0).all():
        raise HandsError('"bbox" of params.mat contains a box without width or height')
    zoom = CROP_PX / box_px[:, 2:]
    K = np.zeros((len(zoom), 3, 3), np.float32)
    K[:, [0, 1], [0, 1]] = camera_px[:, :2] * zoom
    K[:, :2, 2] = (camera_px[:, 2:] - box_px[:, :2]) * zoom
    K[:, 2, 2] = 1
    return K
