"""A plain training of a ResNet-18, as a tutorial writes it, to compare with: float32, and images from files.

A DataLoader reads PNG files, and each image is decoded, cropped, rotated and normalised on its own.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from latent_hands.data import Sample
from latent_hands.networks.resnet import ResNet18

MARGIN = 1.2


class PlainHands(Dataset[tuple[Tensor, Tensor]]):
    """Randomly rotated crops around the joints, and poses in metres about the wrist."""

    def __init__(self, samples: Sequence[Sample], crop_px: int, count: int) -> None:
        """Repeat the samples until there are `count`."""
        self.samples, self.crop_px, self.count = samples, crop_px, count

    def __len__(self) -> int:
        """Return the number of crops of an epoch."""
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return a crop and a pose."""
        sample = self.samples[index % len(self.samples)]
        assert sample.uv_px is not None
        assert sample.xyz_mm is not None
        centre = (sample.uv_px.min(0) + sample.uv_px.max(0)) / 2
        half = MARGIN * float(np.ptp(sample.uv_px, axis=0).max()) / 2
        angle = 2 * np.pi * float(torch.rand(()))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        scaled = turn * (2 * half / self.crop_px)
        shift = centre - scaled @ np.full(2, self.crop_px / 2)
        matrix = (*scaled[0], shift[0], *scaled[1], shift[1])
        with Image.open(sample.image) as image:
            size = (self.crop_px, self.crop_px)
            crop = image.convert("RGB").transform(
                size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
            )
        pixels = torch.from_numpy(np.array(crop)).permute(2, 0, 1).float() / 127.5 - 1
        pose = (sample.xyz_mm - sample.xyz_mm[0]) / 1000
        pose[:, :2] = pose[:, :2] @ turn
        return pixels, torch.from_numpy(pose.astype(np.float32)).flatten()


def plain_updates(samples: Sequence[Sample], crop_px: int, batch: int, workers: int) -> Iterator[int]:
    """Yield the number of images after each update, without end."""
    network = ResNet18(63, 64, "conv", precision="float32").to(memory_format=torch.contiguous_format)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    loader = DataLoader(
        PlainHands(samples, crop_px, 10**6), batch, shuffle=True, num_workers=workers, drop_last=True
    )
    while True:
        for images, poses in loader:
            loss = nn.functional.mse_loss(network(images), poses)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            yield batch
