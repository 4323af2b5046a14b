"""Several answers instead of one: does their spread say how wrong they are?"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from latent_hands.evaluation.calibration import spread_and_error
from latent_hands.evaluation.metrics import epe
from latent_hands.paper.latent import sample
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.intervals import Blocks, block_weights, stated, weighted_mean
from latent_hands.studies.assess.subject import Subject, observed

BINS = 10


def calibration(
    samples_mm: Float[Tensor, "s n joints 3"],
    truth_mm: Float[Tensor, "n joints 3"],
    visible: Bool[Tensor, "n joints"],
    blocks: Int64[Tensor, " n"],
) -> dict[str, Any]:
    """The spread of samples about their mean, against how far that mean is from the truth, a joint at a time.

    `error_over_spread` is the ratio of the two root mean squares (1: calibrated, above 1: too sure of
    itself), the spread taken so that truth drawn like the samples gives 1 for any number of them;
    `correlation` is that of spread and error; `table` has one line for each tenth of the joints, by spread;
    `calibration_error_mm` is the mean distance of error and spread over its lines. Visible joints count.
    Raises HandsError for fewer than 2 samples.
    """
    spread, error = (each[visible] for each in spread_and_error(samples_mm, truth_mm))
    whose = blocks[:, None].expand_as(visible)[visible]
    weights = block_weights(whose)
    ratio = (weighted_mean(error**2, weights) / weighted_mean(spread**2, weights)).sqrt()
    table = reliability(spread, error)
    return (
        stated("error_over_spread", ratio)
        | stated("correlation", correlation(spread, error, weights))
        | {"calibration_error_mm": sum(abs(e - s) for s, e in table) / len(table)}
        | {"table": [{"spread_mm": s, "error_mm": e} for s, e in table]}
    )


def correlation(
    x: Float[Tensor, " n"], y: Float[Tensor, " n"], weights: Float[Tensor, "rows n"]
) -> Float[Tensor, " rows"]:
    """Pearson's, for each row of weights."""
    x, y = x.double() - x.double().mean(), y.double() - y.double().mean()
    mean_x, mean_y = weighted_mean(x, weights), weighted_mean(y, weights)
    var_x = weighted_mean(x * x, weights) - mean_x**2
    var_y = weighted_mean(y * y, weights) - mean_y**2
    return (weighted_mean(x * y, weights) - mean_x * mean_y) / (var_x * var_y).sqrt()


def reliability(spread: Float[Tensor, " n"], error: Float[Tensor, " n"]) -> list[tuple[float, float]]:
    """(root mean square spread, root mean square error) of equally many joints each, by rising spread."""
    order = spread.argsort()
    parts = zip(spread[order].tensor_split(BINS), error[order].tensor_split(BINS), strict=True)
    return [
        (s.square().mean().sqrt().item(), e.square().mean().sqrt().item()) for s, e in parts if len(s) > 0
    ]


def measure_samples(subject: Subject, benchmark: Benchmark, count: int) -> dict[str, Any]:
    """`calibration` of 3DPoses decoded from draws of q(z | rgb), on the grids' images, without the palm,
    which is never wrong; and the EPE of their mean and of the best of them."""
    index = benchmark.transfers.truth
    right, blocks = benchmark.side(index), benchmark.block[index]
    q = subject.posterior(subject.pose_decoder_factors(), observed(right, rgb=benchmark.rgb[index]))
    generator = torch.Generator().manual_seed(0)
    bone_mm = benchmark.bone_mm[index, None, None]
    draws = [subject.decode("pose", sample(q, generator), right)[:, 1:] * bone_mm for _ in range(count)]
    samples_mm, truth_mm = torch.stack(draws), benchmark.pose[index, 1:] * bone_mm
    visible = benchmark.visible[index, 1:]
    numbers = calibration(samples_mm, truth_mm, visible, blocks)
    return {"samples": count} | numbers | _best(samples_mm, truth_mm, visible, blocks)


def _best(samples_mm: Tensor, truth_mm: Tensor, visible: Tensor, blocks: Blocks) -> dict[str, Any]:
    weights = block_weights(blocks)
    each = (samples_mm.double() - truth_mm.double()).norm(dim=-1)
    hands = (each * visible).sum(dim=-1) / visible.sum(dim=-1).clamp(min=1)
    best = each.gather(0, hands.argmin(dim=0)[None, :, None].expand(1, *each.shape[1:]))[0]
    mean = (samples_mm.double().mean(dim=0) - truth_mm.double()).norm(dim=-1)
    return stated("mean_epe_20_mm", epe(mean, visible, weights)) | stated(
        "best_epe_20_mm", epe(best, visible, weights)
    )
