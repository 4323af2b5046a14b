"""Random hands for tests of training: random poses, and noise as images, all in memory."""

import torch

from latent_hands.build import Hands
from latent_hands.data.image_stacks import ImageStack
from latent_hands.data.windows import Windows
from latent_hands.hand.geometry import normalise


def windows(count=40, px=16, seed=0, margin=1.0):
    generator = torch.Generator().manual_seed(seed)
    xyz_mm = 17 * torch.randn(count, 21, 3, generator=generator) + torch.tensor([0.0, 0.0, 500.0])
    pose, bone_mm = normalise(xyz_mm)
    images, tags = (
        torch.randint(0, 256, (n, 3, px, px), dtype=torch.uint8, generator=generator) for n in (count, 5)
    )
    return Windows(
        images={"rgb": ImageStack(images), "tag": ImageStack(tags, torch.arange(count) % 5)},
        names=tuple(f"{i:05d}" for i in range(count)),
        margin=margin,
        right_hands="mirror",
        labels={
            "crop_side_px": torch.full((count,), 100.0),
            "right": torch.arange(count) % 2 == 0,
            "xyz_mm": xyz_mm,
            "pose": pose,
            "bone_mm": bone_mm,
            "uv_px": torch.rand(count, 21, 2, generator=generator) * px,
            "visible": torch.rand(count, 21, generator=generator) > 0.2,
            "K": torch.tensor([[100.0, 0, px / 2], [0, 100.0, px / 2], [0, 0, 1]])
            .expand(count, 3, 3)
            .clone(),
        },
    )


def hands(count=40, px=16):
    return Hands(windows(count, px), windows(12, px, seed=1))


TINY = [
    "--data.crop-px=16",
    "--data.window-px=16",
    "--data.margin=1.0",
    "--data.root=.",
    "--networks.width=4",
    "--networks.decoder_width=4",
    "--networks.hidden=16",
    "--training.validate_every=4",
]
"""Overrides that shrink a packaged experiment."""
