"""Exported models: ONNX files give the outputs of torch, and the description names everything."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import fails
from tiny_models import ESTIMATION, FOUR_FACTORS, PLACEMENT, PX, SYNTHESIS, WITHOUT_TAGS, tiny_run

onnx = pytest.importorskip("onnx", reason="exporting needs the extra: pip install '.[onnx]'")
onnxruntime = pytest.importorskip(
    "onnxruntime", reason="exported models need the extra: pip install '.[onnx]'"
)

from latent_hands.cli import main  # noqa: E402
from latent_hands.detection import Detector  # noqa: E402
from latent_hands.errors import HandsError  # noqa: E402
from latent_hands.networks.efficientnet import layer  # noqa: E402
from latent_hands.networks.fusion import fused  # noqa: E402
from latent_hands.networks.scene_map import NUMBERS  # noqa: E402
from latent_hands.networks.spec import ENCODERS  # noqa: E402
from latent_hands.portable import export_model  # noqa: E402
from latent_hands.portable.export import _detector as export_detector  # noqa: E402
from latent_hands.portable.networks import to_onnx  # noqa: E402
from latent_hands.predictor import Model  # noqa: E402

FINE_PAINTER = SYNTHESIS.replace(
    'rgb = { writes = "rgb", factors = ["pose", "tag"] }',
    'rgb = { writes = "rgb", factors = ["pose", "tag"], over = "pose", network = "fine_painter" }',
)
MAP_PAINTER = (
    FINE_PAINTER.replace("fine_painter", "map_painter")
    .replace("tag = 4", f"tag = {NUMBERS + 4}")
    .replace('factors = ["tag"] }', 'factors = ["tag"], network = "resnet18_map" }', 1)
)
GRAPHS = {
    "fine_painter": FINE_PAINTER,
    "map_painter": MAP_PAINTER,
    "placement": PLACEMENT,
    "synthesis": SYNTHESIS,
    "four_factors": FOUR_FACTORS,
    "without_tags": WITHOUT_TAGS,
}
CONDITION = '[data]\nright_hands = "condition"\n'


@pytest.fixture(scope="module", autouse=True)
def detector() -> Iterator[None]:
    """Load the detector once, and export it only in the test that is about it: each takes a second."""
    loaded = Detector.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Detector, "load", lambda: loaded)
        patch.setattr("latent_hands.portable.export._detector", lambda detector, about, half: b"")
        yield


@pytest.fixture(scope="module")
def exported(detector: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """Return a function that exports one of GRAPHS, once, and returns the run and the exported folder."""

    @cache
    def export(graph: str) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp(graph)
        run = tiny_run(folder / "run", GRAPHS[graph])
        return run, export_model(run, folder / "out")

    return export


def description_of(folder: Path) -> dict:
    return json.loads((folder / "model.json").read_text())


def run(folder: Path, file: str, **inputs: torch.Tensor) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(folder / file)
    return session.run(None, {key: value.numpy() for key, value in inputs.items()})


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("batch", [1, 5])
def test_every_arrow_gives_the_outputs_of_torch(graph: str, batch: int, exported):
    source, folder = exported(graph)
    vae = Model.load(source).vae
    about = description_of(folder)
    for name, arrow in about["encoders"].items():
        observed = torch.rand(batch, *arrow["shape"]) * 2 - 1
        mean, log_var = run(folder, arrow["file"], **{arrow["reads"]: observed})
        posterior = vae.encode(name, {arrow["reads"]: observed}).values()
        assert np.allclose(mean, torch.cat([q.mean for q in posterior], 1).detach(), atol=1e-4)
        assert np.allclose(log_var, torch.cat([q.log_var for q in posterior], 1).detach(), atol=1e-4)
    for name, arrow in about["decoders"].items():
        latent = {factor: torch.randn(batch, size) for factor, size in arrow["factors"].items()}
        (written,) = run(folder, arrow["file"], latent=torch.cat(list(latent.values()), dim=1))
        assert written.shape == (batch, *arrow["shape"])
        assert np.allclose(written, vae.decode(name, latent).detach(), atol=1e-4)


def test_networks_that_are_given_the_side_read_it(tmp_path: Path):
    vae = Model.load(tiny_run(tmp_path / "run", ESTIMATION + CONDITION)).vae
    folder = export_model(tmp_path / "run", tmp_path / "out")
    about = description_of(folder)
    images, right = torch.rand(2, 3, PX, PX) * 2 - 1, torch.tensor([False, True])
    mean, _ = run(folder, about["encoders"]["rgb"]["file"], rgb=images, right=right.float())
    posterior = vae.encode("rgb", {"rgb": images, "right": right}).values()
    assert about["encoders"]["rgb"]["sided"]
    assert np.allclose(mean, torch.cat([q.mean for q in posterior], 1).detach(), atol=1e-4)


def test_the_description_leads_from_an_image_to_a_hand(exported):
    about = description_of(exported("placement")[1])
    assert about["hands"]["factors"] == ["cpose", "viewpoint", "place"]
    assert about["hands"]["encoders"] == {factor: ["rgb"] for factor in ("cpose", "viewpoint", "place")}
    assert set(about["hands"]["decoders"]) == {"pose", "cpose", "viewpoint", "uv", "place"}
    assert list(about["encoders"]) == ["rgb"]  # the others are not needed to read images
    assert np.array(about["noise"]["place"]).shape == (16, 4)
    assert about["sources"] == {}
    assert about["side_px"] == PX
    assert about["convention"].startswith("rhd_bones:")


def test_the_description_leads_from_factors_to_an_image(exported):
    about = description_of(exported("without_tags")[1])
    assert about["sources"]["pose"] == {"pose": {"pose": ["pose"]}, "rgb": {"pose": ["rgb"]}}
    assert about["sources"]["content"] == {"rgb": {"u": ["u"]}}
    assert about["decoders"]["rgb"]["factors"] == {"pose": 4, "u": 4}


def test_the_detector_gives_the_maps_of_torch_for_any_size(tmp_path: Path):
    detector = Detector.load()
    network = detector.network
    (tmp_path / "detector.onnx").write_bytes(export_detector(detector, {"multiple": 32}, False))
    folder = tmp_path
    network.precision = "float32"
    for size in ((1, 3, 64, 96), (2, 3, 96, 32)):
        image = torch.rand(size) * 2 - 1
        sides, place, extent = run(folder, "detector.onnx", image=image)
        maps = network(image)
        assert np.allclose(sides, maps.sides, atol=1e-4)
        assert np.allclose(place, maps.place, atol=1e-4)
        assert np.allclose(extent, maps.size, atol=1e-4)


@pytest.mark.parametrize("kernel", [3, 5])
def test_a_convolution_of_stride_2_is_one_operation_with_the_values_of_torch(kernel: int):
    image = torch.rand(2, 4, 12, 10)
    network = fused(torch.nn.Sequential(layer(4, 4, kernel, stride=2, groups=4, bounded=False)))
    content = to_onnx("a layer", network, {"image": image}, ("map",), {}, False)
    assert [node.op_type for node in onnx.load_model_from_string(content).graph.node] == ["Conv"]
    (found,) = onnxruntime.InferenceSession(content).run(None, {"image": image.numpy()})
    assert np.allclose(found, network(image), atol=1e-5)
    assert found.shape == (2, 4, 6, 5)


def test_half_precision_halves_the_files_and_stays_close(exported, tmp_path: Path):
    source, whole = exported("synthesis")
    half = export_model(source, tmp_path / "half", half=True)
    torch.manual_seed(0)
    latent, file = torch.randn(2, 4), "decoder_pose.onnx"
    (exact,), (rounded,) = (run(folder, file, latent=latent) for folder in (whole, half))
    assert 0 < np.abs(exact - rounded).max() < 0.01 * np.abs(exact).max()
    assert rounded.dtype == np.float32
    sizes = [sum(each.stat().st_size for each in folder.glob("*.onnx")) for folder in (half, whole)]
    assert sizes[0] < 0.75 * sizes[1]
    assert description_of(half)["weights"]["type"] == "float16"


def test_a_run_without_rgb_is_refused(tmp_path: Path):
    depth = ESTIMATION.replace('reads = "rgb"', 'reads = "depth"')
    tiny_run(tmp_path / "run", depth)
    with pytest.raises(HandsError, match="no encoder of rgb for the factors of a pose"):
        export_model(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_that_onnx_cannot_express_is_named_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Odd(torch.nn.Linear):
        def forward(self, x, side=None):
            return torch.special.bessel_j0(super().forward(x.flatten(1)))

    monkeypatch.setattr(ENCODERS, "_things", dict(ENCODERS))
    ENCODERS.register("odd", lambda request: Odd(3 * PX * PX, request.size))
    odd = 'factors = ["cpose", "viewpoint"], network = "odd" }\n[decoders]'
    tiny_run(tmp_path / "run", ESTIMATION.replace('factors = ["cpose", "viewpoint"] }\n[decoders]', odd))
    with pytest.raises(HandsError, match=r'encoder "rgb" cannot be exported to ONNX: .*bessel_j0'):
        export_model(tmp_path / "run", tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


def test_a_network_whose_trace_depends_on_the_batch_is_refused(tmp_path: Path, monkeypatch):
    class Counting(torch.nn.Linear):
        def forward(self, x, side=None):
            return super().forward(x.flatten(1)) * float(len(x))

    monkeypatch.setattr(ENCODERS, "_things", dict(ENCODERS))
    ENCODERS.register("counting", lambda request: Counting(3 * PX * PX, request.size))
    odd = 'factors = ["cpose", "viewpoint"], network = "counting" }\n[decoders]'
    tiny_run(tmp_path / "run", ESTIMATION.replace('factors = ["cpose", "viewpoint"] }\n[decoders]', odd))
    with pytest.raises(HandsError, match='encoder "rgb" cannot be exported: for a batch of 1'):
        export_model(tmp_path / "run", tmp_path / "out")


def test_the_command_writes_a_new_folder_only(tmp_path: Path, capsys: pytest.CaptureFixture):
    source = tiny_run(tmp_path / "run", PLACEMENT)
    assert main(["export-model", str(source), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'out'}: ")
    assert "exists and is not empty" in fails(capsys, "export-model", source, tmp_path / "out")
    assert 'no shipped model "nosuch"' in fails(capsys, "export-model", "nosuch", tmp_path / "new")
    assert not (tmp_path / "new").exists()
