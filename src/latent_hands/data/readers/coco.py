"""Reader of hands as COCO keypoints, in the order of COCO-WholeBody's hands and of OneHand10K.

`ROOT/annotations/{training,evaluation}.json` has images, annotations and categories of 21 keypoints, (u, v, 0
not labelled, 1 hidden, 2 visible). `ROOT/{training,evaluation}/FILE_NAME` are the images. Each hand of an
image has an annotation.

Beyond COCO, an annotation may have the keys that `latent-hands export` writes: "side"; "xyz_mm" (21, 3) in
the keypoints' order; "K" (3, 3); "convention", the joint convention; "palm_mm" (3) if the palm is labelled
and a rule gives the wrist. Without "keypoints", the 2D joints are the projected "xyz_mm", all visible.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jaxtyping import Float32

from latent_hands.data.formats.json_file import load_json
from latent_hands.data.readers.reading import OnBroken, check_split, raise_error, read_each
from latent_hands.data.sample import Sample, project
from latent_hands.errors import BROKEN, AbsentError, HandsError
from latent_hands.hand.skeleton import MIDDLE_MCP, WRIST, reorder

_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
KEYPOINTS = ("wrist", *(f"{finger}{i}" for finger in _FINGERS for i in range(1, 5)))
"""COCO's names of the joints, in the order "snap": each finger from base to tip."""
UNLABELLED, HIDDEN, VISIBLE = 0, 1, 2
_NEEDED = {WRIST: "wrist", MIDDLE_MCP: "middle_finger1"}
"""Joints without which a hand has neither a palm nor a crop."""


def read_coco(
    root: str | Path, split: str, limit: int | None = None, *, on_broken: OnBroken = raise_error
) -> list[Sample]:
    """Read the annotations of a split, in their order.

    A joint that is not labelled in 2D counts as invisible. It is placed where the camera projects its 3D
    label, or without a 3D label on the middle knuckle.

    Raises HandsError if the split is unknown, the label file is missing or broken, or the keypoints have
    other names. `on_broken` receives the errors of missing images, of broken labels, and of hands whose
    wrist or middle knuckle is not labelled.
    """
    check_split(split)
    path = Path(root) / "annotations" / f"{split}.json"
    if not path.is_file():
        raise AbsentError(f"no label file at {path}")
    content = load_json(path)
    with _coco_layout(path):
        _check_categories(content, path)
        files = {image["id"]: _inside(Path(root) / split, image["file_name"]) for image in content["images"]}
        annotations = content["annotations"]
        if not annotations:
            raise HandsError(f"{path} has no annotations; it must have one for each hand")
        names = _names(content["images"], annotations)
        items = list(zip(names, annotations, strict=True))[:limit]

    def read(item: tuple[str, Any]) -> Sample:
        name, label = item
        with _coco_layout(path):
            return _sample(name, files[label["image_id"]], label)

    return list(read_each(read, items, on_broken))


@contextmanager
def _coco_layout(path: Path) -> Iterator[None]:
    """Turn errors of missing keys and wrong types into a HandsError."""
    try:
        yield
    except HandsError:
        raise
    except BROKEN as error:
        raise HandsError(f"{path} is not in COCO's layout: {error!r}") from error


def _names(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> list[str]:
    """Return a name for each hand, which no other has.

    It is the stem of the image's file, or its path if stems are equal, and for several hands of one image
    the side: NAME-left, NAME-right, NAME-left-2.
    """
    paths = {image["id"]: PurePath(image["file_name"]).with_suffix("") for image in images}
    stems = Counter(path.name for path in paths.values())
    hands = Counter(label["image_id"] for label in annotations)
    names, seen = [], Counter[str]()
    for label in annotations:
        path = paths.get(label["image_id"], PurePath(str(label["image_id"])))
        name = path.name if stems[path.name] <= 1 else "-".join(path.parts)
        if hands[label["image_id"]] > 1:
            name += f"-{label.get('side') or 'hand'}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


def _check_categories(content: Any, path: Path) -> None:
    for category in content["categories"]:
        if tuple(category["keypoints"]) != KEYPOINTS:
            raise HandsError(f"{path} has other keypoints; they must be {', '.join(KEYPOINTS)}")


def _inside(folder: Path, name: str) -> Path:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise HandsError(f'file name "{name}" leads out of {folder}')
    return folder / name


def _sample(name: str, image: Path, label: dict[str, Any]) -> Sample:
    where = f"annotation {label['id']} of {image}"
    if not image.is_file():
        raise HandsError(f"{where}: the image is missing")
    side = label.get("side")
    if side not in (None, "left", "right"):
        raise HandsError(f"{where} has the side {side!r}; it must be left or right")
    convention = label.get("convention")
    if not isinstance(convention, str | None):
        raise HandsError(f"{where} has the convention {convention!r}; it must be a name")
    K = _numbers(label, "K", (3, 3), where) if "K" in label else None
    xyz_mm = None
    if "xyz_mm" in label:
        xyz_mm = reorder(_numbers(label, "xyz_mm", (21, 3), where), "snap", "rhd")
    sample = Sample(name, image, side, xyz_mm, K=K, convention=convention).projected()
    if "keypoints" in label or sample.uv_px is None:
        sample = _with_keypoints(sample, label, where)
    return _with_palm(sample, label, where) if "palm_mm" in label else sample


def _with_keypoints(sample: Sample, label: dict[str, Any], where: str) -> Sample:
    """Return the sample with the labelled 2D joints.

    A joint without label stays at the projection of its 3D label, or moves to the middle knuckle.
    """
    keypoints = reorder(_numbers(label, "keypoints", (21, 3), where), "snap", "rhd")
    for joint, name in _NEEDED.items():
        if keypoints[joint, 2] == UNLABELLED:
            raise HandsError(f"{where} has no {name}, which its palm and its crop need; it must be labelled")
    substitute = keypoints[[MIDDLE_MCP], :2] if sample.uv_px is None else sample.uv_px
    uv_px = np.where(keypoints[:, 2:] == UNLABELLED, substitute, keypoints[:, :2])
    return replace(sample, uv_px=uv_px, visible=keypoints[:, 2] == VISIBLE)


def _with_palm(sample: Sample, label: dict[str, Any], where: str) -> Sample:
    """Return the sample with the labelled palm as joint 0 and the previous joint 0 as the wrist."""
    xyz_mm, uv_px, K = sample.xyz_mm, sample.uv_px, sample.K
    if xyz_mm is None or uv_px is None or K is None:
        raise HandsError(f'{where} has "palm_mm" without "xyz_mm" or without "K"; it needs both')
    palm_mm = _numbers(label, "palm_mm", (1, 3), where)
    return replace(
        sample,
        root="palm",
        xyz_mm=np.concatenate([palm_mm, xyz_mm[1:]]),
        uv_px=np.concatenate([project(palm_mm, K), uv_px[1:]]),
        wrist_mm=xyz_mm[WRIST],
        wrist_px=uv_px[WRIST],
    )


def _numbers(
    label: dict[str, Any], key: str, shape: tuple[int, int], where: str
) -> Float32[np.ndarray, "_ _"]:
    array = np.array(label[key], np.float32)
    if array.size != shape[0] * shape[1] or not np.isfinite(array).all():
        raise HandsError(f'"{key}" of {where} must be {shape[0]} x {shape[1]} finite numbers')
    return array.reshape(shape)
