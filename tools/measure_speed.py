"""How fast, on this machine: training, estimating, rendering, loading and augmenting, against the plain way.

    python tools/measure_speed.py [--seconds 10]

Everything is measured in one run, because machines are noisy: read the ratios.
"""

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from latent_hands.data import open_data
from latent_hands.data.augmentation import Augmentation
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.networks.dcgan import DCGANDecoder
from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.networks.resnet import ResNet18
from latent_hands.predictor import Model
from latent_hands.render.dataset import render_dataset


def per_second(work: Callable[[], object], count: int, seconds: float) -> float:
    """Items a second of something that handles `count` items a call, after two calls to warm up."""
    work(), work()
    start = time.perf_counter()
    for calls in itertools.count(1):
        work()
        if (spent := time.perf_counter() - start) > seconds:
            return count * calls / spent
    raise AssertionError


def resnet(width: int, stem: str, precision: str, decode: bool, batch: int) -> Callable[[], object]:
    """One update of ResNet-18, alone or with a DCGAN decoder behind it."""
    encoder = ResNet18(64, width, stem, precision=precision)
    decoder = DCGANDecoder(64, 128, precision=precision) if decode else torch.nn.Identity()
    if precision == "float32":
        encoder, decoder = (net.to(memory_format=torch.contiguous_format) for net in (encoder, decoder))
    return training(encoder, decoder, batch)


def training(encoder: torch.nn.Module, decoder: torch.nn.Module, batch: int) -> Callable[[], object]:
    """One update on pictures of 128 px."""
    optimiser = torch.optim.AdamW([*encoder.parameters(), *decoder.parameters()], fused=True)
    pictures = torch.rand(batch, 3, 128, 128) * 2 - 1

    def update() -> None:
        said = decoder(encoder(pictures))
        loss = (said - pictures).square().mean() if said.shape == pictures.shape else said.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return update


def estimating(seconds: float) -> list[tuple[str, float]]:
    """Crops a second of the shipped estimation model, both encoders."""
    model = Model.load("estimation")
    crops = torch.rand(64, 3, model.crop_px, model.crop_px) * 2 - 1
    return [
        ("estimate, one picture at a time", per_second(lambda: model.predict(crops[:1]), 1, seconds)),
        ("estimate, batches of 64", per_second(lambda: model.predict(crops), 64, seconds)),
    ]


def rendering(size: int, workers: int, count: int) -> float:
    """Pictures a second with all labels, tags and files, without the start of the processes."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for pictures in (workers * 4, count):
            start = time.perf_counter()
            render_dataset(
                Path(folder) / str(pictures), pictures, size, 0, workers, evaluation=1, progress=False
            )
            seconds.append(time.perf_counter() - start)
        return (count - workers * 4) / (seconds[1] - seconds[0])


def loading(seconds: float) -> list[tuple[str, float]]:
    """Reading pictures from files into windows, and augmented batches out of them."""
    with tempfile.TemporaryDirectory() as folder:
        render_dataset(folder, 256, 160, 0, evaluation=1, progress=False)
        samples = open_data("rendered", Path(folder), "training")
        windows = build_windows(samples)
        batches = Batches(windows, 128, 64, Augmentation())
        all_on = Batches(windows, 128, 64, Augmentation(jpeg=1.0, occluders=1.0))
        torch.set_num_threads(1)
        turn = itertools.count()
        return [
            (
                "read PNG, cut windows of 192 px",
                per_second(lambda: build_windows(samples), len(samples), seconds),
            ),
            (
                "augmented crops of 128 px, one thread",
                per_second(lambda: batches.batch(next(turn), 0, {"rgb", "pose"}), 64, seconds),
            ),
            (
                "the same, each with occluders and JPEG",
                per_second(lambda: all_on.batch(next(turn), 0, {"rgb", "pose"}), 64, seconds),
            ),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="for each measurement")
    options = parser.parse_args()
    cores = os.cpu_count() or 1
    pairs = [
        ("train ResNet-18 + DCGAN, float32", resnet(64, "conv", "float32", True, 32), 32),
        ("train ResNet-18 + DCGAN, bf16 channels-last", resnet(64, "conv", "bf16", True, 32), 32),
        ("train ResNet-18, float32", resnet(64, "conv", "float32", False, 64), 64),
        ("train ResNet-18, bf16 channels-last", resnet(64, "conv", "bf16", False, 64), 64),
        ("train ResNet-18 of width 32, stem unshuffle", resnet(32, "unshuffle", "bf16", False, 64), 64),
        ("train EfficientNet-Lite0", training(EfficientNetLite0(64), torch.nn.Identity(), 64), 64),
    ]
    rows = [(name, per_second(work, count, options.seconds)) for name, work, count in pairs]
    rows += estimating(options.seconds)
    rows += [(f"render {size} px, one core", rendering(size, 1, 200)) for size in (128, 320)]
    rows += [("render 128 px, all cores", rendering(128, cores, 200 * cores)), *loading(options.seconds)]
    table = Table("what", "images/s")
    for name, rate in rows:
        table.add_row(name, f"{rate:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
