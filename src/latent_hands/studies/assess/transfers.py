"""Poses carried into other scenes, and what they are measured against, beside the truth."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from latent_hands.hand.geometry import canonicalise
from latent_hands.paper.latent import Latent
from latent_hands.studies.assess.benchmark import Benchmark, Indices
from latent_hands.studies.assess.image_quality import (
    Images,
    Region,
    mean_over,
    psnr_db,
    squared_errors,
    ssim_map,
)
from latent_hands.studies.assess.intervals import Blocks, block_weights, mean_of, stated, weighted_mean
from latent_hands.studies.assess.subject import PART, Subject, observed

MADE = ("pose_from_labels", "pose_from_image")
"""Rows that are transfers; all others are what they are measured against."""
TRUE, TAG = "true_image", "tag_copied"


def from_labels(subject: Subject, benchmark: Benchmark, index: Indices) -> Latent:
    """The pose factors of some images, by their labels."""
    pose, right = benchmark.pose[index], benchmark.side(index)
    cpose, viewpoint = canonicalise(pose, right)
    return subject.infer(subject.pose, observed(right, pose=pose, cpose=cpose, viewpoint=viewpoint))


def from_scenes(subject: Subject, benchmark: Benchmark, index: Indices) -> Latent:
    """The content of some scenes: of their tags, or where tags do not tell it all, of the images."""
    tags = {kind: shown[index] for kind, shown in benchmark.tags.items()}
    shown = tags if subject.tagged else {"rgb": benchmark.rgb[index]}
    return subject.infer(subject.content, observed(benchmark.side(index), **shown))


def answers(subject: Subject, benchmark: Benchmark) -> dict[str, Images]:
    """For every transfer of the benchmark: the true image, what the model makes, and four baselines.

    The baselines are the scene's tag image copied, its other image copied, the mean of all images of
    the benchmark, and the model's own reconstruction of the truth, of which it is a bound.
    """
    transfers, right = benchmark.transfers, benchmark.side(benchmark.transfers.truth)
    scene = from_scenes(subject, benchmark, transfers.scene)
    source = observed(benchmark.side(transfers.pose), rgb=benchmark.rgb[transfers.pose])
    labelled = from_labels(subject, benchmark, transfers.pose) | scene
    seen = subject.infer(subject.pose, source) | scene
    truth = benchmark.rgb[transfers.truth]
    return {
        TRUE: truth,
        MADE[0]: subject.decode("rgb", labelled, right),
        MADE[1]: subject.decode("rgb", seen, right),
        TAG: benchmark.tag[transfers.scene],
        "scene_copied": benchmark.rgb[transfers.scene],
        "mean_image": benchmark.rgb.mean(dim=0).expand_as(truth),
        "own_reconstruction": subject.decode("rgb", subject.read(truth, right), right),
    }


def regions_of(benchmark: Benchmark) -> dict[str, Region]:
    """Where images are compared: everywhere; inside: where the truth or the scene's image shows its hand;
    outside: where neither shows hand or arm."""
    truth, scene = benchmark.transfers.truth, benchmark.transfers.scene
    inside = benchmark.hand[truth] | benchmark.hand[scene]
    outside = benchmark.ground[truth] & benchmark.ground[scene]
    return {"whole": torch.ones_like(inside), "inside": inside, "outside": outside}


def score_images(
    made: Images, truth: Images, regions: Mapping[str, Region], blocks: Blocks
) -> dict[str, dict[str, Any]]:
    """{region: numbers}: `psnr_db` and `ssim` are means over images, `pooled_psnr_db` is the PSNR of the
    mean squared error over all pixels of all images."""
    errors, similar = compare(made, truth)
    weights = block_weights(blocks)
    numbers = {}
    for name, region in regions.items():
        size = region.sum(dim=(1, 2)).double()
        pooled = weighted_mean((errors * region).sum(dim=(1, 2)), weights) / weighted_mean(size, weights)
        numbers[name] = (
            mean_of("psnr_db", psnr_db(mean_over(errors, region)), blocks)
            | stated("pooled_psnr_db", psnr_db(pooled))
            | mean_of("ssim", mean_over(similar, region), blocks)
        )
    return numbers


def compare(made: Images, truth: Images) -> tuple[Tensor, Tensor]:
    """Maps (n, px, px) of squared errors and of similarity."""
    parts = list(zip(made.split(PART), truth.split(PART), strict=True))
    return (
        torch.cat([squared_errors(*part) for part in parts]),
        torch.cat([ssim_map(*part) for part in parts]),
    )


def gain_db(made: Images, baseline: Images, truth: Images, region: Region, blocks: Blocks) -> dict[str, Any]:
    """How many dB closer to the truth than a baseline, in a region of the same images, on average."""
    ours, theirs = (psnr_db(mean_over(squared_errors(each, truth), region)) for each in (made, baseline))
    return mean_of("gain_db", ours - theirs, blocks)
