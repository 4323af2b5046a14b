"""Labelled hands chosen by rules, never by their looks, and what figures show of them."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from latent_hands.data import Sample
from latent_hands.draw import ImageArray
from latent_hands.errors import HandsError
from latent_hands.evaluation.metrics import joint_errors
from latent_hands.hand.geometry import canonicalise, normalise
from latent_hands.predictor import Model, Photo, photo_of
from latent_hands.studies.gallery import crop_image, labelled_pose

Points = Float[np.ndarray, "21 3"]
Poses = Float[np.ndarray, "steps 21 3"]
STORED_PX = 160


def spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    """So many samples, evenly spaced. Raises HandsError if there are fewer."""
    if len(samples) < count:
        raise HandsError(
            f"the evaluation split has {len(samples)} hands; legal for this figure: {count} or more"
        )
    return [samples[int((i + 0.5) * len(samples) / count)] for i in range(count)]


def scenes(samples: Sequence[Sample], count: int) -> list[list[Sample]]:
    """The hands of at most so many scenes, evenly spaced, each of two hands or more. A scene shares a tag.

    Raises HandsError if there are fewer than two.
    """
    found: dict[object, list[Sample]] = {}
    for sample in samples:
        if sample.tag is not None:
            found.setdefault(sample.tag, []).append(sample)
    full = [hands for hands in found.values() if len(hands) > 1]
    if len(full) < 2:
        raise HandsError(
            f"{len(full)} scenes have a tag image and two hands or more; legal for this figure: 2 or more, "
            "as in rendered hands and STB (RHD has no tags)"
        )
    count = min(count, len(full))
    return [full[int((i + 0.5) * len(full) / count)] for i in range(count)]


def median_pair(hands: Sequence[Sample]) -> tuple[Sample, Sample]:
    """Of four hands, evenly spaced, the two whose 3DPoses differ as much as those of half the pairs."""
    hands = spread(hands, min(4, len(hands)))
    poses = [bones(labelled_pose(hand))[0] for hand in hands]
    pairs = [(i, j) for i in range(len(hands)) for j in range(i + 1, len(hands))]
    i, j = sorted(pairs, key=lambda pair: distance(poses[pair[0]], poses[pair[1]]))[len(pairs) // 2]
    return hands[i], hands[j]


def bones(xyz_mm: Points) -> tuple[Points, float]:
    """A 3DPose in lengths of the middle bone, and that bone in millimetres."""
    pose, bone_mm = normalise(torch.from_numpy(xyz_mm)[None])
    return pose[0].numpy(), float(bone_mm)


def label(model: Model, sample: Sample) -> tuple[Points, float]:
    """The labelled hand as a model knows it, a left one in its frame: `bones` of it."""
    xyz_mm = labelled_pose(sample)
    if model.experiment.data.frame == "ray":
        photo = photo_of(sample, model.experiment.data.crop)
        photo = photo.mirrored() if photo.handedness == "right" else photo
        xyz_mm = photo.along_ray(torch.from_numpy(xyz_mm)).numpy()
    return bones(xyz_mm)


def canonical(pose: Points) -> Points:
    """The CPose of a left hand's 3DPose."""
    return canonicalise(torch.from_numpy(pose)[None])[0][0].numpy()


def distance(a: Points, b: Points) -> float:
    """Mean distance of the joints, in the unit that they are given in."""
    return float(joint_errors(torch.from_numpy(a)[None], torch.from_numpy(b)[None]).mean())


def step_lengths(poses: Poses) -> list[float]:
    """Mean distances of the joints from each pose of a walk to the next."""
    return [distance(a, b) for a, b in pairwise(poses)]


def smoothness(poses: Poses) -> float:
    """The largest step of a walk over its mean step: 1 for a straight line at one speed, n - 1 for a jump."""
    steps = step_lengths(poses)
    return max(steps) / (sum(steps) / len(steps) or 1.0)


def seen(photo: Photo) -> ImageArray:
    """What a model is shown of a photo, a left hand."""
    return reduced(crop_image(photo.as_left()))


def reduced(image: ImageArray) -> ImageArray:
    """As small as figures need it."""
    return np.array(Image.fromarray(image).resize((STORED_PX, STORED_PX), Image.Resampling.LANCZOS))
