"""Exporting a run: ONNX files of its networks, and model.json, which describes them."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latent_hands.detection import Detector
from latent_hands.errors import HandsError, as_path
from latent_hands.files import write_bytes
from latent_hands.lock import new_folder
from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.networks.fusion import fused
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.portable.calibrated import chosen_images, quantise
from latent_hands.portable.description import DETECTOR, describe, write_description
from latent_hands.portable.networks import (
    DecoderNetwork,
    DetectorNetwork,
    EncoderNetwork,
    import_onnx,
    to_onnx,
)
from latent_hands.portable.web import check_runtime, write_page
from latent_hands.predictor import Model
from latent_hands.predictor.saved import saved_run
from latent_hands.progress import Progress, shown

MAPS = ("sides", "place", "size")
MOMENTS = ("mean", "log_var")


def export_model(
    run: Model | str | Path,
    out: str | Path,
    *,
    half: bool = False,
    int8: str | Path | None = None,
    web: str | Path | None = None,
    progress: Progress | bool = False,
) -> Path:
    """Write a run as ONNX files that need no torch, and return their folder.

    `latent_hands.lite` runs them. The folder has model.json, which describes networks, conventions and rules,
    one file for each encoder and decoder, and the detector of hands if the run predicts hands from images.
    Each file is compared with torch when it is written.

    Args:
        run: a saved model, a run folder, or the name of a shipped model.
        out: a new folder.
        half: whether weights are stored in float16, which halves the files. They are converted to float32
            when they are loaded, so all computation is in float32.
        int8: a folder with images of hands. If it is given, the detector and the encoders of images compute
            in 8-bit integers, whose ranges are measured on at most 100 of these images. They take half of the
            time, and their files have a quarter of the size. `int8` in model.json states how well the hands
            agree with those of float32.
        web: the folder dist of the npm package onnxruntime-web. If it is given, a page is written, too, that
            finds hands in a browser.
        progress: a function, True for bars on the error stream, or False.

    Raises HandsError without the extra `onnx`, if there is no such run or the model is not saved, if it
    neither predicts hands from images nor writes images, for a network that ONNX cannot express, if `out` is
    not empty, if fewer than 20 hands are found in the images of `int8`, and if 8-bit integers change more
    than a quarter of them.

    >>> lh.export_model("estimation", "runs/onnx").name
    'onnx'
    """
    import_onnx()
    out = as_path(out, "out")
    if web is not None:
        web = as_path(web, "web")
        check_runtime(web)
    images = None if int8 is None else chosen_images(as_path(int8, "int8"))
    run = saved_run(run)
    model, detector = Model.load(run, "cpu"), Detector.load()
    description = describe(run, model, detector, half)
    for name, given in (("web", web), ("int8", int8)):
        if given is not None and description["hands"] is None:
            raise HandsError(
                f"{run} predicts no hands from images, which {name} is for: leave out {name} (--{name})"
            )
    with new_folder(out) as folder, shown(progress) as report:
        for file, content in _networks(model.vae, detector, description, half):
            write_bytes(folder / file, content)
        write_description(folder, description)
        if images is not None:
            quantise(folder, images, report)
        if web is not None:
            write_page(folder, web)
    return out


def _networks(
    vae: DisentangledVAE, detector: Detector, description: dict[str, Any], half: bool
) -> Iterator[tuple[str, bytes]]:
    """Iterate over the networks: the name and the content of each file."""
    vae = _float32(vae)
    for name, arrow in description["encoders"].items():
        network = EncoderNetwork(vae.encoder(name))
        inputs = _inputs(arrow["reads"], arrow["shape"], arrow["sided"])
        yield arrow["file"], to_onnx(f'encoder "{name}"', network, inputs, MOMENTS, _about(arrow), half)
    for name, arrow in description["decoders"].items():
        network = DecoderNetwork(vae.decoder(name), vae.latent)
        inputs = _inputs("latent", [sum(arrow["factors"].values())], arrow["sided"])
        outputs = (arrow["writes"],)
        yield arrow["file"], to_onnx(f'decoder "{name}"', network, inputs, outputs, _about(arrow), half)
    if description["detector"]:
        yield DETECTOR, _detector(detector, description["detector"], half)


def _float32(vae: DisentangledVAE) -> DisentangledVAE:
    """Return a copy that computes in float32, with folded BatchNorm where that is possible."""
    vae = copy.deepcopy(vae).eval().requires_grad_(False)
    for name in vae.encoders:
        arrow = vae.encoder(name)
        if isinstance(arrow.network, EfficientNetLite0):
            arrow.network = fused(arrow.network)
    for module in vae.modules():
        if hasattr(module, "precision"):
            setattr(module, "precision", "float32")  # noqa: B010
    return vae


def _detector(detector: Detector, about: dict[str, Any], half: bool) -> bytes:
    network = detector.network
    network.precision = "float32"
    side = about["multiple"]
    inputs = {"image": _noise(2, 3, 3 * side, 4 * side)}
    return to_onnx("the detector", DetectorNetwork(network), inputs, MAPS, _about(about), half, sides=True)


def _inputs(name: str, shape: list[int], sided: bool) -> dict[str, Tensor]:
    """Return example inputs of a batch of two."""
    return {name: _noise(2, *shape)} | ({"right": torch.tensor([0.0, 1.0])} if sided else {})


def _noise(*shape: int) -> Tensor:
    """Return numbers from -1 to 1."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def _about(arrow: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a file: its entry of the description, with the conventions in short."""
    return {f"latent_hands.{key}": value for key, value in arrow.items() if key != "file"}
