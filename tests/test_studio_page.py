"""The studio in a browser: a user drags, moves sliders, presses keys and uploads, and the page shows it."""

import numpy as np
from PIL import Image
from studio_users import LONG, MARKS, User, eventually
from tiny_models import noise_image

from latent_hands.studio import photographs
from latent_hands.studio.photographs import encode_png

pytestmark = MARKS


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

    user.tab.get_by_role("tab", name="Photo").click()
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

    first.tab.get_by_role("tab", name="Photo").click()
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
