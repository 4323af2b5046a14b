"""The page of one client: its session, what it shows, and what its controls do."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

import torch

from latent_hands.data.sample import Sample
from latent_hands.draw import ImageArray
from latent_hands.errors import HandsError
from latent_hands.studio import figures, skin
from latent_hands.studio.data_set import DataSet, Part, pictures_of
from latent_hands.studio.data_set import factors_of as sample_factors
from latent_hands.studio.leakage import leakage
from latent_hands.studio.page import panels
from latent_hands.studio.page.controls import Controls
from latent_hands.studio.page.hosting import limit_uploads
from latent_hands.studio.page.scene import WRIST_NAME, HandScene
from latent_hands.studio.page.shared import Shared
from latent_hands.studio.photographs import Photograph, encode_png, factors_of, find
from latent_hands.studio.session import DRAGGED, Session
from latent_hands.studio.state import State

Command = Callable[[Session], object]
Figure = Callable[[Session, str], ImageArray]
"""Returns an image of one factor, as those of `studio.figures`."""
QUIET_SECONDS = 0.3
"""The controls settle and the leakage is measured when nothing has changed for so long."""
FIRST_SEED = 41
"""The seed of the first scene, which shows the hand clearly."""


class Page:
    """One client of the studio. All methods but `submit` and those that call it run in the queue's thread.

    Args:
        client: viser's handle of the client.
        shared: what all pages share.
        run: the name of the first run.
    """

    def __init__(self, client: Any, shared: Shared, run: str):
        self.client, self.shared = client, shared
        self.session = Session(shared.instrument(run), FIRST_SEED)
        self.photograph: Photograph | None = None
        self.sample: Sample | None = None
        self.figure: ImageArray | None = None
        self.latencies = deque[float](maxlen=500)
        """Seconds from a drag or a slider to its image, without the network."""
        self._quiet: threading.Timer | None = None
        limit_uploads(client, self.complain)
        self.scene = HandScene(client, self._dragged, self._turned)
        self.controls = Controls(client, self, shared.names, run)
        self.sliders = self._new_sliders()
        self._show()

    def submit(self, key: Hashable, command: Command, about: str = "", gesture: bool = False) -> None:
        """Let a command run in the queue, then show the state.

        Args:
            key: of waiting commands with the same key, only the last one runs.
            command: what changes the session.
            about: what is shown while a slow command runs.
            gesture: whether it is one of the many steps of a drag or a slider, whose time is measured.
        """
        begun = time.perf_counter()
        if about:
            self.controls.status.content = about

        def job() -> None:
            try:
                command(self.session)
                self._show(begun if gesture else None)
            except HandsError as error:
                self.complain(str(error))
            except Exception:
                self.complain("an error inside the studio; its terminal has the details")
                raise

        if not self.shared.work.submit(self.client.client_id, key, job):
            self.complain("too many commands are waiting; this one was dropped")

    def complain(self, message: str) -> None:
        """Show an error."""
        self.client.add_notification("Not done", message, color="red", auto_close_seconds=12.0)
        self.controls.show_state(self.session, None)

    def close(self) -> None:
        """Drop all work of a client that has left."""
        if self._quiet is not None:
            self._quiet.cancel()
        self.shared.work.forget(self.client.client_id)

    # What the controls do, in the queue's thread

    def change_run(self, name: str) -> None:
        """Load a run, and show the same hand in it."""
        puppet = self.session.state.puppet
        self.session = Session(self.shared.instrument(name), FIRST_SEED)
        self.session.load(self.session.instrument.pose_posterior(puppet.pose[None]), DRAGGED, puppet.pose)
        self.sliders.remove()
        self.sliders = self._new_sliders()
        self.figure = None
        self.controls.new_run(self.session)

    def upload(self, name: str, content: bytes) -> None:
        """Read a photograph and load its first hand, or read a state."""
        if name.lower().endswith(".json"):
            instrument = self.session.instrument
            self.session.restore(State.from_json(content, instrument.sizes, name, instrument.weights))
            return
        self.photograph = photograph = find(self.shared.estimator, name, content)
        self.controls.show_photograph(photograph)
        if not photograph.hands:
            raise HandsError(f"no hand was found in {name}")
        self.load_hand(0)

    def load_chosen(self, hand: str, factors: str) -> None:
        """Load a hand by its entry in the list of hands, as `load_hand` does."""
        if hand not in self.controls.hand.options:
            raise HandsError(f'"{hand}" is a hand of another photograph: choose one of this photograph')
        self.load_hand(self.controls.hand.options.index(hand), factors)

    def load_hand(self, index: int, factors: str = "all") -> None:
        """Load the factors of a hand of the photograph: "all", or those of the "pose" or the "content"."""
        if self.photograph is None:
            raise HandsError("there is no photograph: upload one first")
        instrument = self.session.instrument
        posterior, pose = factors_of(instrument, self.photograph, index)
        wanted = {"pose": instrument.posed, "content": instrument.others}.get(factors, tuple(posterior))
        kept = {name: q for name, q in posterior.items() if name in wanted}
        shown = pose if set(kept) & set(instrument.posed) else None
        self.session.load(kept, f"{self.photograph.name}, hand {index + 1}", shown)

    def show_sample(self, find: Callable[[DataSet], Sample]) -> None:
        """Show an image of the data set, whose factors can then be loaded."""
        if self.shared.data is None:
            raise HandsError("the studio has no data set: start it with --data NAME --root DIR")
        self.sample = find(self.shared.data)
        self.controls.show_sample(self.sample, pictures_of(self.session.instrument, self.sample))

    def load_sample(self, part: Part) -> None:
        """Load the factors of a part of the shown image of the data set."""
        if self.sample is None:
            raise HandsError("no image is shown: select one first")
        posterior, pose = sample_factors(self.session.instrument, self.sample, part)
        self.session.load(posterior, f"{part} of {self.sample.name}", pose)

    def keep(self, place: str) -> None:
        """Keep the state at a place, and show what is kept."""
        self.session.keep(place)
        self.controls.show_kept(figures.kept(self.session))

    def show_figure(self, make: Figure, factor: str) -> None:
        """Show a figure of a factor, which can then be saved."""
        self.figure = make(self.session, factor)
        self.controls.show_figure(self.figure)

    def save(self, kind: str) -> None:
        """Send the state ("json"), the image ("png") or the hand ("glb") to the browser."""
        state, instrument = self.session.state, self.session.instrument
        content = {
            "json": lambda: state.to_json(instrument.name, instrument.weights).encode(),
            "png": lambda: encode_png(instrument.images(state.latent)[0]),
            "glb": lambda: skin.encode_glb(state.puppet),
        }[kind]()
        self._send(f"latent-hands.{kind}", content)

    def save_figure(self) -> None:
        """Send the figure that is shown to the browser, as PNG."""
        if self.figure is None:
            raise HandsError("there is no figure: show one first, in the tab Factors")
        self._send("latent-hands-figure.png", encode_png(self.figure))

    def _send(self, name: str, content: bytes) -> None:
        self.client.send_file_download(name, content, save_immediately=True)

    # What the scene and the sliders do

    def _dragged(self, name: str, place_mm: torch.Tensor, ended: bool) -> None:
        def command(session: Session) -> None:
            if name == WRIST_NAME:
                session.drag_wrist(place_mm)
            else:
                session.drag(name, place_mm)
            if ended:
                session.settle()

        self.submit(("drag", name, ended), command, gesture=True)

    def _turned(self, rotation: torch.Tensor, ended: bool) -> None:
        def command(session: Session) -> None:
            session.face(rotation, "turn")
            if ended:
                session.settle()

        self.submit(("turn", ended), command, gesture=True)

    def _slid(self, factor: str, index: int, value: float) -> None:
        sliders = self.sliders

        def command(session: Session) -> None:
            if sliders is self.sliders:  # else another run was loaded before
                session.slide(factor, index, value)

        self.submit(("slide", factor, index), command, gesture=True)

    def _slide_waits(self, factor: str, index: int) -> bool:
        return self.shared.work.waits(self.client.client_id, ("slide", factor, index))

    def _new_sliders(self) -> panels.Sliders:
        with self.controls.slider_place:
            return panels.Sliders(self.client.gui, self.session.instrument, self._slid)

    def _show(self, begun: float | None = None) -> None:
        """Show the state: first the image and the hand, then the controls."""
        session = self.session
        self.controls.show_image(session.instrument.images(session.state.latent)[0])
        self.scene.show(session.state.puppet)
        self.client.flush()
        if begun is not None:
            self.latencies.append(time.perf_counter() - begun)
        self.controls.show_state(session, None if begun is None else self.latencies[-1])
        self.sliders.show(session, self._slide_waits)
        self.client.flush()
        self._settle_later()

    def _settle_later(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = threading.Timer(QUIET_SECONDS, self._rest)
        self._quiet.daemon = True
        self._quiet.start()

    def _rest(self) -> None:
        """Let the queue do what waits until nothing changes."""
        work, client = self.shared.work, self.client.client_id
        work.submit(client, "settle", self._settle)
        work.submit_idle(client, self._measure_leakage)

    def _settle(self) -> None:
        """Correct what the browser shows, if values crossed moves of the user on the network."""
        self.sliders.settle(self.session, self._slide_waits)
        self.scene.settle(self.session.state.puppet)
        self.client.flush()

    def _measure_leakage(self) -> None:
        session = self.session
        changes = leakage(session.instrument, session.before.latent, session.state.latent)
        self.controls.leakage.content = panels.leakage_text(changes)
