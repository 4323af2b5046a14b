"""Pseudo-labels: the hands that a model is sure of, as a COCO set that trains another model.

    OUT/labels.jsonl               all hands of each image that was read, with their scores
    OUT/annotations/SPLIT.json     the hands of sufficient score, which `readers.coco` reads
    OUT/SPLIT/FILE_NAME            their images

Images are read one after the other, and each adds a line to labels.jsonl. So a stopped labelling continues
with the next image, and for another threshold no image is read again.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latent_hands.data.export.coco import INFO
from latent_hands.data.export.image_copies import keep_image, own_suffix
from latent_hands.data.formats.image import read_rgb
from latent_hands.data.readers.export_record import RECORD
from latent_hands.errors import BROKEN, HandsError, counted
from latent_hands.files import append_text, write_text
from latent_hands.hand.conventions import recorded
from latent_hands.predictions.coco_files import annotation, categories
from latent_hands.predictor.agreement import AGREE_MM, Agreed
from latent_hands.progress import Progress, silent

LABELS = "labels.jsonl"
_INFO = {
    "description": "pseudo-labels written by latent-hands label",
    "score": f"agreement of readings, from 0 to 1: mean of 1 / (1 + (distance / {AGREE_MM:g} mm)^2)",
    "joint_scores": "the same of each joint, in the order of the keypoints",
    "weight": "how much the hand counts in training: its score",
}


@dataclass
class PseudoLabels:
    """The pseudo-labels in a folder.

    Attributes:
        folder: the folder of the set.
        made_by: the teacher and the options that decide what the hands are.
        images: the lines of labels.jsonl, by the path of the image.
    """

    folder: Path
    made_by: Mapping[str, Any]
    images: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Note which image has which name."""
        self._owners = {line["name"]: path for path, line in self.images.items()}

    @classmethod
    def open(cls, folder: Path, made_by: Mapping[str, Any]) -> "PseudoLabels":
        """Begin a set in a new or empty folder, or continue one.

        An incomplete last line, which a killed process leaves, is removed. Raises HandsError if the folder
        contains anything else, or labels of another teacher or of other options.
        """
        path = folder / LABELS
        if not path.is_file():
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise HandsError(f"{folder} exists and has no {LABELS}; give a new or an empty folder")
            folder.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(made_by) + "\n")
            return cls(folder, made_by)
        text = path.read_text("utf-8")
        whole = text[: text.rfind("\n") + 1]
        try:
            first, *lines = map(json.loads, whole.splitlines())
            images = {line["file"]: line for line in lines}
        except BROKEN as error:
            raise HandsError(f"{path} is broken ({error}); label into a new folder") from error
        if first != made_by:
            names = [key for key in {**first, **made_by} if first.get(key) != made_by.get(key)]
            raise HandsError(
                f"{folder} was labelled with another {', '.join(names)}; give a new folder, or the same "
                "options"
            )
        if whole != text:
            write_text(path, whole)
        return cls(folder, made_by, images)

    def add(self, file: Path, name: str, size_px: tuple[int, int], hands: Sequence[Agreed]) -> None:
        """Add the hands of an image. Later calls of `open` know them."""
        convention = self.made_by["convention"]
        line = {
            "file": str(file.absolute()),
            "sha256": _sha256(file),
            "name": name,
            "width": size_px[0],
            "height": size_px[1],
            "hands": [
                {
                    **annotation(each.hand, 0, 0, size_px, convention),
                    "score": round(each.score, 4),
                    "joint_scores": [round(float(score), 4) for score in each.snap_scores],
                    "weight": round(each.score, 4),
                    **({"doubt": each.doubt} if each.doubt else {}),
                }
                for each in hands
            ],
        }
        append_text(self.folder / LABELS, json.dumps(line) + "\n")
        self.images[line["file"]] = line

    def has(self, file: Path, name: str) -> bool:
        """Return whether an image was read.

        Raises HandsError if the image has changed since, or if another image has its name.
        """
        path, line = str(file.absolute()), self.images.get(str(file.absolute()))
        if line is not None and line.get("sha256") not in (None, _sha256(file)):
            raise HandsError(f"{path} has changed since {self.folder} was labelled; label into a new folder")
        owner = self._owners.setdefault(name, path)
        if line is None and owner != path:
            raise HandsError(
                f"{self.folder} has an image of the name {name} already, {owner}; label {path} into a new "
                "folder, or label a folder that contains both"
            )
        return line is not None

    def write(self, split: str, threshold: float, progress: Progress = silent) -> dict[str, Any]:
        """Write the hands of this score or more as a split of a COCO set; return counts.

        They are "images", "hands", "labelled", "left_out" by reason, and "images_without_labels".
        Raises HandsError if no hand has the score, and if another split holds these hands already.
        """
        for other in sorted((self.folder / "annotations").glob("*.json")):
            if other.stem != split:
                raise HandsError(
                    f"{self.folder} holds these images as the split {other.stem}; with --split {split} they "
                    "would be in both splits: give a new folder"
                )
        left_out, images, annotations = Counter[str](), list[dict[str, Any]](), list[dict[str, Any]]()
        for count, line in enumerate(self.images.values(), 1):
            kept = []
            for hand in line["hands"]:
                low = f"score below {threshold:g}" if hand["score"] < threshold else None
                if reason := hand.get("doubt") or low:
                    left_out[reason] += 1
                else:
                    kept.append(hand)
            if kept:
                record = self._keep(line, split, len(images))
                annotations += [
                    hand | {"id": len(annotations) + number, "image_id": record["id"]}
                    for number, hand in enumerate(kept, 1)
                ]
                images.append(record)
            progress("writing", count, len(self.images))
        if not annotations:
            found = f"{counted(sum(left_out.values()), 'hand')} in {counted(len(self.images), 'image')}"
            raise HandsError(
                f"no hand has a score of {threshold:g} or more: {found} had less; use a "
                "lower threshold (--threshold), or other images"
            )
        (self.folder / "annotations").mkdir(exist_ok=True)
        content = {
            "info": INFO | _INFO | dict(self.made_by),
            "images": images,
            "annotations": annotations,
            "categories": categories(),
        }
        record = {"layout": "coco", "data": "images", **self.made_by}  # its flags: 1 is hidden, 2 visible
        record["convention"] = recorded(self.made_by["convention"])
        write_text(self.folder / RECORD, json.dumps(record))
        write_text(self.folder / "annotations" / f"{split}.json", json.dumps(content))
        return {
            "images": len(self.images),
            "hands": len(annotations) + sum(left_out.values()),
            "labelled": len(annotations),
            "left_out": dict(left_out),
            "images_without_labels": len(self.images) - len(images),
        }

    def _keep(self, line: Mapping[str, Any], split: str, number: int) -> dict[str, Any]:
        """Copy an image into the set, or encode it if other readers would not decode it alike."""
        source = Path(line["file"])
        name = line["name"].removesuffix(source.suffix) + (own_suffix(source) or ".png")
        (self.folder / split).mkdir(exist_ok=True)
        target = self.folder / split / name
        if not target.is_file():
            keep_image(target, source, read_rgb(source))
        return {"id": number, "file_name": name, "width": line["width"], "height": line["height"]}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
