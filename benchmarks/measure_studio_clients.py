"""Let many clients move sliders of one studio: how long an image takes, and whether states stay separate.

    pip install playwright          (and the extra studio)
    python benchmarks/measure_studio_clients.py --sockets 1 10 30 100 --pages 4

A client is a WebSocket connection that speaks the protocol of a page, or a page in headless Chromium.
Connections move a slider of the content again and again: each waits for its image, then for --pause seconds.
Pages move theirs with the keyboard. Every value is the client's own.
The program then checks that each session has the value that its own client sent last.
"""

import argparse
import asyncio
import random
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import viser
from playwright.sync_api import Page as Tab
from playwright.sync_api import sync_playwright
from viser._messages import GuiUpdateMessage, Message, ViewerCameraMessage
from websockets.asyncio.client import connect

from latent_hands.studio.page.page import Page
from latent_hands.studio.page.panels import STEP
from latent_hands.studio.page.serving import Studio

SOFTWARE = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox"]
SMALL = {"width": 600, "height": 300}
"""The size of a page. All pages draw their 3D view on the processor, which serves the studio as well."""
FACTOR, FIRST, REACH = "content", 6, 2.0
"""The factor that is moved, the place of its first slider on the page, and the largest value of a socket."""
PATIENCE_S = 900
JPEG = b"\xff\xd8\xff"
Values = dict[int, float]


def memory_mb() -> float:
    """Return the resident memory of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def pages_of(studio: Studio, count: int) -> dict[int, Page]:
    """Return the pages of the server when there are `count`."""
    end = time.monotonic() + PATIENCE_S
    while len(studio.pages) < count:
        if time.monotonic() > end:
            raise SystemExit(f"{len(studio.pages)} of {count} clients have a page")
        time.sleep(0.1)
    return dict(studio.pages)


class Client:
    """A connection that speaks the protocol of a page, with its own values, none of which comes twice."""

    def __init__(self, socket: Any, seed: int):
        self._socket, self._image = socket, asyncio.Event()
        steps = np.random.default_rng(seed).permutation(np.arange(-REACH / STEP, REACH / STEP + 1))
        self._values = iter((steps * STEP).tolist())
        self._task = asyncio.ensure_future(self._listen())

    async def move(self, slider: str, moves: int, pause_s: float) -> tuple[float, list[float]]:
        """Move a slider when the image of the move before is there; return the last value and the seconds."""
        seconds, value = [], 0.0
        await asyncio.sleep(pause_s * random.random())  # so that clients do not move at the same moments
        for _ in range(moves):
            value = next(self._values)
            self._image.clear()
            begun = time.perf_counter()
            await self.send(GuiUpdateMessage(slider, {"value": value}))
            await asyncio.wait_for(self._image.wait(), PATIENCE_S)
            seconds.append(time.perf_counter() - begun)
            await asyncio.sleep(pause_s)
        return value, seconds

    async def send(self, message: Message) -> None:
        """Send a message as a page does."""
        await self._socket.send(msgspec.msgpack.encode(message.as_serializable_dict()))

    async def _listen(self) -> None:
        async for message in self._socket:
            if JPEG in message:
                self._image.set()


class Sockets:
    """Clients in a thread of their own."""

    def __init__(self, url: str):
        self._url, self._clients = url.replace("http", "ws"), list[Client]()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def open(self, studio: Studio, count: int) -> None:
        """Open connections until there are `count`, and wait for their pages."""
        self._run(self._open(count - len(self._clients)))
        pages_of(studio, count)
        studio.shared.work.wait(PATIENCE_S)

    def move(self, studio: Studio, moves: int, pause_s: float) -> tuple[Values, list[float]]:
        """Let all clients move at the same time; return their last values, and the seconds of all moves."""
        clients = sorted(studio.pages)
        sliders = [studio.pages[client].sliders._sliders[FACTOR, 0]._impl.uuid for client in clients]
        moved = [
            client.move(slider, moves, pause_s) for client, slider in zip(self._clients, sliders, strict=True)
        ]
        values, seconds = zip(*self._run(self._all(moved)), strict=True)
        studio.shared.work.wait(PATIENCE_S)
        return dict(zip(clients, values, strict=True)), [second for each in seconds for second in each]

    def _run(self, task: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(task, self._loop).result(PATIENCE_S)

    @staticmethod
    async def _all(tasks: list[Any]) -> list[Any]:
        return await asyncio.gather(*tasks)

    async def _open(self, count: int) -> None:
        protocol: Any = f"viser-v{viser.__version__}"
        for _ in range(count):
            socket = await connect(self._url, subprotocols=[protocol], max_size=None, compression=None)
            self._clients.append(Client(socket, seed=len(self._clients)))
            await self._clients[-1].send(camera())


def camera() -> Message:
    """Return the message with which a client says that it is ready."""
    still, up = (0.0, 0.0, 0.0), (0.0, -1.0, 0.0)
    return ViewerCameraMessage((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, -3.6), 0.8, 0.1, 100.0, 400, 600, still, up)


def open_tab(studio: Studio, browser: Any) -> tuple[int, Tab]:
    """Open a page in the browser; return its client and its tab when its sliders are there."""
    known, begun = set(studio.pages), time.perf_counter()
    tab = browser.new_context(viewport=SMALL, device_scale_factor=0.5).new_page()
    tab.goto(studio.url, timeout=1000 * PATIENCE_S, wait_until="commit")
    pages = pages_of(studio, len(known) + 1)
    tab.get_by_role("slider").nth(11).wait_for(timeout=1000 * PATIENCE_S)
    print(f"page {len(pages)} is shown after {time.perf_counter() - begun:.1f} s", flush=True)
    return next(iter(set(pages) - known)), tab


def use_tabs(studio: Studio, tabs: dict[int, Tab]) -> tuple[Values, list[float]]:
    """Let every page move its slider with the keyboard; return the values and the seconds to a new image."""
    values, seconds = Values(), []
    for number, (client, tab) in enumerate(tabs.items()):
        slider, image = tab.get_by_role("slider").nth(FIRST), tab.locator("img").first
        before, begun = image.get_attribute("src"), time.perf_counter()
        slider.focus()
        start = float(slider.get_attribute("aria-valuenow") or 0)
        for _ in range(number + 1):
            tab.keyboard.press("ArrowRight")
        tab.wait_for_function(
            "before => document.querySelector('img').src !== before", arg=before, timeout=1000 * PATIENCE_S
        )
        seconds.append(time.perf_counter() - begun)
        values[client] = start + (number + 1) * STEP
    studio.shared.work.wait(PATIENCE_S)
    return values, seconds


def wrong(studio: Studio, values: Values) -> list[int]:
    """Return the clients whose session does not have the value that they set."""
    found = []
    for client, value in values.items():
        session = studio.pages[client].session
        directions = session.instrument.directions[FACTOR]
        if abs(float(directions.coordinates(session.state.latent[FACTOR])[0]) - value) > STEP / 2:
            found.append(client)
    return found


def report(name: str, seconds: list[float]) -> None:
    """Print how long images took."""
    middle, high = 1000 * np.quantile(seconds, [0.5, 0.9])
    print(f"{name}: {len(seconds)} images, median {middle:.0f} ms, 90 % {high:.0f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sockets", type=int, nargs="+", default=[1, 10, 30, 100], help="rising numbers")
    parser.add_argument("--moves", type=int, default=10, help="of each connection")
    parser.add_argument("--pause", type=float, nargs="+", default=[0.0, 10.0], help="seconds between moves")
    parser.add_argument("--pages", type=int, default=0)
    options = parser.parse_args()
    studio = Studio(("synthesis",), port=18090)
    studio.shared.estimator  # noqa: B018  it is loaded in the background
    print(f"the studio alone has {memory_mb():.0f} MB")
    sockets, values, bad = Sockets(studio.url), Values(), []
    for count in options.sockets:
        sockets.open(studio, count)
        for pause_s in options.pause:
            work_s = time.process_time()
            values, seconds = sockets.move(studio, options.moves, pause_s)
            report(f"{count} connections, {pause_s:g} s between moves", seconds)
            print(f"processor {1000 * (time.process_time() - work_s) / len(seconds):.0f} ms an image")
            bad += wrong(studio, values)
        print(f"{memory_mb():.0f} MB")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=SOFTWARE)
        tabs = dict(open_tab(studio, browser) for _ in range(options.pages))
        if tabs:
            moved, seconds = use_tabs(studio, tabs)
            report(f"{len(tabs)} pages in Chromium, one at a time", seconds)
            values |= moved
        bad += wrong(studio, values)
        print(f"{len(values)} clients, {len(bad)} with a wrong state; {memory_mb():.0f} MB")
        browser.close()
    studio.close()
    if bad:
        raise SystemExit(f"clients {bad} have the state of another one")


if __name__ == "__main__":
    main()
