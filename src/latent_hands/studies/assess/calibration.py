"""Calibration of the posterior: does the spread of several draws match the error of their mean?"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from latent_hands.evaluation.calibration import spread_and_error
from latent_hands.evaluation.metrics import epe, resampled_counts
from latent_hands.paper.latent import draw
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.intervals import Blocks, correlation, stated, weighted_mean
from latent_hands.studies.assess.subject import Subject, observed

BINS = 10


def calibration(
    draws_mm: Float[Tensor, "s n joints 3"],
    truth_mm: Float[Tensor, "n joints 3"],
    visible: Bool[Tensor, "n joints"],
    blocks: Int64[Tensor, " n"],
) -> dict[str, Any]:
    """Compare the spread of draws about their mean with the error of that mean, over visible joints.

    * `error_over_spread` is the ratio of both root mean squares. It is 1 for a calibrated posterior and
      above 1
      for an overconfident one. The spread is corrected for the number of draws, so ground truth from the same
      distribution gives 1 for any number.
    * `correlation` is the correlation of spread and error.
    * `table` has one line per tenth of the joints, sorted by spread.
    * `calibration_error_mm` is the mean absolute difference of error and spread over the lines of the table.

    Raises HandsError for fewer than 2 draws.
    """
    spread, error = (each[visible] for each in spread_and_error(draws_mm, truth_mm))
    joint_blocks = blocks[:, None].expand_as(visible)[visible]
    weights = resampled_counts(joint_blocks)
    ratio = (weighted_mean(error**2, weights) / weighted_mean(spread**2, weights)).sqrt()
    table = reliability(spread, error)
    return (
        stated("error_over_spread", ratio)
        | stated("correlation", correlation(spread, error, weights))
        | {"calibration_error_mm": sum(abs(e - s) for s, e in table) / len(table)}
        | {"table": [{"spread_mm": s, "error_mm": e} for s, e in table]}
    )


def reliability(spread: Float[Tensor, " n"], error: Float[Tensor, " n"]) -> list[tuple[float, float]]:
    """Return (root mean square spread, root mean square error) of equally large bins, by rising spread."""
    order = spread.argsort()
    parts = zip(spread[order].tensor_split(BINS), error[order].tensor_split(BINS), strict=True)
    return [
        (s.square().mean().sqrt().item(), e.square().mean().sqrt().item()) for s, e in parts if len(s) > 0
    ]


def measure_calibration(subject: Subject, benchmark: Benchmark, draws: int) -> dict[str, Any]:
    """Measure `calibration` of 3DPoses decoded from draws of q(z | rgb), on the images of the grids.

    The palm is left out, because it is the origin. `mean_epe_20_mm` is the error of the mean of the draws,
    `best_epe_20_mm` the error of the best draw of each image.
    """
    index = benchmark.transfers.truth
    right, blocks = benchmark.right_of(index), benchmark.block[index]
    q = subject.posterior(subject.pose_decoder_factors(), observed(right, rgb=benchmark.rgb[index]))
    generator = torch.Generator().manual_seed(0)
    bone_mm = benchmark.bone_mm[index, None, None]
    poses = [subject.decode("pose", draw(q, generator), right)[:, 1:] * bone_mm for _ in range(draws)]
    draws_mm, truth_mm = torch.stack(poses), benchmark.pose[index, 1:] * bone_mm
    visible = benchmark.visible[index, 1:]
    scores = calibration(draws_mm, truth_mm, visible, blocks)
    return {"draws": draws} | scores | _mean_and_best(draws_mm, truth_mm, visible, blocks)


def _mean_and_best(draws_mm: Tensor, truth_mm: Tensor, visible: Tensor, blocks: Blocks) -> dict[str, Any]:
    weights = resampled_counts(blocks)
    each = (draws_mm.double() - truth_mm.double()).norm(dim=-1)
    hands = (each * visible).sum(dim=-1) / visible.sum(dim=-1).clamp(min=1)
    best = each.gather(0, hands.argmin(dim=0)[None, :, None].expand(1, *each.shape[1:]))[0]
    mean = (draws_mm.double().mean(dim=0) - truth_mm.double()).norm(dim=-1)
    return stated("mean_epe_20_mm", epe(mean, visible, weights)) | stated(
        "best_epe_20_mm", epe(best, visible, weights)
    )
