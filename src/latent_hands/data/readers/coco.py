"""Reader of hands as COCO keypoints, in the order of COCO-WholeBody's hands and of OneHand10K.

`ROOT/annotations/{training,evaluation}.json` has images, annotations and categories of 21 keypoints, (u, v,
flag). `ROOT/{training,evaluation}/FILE_NAME` are the images. The names of CVAT are read, too:
`annotations/person_keypoints_SPLIT.json` and `images/SPLIT/FILE_NAME`. `coco_hands` has which annotations are
hands. The "width" and "height" of an image must be those of the file.

A joint with a flag of 0 or less is not labelled, and neither is one without a place (`doubtful`). A flag
above 0 counts as visible: tools write 1, 2 or a score. In a set that `latent-hands export` wrote, 1 is hidden
and 2 visible.

Beyond COCO, an annotation may have the keys that `latent-hands export` writes: "side"; "xyz_mm" (21, 3) in
the keypoints' order; "K" (3, 3); "convention", the joint convention; "palm_mm" (3) if the palm is labelled
and a rule gives the wrist; "weight", how much the hand counts in training, 1 by default. Without "keypoints",
the 2D joints are the projected "xyz_mm", all visible.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jaxtyping import Float32

from latent_hands.data.formats.coco_images import CocoImage, images_by_id
from latent_hands.data.formats.coco_keypoints import keypoints_of
from latent_hands.data.formats.json_file import load_json
from latent_hands.data.formats.numerals import array_of, number_of
from latent_hands.data.readers.coco_hands import LEAST_JOINTS, annotations_of_hands
from latent_hands.data.readers.coco_joints import VISIBLE, announce_joints, announce_unread, check_boxes
from latent_hands.data.readers.doubtful import announce_doubles, nowhere
from latent_hands.data.readers.export_record import read_record
from latent_hands.data.readers.outside import hide_outside
from latent_hands.data.readers.reading import OnBroken, check_split, raise_error, read_each
from latent_hands.data.sample import Sample, project
from latent_hands.errors import BROKEN, AbsentError, HandsError, counted
from latent_hands.hand.conventions import read_recorded
from latent_hands.hand.skeleton import WRIST, reorder

HIDDEN = 1
"""The flag of hidden joints in an exported set. A flag of 0 or less means "not labelled" in every set."""
SHARES = 3.0
"""Keypoints that are all smaller are not pixels but shares of the image, which may reach beyond it."""
_LOG = logging.getLogger(__name__)


def read_coco(
    root: str | Path, split: str, limit: int | None = None, *, on_broken: OnBroken = raise_error
) -> list[Sample]:
    """Read the annotations of hands of a split, in their order.

    A joint that is not labelled in 2D counts as invisible. It is placed where the camera projects its 3D
    label; without a 3D label it stays unlabelled (`Sample.labelled`). A joint outside the image counts as
    invisible, too. Warnings count what is left out, these joints, joints without a place (`nowhere`), flags
    that are neither 0 nor 2, and hands that seem to be labelled twice.

    Raises HandsError if the split is unknown, the label file is missing or broken, images have the same id,
    no category has the keypoints of hands, or most keypoints lie outside of the "bbox" of their hands.
    `on_broken` receives the errors of missing images, of broken labels, of keypoints that are not pixels, and
    of hands with fewer than `LEAST_JOINTS` labelled joints.
    """
    check_split(split)
    path = _existing(Path(root) / "annotations", f"{split}.json", f"person_keypoints_{split}.json")
    if not path.is_file():
        raise AbsentError(f"no label file at {path}")
    folder = _existing(Path(root), split, f"images/{split}")
    exported = read_record(Path(root), "coco") is not None
    return hands_of(load_json(path), path, folder, exported, limit, on_broken)


def hands_of(
    content: Any, path: Path, folder: Path, exported: bool, limit: int | None, on_broken: OnBroken
) -> list[Sample]:
    """Return the hands of the content of a label file, as `read_coco` does.

    Args:
        content: a table with images, annotations and categories.
        path: where it is from, for messages.
        folder: the folder of the images.
        exported: whether `latent-hands export` wrote it, so that a flag of 1 means a hidden joint.
        limit, on_broken: those of readers.
    """
    with _coco_layout(path):
        entries = images_by_id(content["images"], path)
        images = {key: CocoImage.read(folder, image) for key, image in entries.items()}
        annotations = annotations_of_hands(content, path)
        names = hand_names(list(entries.values()), annotations)
        items = list(zip(names, annotations, strict=True))[:limit]
        labels = [label for _, label in items]
        announce_joints(labels, path, exported)
        announce_unread(labels, list(entries.values()), path)

    def read(item: tuple[str, Any]) -> Sample:
        name, label = item
        with _coco_layout(path):
            if label["image_id"] not in images:
                raise HandsError(
                    f"annotation {label['id']} of {path} is of image {label['image_id']!r}, and "
                    f"not of {counted(len(images), 'image')} with ids such as {next(iter(images), None)!r}"
                )
            return _sample(name, images[label["image_id"]], label, exported)

    samples = hide_outside(list(read_each(read, items, on_broken)), path)
    if not exported:
        check_boxes(labels, path)
    announce_doubles(samples, path)
    return _all_weighted(samples)


def _all_weighted(samples: list[Sample]) -> list[Sample]:
    """Return the samples, all with a weight (by default 1) if any of them states one."""
    if all(sample.weight is None for sample in samples):
        return samples
    return [replace(sample, weight=1.0 if sample.weight is None else sample.weight) for sample in samples]


def _existing(folder: Path, usual: str, other: str) -> Path:
    """Return the second path if only that exists."""
    return folder / other if (folder / other).exists() and not (folder / usual).exists() else folder / usual


@contextmanager
def _coco_layout(path: Path) -> Iterator[None]:
    """Turn errors of missing keys and wrong types into a HandsError."""
    try:
        yield
    except HandsError:
        raise
    except BROKEN as error:
        raise HandsError(f"{path} is not in COCO's layout: {error!r}") from error


def hand_names(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> list[str]:
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


def _sample(name: str, image: CocoImage, label: dict[str, Any], exported: bool) -> Sample:
    where = f"annotation {label['id']} of {image.file}"
    if not image.file.is_file():
        raise HandsError(f"{where}: the image is missing")
    side = label.get("side")
    if side not in (None, "left", "right"):
        raise HandsError(f"{where} has the side {side!r}; it must be left or right")
    convention = label.get("convention")
    if not isinstance(convention, str | None):
        raise HandsError(f"{where} has the convention {convention!r}; it must be a name")
    if convention is not None:
        convention = read_recorded(convention, where)
    weight = None if label.get("weight") is None else number_of(label["weight"])
    if weight is not None and not 0 <= weight < np.inf:
        raise HandsError(f'{where} has the "weight" {weight}; it must be finite and 0 or more')
    K = _numbers(label, "K", (3, 3), where) if "K" in label else None
    xyz_mm = None
    if "xyz_mm" in label:
        xyz_mm = reorder(_numbers(label, "xyz_mm", (21, 3), where), "mediapipe", "rhd")
    sample = Sample(
        name, image.file, side, xyz_mm, K=K, convention=convention, size_px=image.size_px, weight=weight
    ).projected()
    if "keypoints" in label or sample.uv_px is None:
        sample = _with_keypoints(sample, label, where, exported)
    return _with_palm(sample, label, where) if "palm_mm" in label else sample


def _with_keypoints(sample: Sample, label: dict[str, Any], where: str, exported: bool) -> Sample:
    """Return the sample with the labelled 2D joints."""
    keypoints = reorder(_keypoints(label, where), "mediapipe", "rhd")
    uv_px, flags = keypoints[:, :2], keypoints[:, 2]
    labelled = flags > 0
    if (count := int(labelled.sum())) < LEAST_JOINTS:
        raise HandsError(f"{where} has {count} labelled joints; a crop needs {LEAST_JOINTS} or more")
    check_pixels(uv_px[labelled], f"the keypoints of {where}")
    substitute = uv_px[labelled].mean(axis=0) if sample.uv_px is None else sample.uv_px
    hidden = exported and bool((flags == VISIBLE).any())
    return replace(
        sample,
        uv_px=np.where(labelled[:, None], uv_px, substitute),
        visible=flags == VISIBLE if hidden else labelled,
        labelled=None if sample.uv_px is not None or labelled.all() else labelled,
    )


def check_pixels(uv_px: Float32[np.ndarray, "n 2"], what: str) -> None:
    """Raise HandsError for 2D joints that are not pixels but shares of the image."""
    if 0 < (most := float(np.abs(uv_px).max())) <= SHARES:
        raise HandsError(
            f"{what} are at most {most:.3g}, so they are shares of the image; they must be pixels: "
            "multiply u by the image's width and v by its height"
        )


def _keypoints(label: dict[str, Any], where: str) -> Float32[np.ndarray, "21 3"]:
    """Return the keypoints. The coordinates of a joint that is not labelled may be NaN or null."""
    keypoints = keypoints_of(label["keypoints"]).astype(np.float32)
    if keypoints.size == 63:
        keypoints = keypoints.reshape(21, 3)
        keypoints[nowhere(keypoints[:, :2], keypoints[:, 2] > 0), 2] = 0
        keypoints[keypoints[:, 2] <= 0, :2] = 0
    return _finite(keypoints, "keypoints", (21, 3), where)


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
    return _finite(array_of(label[key]).astype(np.float32), key, shape, where)


def _finite(array: np.ndarray, key: str, shape: tuple[int, int], where: str) -> Float32[np.ndarray, "_ _"]:
    if array.size != shape[0] * shape[1] or not np.isfinite(array).all():
        raise HandsError(f'"{key}" of {where} must be {shape[0]} x {shape[1]} finite numbers')
    return array.reshape(shape)
