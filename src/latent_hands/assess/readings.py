"""What is read from pictures, true or made: poses by the model itself and by a judge, scenes by the judge."""

from typing import Any

import torch
from jaxtyping import Float
from scipy.stats import rankdata
from torch import Tensor

from latent_hands.assess.benchmark import Benchmark
from latent_hands.assess.calibration import correlation
from latent_hands.assess.content import GROUPS
from latent_hands.assess.intervals import Blocks, block_weights, stated
from latent_hands.assess.judge import Judge, Reading
from latent_hands.assess.pictures import Images
from latent_hands.assess.subject import PART, Subject
from latent_hands.assess.transfers import TRUE
from latent_hands.metrics import epe, joint_errors


@torch.inference_mode()
def judged(judge: Judge, pictures: Images) -> Reading:
    """What the judge reads, a part at a time."""
    parts = [judge(part.to(judge.mean.device)) for part in pictures.split(PART)]
    return Reading(torch.cat([p.pose.cpu() for p in parts]), torch.cat([p.content.cpu() for p in parts]))


def pose_errors(
    subject: Subject, benchmark: Benchmark, pictures: dict[str, Images], readings: dict[str, Reading]
) -> dict[str, dict[str, Any]]:
    """{row: EPE of the pose that its pictures show}, by the model's own decoder (Sec. 3.3) and the judge.

    `own_epe_mm` and `judge_epe_mm`, and as `..._ratio` what they are of the same reader's on true pictures.
    """
    index = benchmark.transfers.truth
    weights, right = block_weights(benchmark.block[index]), benchmark.side(index)

    def epes(said: Tensor, truth: Tensor) -> Tensor:
        errors_mm = joint_errors(said, truth[index]) * benchmark.bone_mm[index, None]
        return epe(errors_mm, benchmark.visible[index], weights)

    own = {name: epes(subject.own_pose(shown, right), benchmark.pose) for name, shown in pictures.items()}
    judge = {name: epes(reading.pose, benchmark.camera_pose) for name, reading in readings.items()}
    rows: dict[str, dict[str, Any]] = {name: {} for name in pictures}
    for reader, found in (("own", own), ("judge", judge)):
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
