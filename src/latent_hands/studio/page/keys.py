"""The keyboard of a page, and the help that explains it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from latent_hands.studio.puppet import turn_about
from latent_hands.studio.session import Session

if TYPE_CHECKING:
    from latent_hands.studio.page.page import Page

TURN_DEG = 15.0
HELP = """
**Drag** a ball to move its fingertip, or the green ball to turn the hand by its wrist.
The rings turn the hand about one axis.
**Orbit** the camera on the background, and zoom with the wheel; F returns to the front.

A slider is a direction of a factor, with its share of the change of the output.
**μ** and **±σ** mark the posterior of the source.

**Tab** reaches all controls, Enter presses a button, and arrow keys move a slider.
"""
KEYS = """
| key | does |
|---|---|
| Ctrl+Z, Ctrl+Shift+Z | undo, redo |
| H | a random hand |
| N | a random scene |
| M | all factors at the means of their posteriors |
| R | start again |
| F | look from the front |
| J, L, I, K | turn the hand left, right, up, down |
| arrow keys | orbit the camera, also while a slider has the focus |
| 1, 2 | keep as A, as B |
| Ctrl+K | all commands |
"""


def add_keys(client: Any, page: "Page") -> None:
    """Let keys act on a page. They are also in viser's list of commands."""
    keys: list[tuple[str, str, str | None, Callable[[Session], object]]] = [
        ("Undo", "Z", "cmd/ctrl", Session.undo),
        ("Redo", "Z", "cmd/ctrl+shift", Session.redo),
        ("Random hand", "H", None, Session.random_pose),
        ("Random scene", "N", None, Session.random_content),
        ("All factors to their means", "M", None, Session.recentre),
        ("Start again", "R", None, Session.reset),
        ("Keep as A", "1", None, lambda _: page.keep("A")),
        ("Keep as B", "2", None, lambda _: page.keep("B")),
        ("Turn left", "J", None, _turn(1, -TURN_DEG)),
        ("Turn right", "L", None, _turn(1, TURN_DEG)),
        ("Turn up", "I", None, _turn(0, TURN_DEG)),
        ("Turn down", "K", None, _turn(0, -TURN_DEG)),
        ("Look from the front", "F", None, lambda _: page.scene.look_from_the_front(client)),
    ]
    for label, key, modifier, command in keys:
        _add(client.gui.add_command(label, hotkey=key, modifier=modifier), page, command)


def _add(key: Any, page: "Page", command: Callable[[Session], object]) -> None:
    @key.on_trigger
    async def _(_: Any) -> None:
        page.submit(object(), command)  # no other command replaces it


def _turn(axis: int, angle_deg: float) -> Callable[[Session], None]:
    return lambda session: session.turn(turn_about(axis, angle_deg))
