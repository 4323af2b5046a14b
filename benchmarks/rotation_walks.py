"""Compare walks between two viewpoints of one hand: a straight line in the latent, and the geodesic of SO(3).

python benchmarks/rotation_walks.py RUN ROOT [PICTURE]

RUN encodes poses, ROOT is a rendered set. PICTURE shows both walks of the pair with the
largest angle between its viewpoints.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latent_hands import draw
from latent_hands.data import Sample, open_data
from latent_hands.hand import geometry
from latent_hands.hand.geodesic import rotations_between
from latent_hands.predictor import Model, Walk, tag_of
from latent_hands.predictor.hand import ASSUMED_BONE_MM
from latent_hands.studies.gallery import content_reads, labelled_pose, walk_row

PAIRS, STEPS = 24, 9


def split(points: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return canonical pose and viewpoint of joints in any unit."""
    return geometry.canonicalise(geometry.normalise(torch.from_numpy(points).float())[0])


def walks(model: Model, start: Sample, end: Sample) -> dict[str, Walk]:
    """Return both walks of the hand of `start` to the viewpoint of `end`; poses are those of the labels."""
    content = model.latent(tag_of(start, model.experiment.data.crop), ["content"], content_reads(model))
    cpose, viewpoint = split(labelled_pose(start))[0], split(labelled_pose(end))[1]
    seen = geometry.compose(cpose, viewpoint).numpy()
    ends = [model.latent(pose, ["pose"]) | content for pose in (labelled_pose(start), seen)]
    return {"line": model.walk("pose", *ends, STEPS), "geodesic": model.rotate(*ends, STEPS)}


def angle_deg(pair: tuple[Sample, Sample]) -> float:
    """Return the angle between the viewpoints of two hands."""
    first, last = (split(labelled_pose(sample))[1] for sample in pair)
    return float(geometry.geodesic_deg(first, last))


def measure(walk: Walk, start: Sample, end: Sample) -> dict[str, float]:
    """Return unevenness of the viewpoint's steps, distance from the geodesic, and change of the hand."""
    (cpose, first), (_, last) = split(labelled_pose(start)), split(labelled_pose(end))
    cposes, viewpoints = split(walk.poses)
    steps = geometry.geodesic_deg(viewpoints[:-1], viewpoints[1:])
    off = geometry.geodesic_deg(viewpoints, rotations_between(first, last, STEPS))
    changed = ASSUMED_BONE_MM * (cposes - cpose).norm(dim=-1).mean()
    return {
        "largest over mean step": float(steps.max() / steps.mean()),
        "degrees from the geodesic": float(off.mean()),
        "largest degrees": float(off.max()),
        "change of the canonical pose in mm": float(changed),
    }


def main(run: str, root: str, picture: str | None = None) -> None:
    """Print the means over pairs of left hands."""
    model = Model.load(run)
    samples = [s for s in open_data("rendered", root, "evaluation", 8 * PAIRS) if s.handedness == "left"]
    pairs = list(zip(samples[:PAIRS], samples[PAIRS : 2 * PAIRS], strict=True))
    rows: dict[str, list[dict[str, Any]]] = {"line": [], "geodesic": []}
    for pair in pairs:
        found = walks(model, *pair)
        for name, walk in found.items():
            rows[name].append(measure(walk, *pair))
    if picture:
        start, end = max(pairs, key=angle_deg)
        ends = labelled_pose(start), labelled_pose(end)
        drawn = [walk_row(walk, *ends) for walk in walks(model, start, end).values()]
        draw.save_image(np.concatenate(drawn), Path(picture))
    for name, each in rows.items():
        means = ", ".join(f"{key} {np.mean([row[key] for row in each]):.2f}" for key in each[0])
        print(f"{name}: {means} ({len(each)} pairs)")


if __name__ == "__main__":
    main(*sys.argv[1:])
