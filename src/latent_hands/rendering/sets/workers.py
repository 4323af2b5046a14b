"""How rendering processes begin and end."""

import os
import signal
import threading
from multiprocessing import parent_process


def start_worker() -> None:
    """Leave Ctrl-C to the main process, which keeps the jobs in work, and end when it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
