"""z_u, a factor that no label and no tag tells (Fig. 2b, 5): is it alive, does it hold the scene alone?"""

from typing import Any

import torch

from latent_hands.paper.latent import active_units
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.image_quality import mean_over, psnr_db, squared_errors
from latent_hands.studies.assess.intervals import mean_of
from latent_hands.studies.assess.subject import Subject
from latent_hands.studies.assess.transfers import from_labels
from latent_hands.synthesis import swap


def measure_free(subject: Subject, benchmark: Benchmark) -> dict[str, Any]:
    """On the grids' images, z_u being swapped (Fig. 2b, Fig. 5) with that of an image of another grid.

    `active_units` of `units`; `pose_moves_mm`, the mean distance by which the joints of the decoded 3DPose
    move; `background_gain_db`, how many dB of PSNR outside hand and arm an image's own z_u gains over the
    other one, the pose being that of the labels.
    """
    index, free = benchmark.transfers.truth, subject.free()
    blocks, right = benchmark.block[index], benchmark.side(index)
    other = _of_another_block(blocks)
    own = subject.read(benchmark.rgb[index], right)
    swapped = swap(own, {factor: z[other] for factor, z in own.items()}, free)
    poses = [subject.decode("pose", latent, right) for latent in (own, swapped)]
    moves = (poses[0] - poses[1]).norm(dim=-1).mean(dim=1) * benchmark.bone_mm[index]
    labelled = from_labels(subject, benchmark, index)
    truth, ground = benchmark.rgb[index], benchmark.ground[index]
    db = [
        psnr_db(mean_over(squared_errors(subject.decode("rgb", latent | labelled, right), truth), ground))
        for latent in (own, swapped)
    ]
    every = torch.cat([own[factor] for factor in free], dim=1)
    return (
        {"factors": list(free), "units": every.shape[1], "active_units": active_units(every)}
        | mean_of("pose_moves_mm", moves, blocks)
        | mean_of("background_gain_db", db[0] - db[1], blocks)
    )


def _of_another_block(blocks: torch.Tensor) -> torch.Tensor:
    """For every row the number of one in the next block, the last being followed by the first."""
    names, block = blocks.unique(return_inverse=True)
    rows = [(block == b).nonzero()[:, 0] for b in range(len(names))]
    other = torch.empty_like(block)
    for b, mine in enumerate(rows):
        theirs = rows[(b + 1) % len(rows)]
        other[mine] = theirs[torch.arange(len(mine)) % len(theirs)]
    return other
