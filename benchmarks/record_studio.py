"""Record the studio as a GIF: a drag, sliders, a photograph that is loaded, and factors that are swapped.

pip install playwright          (and the extra studio)
python benchmarks/record_studio.py docs/pictures/hand.png docs/pictures/studio.gif
"""

import argparse
import io
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from latent_hands.studio.directions import MOST_SHOWN
from latent_hands.studio.page.scene import CAMERA
from latent_hands.studio.page.serving import Studio

SOFTWARE = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox"]
SIZE, SHOWN = {"width": 1200, "height": 700}, (900, 525)
PATIENCE_MS = 600_000
FRAME_MS, LAST_MS = 350, 2500
COLOURS = 224
MOST_LOOKS = 20


class Recorder:
    """A user at a page whose every act is followed by a picture of the page."""

    def __init__(self, studio: Studio, tab: Any):
        self.studio, self.tab = studio, tab
        self.frames: list[Image.Image] = []
        tab.set_default_timeout(PATIENCE_MS)
        tab.goto(studio.url, wait_until="commit")
        tab.locator("img").first.wait_for()
        tab.get_by_role("slider").nth(11).wait_for()
        notice = tab.locator(".mantine-Notification-root", has_text="Software WebGL")
        notice.locator("button").click()
        notice.wait_for(state="detached")
        self.page = next(iter(studio.pages.values()))
        self.after(lambda: None)

    def after(self, act: Callable[[], object]) -> None:
        """Act, wait for the studio, and take a picture."""
        self._do(act)
        picture = Image.open(io.BytesIO(self._settled())).convert("RGB")
        self.frames.append(picture.resize(SHOWN, Image.Resampling.LANCZOS))
        print(f"{len(self.frames)} frames", flush=True)

    def _do(self, act: Callable[[], object]) -> None:
        """Act, and wait until the studio has computed what follows."""
        act()
        time.sleep(0.3)
        self.studio.shared.work.wait(PATIENCE_MS / 1000)

    def _settled(self) -> bytes:
        """Return a picture of the page when it no longer changes: images and the 3D hand come late."""
        before = b""
        for _ in range(MOST_LOOKS):
            time.sleep(0.7)
            picture = self.tab.screenshot()
            if picture == before:
                return picture
            before = picture
        raise SystemExit(f"the page still changes after {MOST_LOOKS} pictures")

    def drag(self, name: str, right: float, down: float, steps: int = 4) -> None:
        """Drag a ball by pixels of the screen."""
        x, y, z = self.page.scene._handles[name].position
        box = self.tab.locator("canvas").first.bounding_box()
        zoom = box["height"] / 2 / math.tan(self.page.client.camera.fov / 2) / (z - CAMERA[2])
        u, v = box["x"] + box["width"] / 2 + zoom * x, box["y"] + box["height"] / 2 + zoom * y
        self.tab.mouse.move(u, v)
        self.tab.mouse.down()
        for share in np.linspace(0, 1, steps + 1)[1:]:
            self.after(lambda share=share: self.tab.mouse.move(u + share * right, v + share * down, steps=3))
        self._do(self.tab.mouse.up)

    def slide(self, place: int, pictures: int = 2, steps: int = 15) -> None:
        """Move the slider at a place on the page to the right with the keyboard."""

        def move() -> None:
            self.tab.get_by_role("slider").nth(place).focus()
            for _ in range(steps):
                self.tab.keyboard.press("ArrowRight")
            self.press("f")  # arrow keys turn the camera, too

        for _ in range(pictures):
            self.after(move)

    def press(self, key: str) -> None:
        """Press a key beside all controls."""
        self.tab.mouse.click(600, 680)
        self.tab.keyboard.press(key)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photograph", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    studio = Studio(("synthesis",), port=18090)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=SOFTWARE)
        user = Recorder(studio, browser.new_page(viewport=SIZE))
        user.drag("index", -14, 84)
        user.drag("wrist", 42, -7, steps=2)
        user.slide(0)
        user.slide(MOST_SHOWN)
        user.press("1")
        user.after(user.tab.get_by_role("tab", name="Photo").click)
        upload = user.tab.locator("input[type=file]").first
        user.after(lambda: upload.set_input_files(options.photograph))
        user.press("2")
        user.after(user.tab.get_by_role("tab", name="Factors").click)
        user.after(user.tab.get_by_role("button", name="Swapped").click)
        user.after(user.tab.locator("img").last.scroll_into_view_if_needed)
        user.after(user.tab.get_by_role("button", name="Walk A to B").click)
        browser.close()
    studio.close()
    pictures = [each.quantize(COLOURS, dither=Image.Dither.NONE) for each in user.frames]
    pictures[0].save(
        options.out,
        save_all=True,
        append_images=pictures[1:],
        duration=[FRAME_MS] * (len(pictures) - 1) + [LAST_MS],
        loop=0,
        optimize=True,
    )
    print(f"{options.out}: {len(pictures)} frames, {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
