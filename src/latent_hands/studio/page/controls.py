"""The panels of a page: the image at the left, and everything that can be pressed at the right."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from latent_hands import draw
from latent_hands.data.sample import Sample
from latent_hands.draw import ImageArray
from latent_hands.studio import figures
from latent_hands.studio.data_set import PARTS, DataSet, Part
from latent_hands.studio.page import panels
from latent_hands.studio.page.keys import HELP, KEYS, add_keys
from latent_hands.studio.page.narrow import place_next_image
from latent_hands.studio.photographs import Photograph
from latent_hands.studio.session import PLACES, Session

if TYPE_CHECKING:
    from latent_hands.studio.page.page import Page

LEFT_PX, RIGHT_PX = 420, 400
_PART_PX = 120
_EMPTY = np.full((8, 8, 3), 236, np.uint8)


class Controls:
    """The panels of one page.

    Args:
        client: viser's handle of the client.
        page: the page that the controls act on.
        runs: the names of the runs that can be loaded.
        run: the present one.
    """

    def __init__(self, client: Any, page: "Page", runs: Sequence[str], run: str):
        self._client, self._page, self._gui = client, page, client.gui
        self._build_left()
        tabs = self._gui.add_tab_group()
        with tabs.add_tab("Hand", "hand-stop"):
            self._build_hand(runs, run)
        with tabs.add_tab("Photo", "photo"):
            self._build_photograph()
        if page.shared.data is not None:
            with tabs.add_tab("Data", "database"):
                self._build_data(page.shared.data)
        with tabs.add_tab("Factors", "arrows-exchange"):
            self._build_factors()
        with tabs.add_tab("Files", "device-floppy"):
            self._build_files()
        with tabs.add_tab("Help", "help"):
            self._gui.add_markdown(HELP)
            self._gui.add_markdown(KEYS)
        add_keys(client, page)
        self._gui.main_panel.dock_right()
        self._gui.main_panel.set_width(RIGHT_PX)

    # What is shown

    def show_image(self, image: ImageArray) -> None:
        """Show the image of the state."""
        self.image.image = panels.enlarged(image)

    def show_state(self, session: Session, seconds: float | None) -> None:
        """Show where the factors come from, and how long the image took."""
        self.sources.content = panels.sources_text(session)
        taken = "" if seconds is None else f"image in {1000 * seconds:.0f} ms, "
        undo, redo = session.steps
        self.status.content = f"*{taken}{undo} to undo, {redo} to redo*"

    def show_photograph(self, photograph: Photograph) -> None:
        """Show a photograph with its hands, and offer them."""
        self.photograph.image = photograph.overlay
        names = [f"{i + 1} {_about(hand)}" for i, hand in enumerate(photograph.hands)] or ["none"]
        self.hand.options = names
        self.hand.value = names[0]
        self.photograph.visible = True
        self.hand.visible = self.chosen.visible = bool(photograph.hands)

    def show_sample(self, sample: Sample, pictures: Mapping[Part, ImageArray]) -> None:
        """Show an image of the data set and its parts, under its name."""
        self.sample_name.value = sample.name
        self.parts.image = draw.grid([list(pictures.values())], list(pictures), cell_px=_PART_PX)

    def show_kept(self, images: ImageArray) -> None:
        """Show the images of the states that were kept."""
        self.kept.image = images

    def show_figure(self, figure: ImageArray) -> None:
        """Show a figure of a factor."""
        self.figure.image = figure
        self.figure.visible = True

    def new_run(self, session: Session) -> None:
        """Show the controls of another run."""
        self.factor.options = tuple(session.instrument.sizes)
        self.factor.value = self.factor.options[0]
        self.show_kept(figures.kept(session))
        self.figure.visible = False

    # The panels

    def _build_left(self) -> None:
        panel = self._gui.add_panel()
        with panel.add_tab("Image", "photo"):
            place_next_image(self._gui)
            self.image = self._gui.add_image(panels.enlarged(_EMPTY), jpeg_quality=92)
            self.status = self._gui.add_markdown("")
            self.sources = self._gui.add_markdown("")
            with self._gui.add_folder("Leakage of the last change"):
                self.leakage = self._gui.add_markdown("")
        panel.dock_left()
        panel.set_width(LEFT_PX)
        panel.expand()  # a narrow window would show it closed

    def _build_hand(self, runs: Sequence[str], run: str) -> None:
        gui, page = self._gui, self._page
        choice = gui.add_dropdown(
            "run", tuple(runs), initial_value=run, hint="The run whose factors are moved."
        )

        @choice.on_update
        async def _(event: Any) -> None:
            if event.client is not None:
                page.submit("run", lambda _: page.change_run(choice.value), f"*loading {choice.value} ...*")

        self._buttons("step", {"Undo": Session.undo, "Redo": Session.redo})
        self._buttons("random", {"Hand": Session.random_pose, "Scene": Session.random_content})
        self._buttons("go to", {"Means": Session.recentre, "Start": Session.reset})
        self._buttons(
            "view",
            {
                "Front": lambda _: page.scene.look_from_the_front(self._client),
                "Rings": lambda _: page.scene.toggle_rings(),
            },
        )
        self.slider_place = gui.add_folder("Directions of the factors")

    def _build_photograph(self) -> None:
        gui, page = self._gui, self._page
        self._add_upload("Open a photograph", "image/*")
        self.photograph = gui.add_image(_EMPTY, jpeg_quality=85, visible=False)
        self.hand = gui.add_dropdown("hand", ("none",), visible=False)
        self.chosen = chosen = gui.add_button_group("load", ("all", "pose", "content"), visible=False)

        @chosen.on_click
        async def _(_: Any) -> None:
            hand, factors = self.hand.value, chosen.value
            page.submit("load", lambda _: page.load_chosen(hand, factors))

    def _build_data(self, data: DataSet) -> None:
        gui, page = self._gui, self._page
        self.sample_name = gui.add_text(
            "image", data.samples[0].name, hint=f"The number or name of one of {len(data.samples)} images."
        )

        def beside(steps: int) -> Callable[[Session], None]:
            return lambda _: page.show_sample(
                lambda data: data.beside(page.sample, steps) if page.sample else data.samples[0]
            )

        def show(_: Session) -> None:
            page.show_sample(lambda data: data.find(self.sample_name.value))

        self._buttons("", {"Show": show, "Previous": beside(-1), "Next": beside(1)})
        self.parts = gui.add_image(_EMPTY, jpeg_quality=90)
        self._buttons("load", {part: lambda _, p=part: page.load_sample(p) for part in PARTS})

    def _build_factors(self) -> None:
        gui, page = self._gui, self._page
        self.kept = gui.add_image(figures.kept(page.session), jpeg_quality=92)
        self._buttons("keep", {f"as {place}": lambda _, p=place: page.keep(p) for place in PLACES})
        self.factor = gui.add_dropdown("factor", tuple(page.session.instrument.sizes))
        take = {f"From {place}": lambda s, p=place: s.take(self.factor.value, p) for place in PLACES}
        self._buttons("take it", take | {"A draw": lambda s: s.draw(self.factor.value)})

        def shown(make: Callable[[Session, str], ImageArray]) -> Callable[[Session], None]:
            return lambda _: page.show_figure(make, self.factor.value)

        self._buttons("show it", {"Swapped": shown(figures.swap), "Walk A to B": shown(figures.walk)})
        self._buttons("", {"Directions": shown(figures.directions), "Draws": shown(figures.draws)})
        self.figure = gui.add_image(_EMPTY, jpeg_quality=92, visible=False)

    def _build_files(self) -> None:
        gui, page = self._gui, self._page
        self._add_upload("Open a state", "application/json")
        saved: dict[str, Callable[[Session], object]] = {
            "State (JSON)": lambda _: page.save("json"),
            "Image (PNG)": lambda _: page.save("png"),
            "Figure (PNG)": lambda _: page.save_figure(),
            "Hand (glTF)": lambda _: page.save("glb"),
        }
        with gui.add_folder("Save"):
            for label, command in saved.items():
                self._add_button(label, command)

    def _add_upload(self, label: str, mime_type: str) -> None:
        """Add a button that opens a file."""
        upload, page = self._gui.add_upload_button(label, icon="upload", mime_type=mime_type), self._page

        @upload.on_upload
        async def _(_: Any) -> None:
            file = upload.value
            page.submit(
                "upload", lambda _: page.upload(file.name, file.content), f"*reading {file.name} ...*"
            )

    def _add_button(self, label: str, command: Callable[[Session], object]) -> None:
        """Add a button of the full width, with a command of the session."""
        button = self._gui.add_button(label, color="gray")

        @button.on_click
        async def _(_: Any) -> None:
            self._page.submit(object(), command)

    def _buttons(self, label: str, commands: dict[str, Callable[[Session], object]]) -> None:
        """Add buttons in a row, each with a command of the session."""
        group = self._gui.add_button_group(label, tuple(commands))

        @group.on_click
        async def _(_: Any) -> None:
            name = group.value
            self._page.submit(object(), commands[name])  # no other command replaces it


def _about(hand: Any) -> str:
    sure = hand.score if hand.confidence is None else hand.confidence
    return hand.handedness if sure is None else f"{hand.handedness} {sure:.2f}"
