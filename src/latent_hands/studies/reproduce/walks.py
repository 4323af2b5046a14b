"""Fig. 4: images and poses on lines through the latent. Fig. 5: along z_u, where the pose is to stay."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from latent_hands.data import Sample
from latent_hands.draw import PREDICTION, TRUTH
from latent_hands.predictor import Model, Walk, photo_of, tag_of
from latent_hands.studies.gallery import labelled_pose
from latent_hands.studies.reproduce.figure import (
    CELL_IN,
    SOFT_INK,
    Found,
    Sheet,
    from_text,
    hand,
    reach,
    to_text,
)
from latent_hands.studies.reproduce.selection import (
    bones,
    distance,
    label,
    median_pair,
    scenes,
    seen,
    smoothness,
    spread,
    step_lengths,
)

STEPS, FIXED, PAIRS, ROWS = 7, 3, 32, 2
"""Images of a walk; the step of the pose walk whose pose the content walk keeps, the paper's fourth column;
further pairs of hands over which the JSON averages; walks along z_u that are shown."""


def measure_fig4(model: Model, samples: Sequence[Sample]) -> Found:
    """Walks along the pose in two scenes, and along the content at one pose; all ends read from images.

    Raises HandsError for a set without tag images, and as `Model.walk` does.
    """
    (first, second), crop = scenes(samples, 2), model.experiment.data.crop
    pair = median_pair(first)
    ends = [photo_of(sample, crop) for sample in pair]
    tags = [tag_of(first[0], crop), tag_of(second[0], crop)]
    z_pose = [model.latent(photo, ["pose"]) for photo in ends]
    z_content = [model.latent(tag, ["content"], "tag") for tag in tags]
    walks = [model.walk("pose", z_pose[0] | content, z_pose[1] | content, STEPS) for content in z_content]
    fixed = {factor: z.lerp(z_pose[1][factor], FIXED / (STEPS - 1)) for factor, z in z_pose[0].items()}
    contents = model.walk("content", fixed | z_content[0], fixed | z_content[1], STEPS)
    poses = walks[0].poses
    truth, bone_mm = zip(*(label(model, sample) for sample in pair), strict=True)
    return {
        "inputs": [to_text(seen(photo)) for photo in ends],
        "tags": [to_text(seen(tag)) for tag in tags],
        "pose_walks": [images_of(walk) for walk in walks],
        "content_walk": images_of(contents),
        "poses_bones": poses,
        "truth_bones": truth,
        "step_lengths_mm": [bone_mm[0] * step for step in step_lengths(poses)],
        "smoothness": smoothness(poses),
        "other_walks": smoothness_of_others(model, samples),
    }


def images_of(walk: Walk) -> list[str]:
    """The images of a walk, as JSON holds them."""
    return [to_text(image) for image in walk.images]


def smoothness_of_others(model: Model, samples: Sequence[Sample]) -> Found:
    """Mean and largest smoothness of walks between further pairs of hands, 16 steps each."""
    crop = model.experiment.data.crop
    photos = ((photo_of(sample, crop) for sample in pair) for pair in others(samples))
    values = [smoothness(model.walk("pose", *ends, steps=16).poses) for ends in photos]
    return {
        "walks": len(values),
        "mean_smoothness": float(np.mean(values)),
        "largest_smoothness": max(values),
    }


def others(samples: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """Pairs of hands, far from each other in the split."""
    count = min(PAIRS, len(samples) // 2)
    chosen = spread(samples, 2 * count)
    return list(zip(chosen[:count], chosen[count:], strict=True))


def draw_fig4(found: Found) -> Figure:
    """Rows: the pose walk in two scenes, the decoded 3DPoses, the content walk; what was given is framed."""
    sheet = Sheet(4, STEPS + 2, wide_after=((2,), (0, STEPS)), margins_in=(0.3, 0.05, 0.05, 0.3))
    size = reach([*found["poses_bones"], *found["truth_bones"]])
    given = {
        (0, 0): found["inputs"][0],
        (0, STEPS + 1): found["inputs"][1],
        (1, 0): found["tags"][1],
        (3, 0): found["tags"][0],
        (3, STEPS + 1): found["tags"][1],
    }
    for (row, column), image in given.items():
        sheet.show(row, column, from_text(image), framed=True)
    for row, images in (
        (0, found["pose_walks"][0]),
        (1, found["pose_walks"][1]),
        (3, found["content_walk"]),
    ):
        for column, image in enumerate(images, 1):
            sheet.show(row, column, from_text(image))
    for column, pose in enumerate(found["poses_bones"], 1):
        sheet.show(2, column, hand(pose, size))
    for column, pose in zip((0, STEPS + 1), found["truth_bones"], strict=True):
        sheet.show(2, column, hand(pose, size, TRUTH))
    for row, text in enumerate(("3DPose,\nscene 1", "3DPose,\nscene 2", "decoded\n3DPose", "content")):
        y = sheet.down[row] + CELL_IN / 2
        sheet.text(0.15, y, text, rotation=90, fontsize=8, linespacing=1.0)
    told = (
        f"Largest over mean step of the decoded pose: {found['smoothness']:.2f}; mean of "
        f"{found['other_walks']['walks']} other walks {found['other_walks']['mean_smoothness']:.2f}. "
        "Red frames: given images; red hands: labels. Last row: the pose of the walk's fourth image."
    )
    return sheet.with_note(told)


def measure_fig5(model: Model, samples: Sequence[Sample]) -> Found:
    """Walks along z_u between images of different places, and how far the decoded pose moves meanwhile.

    Raises HandsError for a graph without a factor beside the pose's.
    """
    chosen = spread(samples, 2 * ROWS)
    pairs = zip(chosen[:ROWS], chosen[ROWS:], strict=True)
    moved = [moves_mm(model, *pair) for pair in others(samples)]
    return {
        "walks": [_walk_u(model, *pair) for pair in pairs],
        "moves_mm": {"walks": len(moved), "mean": float(np.mean(moved)), "largest": max(moved)},
    }


def _walk_u(model: Model, first: Sample, last: Sample) -> Found:
    photos = [photo_of(sample, model.experiment.data.crop) for sample in (first, last)]
    walk = model.walk("content", photos[0], photos[1], STEPS)
    truth, bone_mm = zip(*(label(model, sample) for sample in (first, last)), strict=True)
    return {
        "inputs": [to_text(seen(photo)) for photo in photos],
        "images": images_of(walk),
        "truth_bones": truth,
        "poses_bones": walk.poses,
        "moved_mm": [bone_mm[0] * distance(pose, walk.poses[0]) for pose in walk.poses],
        "inputs_differ_mm": bone_mm[0] * distance(*truth),
    }


def moves_mm(model: Model, first: Sample, last: Sample) -> float:
    """How far the decoded pose has moved once z_u is another image's."""
    photos = [photo_of(sample, model.experiment.data.crop) for sample in (first, last)]
    poses = model.walk("content", photos[0], photos[1], 2).poses
    return bones(labelled_pose(first))[1] * distance(poses[0], poses[1])


def draw_fig5(found: Found) -> Figure:
    """For each walk the images, and below them the decoded 3DPoses; what was given is framed."""
    walks = found["walks"]
    gaps = tuple(2 * i + 1 for i in range(len(walks) - 1))
    sheet = Sheet(2 * len(walks), STEPS + 2, (gaps, (0, STEPS)), (0.05, 0.05, 0.05, 0.3))
    for number, walk in enumerate(walks):
        size = reach([*walk["poses_bones"], *walk["truth_bones"]])
        for column, place in ((0, 0), (STEPS + 1, 1)):
            sheet.show(2 * number, column, from_text(walk["inputs"][place]), framed=True)
            truth = hand(walk["truth_bones"][place], size, TRUTH)
            sheet.show(2 * number + 1, column, truth, framed=True)
        for column, (image, pose) in enumerate(zip(walk["images"], walk["poses_bones"], strict=True), 1):
            sheet.show(2 * number, column, from_text(image))
            axis = sheet.show(2 * number + 1, column, hand(pose, size, PREDICTION))
            axis.text(0.05, 0.04, f"{walk['moved_mm'][column - 1]:.1f} mm", fontsize=7, color=SOFT_INK)
    told = (
        "Millimetres: how far the decoded pose has moved. Over "
        f"{found['moves_mm']['walks']} other walks it moves {found['moves_mm']['mean']:.1f} mm in the mean. "
        "Red frames: given images and their labels."
    )
    return sheet.with_note(told)
