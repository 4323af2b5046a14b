"""Disentanglement: does each latent factor hold its own information and nothing else?

Four measures: the information of each factor, leakage, the consistency of swaps, and the free factor z_u.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands import synthesis
from latent_hands.evaluation.metrics import resampled_counts
from latent_hands.hand.geometry import canonicalise
from latent_hands.paper.latent import Latent, active_units
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.image_quality import mean_over, psnr_db, squared_errors
from latent_hands.studies.assess.intervals import (
    Blocks,
    mean_of,
    ratio_of,
    stated,
    weighted_mean,
)
from latent_hands.studies.assess.subject import Subject, observed
from latent_hands.studies.assess.transfers import from_labels

Matrix = dict[str, dict[str, dict[str, Any]]]
"""{row: {latent factor: {"ratio", "ratio_interval"}}}. A ratio is None for a factor that never moves."""
NOTHING = "nothing"


def measure_latent(subject: Subject, benchmark: Benchmark) -> dict[str, dict[str, Any]]:
    """Return {encoder: {factor: units, active units, KL in nats}} of every encoder of labels, tags and
    images."""
    cpose, viewpoint = canonicalise(benchmark.pose, benchmark.right)
    labels = {"pose": benchmark.pose, "cpose": cpose, "viewpoint": viewpoint}
    batch = observed(benchmark.right, rgb=benchmark.rgb, **benchmark.tags, **labels)
    weights, scores = resampled_counts(benchmark.block), {}
    for arrow in subject.vae.encoders:
        if subject.vae.encoder(arrow).reads not in batch:
            continue
        scores[arrow] = {}
        for factor, q in subject.encode(arrow, batch).items():
            units = {"units": q.mean.shape[1], "active_units": active_units(q.mean)}
            scores[arrow][factor] = units | stated("kl_nats", weighted_mean(q.kl(), weights))
    return scores


def distances(first: Latent, second: Latent) -> dict[str, Float[Tensor, " n"]]:
    """Return the distance of two latents for each factor."""
    return {factor: (z - second[factor]).norm(dim=1) for factor, z in first.items()}


def leakage(anchor: Latent, donor: Latent, changed: Mapping[str, Latent], blocks: Blocks) -> Matrix:
    """Return how far each latent factor moves when one generating factor of the image changes.

    The unit is the distance when all generating factors change. The ratio is 0 for a factor that ignores the
    change, and 1 for a factor that depends on this change alone. It is a ratio of means over groups.
    """
    largest = distances(anchor, donor)
    return {
        name: {f: ratio_of(moved, largest[f], blocks) for f, moved in distances(anchor, latent).items()}
        for name, latent in changed.items()
    }


def swap_consistency(
    subject: Subject, anchor: Latent, donor: Latent, right: Tensor | None, blocks: Blocks
) -> Matrix:
    """Return how far each latent factor is from its value after decoding to an image and encoding again.

    There is a row for each factor that the anchor takes from the donor, and one for no factor. The unit is
    the distance of anchor and donor. The ratio is 0 if every value comes back. It is 1 for a value that is
    as far as that of another hand.
    """
    largest = distances(anchor, donor)
    rows = {NOTHING: (), **{factor: (factor,) for factor in anchor}}
    matrix = {}
    for name, factors in rows.items():
        before = synthesis.swap(anchor, donor, factors)
        after = subject.encode_images(subject.decode("rgb", before, right), right)
        missed = distances(before, after)
        matrix[name] = {f: ratio_of(missed[f], largest[f], blocks) for f in missed}
    return matrix


def measure_groups(subject: Subject, benchmark: Benchmark) -> dict[str, Matrix]:
    """Measure `leakage` and `swap_consistency` on the groups of a benchmark."""
    groups = benchmark.groups
    blocks = benchmark.block[groups.anchor]
    every = subject.encode_images(benchmark.rgb, benchmark.right)

    def of(index: Tensor) -> Latent:
        return {factor: z[index] for factor, z in every.items()}

    anchor, donor = of(groups.anchor), of(groups.donor)
    changed = {factor: of(index) for factor, index in groups.changed.items()}
    right = benchmark.right_of(groups.anchor)
    return {
        "leakage": leakage(anchor, donor, changed, blocks),
        "swap_consistency": swap_consistency(subject, anchor, donor, right, blocks),
    }


def measure_free(subject: Subject, benchmark: Benchmark) -> dict[str, Any]:
    """Measure z_u (Fig. 2b, Fig. 5), the factors that no label and no tag determines, on the grids' images.

    z_u is swapped with that of an image of another grid. `active_units` counts the active ones of all
    `units`. `pose_moves_mm` is the mean distance by which the joints of the decoded 3DPose move.
    `background_gain_db` is the gain in PSNR outside hand and arm of an image's own z_u over the other z_u,
    with the labelled pose.
    """
    index, free = benchmark.transfers.truth, subject.free()
    blocks, right = benchmark.block[index], benchmark.right_of(index)
    other = _of_next_block(blocks)
    own = subject.encode_images(benchmark.rgb[index], right)
    swapped = synthesis.swap(own, {factor: z[other] for factor, z in own.items()}, free)
    poses = [subject.decode("pose", latent, right) for latent in (own, swapped)]
    moves_mm = (poses[0] - poses[1]).norm(dim=-1).mean(dim=1) * benchmark.bone_mm[index]
    labelled = from_labels(subject, benchmark, index)
    truth, ground = benchmark.rgb[index], benchmark.ground[index]
    db = [
        psnr_db(mean_over(squared_errors(subject.decode("rgb", latent | labelled, right), truth), ground))
        for latent in (own, swapped)
    ]
    z = torch.cat([own[factor] for factor in free], dim=1)
    return (
        {"factors": list(free), "units": z.shape[1], "active_units": active_units(z)}
        | mean_of("pose_moves_mm", moves_mm, blocks)
        | mean_of("background_gain_db", db[0] - db[1], blocks)
    )


def _of_next_block(blocks: Tensor) -> Tensor:
    """Return for every row the index of a row of the next block. The first block follows the last."""
    names, block = blocks.unique(return_inverse=True)
    rows = [(block == b).nonzero()[:, 0] for b in range(len(names))]
    other = torch.empty_like(block)
    for b, mine in enumerate(rows):
        theirs = rows[(b + 1) % len(rows)]
        other[mine] = theirs[torch.arange(len(mine)) % len(theirs)]
    return other
