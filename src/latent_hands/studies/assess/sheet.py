"""Transfers beside their truth, as a page."""

from collections.abc import Mapping

from latent_hands import draw
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.pictures import Images
from latent_hands.studies.assess.transfers import MADE, TAG, TRUE
from latent_hands.synthesis import to_pictures

ROWS = 8
HEADINGS = ["pose from", "scene from", "its tag", "truth", "by labels", "by picture", "reconstructed"]


def transfer_sheet(benchmark: Benchmark, made: Mapping[str, Images], rows: int = ROWS) -> draw.Picture:
    """So many transfers, evenly spaced: what was given, the truth, and what the model makes."""
    every = benchmark.transfers
    chosen = [round(i * (len(every.truth) - 1) / max(rows - 1, 1)) for i in range(rows)]
    columns = [benchmark.rgb[every.pose[chosen]], benchmark.rgb[every.scene[chosen]]]
    columns += [made[name][chosen] for name in (TAG, TRUE, *MADE, "own_reconstruction")]
    pictures = zip(*map(to_pictures, columns), strict=True)
    return draw.grid([list(row) for row in pictures], HEADINGS, lead=(0, 3))
