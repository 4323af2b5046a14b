"""Labels of a COCO set in another joint convention: hands with 3D joints and a camera are translated."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latent_hands.data.export.layout import numbers
from latent_hands.data.formats.json_file import load_json
from latent_hands.data.readers.export_record import RECORD
from latent_hands.data.sample import project
from latent_hands.errors import BROKEN, HandsError
from latent_hands.files import link_files, write_bytes, write_text
from latent_hands.hand.conventions import CONVENTIONS, read_recorded, recorded
from latent_hands.hand.skeleton import reorder
from latent_hands.hand.translation import translate_labels
from latent_hands.lock import new_folder

_LOG = logging.getLogger(__name__)
WRIST, MIDDLE_MCP = 0, 9  # of the order mediapipe
"""Wrist and middle MCP in the order of COCO's keypoints."""
Label = dict[str, Any]


def relabel_coco(root: Path, out: Path, convention: str) -> int:
    """Write a COCO set with labels in another joint convention into `out`; return the number of hands.

    Hands need "xyz_mm", "K" and "convention". Their 3D joints are translated (`hand.translation`), and the
    keypoints move by as much as their projections. Everything else stays, and images are linked (copied onto
    another file system).

    Raises HandsError for an unknown convention, a folder `out` that is not empty, a set without label files,
    and hands without these labels.
    """
    CONVENTIONS.find(convention)
    paths = sorted((root / "annotations").glob("*.json"))
    if not paths:
        raise HandsError(f"{root} is no COCO set: it has no annotations/*.json")
    contents = {path: load_json(path) for path in paths}
    count = 0
    for path, content in contents.items():
        try:
            content["annotations"] = _relabelled(content["annotations"], path, convention)
            _announce_unlabelled(content, path)
        except BROKEN as error:
            raise HandsError(f"{path} is not in COCO's layout: {error!r}") from error
        count += len(content["annotations"])
    with new_folder(out) as new:
        (new / "annotations").mkdir()
        link_files(root, new, lambda path: path not in contents and path != root / RECORD)
        for path, content in contents.items():
            write_text(new / path.relative_to(root), json.dumps(content))
        if (root / RECORD).is_file():
            record = load_json(root / RECORD) | {"convention": recorded(convention)}
            write_bytes(new / RECORD, json.dumps(record, indent=1).encode())
    return count


def _announce_unlabelled(content: Label, path: Path) -> None:
    """Announce the images of a label file that have no annotation: nothing is moved in them."""
    labelled = {label.get("image_id") for label in content["annotations"]}
    images = content.get("images", [])
    count = sum(not isinstance(each, dict) or each.get("id") not in labelled for each in images)
    if count:
        _LOG.warning("%d of %d images of %s have no label, and stay as they are", count, len(images), path)


def _relabelled(labels: list[Label], path: Path, convention: str) -> list[Label]:
    """Return the annotations of a label file in another convention."""
    for label in labels:
        for key in ("xyz_mm", "K", "convention", "side"):
            if label.get(key) is None:
                raise HandsError(
                    f'annotation {label.get("id")} of {path} has no "{key}", so it cannot be moved'
                )
    moved = list(labels)
    sources = [read_recorded(label["convention"], path) for label in labels]
    for source in sorted(set(sources)):
        rows = [row for row, name in enumerate(sources) if name == source]
        xyz_mm = np.array([labels[row]["xyz_mm"] for row in rows])
        right = torch.tensor([labels[row]["side"] == "right" for row in rows])
        joints = torch.from_numpy(reorder(xyz_mm, "mediapipe", "rhd"))
        new_mm = reorder(translate_labels(joints, source, convention, right).numpy(), "rhd", "mediapipe")
        for row, old, new in zip(rows, xyz_mm, new_mm, strict=True):
            moved[row] = _moved(labels[row], old, new) | {"convention": recorded(convention)}
    return moved


def _moved(label: Label, old_mm: np.ndarray, new_mm: np.ndarray) -> Label:
    """Return an annotation with new 3D joints; its 2D joints move as their projections do."""
    K, moved = np.array(label["K"]), {"xyz_mm": numbers(new_mm)}
    if "keypoints" in label:
        keypoints = np.array(label["keypoints"], float).reshape(21, 3)
        keypoints[:, :2] += project(new_mm, K) - project(old_mm, K)
        moved["keypoints"] = numbers(keypoints.ravel())
    if "palm_mm" in label:
        moved["palm_mm"] = numbers((new_mm[WRIST] + new_mm[MIDDLE_MCP]) / 2)
    return label | moved
