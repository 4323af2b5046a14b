"""Everything that says how well a run synthesises and disentangles, in one dictionary."""

from collections.abc import Callable
from typing import Any

from latent_hands.errors import HandsError
from latent_hands.hand.geometry import canonicalise
from latent_hands.paper.latent import active_units
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.calibration import measure_samples
from latent_hands.studies.assess.disentangling import measure_groups
from latent_hands.studies.assess.estimator import Estimator
from latent_hands.studies.assess.free_factor import measure_free
from latent_hands.studies.assess.image_quality import Images
from latent_hands.studies.assess.intervals import block_weights, stated, weighted_mean
from latent_hands.studies.assess.judge import Judge, Progress
from latent_hands.studies.assess.lessons import Lessons
from latent_hands.studies.assess.probe import measure_probes
from latent_hands.studies.assess.readings import judged, kept_content, pose_errors
from latent_hands.studies.assess.subject import Subject, observed
from latent_hands.studies.assess.transfers import (
    MADE,
    TAG,
    TRUE,
    answers,
    gain_db,
    regions_of,
    score_images,
)


def assess_run(
    subject: Subject,
    benchmark: Benchmark,
    judge: Judge | None = None,
    samples: int = 16,
    progress: Progress | None = None,
    lessons: Lessons | None = None,
    estimator: Estimator | None = None,
) -> tuple[dict[str, Any], dict[str, Images]]:
    """All numbers of docs/assess.md, and the images of every transfer by row.

    Without a judge nothing reads content; without it and an estimator the model's own decoder alone reads
    poses. `samples` posterior draws an image are taken. Probes learn from `lessons`, or else from the
    benchmark itself. Raises HandsError for a model that cannot read or write images, for fewer than two
    samples, and for a benchmark of fewer than two blocks.
    """
    if samples < 2:
        raise HandsError(f"{samples} posterior samples; legal: 2 or more")
    blocks = len(benchmark.block.unique())
    if blocks < 2:
        raise HandsError(f"the benchmark has {blocks} group and grid; legal: 2 or more")
    parts: dict[str, Callable[[], Any]] = {
        "latent": lambda: measure_latent(subject, benchmark),
        "groups": lambda: measure_groups(subject, benchmark),
        "probes": lambda: measure_probes(subject, benchmark, lessons),
        "calibration": lambda: measure_samples(subject, benchmark, samples),
    }
    if subject.free():
        parts["free"] = lambda: measure_free(subject, benchmark)
    told = progress or (lambda what, done, count: None)
    made = answers(subject, benchmark)
    numbers = {
        "images": len(benchmark.rgb),
        "transfers": len(benchmark.transfers.truth),
        "blocks": blocks,
        "crop_px": benchmark.rgb.shape[-1],
        "content_from": "tag" if subject.tagged else "image",
        "rows": measure_transfers(subject, benchmark, made, judge, estimator),
    }
    for done, (name, measure) in enumerate(parts.items(), 1):
        told("assessing", done, len(parts) + 1)
        found = measure()
        numbers |= found if name == "groups" else {name: found}
    told("assessing", len(parts) + 1, len(parts) + 1)
    return numbers, made


def measure_transfers(
    subject: Subject,
    benchmark: Benchmark,
    made: dict[str, Images],
    judge: Judge | None,
    estimator: Estimator | None = None,
) -> dict[str, dict[str, Any]]:
    """{row of `answers`: pixels against the truth, pose errors, content kept}."""
    truth = benchmark.transfers.truth
    blocks, regions = benchmark.block[truth], regions_of(benchmark)
    readings = {} if judge is None else {name: judged(judge, shown) for name, shown in made.items()}
    others = {} if judge is None else {"judge": {name: read.pose for name, read in readings.items()}}
    if estimator is not None:
        read = estimator.read
        others["estimator"] = {name: read(shown, benchmark, truth) for name, shown in made.items()}
    rows = pose_errors(subject, benchmark, made, others)
    for name, reading in readings.items():
        rows[name]["content"] = kept_content(reading.content, benchmark.content[truth], blocks)
    for name, shown in made.items():
        if name != TRUE:
            rows[name] |= score_images(shown, made[TRUE], regions, blocks)
        if name in MADE:
            over = gain_db(shown, made[TAG], made[TRUE], regions["inside"], blocks)
            rows[name]["inside_over_tag"] = over
    return rows


def measure_latent(subject: Subject, benchmark: Benchmark) -> dict[str, dict[str, Any]]:
    """{arrow: {factor: units, active units, KL in nats}} of every encoder of labels, tags and images."""
    cpose, viewpoint = canonicalise(benchmark.pose, benchmark.right)
    batch = observed(
        benchmark.right,
        rgb=benchmark.rgb,
        **benchmark.tags,
        pose=benchmark.pose,
        cpose=cpose,
        viewpoint=viewpoint,
    )
    weights, found = block_weights(benchmark.block), {}
    for arrow in subject.vae.encoders:
        if subject.vae.encoder(arrow).reads not in batch:
            continue
        found[arrow] = {}
        for factor, q in subject.encode(arrow, batch).items():
            units = {"units": q.mean.shape[1], "active_units": active_units(q.mean)}
            found[arrow][factor] = units | stated("kl_nats", weighted_mean(q.kl(), weights))
    return found
