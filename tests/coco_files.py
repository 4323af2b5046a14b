"""A COCO file of one hand."""

import json

import numpy as np
from PIL import Image

from latent_hands.data.readers.coco_hands import KEYPOINTS

UV_PX = np.random.default_rng(0).uniform(0, 60, (21, 2)).astype(np.float32)


def plain_content() -> dict:
    """Return a COCO file with one image and one hand."""
    keypoints = np.column_stack([UV_PX, [1, 0, *[2] * 19]]).ravel().tolist()
    return {
        "images": [{"id": 7, "file_name": "a/photo.png", "width": 64, "height": 64}],
        "annotations": [{"id": 3, "image_id": 7, "category_id": 1, "keypoints": keypoints}],
        "categories": [{"id": 1, "name": "hand", "keypoints": KEYPOINTS}],
    }


def writer(tmp_path):
    """Return a function that writes a COCO file and returns the folder of the set."""
    (tmp_path / "training/a").mkdir(parents=True)
    (tmp_path / "annotations").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "training/a/photo.png")

    def write(content):
        (tmp_path / "annotations/training.json").write_text(json.dumps(content))
        return tmp_path

    return write
