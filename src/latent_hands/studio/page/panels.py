"""The controls of a page: sliders along the directions of each factor, images and buttons."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from latent_hands.draw import ImageArray
from latent_hands.studio.directions import MOST_SHOWN
from latent_hands.studio.instrument import Instrument
from latent_hands.studio.leakage import Change
from latent_hands.studio.session import Session

REACH, STEP, DECIMALS = 4.0, 0.02, 2
"""The largest value of a slider, in standard deviations of typical latents, its step and its decimals."""
IMAGE_PX = 384
MARKED, NAMED = 0.15, 0.7
"""A spread is marked on a slider if it is at least so wide; the marks have names if these do not overlap."""
_LEAKAGE = "*1 is the distance of two random latents. The encoder reads both images again.*"
Slide = Callable[[str, int, float], None]
Waits = Callable[[str, int], bool]
"""Returns whether a move of the slider of this factor and index waits to be computed."""


class Sliders:
    """The sliders of all factors of a run.

    Args:
        gui: viser's handle of a client's controls.
        instrument: the run.
        slide: what happens when the user moves one: factor, index, value.
    """

    def __init__(self, gui: Any, instrument: Instrument, slide: Slide):
        self._instrument = instrument
        self._folders, self._sliders = {}, dict[tuple[str, int], Any]()
        self._moved = set[tuple[str, int]]()
        posed, others = instrument.posed, instrument.others
        for factor in (*posed[:1], *others[:1], *posed[1:], *others[1:]):
            self._folders[factor] = folder = gui.add_folder(factor)  # open: the keyboard opens no folder
            with folder:
                for index, title in enumerate(instrument.directions[factor].titles):
                    self._sliders[factor, index] = self._add(gui, factor, index, title, slide)

    def remove(self) -> None:
        """Remove all sliders."""
        for folder in self._folders.values():
            folder.remove()

    def show(self, session: Session, waits: Waits) -> None:
        """Show the coordinates and the spreads of a state, except where the user is moving a slider.

        A slider whose move waits is ahead of the state: the page must not move it back.
        """
        for factor, directions in self._instrument.directions.items():
            posterior = session.state.posterior[factor]
            middles, spreads = directions.coordinates(posterior.mean), directions.spread(posterior)
            for index, value in enumerate(self._values(session, factor)):
                slider = self._sliders[factor, index]
                slider._marks = marks(slider, float(middles[index]), float(spreads[index]))
                if session.gesture != f"slide {factor} {index}" and not waits(factor, index):
                    slider.value = value

    def settle(self, session: Session, waits: Waits) -> None:
        """Send the values of the sliders that the user has moved, also if the browser should have them.

        The value that `show` sent may have crossed a move of the user on the network. The browser then shows
        the older value, and the session has the newer one.
        """
        for factor, index in tuple(self._moved):
            if not waits(factor, index):
                self._moved.discard((factor, index))
                slider = self._sliders[factor, index]
                slider.value = self._values(session, factor)[index]
                slider._queue_update("value", slider.value)  # the setter sends no value that is unchanged

    def _values(self, session: Session, factor: str) -> list[float]:
        """Return the values of the sliders of a factor."""
        coordinates = self._instrument.directions[factor].coordinates(session.state.latent[factor])
        return [round(value, DECIMALS) for value in coordinates[:MOST_SHOWN].clamp(-REACH, REACH).tolist()]

    def _add(self, gui: Any, factor: str, index: int, title: str, slide: Slide) -> Any:
        slider = gui.add_slider(
            title,
            min=-REACH,
            max=REACH,
            step=STEP,
            initial_value=0.0,
            marks=((0.0, "μ"),),
            hint=f"A direction of {factor}, and its share of the change of the output. "
            "The unit is a standard deviation of typical latents.",
        )

        @slider.on_update
        async def _(event: Any) -> None:
            if event.client is not None:  # None: the page itself set the value
                slide(factor, index, slider.value)
                self._moved.add((factor, index))  # after the move waits in the queue: see `settle`

        return slider


def marks(slider: Any, middle: float, spread: float) -> tuple[Any, ...]:
    """Return the marks of a posterior on a slider: its mean, and one standard deviation to both sides."""
    kind = type(slider._marks[0])
    names = ("-σ", "μ", "+σ") if spread >= NAMED else (None, "μ", None)
    places = [(middle + sign * spread, name) for sign, name in zip((-1, 0, 1), names, strict=True)]
    shown = places if spread >= MARKED else places[1:2]
    return tuple(kind(round(float(np.clip(place, -REACH, REACH)), DECIMALS), name) for place, name in shown)


def enlarged(image: ImageArray) -> ImageArray:
    """Return a square image at the size of the page."""
    return np.array(Image.fromarray(image).resize((IMAGE_PX, IMAGE_PX), Image.Resampling.BICUBIC))


def sources_text(session: Session) -> str:
    """Return a table in Markdown: each factor and where it comes from."""
    rows = [f"| {name} | {source} |" for name, source in session.state.sources.items()]
    return "\n".join(["| factor | from |", "|---|---|", *rows])


def leakage_text(changes: list[Change]) -> str:
    """Return a table in Markdown: how much each factor moved, and how much the encoder reads of it."""
    if not changes:
        return "This run writes no images, or does not read all factors from them."
    if not any(change.touched for change in changes):
        return "Nothing was moved yet."
    rows = [_row(change) for change in changes]
    return "\n".join(["| factor | moved | read again | joints |", "|---|---|---|---|", *rows, "", _LEAKAGE])


def _row(change: Change) -> str:
    moved = f"{change.moved:.2f}" if change.touched else "-"
    reread = f"{change.reread:.2f}" if change.touched else f"**{change.reread:.2f}** leaked"
    joints = "" if change.pose_mm is None else f"{change.pose_mm:.1f} mm"
    return f"| {change.factor} | {moved} | {reread} | {joints} |"
