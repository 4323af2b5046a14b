"""What is read from images, true or made: poses by several readers, scenes by the judge."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from scipy.stats import rankdata
from torch import Tensor

from latent_hands.evaluation.metrics import epe, joint_errors
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.calibration import correlation
from latent_hands.studies.assess.content import GROUPS
from latent_hands.studies.assess.image_quality import Images
from latent_hands.studies.assess.intervals import Blocks, block_weights, stated
from latent_hands.studies.assess.judge import Judge, Reading
from latent_hands.studies.assess.subject import PART, Subject
from latent_hands.studies.assess.transfers import TRUE


@torch.inference_mode()
def judged(judge: Judge, images: Images) -> Reading:
    """What the judge reads, a part at a time."""
    parts = [judge(part.to(judge.mean.device)) for part in images.split(PART)]
    return Reading(torch.cat([p.pose.cpu() for p in parts]), torch.cat([p.content.cpu() for p in parts]))


def pose_errors(
    subject: Subject,
    benchmark: Benchmark,
    images: dict[str, Images],
    others: Mapping[str, Mapping[str, Float[Tensor, "n 21 3"]]],
) -> dict[str, dict[str, Any]]:
    """{row: EPE of the pose that its images show}, by the model's own decoder (Sec. 3.3) and by others.

    `own_epe_mm`, and as `own_ratio` what it is of the same reader's on true images; and so for each of
    `others`, {reader: {row: 3DPoses in bones, camera frame}}.
    """
    index = benchmark.transfers.truth
    weights, right = block_weights(benchmark.block[index]), benchmark.side(index)

    def epes(said: Tensor, truth: Tensor) -> Tensor:
        errors_mm = joint_errors(said, truth[index]) * benchmark.bone_mm[index, None]
        return epe(errors_mm, benchmark.visible[index], weights)

    own = {name: epes(subject.own_pose(shown, right), benchmark.pose) for name, shown in images.items()}
    told = {
        reader: {name: epes(pose, benchmark.camera_pose) for name, pose in poses.items()}
        for reader, poses in others.items()
    }
    rows: dict[str, dict[str, Any]] = {name: {} for name in images}
    for reader, found in {"own": own, **told}.items():
        for name, each in found.items():
            rows[name] |= stated(f"{reader}_epe_mm", each) | stated(f"{reader}_ratio", each / found[TRUE])
    return rows


def kept_content(read: Float[Tensor, "n 19"], truth: Float[Tensor, "n 19"], blocks: Blocks) -> dict[str, Any]:
    """{factor: rank correlation (Spearman's) of what the judge reads with what the scene is}, the mean over
    the factor's numbers."""
    weights = block_weights(blocks)
    numbers = {}
    for name, where in GROUPS.items():
        columns = zip(_ranks(read[:, where]).unbind(1), _ranks(truth[:, where]).unbind(1), strict=True)
        numbers |= stated(name, torch.stack([correlation(*pair, weights) for pair in columns]).nanmean(dim=0))
    return numbers


def _ranks(values: Tensor) -> Tensor:
    """The place of each value in its column; equal values share the mean of their places."""
    return torch.from_numpy(rankdata(values.numpy(), axis=0))
