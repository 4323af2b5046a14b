"""A running studio, and its users in headless Chromium."""

import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studios import instrument, labelled
from tiny_models import ESTIMATION, noise_image, tiny_model

from latent_hands.predictor import HandCrop, Model
from latent_hands.studio.data_set import DataSet

pytest.importorskip("viser", reason="the extra studio is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MARKS = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.filterwarnings("ignore"),  # those of viser and of its web server
]
SOFTWARE = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox"]
LONG = 60_000
UNDRAWN = """for (const name of ["clear", "drawArrays", "drawElements", "drawElementsInstanced"])
  WebGL2RenderingContext.prototype[name] = () => {};"""
"""A script that leaves the 3D scene white. No test looks at its pixels, which take most of the time."""
WIDE = {"width": 1200, "height": 700}


def eventually(condition, seconds: float = 90.0):
    """Wait until a condition holds, and return its value."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


@contextmanager
def running_studio(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A studio with a tiny run and a data set. It finds the same hand in every photograph."""
    from latent_hands.studio.page.serving import Studio
    from latent_hands.studio.page.shared import Shared

    monkeypatch.setattr(Shared, "prepare", lambda shared: None)  # it would load the shipped estimator
    run = instrument().model.save(folder / "run")
    data = DataSet([labelled(folder / "hands", name) for name in ("00007", "00008")], "evaluation of hands")
    running = Studio((str(run),), port=18080, data=data)
    hand = replace(tiny_model(ESTIMATION).estimate(HandCrop.open(noise_image())), convention="rhd_bones")
    monkeypatch.setattr(Model, "find", lambda *_, **__: [hand])
    running.shared._estimator = instrument().model
    yield running
    running.close()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser that draws 3D scenes on the processor."""
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE)
        yield browser
        browser.close()


class User:
    """A user at a page, and the page's own view of what it shows. `window`: options of `browser.new_page`."""

    def __init__(self, browser, studio, **window):
        self.requests: list[str] = []
        self.tab = browser.new_page(**{"viewport": WIDE, "device_scale_factor": 0.5} | window)
        self.tab.add_init_script(UNDRAWN)
        self.tab.on("request", lambda request: self.requests.append(request.url))
        known = set(studio.pages)
        self.tab.goto(studio.url, timeout=LONG, wait_until="commit")
        self.page = eventually(lambda: next((p for i, p in studio.pages.items() if i not in known), None))
        self.work = studio.shared.work
        self.image = self.tab.locator("div:has(> #latent-hands-narrow) + div img")
        self.image.wait_for(timeout=LONG)
        self.tab.get_by_role("slider").nth(11).wait_for(timeout=LONG)
        notice = self.tab.locator(".mantine-Notification-root", has_text="Software WebGL")
        notice.locator("button").click(timeout=LONG)  # it covers the fingertips
        notice.wait_for(state="detached", timeout=LONG)

    @property
    def session(self):
        return self.page.session

    def source(self) -> str:
        return self.image.get_attribute("src") or ""

    def changes_image(self, act) -> None:
        """Let the user act, and wait until the page shows another image."""
        before = self.source()
        act()
        eventually(lambda: self.source() != before)
        assert self.work.wait(30.0)

    def place(self, name: str) -> tuple[float, float]:
        """Return where a handle is on the screen."""
        from latent_hands.studio.page.scene import CAMERA

        x, y, z = self.page.scene._handles[name].position
        box = self.tab.locator("canvas").first.bounding_box()
        zoom = box["height"] / 2 / math.tan(self.page.client.camera.fov / 2) / (z - CAMERA[2])
        return box["x"] + box["width"] / 2 + zoom * x, box["y"] + box["height"] / 2 + zoom * y

    def drag(self, name: str, right: float, down: float) -> None:
        x, y = self.place(name)
        self.tab.mouse.move(x, y)
        self.tab.mouse.down()
        for share in np.linspace(0, 1, 8):
            self.tab.mouse.move(x + share * right, y + share * down)
            time.sleep(0.03)
        self.tab.mouse.up()

    def press(self, key: str) -> None:
        self.tab.mouse.click(600, 680)  # beside all controls
        self.tab.keyboard.press(key)
