"""An ONNX network in 8-bit integers (Jacob et al., CVPR 2018).

A value x becomes round(x / s) + zero. Values between layers are uint8, and s and zero follow from their
smallest and largest values on given inputs. Weights are int8, with a scale s for each channel, and zero is 0.
Heat maps and all that follows the convolutions stay float32: 8 bits cannot state a place in a crop.
"""

import logging
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from latent_hands.lite.folder import Arrays
from latent_hands.portable.networks import import_onnx
from latent_hands.shapes import Float32

OPERATORS = {"Conv", "Clip", "Relu", "Add", "Resize", "MaxPool"}
"""The ONNX operators that are computed in integers, where no other operator precedes them."""
LARGEST = 127
"""The largest weight."""


def in_integers(content: bytes, inputs: Sequence[Arrays]) -> bytes:
    """Return a network whose convolutions are computed in 8-bit integers.

    Args:
        content: the ONNX file of a network, whose weights are float32.
        inputs: inputs that show how large the values between layers are.
    """
    onnx, _ = import_onnx()
    with _root_logger_kept(), tempfile.TemporaryDirectory() as folder:
        quantisation: Any = import_module("onnxruntime.quantization")
        preparation: Any = import_module("onnxruntime.quantization.shape_inference")
        prepared, done = Path(folder) / "prepared.onnx", Path(folder) / "done.onnx"
        original = onnx.load_model_from_string(content)
        preparation.quant_pre_process(original, prepared, skip_symbolic_shape=True)
        graph = onnx.load_model(prepared).graph
        kept = _float_nodes(graph)
        scales = {
            name: [
                {"axis": 0, "quant_type": quantisation.QuantType.QInt8, "scale": s, "zero_point": np.int8(0)}
                for s in scale
            ]
            for name, scale in _scales(onnx, graph, kept).items()
        }
        quantisation.quantize_static(
            prepared,
            done,
            _reader(quantisation, inputs),
            per_channel=True,
            activation_type=quantisation.QuantType.QUInt8,
            weight_type=quantisation.QuantType.QInt8,
            nodes_to_exclude=sorted(kept),
            extra_options={"TensorQuantOverrides": scales},
        )
        model = onnx.load_model(done)
    model.producer_name, model.producer_version = original.producer_name, original.producer_version
    del model.metadata_props[:]
    model.metadata_props.extend(original.metadata_props)
    return model.SerializeToString()


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    """Keep onnxruntime from giving the root logger a handler, which would print all later messages twice."""
    silent = logging.NullHandler()
    logging.root.addHandler(silent)
    try:
        yield
    finally:
        logging.root.removeHandler(silent)


def channel_scales(
    weight: Float32[np.ndarray, "outputs inputs height width"],
) -> Float32[np.ndarray, " outputs"]:
    """Return the scale of each output channel of a convolution (outputs, inputs, height, width).

    It is the smallest one for which no weight, and no sum of two neighbours of one sign, exceeds LARGEST.
    Processors without special instructions (VNNI) add the products of two neighbouring weights in 16 bits,
    where 255 * 128 is the largest sum that fits. So all processors give the same result.
    """
    rows = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
    rows = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    pairs = np.stack([rows.clip(min=0), (-rows).clip(min=0)]).reshape(2, len(rows), -1, 2)
    largest = pairs.sum(axis=3).max(axis=(0, 2))
    used = largest > 0
    largest[~used] = np.median(largest[used]) if used.any() else 1
    return (largest / LARGEST).astype(np.float32)


def _scales(onnx: Any, graph: Any, kept: set[str]) -> dict[str, Float32[np.ndarray, " outputs"]]:
    """Return the scales of the weights of all convolutions in integers that mix channels."""
    weights = {each.name: each for each in graph.initializer}
    groups = {
        node.name: next((each.i for each in node.attribute if each.name == "group"), 1) for node in graph.node
    }
    mixing = [
        node.input[1]
        for node in graph.node
        if node.op_type == "Conv" and node.name not in kept and groups[node.name] == 1
    ]
    return {name: channel_scales(onnx.numpy_helper.to_array(weights[name])) for name in mixing}


def _float_nodes(graph: Any) -> set[str]:
    """Return the names of the nodes that stay float32.

    These are all nodes after the convolutions, and the convolutions whose results they read.
    """
    producers = {output: node for node in graph.node for output in node.output}
    readers = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node.op_type)
    results = {each.name for each in graph.output}
    kept: set[str] = set()
    for node in graph.node:  # in the order of computation
        before = {producers[name].name for name in node.input if name in producers}
        if node.op_type not in OPERATORS or before & kept:
            kept.add(node.name)
    for node in graph.node:
        if node.op_type == "Conv" and any(
            name in results or not OPERATORS.issuperset(readers[name]) for name in node.output
        ):
            kept.add(node.name)
    return kept


def _reader(quantisation: Any, inputs: Sequence[Arrays]) -> Any:
    """Return inputs in the class that onnxruntime asks for."""

    class Reader(quantisation.CalibrationDataReader):
        left: Iterator[Arrays] = iter(inputs)

        def get_next(self) -> Arrays | None:
            return next(self.left, None)

    return Reader()
