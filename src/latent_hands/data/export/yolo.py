"""Writer of the layout of YOLO pose (Ultralytics), which `readers.yolo` reads: a text file for each image.

The classes are left and right hands. Keypoints have the order of MediaPipe, and the flag 1 where they are
hidden and 2 where they are visible.
"""

from pathlib import Path

import numpy as np

from latent_hands.data.export.image_copies import keep_image, own_suffix
from latent_hands.data.export.layout import Layout, Record, joint_box
from latent_hands.data.labelled_images import read_labelled
from latent_hands.data.readers.coco import HIDDEN, VISIBLE
from latent_hands.data.readers.yolo import FOLDERS
from latent_hands.data.sample import Sample, with_wrist
from latent_hands.files import write_text
from latent_hands.hand.handedness import HANDEDNESS
from latent_hands.hand.skeleton import reorder

ABOUT = f"""# Hands, in the layout of YOLO pose.
# A mirrored left hand is a right hand, so train with fliplr=0.
train: images/{FOLDERS["training"][0]}
val: images/{FOLDERS["evaluation"][0]}
kpt_shape: [21, 3]
names: [{", ".join(HANDEDNESS)}]
"""


def _write_hand(folder: Path, number: int, sample: Sample) -> Record:
    hand, rgb = with_wrist(sample), read_labelled(sample)
    assert hand.uv_px is not None
    assert hand.handedness is not None
    name = f"{number:08d}{own_suffix(sample.image) or '.png'}"
    images = folder.parent / "images" / FOLDERS[folder.name][0]
    images.mkdir(parents=True, exist_ok=True)
    keep_image(images / name, sample.image, rgb)
    size = np.array(rgb.shape[1::-1])
    left, top, width, height = joint_box(hand, (rgb.shape[0], rgb.shape[1]))
    box = np.array([[left + width / 2, top + height / 2], [width, height]]) / size
    flags = np.where(hand.visible_or_all, VISIBLE, HIDDEN)
    keypoints = reorder(np.column_stack([hand.uv_px / size, flags]), "rhd", "mediapipe")
    words = [str(HANDEDNESS.index(hand.handedness)), *(f"{share:.9g}" for share in box.ravel())]
    words += [word for u, v, flag in keypoints for word in (f"{u:.9g}", f"{v:.9g}", f"{flag:.0f}")]
    return {"file": Path(name).with_suffix(".txt").name, "line": " ".join(words)}


def _write_labels(root: Path, split: str, labels: list[Record]) -> None:
    lines: dict[str, list[str]] = {}
    for label in labels:
        lines.setdefault(label["file"], []).append(label["line"])
    folder = root / "labels" / FOLDERS[split][0]
    folder.mkdir(parents=True, exist_ok=True)
    for file, hands in lines.items():
        write_text(folder / file, "\n".join(hands) + "\n")
    write_text(root / "data.yaml", ABOUT)


YOLO = Layout(
    needs=("uv_px", "handedness"),
    write_hand=_write_hand,
    write_labels=_write_labels,
    holds=lambda sample: bool(sample.visible_or_all.any()),
    refuses="no joint is visible",
    share=lambda first, second: True,
    notes=lambda samples: ["3D joints and cameras are lost"]
    if any(s.xyz_mm is not None for s in samples)
    else [],
)
