"""Measure the time from a drag or a slider of the studio to its image, without a browser.

    python benchmarks/measure_studio.py [RUN] [--moves 40]

Each move is a command of a session, the image of its latent, its JPEG at the size of the page, and the poses
of the bones. The wall clock includes other programs of the machine; the processor's time does not.
"""

import argparse
import io
import math
import time
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from latent_hands.predictor import Model
from latent_hands.studio import skin
from latent_hands.studio.instrument import Instrument
from latent_hands.studio.page.panels import enlarged
from latent_hands.studio.page.shared import THREADS
from latent_hands.studio.puppet import turn_about
from latent_hands.studio.session import Session


def show(session: Session) -> None:
    """Do what a page does until the image is sent."""
    image = session.instrument.images(session.state.latent)[0]
    Image.fromarray(enlarged(image)).save(io.BytesIO(), "JPEG", quality=92)
    skin.bone_poses(session.state.puppet)


def moves(session: Session) -> dict[str, Callable[[float], None]]:
    """Return the kinds of moves; each takes the phase of a gesture, from 0 to 1."""
    posed = session.instrument.posed[0]
    others = session.instrument.others
    kinds = {
        "drag a fingertip": lambda t: session.drag("index", torch.tensor([-20.0, -80 + 60 * t, -50 * t])),
        "drag the wrist": lambda t: session.drag_wrist(torch.tensor([40 * math.sin(3 * t), 40.0, 10 * t])),
        "turn a ring": lambda t: session.turn(turn_about(1, 4.0), "turn"),
        f"slider of {posed}": lambda t: session.slide(posed, 0, 3 * t - 1.5),
    }
    if others:
        kinds[f"slider of {others[0]}"] = lambda t: session.slide(others[0], 0, 3 * t - 1.5)
    return kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", nargs="?", default="synthesis")
    parser.add_argument("--moves", type=int, default=40)
    settings = parser.parse_args()
    torch.set_num_threads(THREADS)
    session = Session(Instrument(Model.load(settings.run), settings.run))
    print(f"{settings.run}: milliseconds from a move to its image, {torch.get_num_threads()} threads")
    print(f"{'':24}{'median':>8}{'90 %':>8}{'processor':>11}")
    for name, move in moves(session).items():
        wall, busy = [], []
        for i in range(settings.moves + 3):
            begun, work = time.perf_counter(), time.process_time()
            move(i / (settings.moves + 2))
            show(session)
            wall.append(1000 * (time.perf_counter() - begun))
            busy.append(1000 * (time.process_time() - work))
        low, high = np.quantile(wall[3:], [0.5, 0.9])
        print(f"{name:24}{low:8.0f}{high:8.0f}{np.median(busy[3:]):11.0f}")


if __name__ == "__main__":
    main()
