"""The leakage of a change: how much the other factors move, read again from the synthesised images."""

from dataclasses import dataclass

import torch

from latent_hands.paper.latent import Latent
from latent_hands.studio.instrument import Instrument

LEAST = 1e-6
"""Smaller changes of a latent are none."""


@dataclass(frozen=True)
class Change:
    """How much one factor changed, relative to the distance between two random latents of it.

    Attributes:
        factor: its name.
        moved: the change that was made; 0 if the factor was not touched.
        reread: the change that the run's encoder reads from the two images. Of a factor that was not
            touched, this is the leakage.
        pose_mm: mean movement of the joints that the run reads from the two images, for a factor of the
            pose, with a bone of 40 mm.
    """

    factor: str
    moved: float
    reread: float
    pose_mm: float | None = None

    @property
    def touched(self) -> bool:
        """Return whether the factor itself was changed."""
        return self.moved > LEAST


def leakage(instrument: Instrument, before: Latent, after: Latent, bone_mm: float = 40.0) -> list[Change]:
    """Return how much each factor changed from one latent to another, made and read again.

    The list is empty if the run writes no images or reads not all factors from them.
    """
    if not instrument.rereads:
        return []
    stacked = {name: torch.cat([before[name].cpu(), after[name].cpu()]) for name in before}
    read = instrument.reread(stacked)
    poses = instrument.poses(read) * bone_mm
    pose_mm = float((poses[0] - poses[1]).norm(dim=-1).mean())
    scales = {name: directions.scale() for name, directions in instrument.directions.items()}
    return [
        Change(
            name,
            moved=float((stacked[name][0] - stacked[name][1]).norm()) / scale,
            reread=float((read[name][0] - read[name][1]).norm()) / scale,
            pose_mm=pose_mm if name in instrument.posed else None,
        )
        for name, scale in scales.items()
    ]
