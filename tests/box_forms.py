"""Files of boxes in each form that other tools write; all mean the same hands."""

import json
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 200, 100
HANDS = {
    "a.jpg": [((20.0, 10.0, 50.0, 40.0), "left"), ((100.0, 30.0, 40.0, 60.0), "right")],
    "sub/b.jpg": [],
    "sub/a.jpg": [((0.0, 0.0, 200.0, 100.0), None)],
}
NAMES = ("left", "right", "hand")


def write_photos(folder: Path) -> Path:
    """Write the images of all forms."""
    for name in HANDS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / name)
    return folder


def write_csv(folder: Path) -> Path:
    lines = ["handedness;file;x;y;width;height"]
    for name, hands in HANDS.items():
        lines += [";".join(map(str, [side or "", name, *box])) for box, side in hands]
        lines += [] if hands else [f";{name};;;;"]
    path = folder / "boxes.csv"
    path.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    return path


def write_coco(folder: Path) -> Path:
    images, annotations = [], []
    for number, (name, hands) in enumerate(HANDS.items()):
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        annotations += [
            {"id": 1, "image_id": number, "category_id": NAMES.index(side or "hand"), "bbox": list(box)}
            for box, side in hands
        ]
        annotations.append({"id": 2, "image_id": number, "category_id": 7, "bbox": [1, 1, 9, 9]})
    categories = [{"id": i, "name": name} for i, name in enumerate(NAMES)] + [{"id": 7, "name": "face"}]
    path = folder / "boxes.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def write_list(folder: Path) -> Path:
    records = [
        {"file": name, "boxes": [box for box, _ in hands], "handedness": [side for _, side in hands]}
        for name, hands in HANDS.items()
    ]
    path = folder / "list.json"
    path.write_text(json.dumps([*records, {"file": "unknown.jpg", "boxes": None}]))
    return path


def write_yolo(folder: Path) -> Path:
    labels = folder / "labels"
    for name, hands in HANDS.items():
        path = (labels / name).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "".join(
                f"{NAMES.index(side or 'hand')} {(x + w / 2) / 200} {(y + h / 2) / 100} {w / 200} {h / 100}\n"
                for (x, y, w, h), side in hands
            )
        )
    (folder / "data.yaml").write_text("train: images\nnc: 3\nnames: ['left', \"right\", hand]\n")
    return labels
