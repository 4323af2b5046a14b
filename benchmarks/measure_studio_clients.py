"""Let many clients use one studio: real pages in headless Chromium, and WebSocket connections for the rest.

    pip install playwright          (and the extra studio)
    python benchmarks/measure_studio_clients.py --pages 10 --sockets 90

Every client moves a slider of the content to a place of its own: a page with the keyboard, a connection with
the message that a page sends. The program then checks that each session has the value of its own client.
"""

import argparse
import asyncio
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
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


class Sockets:
    """Connections that speak the protocol of a page, in a thread of their own."""

    def __init__(self, url: str, count: int):
        self.received = [0] * count
        self._connections: list[Any] = []
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._run(self._open(url.replace("http", "ws"), count))

    def send(self, index: int, message: Message) -> None:
        """Send a message as a client."""
        self._run(self._connections[index].send(msgspec.msgpack.encode(message.as_serializable_dict())))

    def _run(self, task: Any) -> None:
        asyncio.run_coroutine_threadsafe(task, self._loop).result(PATIENCE_S)

    async def _open(self, url: str, count: int) -> None:
        protocol: Any = f"viser-v{viser.__version__}"
        for index in range(count):
            socket = await connect(url, subprotocols=[protocol], max_size=None, compression=None)
            self._connections.append(socket)
            self._loop.create_task(self._listen(socket, index))

    async def _listen(self, socket: Any, index: int) -> None:
        async for message in socket:
            self.received[index] += len(message)


def camera() -> Message:
    """Return the message with which a client says that it is ready."""
    still, up = (0.0, 0.0, 0.0), (0.0, -1.0, 0.0)
    return ViewerCameraMessage((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, -3.6), 0.8, 0.1, 100.0, 400, 600, still, up)


def use_sockets(studio: Studio, sockets: Sockets, count: int) -> Values:
    """Let every connection move its slider; return the values by client."""
    begun = time.perf_counter()
    for index in range(count):
        sockets.send(index, camera())
    pages = pages_of(studio, count)
    print(f"{count} connections have a page after {time.perf_counter() - begun:.1f} s, {memory_mb():.0f} MB")
    begun, values = time.perf_counter(), Values()
    for index, (client, page) in enumerate(sorted(pages.items())):
        values[client] = round((2 * index / count - 1) * REACH / STEP) * STEP
        slider = page.sliders._sliders[FACTOR, 0]._impl.uuid
        sockets.send(index, GuiUpdateMessage(slider, {"value": values[client]}))
    studio.shared.work.wait(PATIENCE_S)
    print(f"all {count} have moved and have their image after {time.perf_counter() - begun:.1f} s")
    return values


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--sockets", type=int, default=90)
    options = parser.parse_args()
    studio = Studio(("synthesis",), port=18090)
    print(f"the studio alone has {memory_mb():.0f} MB")
    sockets = Sockets(studio.url, options.sockets)
    values = use_sockets(studio, sockets, options.sockets)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=SOFTWARE)
        tabs = dict(open_tab(studio, browser) for _ in range(options.pages))
        moved, seconds = use_tabs(studio, tabs)
        values |= moved
        if seconds:
            middle = sorted(seconds)[len(seconds) // 2]
            print(f"a page shows its new image after {middle:.2f} s (median), {max(seconds):.2f} s (largest)")
        bad = wrong(studio, values)
        print(f"{len(values)} clients, {len(bad)} with a wrong state; {memory_mb():.0f} MB")
        print(f"a connection received {sum(sockets.received) / max(options.sockets, 1) / 1e6:.2f} MB")
        browser.close()
    studio.close()
    if bad:
        raise SystemExit(f"clients {bad} have the state of another one")


if __name__ == "__main__":
    main()
