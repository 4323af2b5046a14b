"""Fig. 4: images and poses along lines in the latent space. Fig. 5: along z_u, where the pose must stay."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from latent_hands.data import Sample
from latent_hands.draw import PREDICTION, TRUTH
from latent_hands.errors import HandsError
from latent_hands.paper.latent import Latent
from latent_hands.predictor import Model, Walk, crop_of_sample, tag_of
from latent_hands.studies.gallery import content_reads, labelled_pose
from latent_hands.studies.reproduce.drawing import (
    CELL_IN,
    SOFT_INK,
    Results,
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
    model_view,
    scenes,
    smoothness,
    spread,
    step_lengths,
)

STEPS, PAIRS, ROWS = 7, 32, 2
"""Images of a walk, pairs of hands for averages, and drawn walks along z_u."""
FIXED = 3
"""The step of the pose walk whose pose the content walk keeps: the fourth column of the paper."""


def measure_fig4(model: Model, samples: Sequence[Sample]) -> Results:
    """Walk along the pose in two scenes, and along the content at one pose, between latents of images.

    A graph with a factor "viewpoint" also turns the first hand to the viewpoint of the second. Raises
    HandsError for a set without tag images, and as `Model.walk` does.
    """
    (first, second), crop = scenes(samples, 2), model.experiment.data.crop
    pair = median_pair(first)
    ends = [crop_of_sample(sample, crop) for sample in pair]
    tags = [tag_of(first[0], crop), tag_of(second[0], crop)]
    z_pose = [model.latent(photo, ["pose"]) for photo in ends]
    z_content = [model.latent(tag, ["content"], content_reads(model)) for tag in tags]
    walks = [model.walk("pose", z_pose[0] | content, z_pose[1] | content, STEPS) for content in z_content]
    fixed = {factor: z.lerp(z_pose[1][factor], FIXED / (STEPS - 1)) for factor, z in z_pose[0].items()}
    contents = model.walk("content", fixed | z_content[0], fixed | z_content[1], STEPS)
    poses = walks[0].poses
    truth, bone_mm = zip(*(label(model, sample) for sample in pair), strict=True)
    return {
        "inputs": [to_text(model_view(photo)) for photo in ends],
        "tags": [to_text(model_view(tag)) for tag in tags],
        "pose_walks": [images_of(walk) for walk in walks],
        "content_walk": images_of(contents),
        "turns": turns(model, z_pose[0] | z_content[0], z_pose[1] | z_content[0]),
        "poses_bones": poses,
        "truth_bones": truth,
        "step_lengths_mm": [bone_mm[0] * step for step in step_lengths(poses)],
        "smoothness": smoothness(poses),
        "other_walks": smoothness_of_others(model, samples),
    }


def turns(model: Model, start: Latent, end: Latent) -> dict[str, list[str]]:
    """Return the images of two walks along the viewpoint: a line in z and a geodesic of SO(3).

    It is empty for a graph without the factor "viewpoint", and lacks the geodesic if no viewpoint or pose is
    encoded.
    """
    if "viewpoint" not in model.vae.latent:
        return {}
    walks = {"line": model.walk("viewpoint", start, end, STEPS)}
    if any(arrow.reads in ("viewpoint", "pose") for arrow in model.experiment.encoders.values()):
        walks["geodesic"] = model.rotate(start, end, STEPS)
    return {name: images_of(walk) for name, walk in walks.items()}


def images_of(walk: Walk) -> list[str]:
    """Return the images of a walk as text."""
    return [to_text(image) for image in walk.images]


def smoothness_of_others(model: Model, samples: Sequence[Sample]) -> Results:
    """Return the mean and largest smoothness of walks of 16 steps between other pairs of hands."""
    crop = model.experiment.data.crop
    photos = ((crop_of_sample(sample, crop) for sample in pair) for pair in others(samples))
    values = [smoothness(model.walk("pose", *ends, steps=16).poses) for ends in photos]
    return {
        "walks": len(values),
        "mean_smoothness": float(np.mean(values)),
        "largest_smoothness": max(values),
    }


def others(samples: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """Return pairs of hands that are far from each other in the split."""
    count = min(PAIRS, len(samples) // 2)
    chosen = spread(samples, 2 * count)
    return list(zip(chosen[:count], chosen[count:], strict=True))


class Row(NamedTuple):
    """The images of a walk, its title, and the given images at its ends."""

    text: str
    images: list[str]
    first: str
    last: str | None = None


def draw_fig4(results: Results) -> Figure:
    """Draw the walks along pose, content and viewpoint, and the 3DPoses. Given images have a red frame."""
    inputs, tags, turned = results["inputs"], results["tags"], results["turns"]
    sheet = Sheet(4 + len(turned), STEPS + 2, ((2, 3), (0, STEPS)), (0.3, 0.05, 0.05, 0.3))
    size = reach([*results["poses_bones"], *results["truth_bones"]])
    rows: dict[int, Row] = {
        0: Row("3DPose,\nscene 1", results["pose_walks"][0], inputs[0], inputs[1]),
        1: Row("3DPose,\nscene 2", results["pose_walks"][1], tags[1]),
        3: Row("content", results["content_walk"], *tags),
    } | {
        number: Row(f"viewpoint,\n{name}", images, inputs[0], inputs[1])
        for number, (name, images) in enumerate(turned.items(), 4)
    }
    for row, (_, images, *given) in rows.items():
        for column, image in enumerate(images, 1):
            sheet.show(row, column, from_text(image))
        for column, image in zip((0, STEPS + 1), given, strict=True):
            if image is not None:
                sheet.show(row, column, from_text(image), framed=True)
    for column, pose in enumerate(results["poses_bones"], 1):
        sheet.show(2, column, hand(pose, size))
    for column, pose in zip((0, STEPS + 1), results["truth_bones"], strict=True):
        sheet.show(2, column, hand(pose, size, TRUTH))
    for row, text in {2: "decoded\n3DPose", **{number: row.text for number, row in rows.items()}}.items():
        y = sheet.down[row] + CELL_IN / 2
        sheet.text(0.15, y, text, rotation=90, fontsize=8, linespacing=1.0)
    note = (
        f"Largest over mean step of the decoded pose: {results['smoothness']:.2f}; mean of "
        f"{results['other_walks']['walks']} other walks {results['other_walks']['mean_smoothness']:.2f}. "
        "Red frames: given images; red hands: labels. Content: the pose of the walk's fourth image."
    )
    return sheet.with_note(note)


def measure_fig5(model: Model, samples: Sequence[Sample]) -> Results:
    """Walk along z_u between images of different places, and measure how far the decoded pose moves.

    Raises HandsError for a graph whose decoder of poses does not read z_u: its poses could not move.
    """
    check_graph(model)
    chosen = spread(samples, 2 * ROWS)
    pairs = zip(chosen[:ROWS], chosen[ROWS:], strict=True)
    moved = [moves_mm(model, *pair) for pair in others(samples)]
    return {
        "walks": [_walk_u(model, *pair) for pair in pairs],
        "moves_mm": {"walks": len(moved), "mean": float(np.mean(moved)), "largest": max(moved)},
    }


def check_graph(model: Model) -> None:
    """Raise HandsError if no decoder of poses reads a factor that no encoder of poses infers (z_u)."""
    arrows = model.experiment.encoders.values(), model.experiment.decoders.values()
    inferred = {factor for arrow in arrows[0] if arrow.reads == "pose" for factor in arrow.factors}
    read = {factor for arrow in arrows[1] if arrow.writes == "pose" for factor in arrow.factors}
    if not read - inferred:
        raise HandsError(
            "fig5 shows that decoded poses do not move with z_u, but in this run no decoder of poses reads "
            "a factor besides the pose's; give a run of algorithm 2, or none to train one"
        )


def _walk_u(model: Model, start: Sample, end: Sample) -> Results:
    photos = [crop_of_sample(sample, model.experiment.data.crop) for sample in (start, end)]
    walk = model.walk("content", photos[0], photos[1], STEPS)
    truth, bone_mm = zip(*(label(model, sample) for sample in (start, end)), strict=True)
    return {
        "inputs": [to_text(model_view(photo)) for photo in photos],
        "images": images_of(walk),
        "truth_bones": truth,
        "poses_bones": walk.poses,
        "moved_mm": [bone_mm[0] * distance(pose, walk.poses[0]) for pose in walk.poses],
        "inputs_differ_mm": bone_mm[0] * distance(*truth),
    }


def moves_mm(model: Model, start: Sample, end: Sample) -> float:
    """Return how far the decoded pose moves in mm when z_u is replaced by that of another image."""
    photos = [crop_of_sample(sample, model.experiment.data.crop) for sample in (start, end)]
    poses = model.walk("content", photos[0], photos[1], 2).poses
    return bones(labelled_pose(start))[1] * distance(poses[0], poses[1])


def draw_fig5(results: Results) -> Figure:
    """Draw the images of each walk above the decoded 3DPoses. Given images have a red frame."""
    walks = results["walks"]
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
    return sheet.with_note(
        "Numbers: distance that the decoded pose has moved. Its mean over "
        f"{results['moves_mm']['walks']} other walks is {results['moves_mm']['mean']:.1f} mm. "
        "Red frames: given images and their labels."
    )
