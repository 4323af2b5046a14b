"""Pose transfer: carry poses into other scenes and score the images against their ground truth."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from scipy.stats import rankdata
from torch import Tensor

from latent_hands import draw
from latent_hands.evaluation.metrics import epe, joint_errors, resampled_counts
from latent_hands.hand.geometry import canonicalise
from latent_hands.paper.latent import Latent
from latent_hands.pixels import to_images
from latent_hands.studies.assess.benchmark import Benchmark, Indices
from latent_hands.studies.assess.content import GROUPS
from latent_hands.studies.assess.estimator import Estimator
from latent_hands.studies.assess.image_quality import Images, Region, gain_db, score_images
from latent_hands.studies.assess.intervals import Blocks, correlation, stated
from latent_hands.studies.assess.judge import Judge
from latent_hands.studies.assess.kernel_distance import FeatureReader, noise_floor, realism
from latent_hands.studies.assess.spectrum import power_ratios
from latent_hands.studies.assess.subject import Subject, observed

Contents = Literal["tags", "images"]
"""What gives the content of a scene: its tag, or its image in another pose."""
TRANSFERRED = ("pose_from_labels", "pose_from_image")
"""The rows that are transfers. All other rows are references."""
TRUE, TAG = "true_image", "tag_copied"
SHEET_ROWS = 8
SHEET_HEADINGS = ["pose from", "scene from", "its tag", "truth", "by labels", "by image", "reconstructed"]


def from_labels(subject: Subject, benchmark: Benchmark, index: Indices) -> Latent:
    """Return the pose factors of some images, from their labels."""
    pose, right = benchmark.pose[index], benchmark.right_of(index)
    cpose, viewpoint = canonicalise(pose, right)
    return subject.infer(subject.pose, observed(right, pose=pose, cpose=cpose, viewpoint=viewpoint))


def from_scenes(subject: Subject, benchmark: Benchmark, index: Indices, contents: Contents) -> Latent:
    """Return the content of some scenes. If no encoder reads tags, that of images reads the tag image."""
    tags = {kind: images[index] for kind, images in benchmark.tags.items()}
    if contents == "images":
        given = {"rgb": benchmark.rgb[index]}
    else:
        given = tags if subject.tagged else {"rgb": benchmark.tag[index]}
    return subject.infer(subject.content, observed(benchmark.right_of(index), **given))


def transfer_images(subject: Subject, benchmark: Benchmark, contents: Contents) -> dict[str, Images]:
    """Return {row: an image for every transfer}: the ground truth, two transfers and four references.

    The content comes from the tag of the scene, or from its other image. The references are the tag image,
    the other image, the mean of all images of the benchmark, and the model's reconstruction of the ground
    truth, which is an upper bound for its transfers.
    """
    transfers, right = benchmark.transfers, benchmark.right_of(benchmark.transfers.truth)
    scene = from_scenes(subject, benchmark, transfers.scene, contents)
    source = observed(benchmark.right_of(transfers.pose), rgb=benchmark.rgb[transfers.pose])
    labelled = from_labels(subject, benchmark, transfers.pose) | scene
    estimated = subject.infer(subject.pose, source) | scene
    truth = benchmark.rgb[transfers.truth]
    return {
        TRUE: truth,
        TRANSFERRED[0]: subject.decode("rgb", labelled, right),
        TRANSFERRED[1]: subject.decode("rgb", estimated, right),
        TAG: benchmark.tag[transfers.scene],
        "scene_copied": benchmark.rgb[transfers.scene],
        "mean_image": benchmark.rgb.mean(dim=0).expand_as(truth),
        "own_reconstruction": subject.decode("rgb", subject.encode_images(truth, right), right),
    }


def measure_transfers(
    subject: Subject,
    benchmark: Benchmark,
    images: dict[str, Images],
    judge: Judge | None = None,
    estimator: Estimator | None = None,
    features: FeatureReader | None = None,
) -> dict[str, dict[str, Any]]:
    """Return {row of `transfer_images`: image quality, pose errors, kept content, realism}."""
    truth = benchmark.transfers.truth
    blocks, regions = benchmark.block[truth], regions_of(benchmark)
    readings = {} if judge is None else {name: judge.read(each) for name, each in images.items()}
    others = {} if judge is None else {"judge": {name: reading.pose for name, reading in readings.items()}}
    if estimator is not None:
        read = estimator.read
        others["estimator"] = {name: read(each, benchmark, truth) for name, each in images.items()}
    rows = pose_errors(subject, benchmark, images, others)
    for name, reading in readings.items():
        rows[name]["content"] = kept_content(reading.content, benchmark.content[truth], blocks)
    found = {} if features is None else {name: features.read(each) for name, each in images.items()}
    for name, each in found.items():
        scores = noise_floor(each, blocks) if name == TRUE else realism(each, found[TRUE], blocks)
        rows[name]["features"] = scores
    for name, each in images.items():
        if name != TRUE:
            rows[name] |= score_images(each, images[TRUE], regions, blocks)
            rows[name]["power"] = power_ratios(each, images[TRUE], blocks)
        if name in TRANSFERRED:
            gain = gain_db(each, images[TAG], images[TRUE], regions["inside"], blocks)
            rows[name]["inside_over_tag"] = gain
    return rows


def regions_of(benchmark: Benchmark) -> dict[str, Region]:
    """Return the regions where images are compared: whole, inside and outside.

    Inside is the hand of the ground truth or of the scene's image. Outside is where neither has hand or arm.
    """
    truth, scene = benchmark.transfers.truth, benchmark.transfers.scene
    inside = benchmark.hand[truth] | benchmark.hand[scene]
    outside = benchmark.ground[truth] & benchmark.ground[scene]
    return {"whole": torch.ones_like(inside), "inside": inside, "outside": outside}


def pose_errors(
    subject: Subject,
    benchmark: Benchmark,
    images: dict[str, Images],
    others: Mapping[str, Mapping[str, Float[Tensor, "n 21 3"]]],
) -> dict[str, dict[str, Any]]:
    """Return {row: mean joint errors (EPE) of the poses read from its images}.

    `own_epe_mm` is the error of the model's own pose decoder (Sec. 3.3). `own_ratio` divides it by the
    error of the same reader on true images. `others`, {reader: {row: 3DPoses in bones, camera frame}}, add
    more readers.
    """
    index = benchmark.transfers.truth
    weights, right = resampled_counts(benchmark.block[index]), benchmark.right_of(index)

    def epes(pose: Tensor, truth: Tensor) -> Tensor:
        errors_mm = joint_errors(pose, truth[index]) * benchmark.bone_mm[index, None]
        return epe(errors_mm, benchmark.visible[index], weights)

    own = {name: epes(subject.own_pose(each, right), benchmark.pose) for name, each in images.items()}
    readers = {"own": own} | {
        reader: {name: epes(pose, benchmark.camera_pose) for name, pose in poses.items()}
        for reader, poses in others.items()
    }
    rows: dict[str, dict[str, Any]] = {name: {} for name in images}
    for reader, errors in readers.items():
        for name, each in errors.items():
            rows[name] |= stated(f"{reader}_epe_mm", each) | stated(f"{reader}_ratio", each / errors[TRUE])
    return rows


def kept_content(read: Float[Tensor, "n 19"], truth: Float[Tensor, "n 19"], blocks: Blocks) -> dict[str, Any]:
    """Return {generating factor: rank correlation (Spearman) of the judge's reading and the ground truth}.

    It is the mean over the numbers of the factor.
    """
    weights = resampled_counts(blocks)
    scores = {}
    for name, where in GROUPS.items():
        columns = zip(_ranks(read[:, where]).unbind(1), _ranks(truth[:, where]).unbind(1), strict=True)
        scores |= stated(name, torch.stack([correlation(*pair, weights) for pair in columns]).nanmean(dim=0))
    return scores


def _ranks(values: Tensor) -> Tensor:
    """Return the rank of each value in its column. Equal values share the mean of their ranks."""
    return torch.from_numpy(rankdata(values.numpy(), axis=0))


def transfer_sheet(
    benchmark: Benchmark, images: Mapping[str, Images], rows: int = SHEET_ROWS
) -> draw.ImageArray:
    """Draw some transfers, evenly spaced: the given images, the ground truth and the images of the model."""
    transfers = benchmark.transfers
    chosen = [round(i * (len(transfers.truth) - 1) / max(rows - 1, 1)) for i in range(rows)]
    columns = [benchmark.rgb[transfers.pose[chosen]], benchmark.rgb[transfers.scene[chosen]]]
    columns += [images[name][chosen] for name in (TAG, TRUE, *TRANSFERRED, "own_reconstruction")]
    cells = zip(*map(to_images, columns), strict=True)
    return draw.grid([list(row) for row in cells], SHEET_HEADINGS, lead=(0, 3))
