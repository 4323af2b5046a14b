"""Writer of COCO keypoints, which `readers.coco` reads: unchanged images, 2D joints, and further labels.

Further labels are the keys "side", "xyz_mm", "K", "convention", and "palm_mm" if the palm is labelled and a
rule gives the wrist. All hands of an image are annotations of it. Other readers of COCO ignore keys
that they do not know.
"""

import json
from pathlib import Path

import numpy as np

from latent_hands.data.export.image_copies import keep_image, own_suffix
from latent_hands.data.export.layout import Layout, Record, joint_box, numbers
from latent_hands.data.labelled_images import read_labelled
from latent_hands.data.readers.coco import HIDDEN, VISIBLE
from latent_hands.data.readers.coco_hands import KEYPOINTS
from latent_hands.data.sample import Sample, with_wrist
from latent_hands.files import write_bytes
from latent_hands.hand.conventions import recorded
from latent_hands.hand.skeleton import BONES, MEDIAPIPE, PALM, reorder

_PLACE = [MEDIAPIPE.places.index(joint) + 1 for joint in range(21)]
CATEGORY = {
    "id": 1,
    "name": "hand",
    "supercategory": "hand",
    "keypoints": KEYPOINTS,
    "skeleton": [[_PLACE[parent], _PLACE[child]] for parent, child in BONES],
}
INFO = {
    "description": "hands written by latent-hands export",
    "side": "left or right",
    "xyz_mm": "keypoints in millimetres, camera frame: x right, y down, z forward",
    "K": "the camera of the image: pixels (u, v, 1) are K xyz / z, pixel centres at integers",
    "convention": "where the joints lie in the hand: the name of a data set, a checksum of its table",
    "weight": "how much the hand counts in training, 1 by default",
    "palm_mm": "the labelled centre of the palm, where the wrist follows from a rule",
    "bbox": "the box of the keypoints within the image, and area its area",
}


def _write_hand(folder: Path, number: int, sample: Sample) -> Record:
    hand, rgb = with_wrist(sample), read_labelled(sample)
    assert hand.uv_px is not None
    name = f"{number:08d}{own_suffix(sample.image) or '.png'}"
    folder.mkdir(parents=True, exist_ok=True)
    keep_image(folder / name, sample.image, rgb)
    height, width = rgb.shape[:2]
    box = numbers(np.array(joint_box(hand, (height, width))))
    keypoints = np.column_stack([hand.uv_px, np.where(hand.visible_or_all, VISIBLE, HIDDEN)])
    label = {
        "image_id": number,
        "category_id": CATEGORY["id"],
        "iscrowd": 0,
        "bbox": box,
        "area": box[2] * box[3],
        "num_keypoints": len(KEYPOINTS),
        "keypoints": numbers(reorder(keypoints, "rhd", "mediapipe").ravel()),
    }
    if hand.handedness is not None:
        label["side"] = hand.handedness
    if hand.xyz_mm is not None and hand.K is not None:
        label |= {"xyz_mm": numbers(reorder(hand.xyz_mm, "rhd", "mediapipe")), "K": numbers(hand.K)}
    if hand.convention is not None:
        label["convention"] = recorded(hand.convention)
    if hand.weight is not None:
        label["weight"] = hand.weight
    if sample.root == "palm" and sample.xyz_mm is not None:
        label["palm_mm"] = numbers(sample.xyz_mm[PALM])
    return {"image": {"id": number, "file_name": name, "width": width, "height": height}, "annotation": label}


def _write_labels(root: Path, split: str, labels: list[Record]) -> None:
    images = {label["image"]["id"]: label["image"] for label in labels}
    content = {
        "info": INFO,
        "images": list(images.values()),
        # pycocotools takes annotation 0 for a missing one.
        "annotations": [{"id": number} | label["annotation"] for number, label in enumerate(labels, 1)],
        "categories": [CATEGORY],
    }
    (root / "annotations").mkdir(exist_ok=True)
    write_bytes(root / "annotations" / f"{split}.json", json.dumps(content).encode())


COCO = Layout(
    needs=("uv_px",),
    write_hand=_write_hand,
    write_labels=_write_labels,
    holds=lambda sample: bool(sample.visible_or_all.any()),
    refuses="no joint is visible",
    share=lambda first, second: True,
)
