"""Assess one run: all measures of synthesis and disentanglement in one dictionary."""

from collections.abc import Callable
from typing import Any

from latent_hands.errors import HandsError
from latent_hands.progress import Progress, silent
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.calibration import measure_calibration
from latent_hands.studies.assess.disentangling import measure_free, measure_groups, measure_latent
from latent_hands.studies.assess.estimator import Estimator
from latent_hands.studies.assess.image_quality import Images
from latent_hands.studies.assess.judge import Judge
from latent_hands.studies.assess.kernel_distance import FeatureReader
from latent_hands.studies.assess.probe import ProbeImages, measure_probes
from latent_hands.studies.assess.standard_scores import measure_standard
from latent_hands.studies.assess.subject import Subject
from latent_hands.studies.assess.transfers import Contents, measure_transfers, transfer_images

MOST_DRAWS = 1000


def check_draws(draws: int) -> None:
    """Raise HandsError for a number of draws out of range."""
    if not 2 <= draws <= MOST_DRAWS:
        raise HandsError(f"draws is {draws}; it must be between 2 and {MOST_DRAWS:,}")


def assess_run(
    subject: Subject,
    benchmark: Benchmark,
    judge: Judge | None = None,
    draws: int = 16,
    progress: Progress = silent,
    probe_images: ProbeImages | None = None,
    estimator: Estimator | None = None,
    features: FeatureReader | None = None,
    contents: Contents | None = None,
) -> tuple[dict[str, Any], dict[str, Images]]:
    """Return all scores of docs/assess.md, and the images of every transfer by row.

    The model's own decoder, the judge and the estimator read poses; only the judge reads content. KID and
    diversity need `features`. `draws` is the number of posterior draws per image. Probes train on
    `probe_images`, or without them on the benchmark itself. `contents` are by default "tags" if tags
    determine the content, otherwise "images". Raises HandsError as `check_draws` does, and for a benchmark
    of fewer than two blocks.
    """
    check_draws(draws)
    blocks = len(benchmark.block.unique())
    if blocks < 2:
        raise HandsError(f"the number of groups and grids in the benchmark is {blocks}; it must be 2 or more")
    parts: dict[str, Callable[[], Any]] = {
        "latent": lambda: measure_latent(subject, benchmark),
        "groups": lambda: measure_groups(subject, benchmark),
        "probes": lambda: measure_probes(subject, benchmark, probe_images),
        "standard": lambda: measure_standard(subject, benchmark, probe_images),
        "calibration": lambda: measure_calibration(subject, benchmark, draws),
    }
    if subject.free():
        parts["free"] = lambda: measure_free(subject, benchmark)
    contents = contents or ("tags" if subject.tagged else "images")
    images = transfer_images(subject, benchmark, contents)
    scores = {
        "images": len(benchmark.rgb),
        "transfers": len(benchmark.transfers.truth),
        "blocks": blocks,
        "crop_px": benchmark.rgb.shape[-1],
        "content_from": "tag" if contents == "tags" else "image",
        "rows": measure_transfers(subject, benchmark, images, judge, estimator, features),
    }
    for done, (name, measure) in enumerate(parts.items(), 1):
        progress("assessing", done, len(parts) + 1)
        result = measure()
        scores |= result if name == "groups" else {name: result}
    progress("assessing", len(parts) + 1, len(parts) + 1)
    return scores, images
