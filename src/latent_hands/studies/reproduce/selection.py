"""Choose labelled hands for figures by fixed rules, and measure poses and walks."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from latent_hands.data import Sample
from latent_hands.draw import ImageArray
from latent_hands.errors import HandsError, counted
from latent_hands.evaluation.metrics import joint_errors
from latent_hands.hand.geometry import canonicalise, normalise
from latent_hands.predictor import HandCrop, Model, crop_of_sample
from latent_hands.studies.gallery import crop_image, labelled_pose

Points = Float[np.ndarray, "21 3"]
Poses = Float[np.ndarray, "steps 21 3"]
STORED_PX = 160


def spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Return evenly spaced samples. Raises HandsError if there are fewer than `count`."""
    if len(samples) < count:
        found = counted(len(samples), "hand")
        raise HandsError(f"the evaluation split has {found}; this figure needs {count} or more")
    return [samples[int((i + 0.5) * len(samples) / count)] for i in range(count)]


def scenes(samples: Sequence[Sample], count: int) -> list[list[Sample]]:
    """Return the hands of at most `count` evenly spaced scenes with two hands or more.

    The hands of a scene share a tag image. Raises HandsError if there are fewer than two scenes.
    """
    by_tag: dict[object, list[Sample]] = {}
    for sample in samples:
        if sample.tag is not None:
            by_tag.setdefault(sample.tag, []).append(sample)
    full = [hands for hands in by_tag.values() if len(hands) > 1]
    if len(full) < 2:
        raise HandsError(
            f"{len(full)} scenes have a tag image and two hands or more; this figure needs 2 or more; "
            "use rendered hands or STB (RHD has no tags)"
        )
    count = min(count, len(full))
    return [full[int((i + 0.5) * len(full) / count)] for i in range(count)]


def median_pair(hands: Sequence[Sample]) -> tuple[Sample, Sample]:
    """Return the pair with the median distance of 3DPoses, of all pairs of four evenly spaced hands."""
    hands = spread(hands, min(4, len(hands)))
    poses = [bones(labelled_pose(hand))[0] for hand in hands]
    pairs = [(i, j) for i in range(len(hands)) for j in range(i + 1, len(hands))]
    i, j = sorted(pairs, key=lambda pair: distance(poses[pair[0]], poses[pair[1]]))[len(pairs) // 2]
    return hands[i], hands[j]


def bones(xyz_mm: Points) -> tuple[Points, float]:
    """Return a 3DPose in lengths of the middle bone, and the length of this bone in mm."""
    pose, bone_mm = normalise(torch.from_numpy(xyz_mm)[None])
    return pose[0].numpy(), float(bone_mm)


def label(model: Model, sample: Sample) -> tuple[Points, float]:
    """Return `bones` of the labelled hand, as a left hand in the frame of a model."""
    xyz_mm = labelled_pose(sample)
    if model.experiment.data.frame == "ray":
        photo = crop_of_sample(sample, model.experiment.data.crop)
        photo = photo.mirrored() if photo.handedness == "right" else photo
        xyz_mm = photo.along_ray(xyz_mm)
    return bones(xyz_mm)


def canonical(pose: Points) -> Points:
    """Return the CPose of a left hand's 3DPose."""
    return canonicalise(torch.from_numpy(pose)[None])[0][0].numpy()


def distance(a: Points, b: Points) -> float:
    """Return the mean distance of the joints, in their unit."""
    return float(joint_errors(torch.from_numpy(a)[None], torch.from_numpy(b)[None]).mean())


def step_lengths(poses: Poses) -> list[float]:
    """Return the mean distances of the joints between consecutive poses of a walk."""
    return [distance(a, b) for a, b in pairwise(poses)]


def smoothness(poses: Poses) -> float:
    """Return the largest step of a walk over its mean step.

    It is 1 for a straight line at constant speed, and the number of steps for one jump.
    """
    steps = step_lengths(poses)
    return max(steps) / (sum(steps) / len(steps) or 1.0)


def model_view(photo: HandCrop) -> ImageArray:
    """Return the small crop of a photo, mirrored to a left hand, as the model gets it."""
    return thumbnail(crop_image(photo.as_left()))


def thumbnail(image: ImageArray) -> ImageArray:
    """Reduce an image to the size that figures need."""
    return np.array(Image.fromarray(image).resize((STORED_PX, STORED_PX), Image.Resampling.LANCZOS))
