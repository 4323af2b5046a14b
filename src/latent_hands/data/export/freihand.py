"""Writer of FreiHAND's layout (Zimmermann et al. 2019), which `readers.freihand` reads: right hands, 224 px.

Left hands are mirrored: image, joints and camera. An image of 224x224 pixels is kept; from any other image
the square around the joints is cut. One warp moves image, joints and camera. Labels are only 3D: the 2D
joints are the projected ones, so all joints must lie in front of the camera.

The layout has one hand an image. Each hand of an image with several hands gets a square of its own, in which
the others may be visible.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from latent_hands.data.crops import cut_square
from latent_hands.data.export.image_copies import encode_image, keep_image
from latent_hands.data.export.layout import Layout, Record, joint_box, numbers
from latent_hands.data.labelled_images import read_labelled
from latent_hands.data.readers.freihand import IMAGE_PX
from latent_hands.data.readers.reading import MM_PER_METRE
from latent_hands.data.sample import Sample, with_wrist
from latent_hands.files import write_bytes
from latent_hands.hand import camera
from latent_hands.hand.skeleton import MIDDLE_MCP, MIDDLE_PIP, reorder

HEADROOM = 1.5
"""Ratio of the side of the square to the longer side of the joints' box."""
KEYS = ("xyz", "K", "scale")


def _write_hand(folder: Path, number: int, sample: Sample) -> Record:
    sample, rgb = with_wrist(sample), read_labelled(sample)
    target, left = folder / "rgb" / f"{number:08d}.jpg", sample.handedness == "left"
    target.parent.mkdir(parents=True, exist_ok=True)
    centre, side_px = _square(sample, rgb.shape[:2])
    if rgb.shape[:2] == (IMAGE_PX, IMAGE_PX) and not left:
        keep_image(target, sample.image, rgb)
    else:
        window = cut_square(rgb, centre, side_px, IMAGE_PX, left)
        encode_image(target, window.permute(1, 2, 0).contiguous().numpy())
    W = camera.warp_matrix(torch.tensor(centre, dtype=torch.float64), side_px, IMAGE_PX, flip=left)
    xyz_m = torch.as_tensor(sample.xyz_mm).double() @ camera.warp_rotation(W) / MM_PER_METRE
    return {
        "xyz": numbers(reorder(xyz_m, "rhd", "mediapipe").numpy()),
        "K": numbers(camera.warp_camera(torch.as_tensor(sample.K).double(), W).numpy()),
        "scale": numbers((xyz_m[MIDDLE_MCP] - xyz_m[MIDDLE_PIP]).norm().numpy()),
    }


def _square(sample: Sample, size_px: tuple[int, int]) -> tuple[tuple[float, float], float]:
    """Return centre and side, in source pixels, of the square to cut. It lies inside the image if it fits."""
    if size_px == (IMAGE_PX, IMAGE_PX):
        return ((IMAGE_PX - 1) / 2, (IMAGE_PX - 1) / 2), float(IMAGE_PX)
    left, top, *box = joint_box(sample, size_px)
    side_px = min(HEADROOM * max(box), max(*box, min(size_px)))
    size, middle = np.array(size_px[::-1]), (np.array(size_px[::-1]) - 1) / 2
    room = (size - side_px).clip(0) / 2
    u, v = middle + (np.array([left, top]) + np.array(box) / 2 - middle).clip(-room, room)
    return (float(u), float(v)), float(side_px)


def _write_labels(root: Path, split: str, labels: list[Record]) -> None:
    for key in KEYS:
        write_bytes(root / f"{split}_{key}.json", json.dumps([label[key] for label in labels]).encode())


def _holds(sample: Sample) -> bool:
    assert sample.xyz_mm is not None
    return bool(sample.visible_or_all.any() and (sample.xyz_mm[:, 2] > 0).all())


def _notes(samples: Sequence[Sample]) -> list[str]:
    left = sum(sample.handedness == "left" for sample in samples)
    return [f"{left:,} of {len(samples):,} hands are left hands and were mirrored"] if left else []


FREIHAND = Layout(
    needs=("handedness", "xyz_mm", "uv_px", "K"),
    write_hand=_write_hand,
    write_labels=_write_labels,
    holds=_holds,
    refuses="no joint is visible, or one lies behind the camera",
    notes=_notes,
)
