"""Reload a page of the studio in headless Chromium many times: memory, threads and pages that stay.

    pip install playwright          (and the extra studio)
    python benchmarks/measure_studio_reloads.py --reloads 100

After each reload the user moves a slider. The first reloads fill caches, so growth is counted from --warm on.
The 3D scene is not drawn: on a processor that takes most of the time, and it needs nothing of the studio.
"""

import argparse
import gc
import shutil
import threading
import time
from typing import Any

import numpy as np
from measure_studio_clients import FIRST, PATIENCE_S, SMALL, SOFTWARE, memory_mb
from playwright.sync_api import sync_playwright

from latent_hands.studio.page.serving import Studio

UNDRAWN = """for (const name of ["clear", "drawArrays", "drawElements", "drawElementsInstanced"])
  WebGL2RenderingContext.prototype[name] = () => {};"""


def use(studio: Studio, tab: Any) -> float:
    """Load the page, move a slider, wait for its image; return the seconds until the sliders are there."""
    begun = time.perf_counter()
    tab.goto(studio.url, wait_until="commit")
    slider = tab.get_by_role("slider").nth(FIRST)
    slider.wait_for()
    seconds = time.perf_counter() - begun
    before = tab.locator("img").first.get_attribute("src")
    slider.focus()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("before => document.querySelector('img').src !== before", arg=before)
    studio.shared.work.wait(PATIENCE_S)
    return seconds


def heap_mb(session: Any) -> float:
    """Return the memory of the page's objects in the browser, after its garbage collection."""
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reloads", type=int, default=100)
    parser.add_argument("--warm", type=int, default=10)
    options = parser.parse_args()
    studio = Studio(("synthesis",), port=18092)
    studio.shared.estimator  # noqa: B018  it is loaded in the background
    memory, heap, seconds = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=SOFTWARE)
        tab = browser.new_page(viewport=SMALL, device_scale_factor=0.5)
        tab.add_init_script(UNDRAWN)
        tab.set_default_timeout(1000 * PATIENCE_S)
        session = tab.context.new_cdp_session(tab)
        for number in range(1, options.reloads + 1):
            seconds.append(use(studio, tab))
            gc.collect()
            memory.append(memory_mb())
            heap.append(heap_mb(session))
            if number % 10 == 0:
                about = f"{memory[-1]:.0f} MB, {threading.active_count()} threads, {len(studio.pages)} pages"
                print(f"{number} reloads: {about}, {heap[-1]:.0f} MB in the browser", flush=True)
        browser.close()
    growth = np.polyfit(np.arange(len(memory) - options.warm), memory[options.warm :], 1)[0]
    print(f"growth {1000 * growth:.0f} kB a reload; sliders after {np.median(seconds):.1f} s (median)")
    end = time.monotonic() + 60
    while studio.pages and time.monotonic() < end:
        time.sleep(0.1)
    print(f"pages when the browser is closed: {len(studio.pages)}")
    studio.close()


if __name__ == "__main__":
    main()
