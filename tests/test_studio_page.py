"""The studio in a browser: a user drags, moves sliders, presses keys and uploads, and the page shows it."""

import asyncio
import math
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation
from studios import instrument, labelled
from tiny_models import ESTIMATION, noise_image, tiny_model

from latent_hands.predictor import Model, Photo
from latent_hands.studio import photographs
from latent_hands.studio.data_set import DataSet
from latent_hands.studio.photographs import encode_png

pytest.importorskip("viser", reason="the extra studio is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.filterwarnings("ignore"),  # those of viser and of its web server
]
SOFTWARE = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox"]
LONG = 60_000


def eventually(condition, seconds: float = 90.0):
    """Wait until a condition holds, and return its value."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


@pytest.fixture
def studio(tmp_path, monkeypatch):
    from latent_hands.studio.page.serving import Studio
    from latent_hands.studio.page.shared import Shared

    monkeypatch.setattr(Shared, "prepare", lambda shared: None)  # it would load the shipped estimator
    run = instrument().model.save(tmp_path / "run")
    data = DataSet([labelled(tmp_path / "hands", name) for name in ("00007", "00008")], "evaluation of hands")
    running = Studio((str(run),), port=18080, data=data)
    hand = replace(tiny_model(ESTIMATION).estimate(Photo.open(noise_image())), convention="rhd_bones")
    monkeypatch.setattr(Model, "find", lambda *_, **__: [hand])
    running.shared._estimator = instrument().model
    yield running
    running.close()


@pytest.fixture
def browser():
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE)
        yield chromium
        chromium.close()


class User:
    """A user at a page, and the page's own view of what it shows."""

    def __init__(self, browser, studio):
        self.requests: list[str] = []
        self.tab = browser.new_page(viewport={"width": 1200, "height": 700}, device_scale_factor=0.5)
        self.tab.on("request", lambda request: self.requests.append(request.url))
        known = set(studio.pages)
        self.tab.goto(studio.url, timeout=LONG, wait_until="commit")
        self.page = eventually(lambda: next((p for i, p in studio.pages.items() if i not in known), None))
        self.work = studio.shared.work
        self.image = self.tab.locator("img").first
        self.image.wait_for(timeout=LONG)
        self.tab.get_by_role("slider").nth(11).wait_for(timeout=LONG)
        notice = self.tab.locator(".mantine-Notification-root", has_text="Software WebGL")
        notice.locator("button").click(timeout=LONG)  # it covers the fingertips
        notice.wait_for(state="detached", timeout=LONG)

    @property
    def session(self):
        return self.page.session

    def source(self) -> str:
        return self.image.get_attribute("src") or ""

    def changes_image(self, act) -> None:
        """Let the user act, and wait until the page shows another image."""
        before = self.source()
        act()
        eventually(lambda: self.source() != before)
        assert self.work.wait(30.0)

    def place(self, name: str) -> tuple[float, float]:
        """Return where a handle is on the screen."""
        from latent_hands.studio.page.scene import CAMERA

        x, y, z = self.page.scene._handles[name].position
        box = self.tab.locator("canvas").first.bounding_box()
        zoom = box["height"] / 2 / math.tan(self.page.client.camera.fov / 2) / (z - CAMERA[2])
        return box["x"] + box["width"] / 2 + zoom * x, box["y"] + box["height"] / 2 + zoom * y

    def drag(self, name: str, right: float, down: float) -> None:
        x, y = self.place(name)
        self.tab.mouse.move(x, y)
        self.tab.mouse.down()
        for share in np.linspace(0, 1, 8):
            self.tab.mouse.move(x + share * right, y + share * down)
            time.sleep(0.03)
        self.tab.mouse.up()

    def press(self, key: str) -> None:
        self.tab.mouse.click(600, 680)  # beside all controls
        self.tab.keyboard.press(key)


def test_a_user_drags_slides_uploads_swaps_and_undoes(browser, studio, tmp_path):
    user = User(browser, studio)
    session = user.session
    start = session.state

    user.changes_image(lambda: user.drag("index", -14, 84))
    eventually(lambda: session.steps == (1, 0))
    assert np.hypot(*np.subtract(user.place("index"), user.place("middle"))) > 20
    dragged = session.state
    assert (dragged.puppet.joints_mm - start.puppet.joints_mm)[5].norm() > 20
    assert np.array_equal(dragged.puppet.joints_mm[9], start.puppet.joints_mm[9])

    user.changes_image(lambda: user.drag("wrist", 42, -7))
    assert not np.allclose(session.state.puppet.rotation, dragged.puppet.rotation)

    slider = user.tab.get_by_role("slider").nth(6)
    slider.focus()
    user.changes_image(lambda: user.tab.keyboard.press("ArrowRight"))
    assert session.state.sources["content"].endswith("(edited)")
    eventually(lambda: user.tab.get_by_text("a random scene (edited)").count())
    eventually(lambda: user.tab.get_by_text("leaked").count())

    steps = session.steps[0]
    user.changes_image(lambda: user.press("Control+z"))
    assert session.steps == (steps - 1, 1)

    user.tab.get_by_role("tab", name="Photograph").click()
    file = tmp_path / "photo.png"
    file.write_bytes(encode_png(noise_image()))
    upload = user.tab.locator("input[type=file]").first
    user.changes_image(lambda: upload.set_input_files(file))
    eventually(lambda: user.tab.get_by_text("photo.png, hand 1").count())
    assert set(session.state.sources.values()) == {"photo.png, hand 1"}

    state = tmp_path / "state.json"
    state.write_text(start.to_json("run"))
    user.changes_image(lambda: upload.set_input_files(state))
    np.testing.assert_allclose(session.state.puppet.joints_mm, start.puppet.joints_mm, atol=1e-3)

    user.press("1")
    user.changes_image(lambda: user.press("h"))
    user.press("2")
    eventually(lambda: len(session.kept) == 2)
    user.tab.get_by_role("tab", name="Factors").click()
    shown = user.tab.locator("img").count()
    user.tab.get_by_role("button", name="Swapped").click()
    eventually(lambda: user.tab.locator("img").count() > shown)
    swapped = user.page.figure
    user.tab.get_by_role("button", name="Directions").click()
    eventually(lambda: user.page.figure is not swapped)

    user.tab.get_by_role("tab", name="Files").click()
    for label, name in (
        ("State (JSON)", "latent-hands.json"),
        ("Image (PNG)", "latent-hands.png"),
        ("Figure (PNG)", "latent-hands-figure.png"),
        ("Hand (glTF)", "latent-hands.glb"),
    ):
        with user.tab.expect_download(timeout=LONG) as download:
            user.tab.get_by_role("button", name=label).click()
        assert download.value.suggested_filename == name

    outside = [url for url in user.requests if not url.startswith((studio.url, "data:", "blob:"))]
    assert outside == []


def test_an_earlier_command_moves_no_slider_back(browser, studio):
    user = User(browser, studio)
    slider, go = user.page.sliders._sliders["content", 0], threading.Event()
    before = slider.value
    user.page.submit("earlier", lambda _: go.wait(60))
    user.tab.get_by_role("slider").nth(6).focus()
    user.tab.keyboard.press("ArrowRight")
    eventually(lambda: user.work.waits(user.page.client.client_id, ("slide", "content", 0)))
    go.set()
    assert user.work.wait(60.0)
    assert slider.value > before
    directions = user.session.instrument.directions["content"]
    z = user.session.state.latent["content"]
    assert float(directions.coordinates(z)[0]) == pytest.approx(slider.value, abs=1e-3)


def hold_messages(page):
    """Keep the messages of a page's controls on the network. Return a function that lets them arrive."""
    from viser._messages import GuiUpdateMessage

    gui, connection, held = page.client.gui, page.client._websock_connection, []
    arrive = gui._handle_gui_updates

    def hold(*message):
        held.append(message)

    def release():
        connection.unregister_handler(GuiUpdateMessage, hold)
        connection.register_handler(GuiUpdateMessage, arrive)
        for message in held:
            asyncio.run_coroutine_threadsafe(arrive(*message), gui._event_loop).result(30)

    connection.unregister_handler(GuiUpdateMessage, arrive)
    connection.register_handler(GuiUpdateMessage, hold)
    return release


def test_a_slider_shows_the_value_of_the_user_when_it_crosses_a_value_of_the_server(browser, studio):
    user = User(browser, studio)
    thumb = user.tab.get_by_role("slider").nth(6)

    def shown() -> float:
        return float(thumb.get_attribute("aria-valuenow"))

    before, release = shown(), hold_messages(user.page)
    thumb.focus()
    user.tab.keyboard.press("ArrowRight")
    eventually(lambda: shown() > before)
    moved = shown()
    user.page.submit("an earlier command", lambda session: session.random_content())
    eventually(lambda: shown() != moved)
    release()
    eventually(lambda: shown() == moved)
    assert user.work.wait(30.0)
    directions = user.session.instrument.directions["content"]
    z = user.session.state.latent["content"]
    assert float(directions.coordinates(z)[0]) == pytest.approx(moved, abs=1e-3)


def test_rings_and_sliders_of_a_page_at_rest_are_sent_once(browser, studio, monkeypatch):
    user = User(browser, studio)
    page, sent = user.page, []
    assert user.work.wait(30.0)
    monkeypatch.setattr(page.client._websock_connection, "queue_message", sent.append)
    page.scene._turned = True
    page.sliders._moved.add(("content", 0))
    for _ in range(2):
        page._settle()
    rotation = page.session.state.puppet.rotation.numpy().T
    (slider,) = (each for each in sent if hasattr(each, "updates"))
    assert slider.updates == {"value": page.sliders._sliders["content", 0].value}
    last = [each.wxyz for each in sent if getattr(each, "name", "") == "/rings"][-1]
    found = Rotation.from_quat(last, scalar_first=True).as_matrix()
    np.testing.assert_allclose(found, rotation, atol=1e-6)


def test_a_move_that_waits_while_another_run_is_loaded_is_dropped(browser, studio):
    user = User(browser, studio)
    page, go = user.page, threading.Event()
    page.submit("run", lambda _: (go.wait(60), page.change_run(page.session.instrument.name)))
    page._slid("content", 0, 1.0)
    go.set()
    assert user.work.wait(60.0)
    assert page.session.steps == (1, 0)  # the hand of the former run


def test_the_user_reads_about_faults_inside_the_studio(browser, studio):
    user = User(browser, studio)
    user.page.submit("broken", lambda _: 1 / 0)
    eventually(lambda: user.tab.get_by_text("an error inside the studio").count())
    user.page.submit("stale", lambda _: user.page.load_chosen("2 left", "all"))
    eventually(lambda: user.tab.get_by_text("is a hand of another photograph").count())


def test_a_user_loads_the_parts_of_a_hand_of_the_data_set(browser, studio):
    user = User(browser, studio)
    user.tab.get_by_role("tab", name="Data").click()
    user.tab.locator("input[value='00007']").fill("8")
    user.tab.get_by_role("button", name="Show", exact=True).click()
    eventually(lambda: user.page.sample is not None)
    assert user.page.sample.name == "00008"
    for part in ("pose", "tag", "image"):
        user.changes_image(lambda part=part: user.tab.get_by_role("button", name=part, exact=True).click())
        eventually(lambda part=part: user.tab.get_by_text(f"{part} of 00008").count())
    assert set(user.session.state.sources.values()) == {"image of 00008"}
    user.tab.get_by_role("button", name="Next", exact=True).click()
    eventually(lambda: user.page.sample.name == "00007")


def test_uploads_are_limited_and_pages_have_states_of_their_own(browser, studio, tmp_path, monkeypatch):
    from latent_hands.studio.page import hosting

    monkeypatch.setattr(hosting, "MAX_BYTES", 1000)
    monkeypatch.setattr(photographs, "MAX_PIXELS", 100)
    first, second = User(browser, studio), User(browser, studio)
    before = second.session.state
    first.changes_image(lambda: first.press("n"))
    assert second.session.state is before

    first.tab.get_by_role("tab", name="Photograph").click()
    upload = first.tab.locator("input[type=file]").first
    large, wide = tmp_path / "large.png", tmp_path / "wide.png"
    large.write_bytes(encode_png(noise_image()))
    Image.new("RGB", (20, 20)).save(wide)
    for file in (large, wide):
        upload.set_input_files(file)
        eventually(
            lambda file=file: first.tab.get_by_text(f"{file.name}").filter(has_text="the limit is").count()
        )
    assert first.page.photograph is None


def test_the_tunnel_of_viser_is_closed(studio):
    assert studio.server.request_share_url() is None
    assert studio.server.get_host() == "127.0.0.1"
