"""The panels of a page: the image at the left, and everything that can be pressed at the right."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from latent_hands import draw
from latent_hands.data.sample import Sample
from latent_hands.draw import ImageArray
from latent_hands.studio.data_set import PARTS, DataSet, Part
from latent_hands.studio.page import panels
from latent_hands.studio.page.keys import HELP, KEYS, add_keys
from latent_hands.studio.photographs import Photograph
from latent_hands.studio.session import PLACES, Session

if TYPE_CHECKING:
    from latent_hands.studio.page.page import Page

LEFT_PX, RIGHT_PX = 420, 400
_KEPT_PX, _PART_PX = 180, 120
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
        self._busy = False
        self._build_left()
        tabs = self._gui.add_tab_group()
        with tabs.add_tab("Hand", "hand-stop"):
            self._build_hand(runs, run)
        with tabs.add_tab("Photograph", "photo"):
            self._build_photograph()
        if page.shared.data is not None:
            with tabs.add_tab("Data", "database"):
                self._build_data(page.shared.data)
        with tabs.add_tab("A and B", "arrows-exchange"):
            self._build_places()
        with tabs.add_tab("Save", "device-floppy"):
            self._build_save()
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
        self.status.content = f"*{taken}{undo} steps to undo, {redo} to redo*"

    def show_photograph(self, photograph: Photograph) -> None:
        """Show a photograph with its hands, and offer them."""
        self.photograph.image = photograph.overlay
        names = [f"{i + 1} {_about(hand)}" for i, hand in enumerate(photograph.hands)] or ["none"]
        self.hand.options = names
        self.hand.value = names[0]

    def show_sample(self, sample: Sample, pictures: Mapping[Part, ImageArray]) -> None:
        """Show an image of the data set and its parts, under its name."""
        self.sample_name.value = sample.name
        self.parts.image = draw.grid([list(pictures.values())], list(pictures), cell_px=_PART_PX)

    def show_kept(self, images: Mapping[str, ImageArray]) -> None:
        """Show the images of the states that were kept, by their places."""
        self.kept.image = draw.grid([[images.get(place) for place in PLACES]], PLACES, cell_px=_KEPT_PX)

    def show_strip(self, images: Sequence[ImageArray], headings: Sequence[str]) -> None:
        """Show several images below the image of the state, four in a row."""
        rows = [list(images[i : i + 4]) for i in range(0, len(images), 4)]
        blocks = [
            draw.grid([row], headings[4 * i : 4 * i + len(row)], cell_px=112) for i, row in enumerate(rows)
        ]
        width = max(block.shape[1] for block in blocks)
        padded = [np.pad(b, ((0, 0), (0, width - b.shape[1]), (0, 0)), constant_values=255) for b in blocks]
        self.strip.image = np.concatenate(padded)
        self.strip.visible = True

    def new_run(self, session: Session) -> None:
        """Show the controls of another run."""
        factors = session.instrument.sizes
        for dropdown in (self.factor, self.drawn):
            dropdown.options = tuple(factors)
            dropdown.value = next(iter(factors))
        self.show_kept({})
        self.strip.visible = False

    # The panels

    def _build_left(self) -> None:
        panel = self._gui.add_panel()
        with panel.add_tab("Image", "photo"):
            self.image = self._gui.add_image(panels.enlarged(_EMPTY), jpeg_quality=92)
            self.status = self._gui.add_markdown("")
            self.strip = self._gui.add_image(_EMPTY, visible=False, jpeg_quality=92)
            self.sources = self._gui.add_markdown("")
            with self._gui.add_folder("Leakage of the last change"):
                self.leakage = self._gui.add_markdown("")
        panel.dock_left()
        panel.set_width(LEFT_PX)

    def _build_hand(self, runs: Sequence[str], run: str) -> None:
        gui, page = self._gui, self._page
        choice = gui.add_dropdown(
            "run", tuple(runs), initial_value=run, hint="The run whose factors are moved."
        )

        @choice.on_update
        async def _(event: Any) -> None:
            if event.client is not None:
                page.submit("run", lambda _: page.change_run(choice.value), f"*loading {choice.value} ...*")

        self._buttons("", {"Undo": Session.undo, "Redo": Session.redo, "Start again": Session.reset})
        self._buttons(
            "random",
            {"Hand": Session.random_pose, "Scene": Session.random_content, "To the means": Session.recentre},
        )
        self.slider_place = gui.add_folder("Directions of the factors")
        with gui.add_folder("How to", expand_by_default=False):
            gui.add_markdown(HELP)
            gui.add_markdown(KEYS)
        with gui.add_folder("View", expand_by_default=False):
            rings = gui.add_checkbox("rings", True)

            @rings.on_update
            async def _(_: Any) -> None:
                page.scene.show_rings(rings.value)

            front = gui.add_button("Look from the front")

            @front.on_click
            async def _(_: Any) -> None:
                page.scene.look_from_the_front(self._client)

    def _build_photograph(self) -> None:
        gui, page = self._gui, self._page
        upload = gui.add_upload_button(
            "Open a photograph or a state", icon="upload", mime_type="image/*,application/json"
        )

        @upload.on_upload
        async def _(_: Any) -> None:
            file = upload.value
            page.submit(
                "upload", lambda _: page.upload(file.name, file.content), f"*reading {file.name} ...*"
            )

        self.photograph = gui.add_image(_EMPTY, jpeg_quality=85)
        self.hand = gui.add_dropdown("hand", ("none",))
        chosen = gui.add_button_group("load", ("all", "pose", "content"))

        @chosen.on_click
        async def _(_: Any) -> None:
            index = self.hand.options.index(self.hand.value)
            page.submit("load", lambda _: page.load_hand(index, chosen.value))

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

    def _build_places(self) -> None:
        gui, page = self._gui, self._page
        self.kept = gui.add_image(_EMPTY, jpeg_quality=92)
        self.show_kept({})
        self._buttons("keep", {f"as {place}": lambda _, p=place: page.keep(p) for place in PLACES})
        factors = tuple(page.session.instrument.sizes)
        self.factor = gui.add_dropdown("factor", factors)

        def named(act: Callable[[str], None]) -> Callable[[Session], None]:
            return lambda _: act(self.factor.value)

        self._buttons("show", {"Swap": named(page.swap), "Walk": named(page.walk)})
        self._buttons(
            "take factor",
            {f"of {place}": lambda s, p=place: s.take(self.factor.value, p) for place in PLACES},
        )
        self.drawn = gui.add_dropdown("q(z | x) of", factors)
        self._buttons(
            "posterior",
            {
                "Show draws": lambda _: page.draws(self.drawn.value),
                "Take a draw": lambda s: s.draw(self.drawn.value),
            },
        )

    def _build_save(self) -> None:
        page = self._page
        kinds = {"State (JSON)": "json", "Image (PNG)": "png", "Hand (glTF)": "glb"}
        for label, kind in kinds.items():
            self._buttons("", {label: lambda _, k=kind: page.save(k)})

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
