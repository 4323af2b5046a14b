"""Sliders and rings of the studio, when moves of the user cross messages of the server."""

import asyncio
import threading

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from studio_users import MARKS, User, eventually

pytestmark = MARKS


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
