"""The networks of a run as ONNX, each alone, with a batch of any size, and compared with torch."""

import io
import json
import logging
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.detection.network import DetectionNetwork
from latent_hands.errors import HandsError
from latent_hands.paper.graph import Decoder, Encoder
from latent_hands.portable.strided import with_onnx_strides

OPSET = 17
"""The version of the ONNX operators. onnxruntime 1.12 and later can run it."""
TOLERANCE = 1e-3
"""The largest difference from torch, relative to the largest output or to 1."""
ROUNDED = 0.05
"""The same with weights in float16."""


class EncoderNetwork(nn.Module):
    """Observed values (and the side) -> means and log-variances of an encoder's factors, in its order."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, observed: Tensor, right: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return (batch, numbers) twice."""
        posterior = self.encoder(observed, _one_hot(right)).values()
        return torch.cat([q.mean for q in posterior], dim=1), torch.cat([q.log_var for q in posterior], dim=1)


class DecoderNetwork(nn.Module):
    """The factors of a decoder in one vector (and the side) -> what it writes."""

    def __init__(self, decoder: Decoder, latent: Mapping[str, int]):
        super().__init__()
        self.decoder = decoder
        self.sizes = [latent[factor] for factor in decoder.factors]

    def forward(self, latent: Tensor, right: Tensor | None = None) -> Tensor:
        """Return the mean of p(modality | z), or log-odds."""
        factors = dict(zip(self.decoder.factors, latent.split(self.sizes, dim=1), strict=True))
        return self.decoder(factors, _one_hot(right))


class DetectorNetwork(nn.Module):
    """Image -> the maps of `detection.network.Maps`."""

    def __init__(self, network: DetectionNetwork):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return sides, place and size."""
        maps = self.network(image)
        return maps.sides, maps.place, maps.size


def import_onnx() -> tuple[Any, Any]:
    """Return the packages onnx and onnxruntime. Raises HandsError if one is not installed."""
    try:
        return import_module("onnx"), import_module("onnxruntime")
    except ModuleNotFoundError as error:
        raise HandsError(
            f"export-model needs the package {error.name}: pip install 'latent-hands[onnx]'"
        ) from error


def to_onnx(
    name: str,
    network: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: tuple[str, ...],
    about: Mapping[str, Any],
    half: bool,
    sides: bool = False,
) -> bytes:
    """Return a network as an ONNX file that gives the same outputs as torch.

    Args:
        name: the name of the network in errors.
        network: the network, float32.
        inputs: example inputs, by the names that they get. Their first dimension becomes dynamic.
        outputs: the names of the outputs.
        about: what the file states as its metadata.
        half: whether weights are stored in float16. They are converted to float32 when the file is loaded.
        sides: whether the height and width of the first input are dynamic, too.

    Raises HandsError for a network that the exporter refuses, or whose outputs differ.
    """
    onnx, _ = import_onnx()
    dynamic = {each: {0: "batch"} for each in (*inputs, *outputs)}
    if sides:
        dynamic[next(iter(inputs))] |= {2: "height", 3: "width"}
    file = io.BytesIO()
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                with_onnx_strides(network.eval()),
                tuple(inputs.values()),
                file,  # pyright: ignore[reportArgumentType]
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes=dynamic,
                opset_version=OPSET,
                dynamo=False,
            )
    except Exception as error:  # an operator that ONNX lacks, or code of an extension that cannot be traced
        first = " ".join(str(error).split("\n")[0].split())
        raise HandsError(f"{name} cannot be exported to ONNX: {first}") from error
    model = onnx.load_model_from_string(file.getvalue())
    if half:
        _store_half(onnx, model)
    model.producer_name, model.producer_version = "latent-hands", ""
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value if isinstance(value, str) else json.dumps(value)
    content = model.SerializeToString()
    _compare(name, network, inputs, content, ROUNDED if half else TOLERANCE)
    return content


def _compare(
    name: str, network: nn.Module, inputs: Mapping[str, Tensor], content: bytes, tolerance: float
) -> None:
    """Raise HandsError if ONNX gives other outputs than torch, for a batch of another size, too."""
    _, onnxruntime = import_onnx()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    once = {key: value[:1] for key, value in inputs.items()}
    thrice = {key: torch.cat([value, value[:1].flip(-1)]) for key, value in inputs.items()}
    for batch in (once, thrice):
        with torch.no_grad():
            expected = network(*batch.values())
        expected = (expected,) if isinstance(expected, Tensor) else expected
        found = session.run(None, {key: value.numpy() for key, value in batch.items()})
        for truth, value in zip(expected, found, strict=True):
            difference = _difference(truth.numpy(), value)
            if not difference <= tolerance:
                raise HandsError(
                    f"{name} cannot be exported: for a batch of {len(truth)}, ONNX differs from torch by "
                    f"{difference:.2g} of the largest output, but must differ by less than {tolerance:g}"
                )


def _difference(truth: Float[np.ndarray, "..."], value: Float[np.ndarray, "..."]) -> float:
    if truth.shape != value.shape:
        return float("inf")
    return float(np.abs(truth - value).max() / max(1.0, np.abs(truth).max()))


def _store_half(onnx: Any, model: Any) -> None:
    """Store all weights in float16, each followed by a conversion to float32."""
    graph, casts = model.graph, []
    for weight in graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.ndim < 2:  # vectors are small, and some exceed float16
            continue
        name, stored = weight.name, f"{weight.name}.float16"
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _one_hot(right: Tensor | None) -> Tensor | None:
    return None if right is None else torch.stack([1 - right, right], dim=1)


@contextmanager
def _quiet():
    """Silence torch: it announces its other exporter, which takes twenty times as long for these networks."""
    log, level = logging.getLogger("torch.onnx"), logging.getLogger("torch.onnx").level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
