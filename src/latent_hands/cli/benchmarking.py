"""The work of the command benchmark: predict all images, write the submission, score it."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from latent_hands.cli.tables import print_table
from latent_hands.data import check_limit
from latent_hands.data.readers.recognising import with_suggestion
from latent_hands.errors import HandsError
from latent_hands.evaluation.benchmarks import BENCHMARKS, answers
from latent_hands.evaluation.camera_hands import LABELS, assumed_convention, predict_frame
from latent_hands.evaluation.camera_space import joint_scores, mesh_scores
from latent_hands.evaluation.convention_gap import convention_gap
from latent_hands.evaluation.submissions import Submission, as_submitted, mesh_of
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.predictor import Model
from latent_hands.predictor.agreement import check_measures_joints
from latent_hands.progress import progress_bars

MOST_AWAY_MM = 100.0
"""The middle of a hand's vertices is nearer to that of its joints."""
NAMES = {
    "camera": "camera frame",
    "root_relative": "wrist aligned",
    "scale_translation": "scale and wrist aligned",
    "pa": "Procrustes aligned",
}


def predict(
    protocol: str, root: Path, run: str, rotations: int, limit: int | None, convention: str | None
) -> tuple[Float[np.ndarray, "n 21 3"], dict[str, Any]]:
    """Predict the images of a benchmark.

    Returns the joints as they are submitted, and "convention", theirs, with "convention_gap" if it is not the
    labels' (`evaluation.convention_gap`).
    """
    check_limit(limit)
    benchmark = BENCHMARKS.find(protocol)
    with with_suggestion(protocol, root):
        frames = benchmark.frames(root)[:limit]
    model = Model.load(run)
    check_measures_joints(model)
    assumed = assumed_convention(model, convention)
    joints, missed = [], 0
    with progress_bars() as progress:
        for count, frame in enumerate(frames, 1):
            try:
                xyz_mm, found = predict_frame(model, frame, rotations, assumed)
            except HandsError as error:
                raise HandsError(f"{frame.name} ({frame.image}): {error}") from error
            joints.append(xyz_mm)
            missed += not found
            progress("predicting", count, len(frames))
    if missed:
        _warn(f"no hand was found in {missed:,} of {len(frames):,} images; their middle was read")
    xyz = benchmark.submitted(np.stack(joints))
    facts: dict[str, Any] = {"convention": assumed}
    if assumed != LABELS and assumed in CONVENTIONS:
        facts["convention_gap"] = convention_gap(assumed, bone_given=frames[0].bone_mm is not None)
    return as_submitted(xyz), facts


def score(
    protocol: str, root: Path, submission: Submission, limit: int | None, given: bool = True
) -> dict[str, Any]:
    """Return the scores of a submission; without published answers only the number of images.

    Raises HandsError if answers and predictions are of different numbers of images, or if the answers, or
    predictions that are `given`, have another unit or order, or other axes.
    """
    benchmark = BENCHMARKS.find(protocol)
    predictions, xyz, verts = submission
    count = len(xyz) if limit is None else min(limit, len(xyz))
    numbers: dict[str, Any] = {"images": count, "given": benchmark.given}
    truth = answers(root, "xyz", count, 21)
    if truth is None:
        return numbers
    benchmark.check_hands(truth, root / "evaluation_xyz.json")
    if given:  # untrained runs predict anything
        benchmark.check_hands(xyz, predictions)
    numbers |= joint_scores(xyz[:count], truth, benchmark.scale)
    points = mesh_of(verts, len(xyz), predictions)[:count]
    if points.shape[1] <= 21 or not _is_around(points, xyz[:count], predictions):
        return numbers
    surface = answers(root, "verts", count, points.shape[1])
    if surface is None or not _is_around(surface, truth, root / "evaluation_verts.json"):
        return numbers
    return numbers | mesh_scores(points, surface)


def _is_around(points: Float[np.ndarray, "n k 3"], xyz_mm: Float[np.ndarray, "n 21 3"], path: Path) -> bool:
    """Return whether the vertices of hands are around their joints. A warning says if they are not.

    They are in another unit, have other axes or another origin, or are zeros.
    """
    away_mm = float(np.median(np.linalg.norm(points.mean(axis=1) - xyz_mm.mean(axis=1), axis=1)))
    if away_mm > MOST_AWAY_MM:
        _warn(
            f"the vertices of {path} are {away_mm:.4g} mm away from its joints (median), so the mesh is not "
            "scored; they must be metres in the camera frame, as the joints"
        )
    return away_mm <= MOST_AWAY_MM


def print_benchmark(numbers: Mapping[str, Any], protocol: str, made_by: str, predictions: Path) -> None:
    """Print the scores of a benchmark."""
    rows = [
        [name, f"{numbers[f'{key}_mpjpe_mm']:.2f} mm", f"{numbers[f'{key}_auc']:.3f}", "", ""]
        for key, name in NAMES.items()
        if f"{key}_mpjpe_mm" in numbers
    ]
    rows += [
        [
            name,
            f"{numbers[f'{key}_mm']:.2f} mm",
            f"{numbers[f'{key}_auc']:.3f}",
            f"{numbers[f'{key}_f_5']:.3f}",
            f"{numbers[f'{key}_f_15']:.3f}",
        ]
        for key, name in (("mesh", "vertices, camera frame"), ("pa_mesh", "vertices, Procrustes aligned"))
        if f"{key}_mm" in numbers
    ]
    notes = [f"given: {numbers['given']}", f"submission: {predictions}", *convention_notes(numbers)]
    if not rows:
        notes.append("ROOT has no evaluation_xyz.json: submit the file to the server for the scores")
    elif "mesh_mm" not in numbers:
        notes.append("F-scores need the vertices of a mesh; these predictions are joints only")
    title = f"{made_by} by the protocol of {protocol}, {numbers['images']:,} images"
    print_table(["", "MPJPE", "AUC 0-50 mm", "F@5", "F@15"], rows, title, "\n".join(notes))


def convention_notes(numbers: Mapping[str, Any]) -> list[str]:
    """Return which convention was submitted, and what error that leaves."""
    if "convention" not in numbers:
        return []
    note = f"joints submitted in the convention {numbers['convention']}, labels in {LABELS}"
    gap = numbers.get("convention_gap")
    if gap is None:
        return [note]
    ranges = [
        f"{low:.0f} to {high:.0f} mm {NAMES[key.removesuffix('_mpjpe_mm')]}"
        for key, (low, high) in gap.items()
    ]
    return [
        f"{note}, which has no table: between known conventions this difference is {', '.join(ranges)} "
        "(docs/benchmarks.md)"
    ]


def _warn(text: str) -> None:
    logging.getLogger(__name__).warning(text)
