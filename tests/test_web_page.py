"""The page of an exported model finds what Python finds, and requests nothing from other hosts."""

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which

import numpy as np
import pytest
from command_line import fails
from found_hands import BOX, OTHER, detection
from PIL import Image
from tiny_models import PLACEMENT, noise_image, tiny_model

RUNTIME = Path(os.environ.get("ONNXRUNTIME_WEB") or "/nowhere")
CHROMIUM = which("chromium") or which("google-chrome")
for package in ("onnx", "onnxruntime"):
    pytest.importorskip(package, reason="exporting needs the extra: pip install '.[onnx]'")

from latent_hands import lite  # noqa: E402
from latent_hands.lite.detector import detect  # noqa: E402
from latent_hands.portable import export_model  # noqa: E402

IN_THE_PAGE = """async ([box, right, data, width, height]) => {
  const ort = await import("./ort.wasm.min.mjs");
  const { load } = await import("./hands.js");
  const model = await load(ort);
  const image = { width, height, data: new Uint8ClampedArray(data) };
  const detection = { box, right, score: 0.9 };
  const [reading] = Object.values((await model.readings(image, detection)).readings);
  const hand = model.judged(image, reading, detection, 40);
  const detected = await model.detect(image, 0);
  const other = { box: [50, 10, 26, 20], right: 0.55, score: 0.8 };
  model.detect = async () => [detection, other];
  const pair = (await model.find(image)).map(({ handedness }) => handedness);
  return { hand, detected, pair };
}"""


def test_a_folder_without_the_runtime_is_named(tmp_path: Path, capsys: pytest.CaptureFixture):
    error = fails(capsys, "export-model", "estimation", tmp_path / "out", "--web", tmp_path)
    assert "has no ort.wasm.min.mjs; give the folder dist of the npm package onnxruntime-web" in error
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not RUNTIME.is_dir():
        pytest.skip("ONNXRUNTIME_WEB is not the folder dist of the npm package onnxruntime-web")
    if CHROMIUM is None:
        pytest.skip("no Chromium")
    out = tmp_path_factory.mktemp("page")
    tiny_model(PLACEMENT, frame="ray").save(out / "run")
    return export_model(out / "run", out / "out", web=RUNTIME)


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_the_page_finds_what_python_finds(
    folder: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    api = pytest.importorskip("playwright.sync_api", reason="the page needs playwright")
    rgb = noise_image()
    Image.fromarray(rgb).save(tmp_path / "noise.png")
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    requests: list[str] = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address, wait_until="commit")
        page.set_input_files("#file", str(tmp_path / "noise.png"))  # before the models are there
        page.get_by_text("hands, ").wait_for(timeout=60_000)
        given = [[list(BOX), right, rgba.ravel().tolist(), 80, 60] for right in (0.01, 0.99)]
        found = [page.evaluate(IN_THE_PAGE, each) for each in given]
        page.set_input_files("#file", str(folder / "model.json"))
        page.get_by_text("model.json is not a picture").wait_for(timeout=60_000)
        browser.close()
    model = lite.load(folder)
    for each, side, right in zip(found, ("left", "right"), (0.01, 0.99), strict=True):
        monkeypatch.setattr(
            model, "_detect", lambda rgb, p=right: [detection(right=p), detection(OTHER, 0.55)]
        )
        assert each["pair"] == [hand.handedness for hand in model.find(rgb)]
        (hand,) = model.find(rgb, boxes=[BOX], handedness=side)
        assert each["hand"]["handedness"] == side
        assert np.abs(np.array(each["hand"]["xyz_mm"]) - hand.xyz_mm).max() < 0.5
        assert np.abs(np.array(each["hand"]["uv_px"]) - hand.uv_px).max() < 0.1
    expected = detect(model.networks, rgb, 0.0)
    assert len(found[0]["detected"]) == len(expected)
    for each, known in zip(found[0]["detected"][:3], expected[:3], strict=True):
        assert np.allclose(each["box"], known.box_px, atol=0.5)
        assert each["score"] == pytest.approx(known.score, abs=0.01)
    hosts = {url.split("/")[2] for url in requests if not url.startswith(("data:", "blob:"))}
    assert hosts == {address.split("/")[2]}
