"""Ctrl-C at a chosen step of a training."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from torch.optim.optimizer import register_optimizer_step_post_hook


@contextmanager
def ctrl_c_after(steps: int) -> Iterator[None]:
    """Press Ctrl-C when the optimisers have taken so many steps."""
    taken = 0

    def count(*_: object) -> None:
        nonlocal taken
        taken += 1
        if taken == steps:
            signal.raise_signal(signal.SIGINT)

    hook = register_optimizer_step_post_hook(count)
    try:
        yield
    finally:
        hook.remove()
