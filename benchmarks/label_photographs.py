"""Label photographs of hands with MediaPipe Hands, and write them as a data set that trains a run.

    pip install "mediapipe==0.10.21"    (in an environment of its own, whose Python is MEDIAPIPE)
    python benchmarks/label_photographs.py find PHOTOS LABELS.json --mediapipe-python MEDIAPIPE/bin/python
    python benchmarks/label_photographs.py write PHOTOS LABELS.json OUT
    latent-hands train EXPERIMENT --data.name coco --data.root OUT

MediaPipe reads each photograph and its mirror image, as they are and with a border. A hand is kept where both
readings agree: opposite handedness, 2D joints within 6 % of the box, 3D joints within 12 mm. These are
pseudo-labels: both readings can be wrong in the same way, and fingertips that are hidden often are.

Kept hands are read again after one, two and three quarter turns. How well these five readings agree is their
score, by the formula of `latent-hands label`, and the score of each joint. `write` adds them to the
annotations, with MediaPipe's handedness score ("side_score") and the weight in training ("weight"), which is
the product of the score and the handedness score.

PHOTOS has `photographs.json`: a list of {"file", "boxes", "group"}, boxes as [x, y, width, height] or null.
Without it, all JPEG and PNG files below PHOTOS are used. A fifth of the groups becomes the split
"evaluation": frames of one group are alike.

`write` places the hands before an assumed camera with a field of view of 40 degrees, so that they project
near the measured joints, and translates them into the joint convention "rhd". It leaves out hands whose 2D
and 3D joints contradict each other. LABELS.json keeps MediaPipe's own joints.
"""

import argparse
import json
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from agreement import Limits, box_of, compare, iou, joint_scores, reread
from assumed_camera import assumed_camera
from mediapipe_client import MediaPipe
from translated_labels import TARGET, Label, translated

from latent_hands.data.readers.coco import VISIBLE
from latent_hands.data.readers.coco_hands import KEYPOINTS
from latent_hands.hand.conventions import recorded

BORDERS = (0.0, 0.25)
"""Borders that the image is read with, as shares of its larger side: hands that fill an image need one."""
TURNS = (1, 2, 3)
"""Quarter turns after which the image is read again, with the last border."""
THRESHOLD = 0.3
SMALL_PX = 128
"""Images up to this side show a single hand, and are read with a border only."""
LEAST_BOX_PX = 40
MOST_ERROR = 0.08
"""Largest error of the projected 3D joints over the box. Beyond it, MediaPipe's 2D and 3D contradict."""
BONE_MM = (28.0, 50.0)
"""Shortest and longest middle MCP-PIP bone. Hands seen along their fingers have collapsed 3D joints."""
LEAST_SHARE_OF_DRAWN_BOX = 0.1
HELD_OUT = 5
"""One group in so many is held out."""


def listed(folder: Path) -> list[dict[str, Any]]:
    """Return the photographs of a folder, each with "file" and maybe "boxes", "group" and "held_out"."""
    table = folder / "photographs.json"
    if table.is_file():
        return json.loads(table.read_text())
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return [{"file": str(file.relative_to(folder)), "boxes": None} for file in files]


def label(photo: dict[str, Any], folder: Path, mediapipe: MediaPipe) -> dict[str, Any]:
    """Return the hands of a photograph that two readings agree on, and the "unsure" rest."""
    file, readings = folder / photo["file"], []
    first = mediapipe.read(file)
    small = max(first["width"], first["height"]) <= SMALL_PX
    for border in BORDERS[small:]:
        readings += [mediapipe.read(file, mirror=mirror, pad=border)["hands"] for mirror in (False, True)]
    sure, unsure = compare(readings, Limits())
    if sure:
        turned = [mediapipe.read(file, turns=turns, pad=BORDERS[-1])["hands"] for turns in TURNS]
        sure = [reread(hand, readings[-2:] + turned) for hand in sure]
    for hand in sure + unsure:
        hand["drawn_box"] = drawn_box(hand, photo.get("boxes") or [])
    return {
        "file": photo["file"],
        "group": photo.get("group", photo["file"]),
        "width": first["width"],
        "height": first["height"],
        "hands": sure,
        "unsure": unsure,
    }


def drawn_box(hand: dict[str, Any], boxes: list[list[float]]) -> list[float] | None:
    """Return the drawn box that belongs to a hand, None if there is none."""
    box = max(boxes, key=lambda each: iou(each, hand["box"]), default=None)
    return box if box is not None and iou(box, hand["box"]) > LEAST_SHARE_OF_DRAWN_BOX else None


def held_out(photo: dict[str, Any], by_file: list[str]) -> bool:
    """Return whether a photograph is in the split "evaluation": a fifth of the groups, or of the files."""
    group = photo.get("group", photo["file"])
    key = photo["file"] if group in by_file else group
    return zlib.crc32(key.encode()) % HELD_OUT == 0


def usable(hand: dict[str, Any], photo: dict[str, Any]) -> bool:
    """Return whether a hand is large enough to be learnt from."""
    small = max(photo["width"], photo["height"]) <= SMALL_PX
    return small or max(hand["box"][2:]) >= LEAST_BOX_PX


def write(labels: list[dict[str, Any]], folder: Path, out: Path, by_file: list[str]) -> dict[str, Any]:
    """Write the hands in COCO's layout with 3D joints, each with its own copy of the photograph."""
    counts: dict[str, Any] = {}
    for split in ("training", "evaluation"):
        photos = [photo for photo in labels if held_out(photo, by_file) == (split == "evaluation")]
        hands = [(photo, hand) for photo in photos for hand in photo["hands"] if usable(hand, photo)]
        cameras = [assumed_camera(photo["width"], photo["height"]) for photo, _ in hands]
        (out / split).mkdir(parents=True, exist_ok=True)
        images, annotations, errors = [], [], []
        for (photo, hand), K, placed in zip(
            hands, cameras, translated([hand for _, hand in hands], cameras), strict=True
        ):
            if placed.error > MOST_ERROR or not BONE_MM[0] <= placed.bone_mm <= BONE_MM[1]:
                continue
            number, file = len(images), Path(photo["file"])
            name = f"{file.with_suffix('')}_{photo['hands'].index(hand)}{file.suffix}".replace("/", "_")
            shutil.copyfile(folder / file, out / split / name)
            images.append(
                {"id": number, "file_name": name, "width": photo["width"], "height": photo["height"]}
            )
            annotations.append(annotation(number, hand, placed, K))
            errors.append(placed.error)
        content = {
            "info": {
                "description": "pseudo-labels by MediaPipe Hands 0.10.21",
                "source": "label_photographs.py",
            },
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "hand", "keypoints": list(KEYPOINTS)}],
        }
        (out / "annotations").mkdir(exist_ok=True)
        (out / "annotations" / f"{split}.json").write_text(json.dumps(content))
        quantiles = np.quantile(errors, [0.5, 0.9, 1]).round(4).tolist() if errors else []
        counts[split] = {
            "agreed": len(hands),
            "written": len(images),
            "reprojection error over box, 50/90/100 %": quantiles,
        }
    return counts


def annotation(number: int, hand: dict[str, Any], placed: Label, K: np.ndarray) -> dict[str, Any]:
    """Return an annotation that `latent_hands.data.readers.coco` reads, joints from wrist to little tip."""
    box = box_of(placed.uv_px).round(2).tolist()
    return {
        "id": number + 1,
        "image_id": number,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": box,
        "area": round(box[2] * box[3], 2),
        "num_keypoints": len(KEYPOINTS),
        "keypoints": np.column_stack([placed.uv_px, np.full(21, VISIBLE)]).round(3).ravel().tolist(),
        "side": hand["handedness"],
        "xyz_mm": placed.xyz_mm.round(3).tolist(),
        "K": K.round(4).tolist(),
        "convention": recorded(TARGET),
        **(scores(hand) if "joint_mm" in hand else {}),
    }


def scores(hand: dict[str, Any]) -> dict[str, Any]:
    """Return the scores of a hand and its weight in training, as keys of an annotation."""
    joints = joint_scores(hand)
    score = float(joints.mean())
    return {
        "score": round(score, 4),
        "joint_scores": joints.round(4).tolist(),
        "side_score": round(hand["score"], 4),
        "weight": round(score * hand["score"], 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("action", choices=("find", "write"))
    parser.add_argument("photos", type=Path, help="the folder of the photographs")
    parser.add_argument(
        "labels", type=Path, help="JSON file of the labels: `find` writes it, `write` reads it"
    )
    parser.add_argument("out", type=Path, nargs="?", help="the folder of the data set")
    parser.add_argument("--mediapipe-python", type=Path, help="the Python that has MediaPipe")
    parser.add_argument("--by-file", nargs="*", default=[], help="groups whose photographs are split by file")
    options = parser.parse_args()
    if options.action == "find":
        if options.mediapipe_python is None:
            parser.error("find needs --mediapipe-python")
        with MediaPipe(options.mediapipe_python, THRESHOLD, most=2) as mediapipe:
            labels = [label(photo, options.photos, mediapipe) for photo in listed(options.photos)]
        options.labels.write_text(json.dumps(labels))
        print(json.dumps({"photographs": len(labels), "hands": sum(len(each["hands"]) for each in labels)}))
        return
    if options.out is None:
        parser.error("write needs OUT")
    print(
        json.dumps(
            write(json.loads(options.labels.read_text()), options.photos, options.out, options.by_file),
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
