"""The start and the end of rendering processes.

This module imports nothing heavy, so that a new process can run `start_worker` before it loads the renderer.
"""

import os
import signal
from concurrent.futures import ProcessPoolExecutor

from latent_hands.interrupt import STOPPING, follow_parent


def start_worker() -> None:
    """Ignore signals, which the main process handles, and exit as soon as the main process ends."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    follow_parent(lambda: os._exit(1))


def stop_workers(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool at once, whatever they are doing. Their files are whole or temporary."""
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(cancel_futures=True)
