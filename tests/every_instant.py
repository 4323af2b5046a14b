"""Ctrl-C at every instant at which Python looks at signals, while folders and files are made and removed.

Python looks at signals where a function begins and after each call of a function in C: a profiler is called
there, too. Run as a program, because the type checks of tests add functions of their own.
"""

import signal
import sys
from inspect import CO_GENERATOR
from pathlib import Path
from types import FrameType
from typing import Any

from latent_hands.errors import HandsError
from latent_hands.files import write_whole
from latent_hands.interrupt import stopping_signals
from latent_hands.lock import new_folder, one_writer


class Interruption:
    """A profiler that presses Ctrl-C at instant number `at` of the code of this package."""

    def __init__(self, at: int):
        self.at, self.instants = at, 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        begins = event == "call" and not frame.f_code.co_flags & CO_GENERATOR
        if not (begins or event == "c_return"):
            return
        self.instants += 1
        if self.instants == self.at + 1:
            sys.setprofile(None)
            handler = signal.getsignal(signal.SIGINT)
            assert callable(handler)
            handler(signal.SIGINT, frame)


def fail(path: Path) -> None:
    path.write_text("half of it")
    raise HandsError("it cannot be written")


def fill(folder: Path) -> None:
    with new_folder(folder / "set") as new:
        write_whole(new / "weights", fail)


def hold(folder: Path) -> None:
    with one_writer(folder / "run"):
        pass


def leave(work: Any, folder: Path, at: int) -> bool:
    """Interrupt work, and return whether it was still running. Nothing may be left of it."""
    interruption = Interruption(at)
    ended = False
    try:
        with stopping_signals():
            sys.setprofile(interruption)
            try:
                work(folder)
            finally:
                sys.setprofile(None)
    except (KeyboardInterrupt, HandsError) as error:
        ended = isinstance(error, KeyboardInterrupt)
    left = [str(path) for path in folder.rglob("*")]
    assert left == [], f"{work.__name__}, instant {at}: {left}"
    return ended or interruption.instants > at


def main() -> None:
    folder = Path(sys.argv[1])
    for work in (hold, fill):
        instant = 0
        while leave(work, folder, instant):
            instant += 1
        print(f"{work.__name__}: {instant} instants")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


if __name__ == "__main__":
    main()
