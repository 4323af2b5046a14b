"""Transfers beside their truth, as a page."""

from collections.abc import Mapping

from latent_hands import draw
from latent_hands.pixels import to_images
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.image_quality import Images
from latent_hands.studies.assess.transfers import MADE, TAG, TRUE

ROWS = 8
HEADINGS = ["pose from", "scene from", "its tag", "truth", "by labels", "by image", "reconstructed"]


def transfer_sheet(benchmark: Benchmark, made: Mapping[str, Images], rows: int = ROWS) -> draw.ImageArray:
    """So many transfers, evenly spaced: what was given, the truth, and what the model makes."""
    every = benchmark.transfers
    chosen = [round(i * (len(every.truth) - 1) / max(rows - 1, 1)) for i in range(rows)]
    columns = [benchmark.rgb[every.pose[chosen]], benchmark.rgb[every.scene[chosen]]]
    columns += [made[name][chosen] for name in (TAG, TRUE, *MADE, "own_reconstruction")]
    images = zip(*map(to_images, columns), strict=True)
    return draw.grid([list(row) for row in images], HEADINGS, lead=(0, 3))
