"""The demo's images: the hands, the learning, estimates, transfers and walks, of each model that is
there."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from latent_hands import draw
from latent_hands.data import Sample, read_rgb
from latent_hands.predictor import Model, Photo, photo_of, tag_of
from latent_hands.runs.folder import METRICS, read_metrics
from latent_hands.studies.demo.learning import meaning
from latent_hands.studies.demo.stages import Found
from latent_hands.studies.gallery import (
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


class Studio:
    """Draws into `out`/images. `models`: run -> whose ("yours", "shipped") -> model; `samples` are
    unseen."""

    def __init__(self, out: Path, samples: Sequence[Sample], models: dict[str, Models]):
        self.out, self.samples, self.models = out, samples, models
        estimates = ["hands.png", "curves_estimation.png", "curves_synthesis.png"]
        estimates += [f"{who}_estimates.png" for who in models["estimation"]]
        kinds = ("transfer.png", "walk_pose.png", "walk_pose.gif", "walk_content.png", "walk_content.gif")
        made = [f"{who}_{kind}" for who in models["synthesis"] for kind in kinds]
        self.files = {
            "draw_estimates": [f"images/{name}" for name in estimates],
            "draw_synthesis": [f"images/{name}" for name in made],
        }

    def path(self, name: str) -> Path:
        """Where an image lies."""
        return self.out / "images" / name

    def spread(self, count: int, start: int = 0) -> list[Sample]:
        """So many of the unseen hands, evenly spaced: nothing is picked by its looks."""
        places = np.linspace(0, len(self.samples) - 1, count + 1).astype(int)[:-1] + start
        return [self.samples[place % len(self.samples)] for place in places]

    def draw_estimates(self) -> Found:
        """The hands with their labels, the learning curves, and each model's estimates of six hands."""
        shown = [draw.overlay(read_rgb(s.image), s.uv_px) for s in self.spread(16) if s.uv_px is not None]
        draw.save_image(draw.contact_sheet(shown, 8, 120), self.path("hands.png"))
        for run, models in self.models.items():
            panels = learning_curves(self.out / run / METRICS, models["yours"].crop_px)
            draw.curves(self.path(f"curves_{run}.png"), panels, "update")
        for who, model in self.models["estimation"].items():
            self._estimates(model, self.path(f"{who}_estimates.png"))
        return {}

    def _estimates(self, model: Model, path: Path) -> None:
        rows, headings = [], []
        for sample in self.spread(6, start=2):
            photo = photo_of(sample)
            hand = model.estimate(photo)
            rows.append(estimate_row(photo, hand, truth_mm(sample)))
            headings.append(f"{error_mm(hand, sample):.0f} mm")
        draw.save_image(estimate_sheet(rows, headings), path)

    def draw_synthesis(self) -> Found:
        """Each model's transfer grid, and its walks along pose and content.

        A minute of embedding is not enough to read poses from images: the demo's own model is given the
        labelled ones.
        """
        for who, model in self.models["synthesis"].items():
            chosen, scenes = self.spread(4, start=1), [tag_of(sample) for sample in self.spread(5)]
            photos = [photo_of(sample, "scene") for sample in chosen]
            poses = photos if who == "shipped" else [labelled_pose(sample) for sample in chosen]
            draw.save_image(transfer_grid(model, poses, scenes, "tag"), self.path(f"{who}_transfer.png"))
            for factor in ("pose", "content"):
                self._walk(model, factor, photos[0], photos[2], self.path(f"{who}_walk_{factor}"))
        return {}

    def _walk(self, model: Model, factor: str, first: Photo, last: Photo, path: Path) -> None:
        row = walk_row(model.walk(factor, first, last, 7), first, last)
        draw.save_image(row, path.with_suffix(".png"))
        draw.save_gif(walk_frames(model.walk(factor, first, last, 16)), path.with_suffix(".gif"))


def learning_curves(metrics: Path, px: int) -> dict[str, dict[str, Line]]:
    """What the bounds' terms mean, over the updates: errors in each phase, and the KL of every factor."""
    panels: dict[str, dict[str, Line]] = {}

    def add(title: str, label: str, update: int, value: float) -> None:
        updates, values = panels.setdefault(title, {}).setdefault(label, ([], []))
        updates.append(update)
        values.append(value)

    for line in read_metrics(metrics):
        told = meaning(line, px)
        if told is not None:
            quantity, phase, value = told
            add(quantity, phase, line["update"], value)
        for name in (name for name in line if name.startswith("kl_")):
            add("information, nats", f"z {name.removeprefix('kl_')}", line["update"], line[name])
    return panels
