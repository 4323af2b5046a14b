"""The images of the demo: hands, learning curves, and the estimates, transfers and walks of each model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from latent_hands import draw
from latent_hands.data import Sample, read_rgb
from latent_hands.draw.figures import curves
from latent_hands.predictor import HandCrop, Model, crop_of_sample, tag_of
from latent_hands.runs.metrics import METRICS, read_metrics
from latent_hands.studies.demo.learning import error_of
from latent_hands.studies.demo.stages import Results
from latent_hands.studies.gallery import (
    content_reads,
    error_mm,
    estimate_row,
    estimate_sheet,
    labelled_pose,
    transfer_grid,
    truth_mm,
    walk_frames,
    walk_row,
)

Models = dict[str, Model]
Line = tuple[list[int], list[float]]


class DemoImages:
    """Draw the images of a demo into `out`/images.

    `models` is {run: {"yours" or "shipped": model}}, `samples` are evaluation hands. `files` has the paths
    that each method writes, relative to `out`.
    """

    def __init__(self, out: Path, samples: Sequence[Sample], models: dict[str, Models]):
        self.out, self.samples, self.models = out, samples, models
        estimates = ["hands.png", "curves_estimation.png", "curves_synthesis.png"]
        estimates += [f"{who}_estimates.png" for who in models["estimation"]]
        kinds = ("transfer.png", "walk_pose.png", "walk_pose.gif", "walk_content.png", "walk_content.gif")
        synthesis = [f"{who}_{kind}" for who in models["synthesis"] for kind in kinds]
        self.files = {
            "draw_estimates": [f"images/{name}" for name in estimates],
            "draw_synthesis": [f"images/{name}" for name in synthesis],
        }

    def path(self, name: str) -> Path:
        """Return the path of an image."""
        return self.out / "images" / name

    def evenly_spaced(self, count: int, start: int = 0) -> list[Sample]:
        """Return `count` evenly spaced evaluation hands."""
        places = np.linspace(0, len(self.samples) - 1, count + 1).astype(int)[:-1] + start
        return [self.samples[place % len(self.samples)] for place in places]

    def draw_estimates(self) -> Results:
        """Draw hands with their labels, the learning curves, and the estimates of each model of six hands."""
        hands = [
            draw.overlay(read_rgb(s.image), s.uv_px) for s in self.evenly_spaced(16) if s.uv_px is not None
        ]
        draw.save_image(draw.contact_sheet(hands, 8, 120), self.path("hands.png"))
        for run, models in self.models.items():
            panels = learning_curves(self.out / run / METRICS, models["yours"].crop_px)
            curves(self.path(f"curves_{run}.png"), panels, "update")
        for who, model in self.models["estimation"].items():
            self._estimates(model, self.path(f"{who}_estimates.png"))
        return {}

    def _estimates(self, model: Model, path: Path) -> None:
        rows, headings = [], []
        for sample in self.evenly_spaced(6, start=2):
            photo = crop_of_sample(sample)
            hand = model.estimate(photo)
            rows.append(estimate_row(photo, hand, truth_mm(sample)))
            headings.append(f"{error_mm(hand, sample):.0f} mm")
        draw.save_image(estimate_sheet(rows, headings), path)

    def draw_synthesis(self) -> Results:
        """Draw the transfers of each model, and its walks along pose and content.

        The training of the demo is too short to estimate poses from images. Its own model gets labelled
        poses.
        """
        for who, model in self.models["synthesis"].items():
            chosen, scenes = (
                self.evenly_spaced(4, start=1),
                [tag_of(sample) for sample in self.evenly_spaced(5)],
            )
            photos = [crop_of_sample(sample, "scene") for sample in chosen]
            poses = photos if who == "shipped" else [labelled_pose(sample) for sample in chosen]
            grid = transfer_grid(model, poses, scenes, content_reads(model))
            draw.save_image(grid, self.path(f"{who}_transfer.png"))
            for factor in ("pose", "content"):
                self._walk(model, factor, photos[0], photos[2], self.path(f"{who}_walk_{factor}"))
        return {}

    def _walk(self, model: Model, factor: str, start: HandCrop, end: HandCrop, path: Path) -> None:
        row = walk_row(model.walk(factor, start, end, 7), start, end)
        draw.save_image(row, path.with_suffix(".png"))
        draw.save_gif(walk_frames(model.walk(factor, start, end, 16)), path.with_suffix(".gif"))


def learning_curves(metrics: Path, px: int) -> dict[str, dict[str, Line]]:
    """Return learning curves over updates: errors in each phase, and the KL of every factor.

    The result is {panel: {line: (updates, values)}}. `px` is the side of the images.
    """
    panels: dict[str, dict[str, Line]] = {}

    def add(title: str, label: str, update: int, value: float) -> None:
        updates, values = panels.setdefault(title, {}).setdefault(label, ([], []))
        updates.append(update)
        values.append(value)

    for line in read_metrics(metrics):
        error = error_of(line, px)
        if error is not None:
            quantity, phase, value = error
            add(quantity, phase, line["update"], value)
        for name in (name for name in line if name.startswith("kl_")):
            add("information, nats", f"z {name.removeprefix('kl_')}", line["update"], line[name])
    return panels
