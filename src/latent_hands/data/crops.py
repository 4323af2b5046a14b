"""Windows cut out of images: each hand with its surroundings, and its labels in pixels of the window.

A window is a square around the ground-truth crop. It is larger by the factor `margin`, so that rotated and
shifted crops stay inside it. Pixels from outside the image are mid-grey.
"""

import logging
import math
from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

from latent_hands.data.image_files import check_images, cut_images, cut_square, for_all, whole_square
from latent_hands.data.image_stacks import ImageStack
from latent_hands.data.label_places import check_places
from latent_hands.data.labelled_images import read_labelled
from latent_hands.data.labels import LABELS, Label, Square
from latent_hands.data.motion import Motion
from latent_hands.data.palm import crop_square, scene_square
from latent_hands.data.place_contrast import announce_misplaced
from latent_hands.data.sample import FAR_PX, Sample, listed
from latent_hands.data.windows import Windows
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.hand import camera, geometry
from latent_hands.progress import Progress, silent

CROPS = ("box", "scene")
RIGHT_HANDS = ("mirror", "condition")
_LOG = logging.getLogger(__name__)


def build_windows(
    samples: Sequence[Sample],
    crop: str = "box",
    margin: float = 1.75,
    window_px: int = 192,
    right_hands: str = "mirror",
    images: Sequence[str] = (),
    workers: int = 2,
    progress: Progress = silent,
) -> Windows:
    """Cut the window of every sample.

    Args:
        samples: at least one sample.
        crop: "box" is the ground-truth box of hand3d (`camera.crop_box`). Samples without 2D keypoints use
            their scene box, or the whole image padded to a square. "scene" is the sample's scene box, which
            all images of a scene share. Samples without a scene use the square around the palm
            (`camera.palm_box`).
        margin: side of the window over the side of the crop, between 1 (no margin) and 4.
        window_px: side of the window in pixels, between 8 and 1024.
        right_hands: "mirror" mirrors right hands, "condition" keeps them.
        images: further images that are cut by the same window, by their key in `LABELS`.
        workers: number of threads that read images.
        progress: receives each window that is done.

    A label that some samples lack is NaN for them. Raises HandsError naming the sample if a label is not
    finite or degenerate, if some samples have a side and others lack it, if a scene box or an image is
    missing, and if labels are not for their images (`labelled_images`).
    """
    samples = listed(samples)
    _check_options(samples, crop, right_hands, margin, window_px)
    check_images(samples, images)
    labels = {
        name: _stack(samples, name, label)
        for name, label in LABELS.items()
        if isinstance(label, Label) and label.read
    }
    right = _right(samples)
    flip = torch.zeros(len(samples), dtype=torch.bool)
    if right is not None and right_hands == "mirror":
        flip = right
    pixels = torch.empty(len(samples), 3, window_px, window_px, dtype=torch.uint8)
    squares, sizes = torch.empty(len(samples), 3), [(0, 0)] * len(samples)

    def cut(i: int) -> None:
        rgb = read_labelled(samples[i])
        sizes[i] = rgb.shape[1], rgb.shape[0]
        cx, cy, side_px = _crop(samples[i], crop, rgb.shape[:2])
        squares[i] = torch.tensor([cx, cy, side_px])
        pixels[i] = cut_square(rgb, (cx, cy), side_px * margin, window_px, bool(flip[i]))

    for_all(len(samples), cut, workers, progress)
    check_places(samples, sizes)
    announce_misplaced(samples)
    further = (key for key in images if key != "rgb")
    stacks = {key: cut_images(samples, key, squares, flip, margin, window_px, workers) for key in further}
    W = camera.warp_matrix(squares[:, :2], squares[:, 2] * margin, window_px, flip=flip)
    windows = Windows(
        images={"rgb": ImageStack(pixels)} | stacks,
        names=tuple(sample.name for sample in samples),
        margin=margin,
        right_hands=right_hands,
        labels=_move(labels, W, [sample.where for sample in samples]),
        convention=convention_of(samples),
    )
    return windows.with_labels(
        crop_side_px=squares[:, 2], right=right, block=_blocks(samples), weight=_weights(samples)
    )


def convention_of(samples: Sequence[Sample]) -> str | None:
    """Return the joint convention of the labels, None if it is unknown or they differ."""
    found = {sample.convention for sample in samples if sample.present}
    if len(found) > 1:
        names = ", ".join([*sorted(map(str, found - {None})), *(["none stated"] if None in found else [])])
        _LOG.warning("the labels are in different joint conventions, %s, and count as unknown", names)
    return found.pop() if len(found) == 1 else None


def _check_options(
    samples: Sequence[Sample], crop: str, right_hands: str, margin: float, window_px: int
) -> None:
    for name, value, legal in (("crop", crop, CROPS), ("right_hands", right_hands, RIGHT_HANDS)):
        if value not in legal:
            raise HandsError(f'unknown {name} "{value}"; {did_you_mean(value, legal)}')
    if not 1 <= margin <= 4 or not 8 <= window_px <= 1024:
        raise HandsError(
            f"a window has margin {margin} and {window_px} px; the margin must be between 1 and 4, the side "
            "between 8 and 1024 px"
        )
    if not samples:
        raise HandsError("there is no sample to cut a window for; at least 1 is needed")


def _stack(samples: Sequence[Sample], name: str, label: Label) -> Tensor | None:
    """Return one label of all samples, None if none of them has it."""
    assert label.read is not None
    labels = [label.read(sample) for sample in samples]
    if all(values is None for values in labels):
        return None
    unknown = label.of_unknown()
    for sample, values in zip(samples, labels, strict=True):
        if values is None and unknown is None:
            raise HandsError(f"{sample.where} has no {name}, but others have; use them separately")
        if values is None:
            continue
        if values.dtype != label.dtype or values.shape != label.shape:
            raise HandsError(
                f"{sample.where}: {name} is {values.dtype} {tuple(values.shape)}; it must be {label.dtype} "
                f"{label.shape}, as its entry of the table of labels states"
            )
        if values.isinf().any() or (values.isnan().any() and not label.partial):
            raise HandsError(f"{sample.where}: {name} has values that are not finite")
    known = (unknown if values is None else values for values in labels)
    return torch.stack([values for values in known if values is not None])


def _blocks(samples: Sequence[Sample]) -> Tensor | None:
    """Return the number of each sample's block, the same in all shards; None if a block is unknown."""
    names = [sample.block for sample in samples]
    digests = [blake2b(name.encode(), digest_size=7).digest() for name in names if name is not None]
    if len(digests) < len(names):
        return None
    return torch.tensor([int.from_bytes(digest) for digest in digests])


def _weights(samples: Sequence[Sample]) -> Tensor | None:
    """Return the weight of each sample in training, by default 1; None if no sample states a weight."""
    if all(sample.weight is None for sample in samples):
        return None
    for sample in samples:
        if sample.weight is not None and not 0 <= sample.weight < math.inf:
            raise HandsError(
                f"{sample.where} has the weight {sample.weight}; it must be finite and 0 or more"
            )
    return torch.tensor([1.0 if sample.weight is None else sample.weight for sample in samples])


def _right(samples: Sequence[Sample]) -> Tensor | None:
    """Return which hands are right hands, None if no handedness is known."""
    sides = [sample.handedness for sample in samples]
    if not any(sides):
        return None
    for sample in samples:
        if sample.handedness not in ("left", "right"):
            raise HandsError(
                f'{sample.where} has the handedness {sample.handedness!r}; it must be "left" or "right"'
            )
    return torch.tensor([side == "right" for side in sides])


def _crop(sample: Sample, crop: str, size_px: tuple[int, int]) -> Square:
    """Return centre and side of the crop, in pixels of the image."""
    if crop == "scene":
        square = scene_square(sample)
    else:
        square = crop_square(sample, size_px) or sample.scene_box or whole_square(size_px)
    if square is None:
        raise HandsError(
            f'{sample.where} has neither a scene box nor 3D joints and a camera (xyz_mm, K); crop="scene" '
            'needs one of them, use crop="box"'
        )
    cx, cy, side_px = square
    if not (math.hypot(cx, cy) < FAR_PX and 0 < side_px < FAR_PX):
        raise HandsError(
            f"{sample.where} has the crop {square}; (cx, cy, side) must be pixels below {FAR_PX:.0e}, and "
            "the side above 0"
        )
    return float(cx), float(cy), float(side_px)


def _move(labels: dict[str, Tensor | None], W: Tensor, where: list[str]) -> dict[str, Tensor]:
    """Return the labels in the windows. Add pose and bone length if the 3D joints are known."""
    motion = Motion(W)
    moved: dict[str, Tensor] = {}
    for name, values in labels.items():
        label = LABELS[name]
        if values is not None and isinstance(label, Label):
            moved[name] = label.move(values, motion)
    if "xyz_mm" in moved:
        moved["pose"], moved["bone_mm"] = _normalise(moved["xyz_mm"], where)
    return moved


def _normalise(xyz_mm: Tensor, where: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return pose and bone length of hands. Raises HandsError naming the first without a canonical frame."""
    try:
        pose, bone_mm = geometry.normalise(xyz_mm)
        geometry.canonicalise(pose)
        return pose, bone_mm
    except HandsError as error:
        if len(where) == 1:
            raise HandsError(f"{where[0]}: {error}") from error
        for i in range(len(where)):
            _normalise(xyz_mm[i : i + 1], where[i : i + 1])
        raise
