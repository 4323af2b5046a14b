"""Exported networks in 8-bit integers: no processor overflows, heads stay float, hands stay the same."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from found_hands import BOX, OTHER, detection
from PIL import Image
from tiny_models import PLACEMENT, SYNTHESIS, noise_image, tiny_run
from torch import nn

onnx = pytest.importorskip("onnx", reason="exporting needs the extra: pip install '.[onnx]'")
onnxruntime = pytest.importorskip(
    "onnxruntime", reason="exported models need the extra: pip install '.[onnx]'"
)

from onnxruntime import quantization  # noqa: E402

from latent_hands import lite  # noqa: E402
from latent_hands.cli import main  # noqa: E402
from latent_hands.errors import HandsError  # noqa: E402
from latent_hands.portable import export_model  # noqa: E402
from latent_hands.portable.calibrated import MOST_IMAGES, agreement, chosen_images  # noqa: E402
from latent_hands.portable.integers import LARGEST, channel_scales, in_integers  # noqa: E402
from latent_hands.portable.networks import to_onnx  # noqa: E402


class Locator(nn.Module):
    """Convolutions, then the mean place of a heat map."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.heat = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 2, 1)
        self.deep, self.wide = nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Conv2d(8, 8, 1)
        with torch.no_grad():
            self.stem.weight[5] = 0  # a channel that is constant
            self.stem.bias[5] = 0.7

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stem(image).clamp(0, 6)
        x = x + self.wide(self.deep(x).clamp(0, 6))
        p = self.heat(x).flatten(2).softmax(dim=2)
        return (p * torch.linspace(-1, 1, p.shape[2])).sum(dim=2)


def batches(count: int = 8) -> list[dict[str, np.ndarray]]:
    generator = np.random.default_rng(0)
    return [{"image": generator.uniform(-1, 1, (2, 3, 16, 16)).astype(np.float32)} for _ in range(count)]


@pytest.fixture(scope="module")
def networks() -> tuple[bytes, bytes]:
    image = {"image": torch.zeros(2, 3, 16, 16)}
    exact = to_onnx("a locator", Locator(), image, ("place",), {"latent_hands.unit": "none"}, False)
    return exact, in_integers(exact, batches())


def outputs(content: bytes, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return onnxruntime.InferenceSession(content).run(None, inputs)[0]


@pytest.mark.parametrize("shape", [(6, 8, 1, 1), (5, 3, 3, 3), (4, 7, 5, 3)])
@pytest.mark.parametrize("power", [1, 3])  # heavier tails
def test_no_sum_of_two_products_exceeds_16_bits(shape: tuple[int, ...], power: int):
    weight = np.random.default_rng(power).normal(size=shape).astype(np.float32) ** power
    whole = np.round(weight / channel_scales(weight)[:, None, None, None])
    assert np.abs(whole).max() <= LARGEST
    rows = whole.transpose(0, 2, 3, 1).reshape(shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).reshape(shape[0], -1, 2)
    for sign in (1, -1):
        assert 255 * (sign * rows).clip(min=0).sum(axis=2).max() < 2**15
    largest = np.abs(rows).sum(axis=2).max(axis=1)
    assert (largest >= LARGEST - 1).all()  # the scale is the smallest one


def test_a_channel_without_weights_has_a_scale_of_the_others():
    weight = np.ones((3, 2, 1, 1), np.float32)
    weight[1] = 0
    assert channel_scales(weight) == pytest.approx([2 / LARGEST] * 3)
    assert channel_scales(0 * weight) == pytest.approx([1 / LARGEST] * 3)


def test_integers_give_nearly_the_outputs_of_floats(networks):
    exact, whole = networks
    for inputs in batches():
        truth, found = outputs(exact, inputs), outputs(whole, inputs)
        assert 0 < np.abs(found - truth).max() < 0.02
    one = {"image": batches()[0]["image"][:1]}
    assert outputs(whole, one) == pytest.approx(outputs(exact, one), abs=0.02)


def test_convolutions_are_integers_and_the_heat_map_is_not(networks):
    graph = onnx.load_model_from_string(networks[1]).graph
    types = {each.name: each.data_type for each in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    whole = []
    for node in graph.node:
        if node.op_type == "Conv":
            source = producers.get(node.input[1])
            whole.append(source is not None and types[source.input[0]] == onnx.TensorProto.INT8)
    assert whole == [True, True, True, False]
    after = {node.op_type for node in graph.node if producers.get(node.input[0], node).op_type == "Softmax"}
    assert "Mul" in after
    assert "QuantizeLinear" not in after  # no integers between the heat map and the place


def test_a_file_in_integers_states_what_the_file_in_floats_states(networks):
    exact, whole = (onnx.load_model_from_string(each) for each in networks)
    assert whole.metadata_props == exact.metadata_props
    assert whole.producer_name == exact.producer_name == "latent-hands"
    assert [each.name for each in whole.graph.output] == ["place"]
    assert len(networks[1]) != len(networks[0])


def test_the_logger_of_the_user_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, networks):
    """A message to the root logger gives it a handler where it has none, and onnxruntime sends some."""
    quantise = quantization.quantize_static

    def sending(*args: object, **options: object) -> None:
        logging.info("a message of onnxruntime")
        quantise(*args, **options)

    monkeypatch.setattr(quantization, "quantize_static", sending)
    monkeypatch.setattr(logging.root, "handlers", [])
    in_integers(networks[0], batches(1))
    assert logging.root.handlers == []


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    (tmp_path / "photographs").mkdir()
    for seed in range(10):
        Image.fromarray(noise_image(seed=seed)).save(tmp_path / f"photographs/{seed}.png")
    return tmp_path / "photographs"


@pytest.fixture
def two_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let exported models detect two hands in every image, without a detector."""
    monkeypatch.setattr("latent_hands.portable.export._detector", lambda *arguments: b"")
    hands = [detection(), detection(OTHER, right=0.01)]
    monkeypatch.setattr("latent_hands.lite.model.detect", lambda *arguments: hands)


def test_a_model_in_integers_finds_the_hands_of_floats(tmp_path: Path, photographs: Path, two_hands, capsys):
    run = tiny_run(tmp_path / "run", PLACEMENT)
    exact = lite.load(export_model(run, tmp_path / "exact"))
    command = ["export-model", str(run), str(tmp_path / "whole"), "--int8", str(photographs)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    about = json.loads((tmp_path / "whole/model.json").read_text())
    assert about["int8"]["images"] == 10
    assert about["int8"]["hands"] == 20
    assert about["int8"]["same"] >= 15
    assert 0 < about["int8"]["moved"] < 0.1
    assert f"8-bit integers: {about['int8']['same']} of 20 hands in 10 images stay the same" in printed
    whole, image = lite.load(tmp_path / "whole"), noise_image(seed=3)
    given = {"boxes": [BOX], "handedness": "left"}
    ours, truth = (model.find(image, **given)[0] for model in (whole, exact))
    assert 0 < np.abs(ours.uv_px - truth.uv_px).max() < 0.1 * max(truth.box_px[2:])
    decoders = [(tmp_path / each / "decoder_uv.onnx").read_bytes() for each in ("whole", "exact")]
    assert decoders[0] == decoders[1]


def test_images_without_enough_hands_are_refused_and_nothing_is_left(
    tmp_path: Path, photographs: Path, two_hands
):
    (photographs / "9.png").unlink()
    run = tiny_run(tmp_path / "run", PLACEMENT)
    with pytest.raises(HandsError, match="the model finds 18 hands in 9 images of int8"):
        export_model(run, tmp_path / "out", int8=photographs)
    assert not (tmp_path / "out").exists()


def test_integers_are_refused_where_no_image_of_hands_is_read(tmp_path: Path, photographs: Path):
    with pytest.raises(HandsError, match="no image file or folder"):
        export_model("estimation", tmp_path / "out", int8=tmp_path / "absent")
    encoder = 'rgb = { reads = "rgb", factors = ["pose", "tag"] }\n'
    only_poses = SYNTHESIS.replace(encoder, "").replace('embed = ["rgb"]', "embed = []")
    run = tiny_run(tmp_path / "run", only_poses)
    with pytest.raises(HandsError, match="predicts no hands from images, which int8 is for"):
        export_model(run, tmp_path / "out", int8=photographs)
    assert not (tmp_path / "out").exists()


def test_images_are_spread_evenly(tmp_path: Path):
    Image.fromarray(noise_image()).save(tmp_path / "000.png")
    for i in range(1, 2 * MOST_IMAGES - 1):
        (tmp_path / f"{i:03}.png").symlink_to(tmp_path / "000.png")
    chosen = [int(image.stem) for image in chosen_images(tmp_path)]
    assert chosen == list(range(0, 2 * MOST_IMAGES - 1, 2))


def test_hands_agree_with_themselves_and_not_with_other_sides(tmp_path: Path, two_hands):
    model = lite.load(export_model(tiny_run(tmp_path / "run", PLACEMENT), tmp_path / "out"))
    left, right = (
        [model.find(noise_image(), boxes=[BOX, OTHER], handedness=side)] for side in ("left", "right")
    )
    assert agreement(left, left) == {"images": 1, "hands": 2, "same": 2, "moved": 0}
    with pytest.raises(HandsError, match="only 0 of 2 hands stay the same"):
        agreement(left, right)
