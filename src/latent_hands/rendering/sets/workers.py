"""The start and the end of a rendering process.

This module imports nothing heavy, so that a new process can run `start_worker` before it loads the renderer.
"""

import os
import signal
import threading
from multiprocessing import parent_process


def start_worker() -> None:
    """Ignore Ctrl-C, which the main process handles, and exit as soon as the main process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
