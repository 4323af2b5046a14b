"""Measure images per second of training, estimation, synthesis, augmentation, rendering and reading.

    python benchmarks/measure_speed.py [--seconds 10] [--device cuda] [--only training estimating augmenting]

Everything is measured in one run, because machines are noisy: read the ratios. Reading and rendering run on
the processor. The rest runs on the device, with larger batches on a GPU.
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
from latent_hands.data.image_stacks import ImageStack
from latent_hands.data.windows import Windows
from latent_hands.networks.dcgan import DCGANDecoder
from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.networks.resnet import ResNet18
from latent_hands.predictor import Model

Rows = list[tuple[str, float]]


def per_second(work: Callable[[], object], count: int, seconds: float) -> float:
    """Return the items per second of a function that handles `count` items a call, after three calls."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    for _ in range(3):
        work()
    wait()
    start = time.perf_counter()
    for calls in itertools.count(1):
        work()
        if time.perf_counter() - start > seconds:
            wait()
            return count * calls / (time.perf_counter() - start)
    raise AssertionError


def updating(
    encoder: torch.nn.Module, decoder: torch.nn.Module, batch: int, device: str
) -> Callable[[], object]:
    """Return a function that runs one update on random images of 128 px."""
    encoder, decoder = encoder.to(device), decoder.to(device)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *decoder.parameters()], fused=True)
    images = torch.rand(batch, 3, 128, 128, device=device) * 2 - 1

    @torch.backends.cudnn.flags(enabled=True, deterministic=True)  # as `train` runs
    def update() -> None:
        output = decoder(encoder(images))
        error = output - images if output.shape == images.shape else output
        loss = error.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return update


def resnet(width: int, stem: str, precision: str, decode: bool) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Return a ResNet-18, alone or followed by a DCGAN decoder."""
    encoder = ResNet18(64, width, stem, precision=precision)
    decoder = DCGANDecoder(64, 128, precision=precision) if decode else torch.nn.Identity()
    if precision == "float32":
        encoder, decoder = (net.to(memory_format=torch.contiguous_format) for net in (encoder, decoder))
    return encoder, decoder


def training(seconds: float, device: str) -> Rows:
    """Measure training, without augmentation."""
    batch = 64 if device == "cpu" else 256
    networks = [
        ("ResNet-18 + DCGAN, float32", resnet(64, "conv", "float32", True)),
        ("ResNet-18 + DCGAN, bf16 channels-last", resnet(64, "conv", "bf16", True)),
        ("ResNet-18, float32", resnet(64, "conv", "float32", False)),
        ("ResNet-18, bf16 channels-last", resnet(64, "conv", "bf16", False)),
        ("ResNet-18 of width 32, stem unshuffle", resnet(32, "unshuffle", "bf16", False)),
        ("EfficientNet-Lite0", (EfficientNetLite0(64), torch.nn.Identity())),
    ]
    return [
        (f"train {name}", per_second(updating(*pair, batch, device), batch, seconds))
        for name, pair in networks
    ]


def estimating(seconds: float, device: str) -> Rows:
    """Measure the shipped estimation model, with all its encoders."""
    model, batch = Model.load("estimation", device), 64 if device == "cpu" else 512
    crops = torch.rand(batch, 3, model.crop_px, model.crop_px, device=device) * 2 - 1
    return [
        ("estimate, one image at a time", per_second(lambda: model.outputs(crops[:1]), 1, seconds)),
        (f"estimate, batches of {batch}", per_second(lambda: model.outputs(crops), batch, seconds)),
    ]


@torch.inference_mode()
def synthesising(seconds: float, device: str) -> Rows:
    """Measure the decoder of images of the shipped synthesis model, on latents drawn from the prior."""
    model = Model.load("synthesis", device)
    decoder, batch = model.vae.decoder("rgb"), 64 if device == "cpu" else 512
    latents = {
        name: torch.randn(batch, size, device=device) for name, size in model.experiment.latent.items()
    }
    one = {name: z[:1] for name, z in latents.items()}
    return [
        ("synthesise, one image at a time", per_second(lambda: decoder(one), 1, seconds)),
        (f"synthesise, batches of {batch}", per_second(lambda: decoder(latents), batch, seconds)),
    ]


def augmenting(seconds: float, device: str) -> Rows:
    """Measure augmentation to crops of 128 px, on one thread or on the GPU."""
    torch.set_num_threads(1)
    batch = 64 if device == "cpu" else 256
    windows = noise(4 * batch).to(device)
    turn = itertools.count()
    rows = []
    for name, augmentation in (
        ("augmented crops of 128 px", Augmentation()),
        ("the same, each with occluders and JPEG", Augmentation(jpeg=1.0, occluders=1.0)),
    ):
        batches = Batches(windows, 128, batch, augmentation)

        def work(batches: Batches = batches) -> object:
            return batches.batch(next(turn), 0, {"rgb", "pose"})

        rows.append((name, per_second(work, batch, seconds)))
    return rows


def noise(count: int) -> Windows:
    """Return windows of 192 px with random pixels."""
    return Windows(
        images={"rgb": ImageStack(torch.randint(0, 256, (count, 3, 192, 192), dtype=torch.uint8))},
        names=tuple(map(str, range(count))),
        margin=1.75,
        right_hands="mirror",
        labels={
            "crop_side_px": torch.full((count,), 110.0),
            "pose": torch.randn(count, 21, 3),
            "uv_px": 192 * torch.rand(count, 21, 2),
        },
    )


def reading(seconds: float, device: str) -> Rows:
    """Measure reading image files into windows."""
    from latent_hands.rendering.sets.dataset import render_dataset

    with tempfile.TemporaryDirectory() as folder:
        render_dataset(folder, 256, 160, 0, evaluation_count=1, progress=False)
        samples = open_data("rendered", Path(folder), "training")
        rate = per_second(lambda: build_windows(samples), len(samples), seconds)
    return [("read PNG, cut windows of 192 px", rate)]


def rendering(seconds: float, device: str) -> Rows:
    """Measure rendering with all labels, tags and files, without the start of the processes."""
    from latent_hands.rendering.sets.dataset import render_dataset

    def rate(size: int, workers: int, count: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            spent = []
            for images in (workers * 4, count):
                start = time.perf_counter()
                out = Path(folder) / str(images)
                render_dataset(out, images, size, 0, workers, evaluation_count=1, progress=False)
                spent.append(time.perf_counter() - start)
            return (count - workers * 4) / (spent[1] - spent[0])

    cores = os.cpu_count() or 1
    rows = [(f"render {size} px, one core", rate(size, 1, 200)) for size in (128, 320)]
    return [*rows, ("render 128 px, all cores", rate(128, cores, 200 * cores))]


GROUPS = (training, estimating, synthesising, rendering, reading, augmenting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="seconds per measurement (default: 10)")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    names = [group.__name__ for group in GROUPS]
    parser.add_argument("--only", nargs="+", default=names, choices=names)
    options = parser.parse_args()
    table = Table("what", "images/s")
    for group in GROUPS:
        if group.__name__ in options.only:
            for name, rate in group(options.seconds, options.device):
                table.add_row(name, f"{rate:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
