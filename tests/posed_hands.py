"""Hands of the renderer's model, painted in one colour over noise, written in three layouts."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.io import savemat

from latent_hands.data import Sample
from latent_hands.data.formats.rhd_files import encode_annotations, encode_mask
from latent_hands.data.sample import project
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.hand.skeleton import BONES, reorder

SIZE_PX = (240, 200)  # width, height
K = np.array([[300.0, 0, 119.5], [0, 300, 99.5], [0, 0, 1]], np.float32)


def posed_hands(count: int = 24, seed: int = 0, sides: str = "lr", K: np.ndarray = K) -> list[Sample]:
    """Return hands of random people, poses and viewpoints. All joints count as visible."""
    rng, model = np.random.default_rng(seed), HandModel.load()
    samples = []
    for i in range(count):
        side = {"l": "left", "r": "right"}[sides[i % len(sides)]]
        shape = model.identity(model.sample_identity(rng))
        hand = (
            1000 * model.pose(shape, sample_articulation(rng)).keypoints * [-1 if side == "left" else 1, 1, 1]
        )
        R = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        rotated = (hand - hand.mean(axis=0)) @ R * np.linalg.det(R)  # a reflection, negated, is a rotation
        xyz_mm = (rotated + np.array([*rng.uniform(-60, 60, 2), 550.0])).astype(np.float32)
        uv_px = project(xyz_mm, K)
        samples.append(Sample(f"{i:05d}", Path(), side, xyz_mm, uv_px, np.ones(21, bool), K))
    return samples


def paint(sample: Sample, seed: int, size_px: tuple[int, int] = SIZE_PX) -> tuple[Image.Image, np.ndarray]:
    """Return an image with bones as thick as fingers over noise, and the mask, of RHD's part 17."""
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 256, (12, 15, 3), dtype=np.uint8))
    image, mask = noise.resize(size_px), Image.new("L", size_px)
    for canvas, ink in ((image, (205, 150, 120)), (mask, 17)):
        for ends in BONES:
            ImageDraw.Draw(canvas).line([tuple(sample.uv_px[joint]) for joint in ends], ink, 10)
    return image, np.asarray(mask)


def write_rhd(root: Path, samples: list[Sample], split: str = "evaluation") -> Path:
    for kind in ("color", "mask"):
        (root / split / kind).mkdir(parents=True, exist_ok=True)
    for i, sample in enumerate(samples):
        image, mask = paint(sample, i)
        image.save(root / split / f"color/{sample.name}.png")
        Image.fromarray(encode_mask(mask, sample.handedness)).save(root / split / f"mask/{sample.name}.png")
    write_rhd_labels(root, samples, split)
    return root


def write_rhd_labels(root: Path, samples: list[Sample], split: str = "evaluation") -> None:
    records = [
        {
            "index": int(sample.name),
            "side": sample.handedness,
            "xyz_m": sample.xyz_mm / 1000,
            "uv_px": sample.uv_px,
            "visible": sample.visible,
            "K": sample.K,
        }
        for sample in samples
    ]
    (root / split / f"anno_{split}.pickle").write_bytes(encode_annotations(records))


def write_freihand(root: Path, samples: list[Sample]) -> Path:
    """Write the evaluation split, with one image for each label. All samples must be right hands."""
    (root / "evaluation/rgb").mkdir(parents=True)
    for i, sample in enumerate(samples):
        paint(sample, i, (224, 224))[0].save(root / f"evaluation/rgb/{i:08d}.jpg")
    write_freihand_labels(root, samples)
    return root


def write_freihand_labels(root: Path, samples: list[Sample]) -> None:
    xyz_m = [reorder(sample.xyz_mm, "rhd", "mediapipe") / 1000 for sample in samples]
    for key, arrays in (("xyz", xyz_m), ("K", [sample.K for sample in samples])):
        text = json.dumps([np.asarray(array, float).tolist() for array in arrays])
        (root / f"evaluation_{key}.json").write_text(text)


def write_ge2019(root: Path, samples: list[Sample]) -> Path:
    """Write photographs whose crops are the whole images of 256x256 pixels."""
    (root / "images").mkdir(parents=True)
    for i, sample in enumerate(samples):
        paint(sample, i, (256, 256))[0].save(root / f"images/{i:05d}.jpg")
    write_ge2019_labels(root, samples)
    return root


def write_ge2019_labels(root: Path, samples: list[Sample]) -> None:
    savemat(
        root / "pose_gt.mat",
        {"pose_gt": np.stack([reorder(s.xyz_mm, "rhd", "mediapipe") / 10 for s in samples])},
    )
    camera = np.array([[s.K[0, 0], s.K[1, 1], s.K[0, 2], s.K[1, 2]] for s in samples])
    savemat(
        root / "params.mat", {"cam_param": camera, "bbox": np.tile([0.0, 0, 256, 256], (len(samples), 1))}
    )
