"""The page of a stream: what it shows, and whom it refuses."""

import io
import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from tiny_models import noise_image

from latent_hands.errors import HandsError
from latent_hands.streaming import Page, page
from latent_hands.streaming.html import POLICY, SCRIPT, STYLE, _hash, html

CHROMIUM = Path("/usr/bin/chromium")
WAIT_S = 60
"""Longest wait for what happens at once on an idle machine."""


@pytest.fixture
def shown() -> Iterator[Page]:
    with Page() as shown:
        yield shown


def get(shown: Page, path: str = "", **headers: str) -> HTTPResponse:
    """Request a path below the page's address."""
    parts = urlsplit(shown.url)
    connection = HTTPConnection("127.0.0.1", parts.port or 0, timeout=WAIT_S)
    connection.request("GET", path if path.startswith("/") else parts.path + path, headers=headers)
    return connection.getresponse()


def viewer(shown: Page, count: int = 1) -> HTTPResponse:
    """Open the stream of images, and wait until it is counted."""
    response = get(shown, "stream")
    deadline = time.monotonic() + WAIT_S
    while shown._board.viewers < count and time.monotonic() < deadline:
        time.sleep(0.005)
    return response


def part(response: HTTPResponse) -> bytes:
    """Read the next image of a stream."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += response.read(1)
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length is not None
    return response.read(int(length[1]))


def test_images_arrive_in_order_and_whole(shown: Page):
    assert not shown.viewed
    response = viewer(shown)
    assert shown.viewed
    assert response.getheader("Content-Type") == "multipart/x-mixed-replace; boundary=frame"
    for seed in range(3):
        rgb = noise_image(64, 80, seed)
        shown.show({"frames": seed}, rgb)
        with Image.open(io.BytesIO(part(response))) as image:
            assert image.format == "JPEG"
            assert np.abs(np.asarray(image).astype(int) - rgb).mean() < 20
    response.close()


def test_the_status_is_the_last_one(shown: Page):
    shown.show({"frames": 1})
    shown.show({"frames": 2, "hands": []})
    assert get(shown, "status").read() == b'{"frames": 2, "hands": []}'


def test_the_page_runs_its_own_script_alone(shown: Page):
    response = get(shown)
    text = response.read().decode()
    assert f"<script>{SCRIPT}</script>" in text
    assert f"<style>{STYLE}</style>" in text
    assert response.getheader("Content-Security-Policy") == POLICY
    assert _hash(SCRIPT) in POLICY
    assert "default-src 'none'" in POLICY
    assert "http" not in text
    assert "<b>" not in html("<b>")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("localhost:8000", 200),
        ("evil.example", 403),
        ("evil.example:80", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.0.0.1@evil.example", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_only_this_machine_is_a_host(shown: Page, host: str, status: int):
    assert get(shown, Host=host).status == status


def test_without_the_secret_there_is_nothing(shown: Page):
    for path in ("/", "/stream", "/status", "/x/stream", f"/{'A' * 22}/stream"):
        assert get(shown, path).status == 404
    assert get(shown, "other").status == 404
    with Page() as other:
        assert urlsplit(other.url).path != urlsplit(shown.url).path


def test_the_server_listens_to_this_machine_alone(shown: Page):
    assert shown._server.server_address[0] == "127.0.0.1"
    request = urllib.request.Request(shown.url, data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="501"):
        urllib.request.urlopen(request, timeout=WAIT_S)


def test_viewers_are_limited_and_leave(shown: Page):
    viewers = [viewer(shown, count + 1) for count in range(page.MOST_VIEWERS)]
    assert get(shown, "stream").status == 503
    for each in viewers:
        each.close()
    deadline = time.monotonic() + WAIT_S
    while shown.viewed and time.monotonic() < deadline:
        shown.show({}, noise_image())
    assert not shown.viewed
    assert viewer(shown).status == 200


def test_connections_are_limited(shown: Page):
    address = ("127.0.0.1", urlsplit(shown.url).port or 0)
    idle = [socket.create_connection(address, timeout=WAIT_S) for _ in range(page.MOST_CONNECTIONS)]
    try:
        with socket.create_connection(address, timeout=WAIT_S) as further:
            assert further.recv(1) == b""
    finally:
        for each in idle:
            each.close()


def test_the_end_lets_viewers_go():
    with Page() as shown:
        response = viewer(shown)
        shown.show({}, noise_image())
        part(response)
    assert response.read() in (b"", b"\r\n--frame\r\n")


def test_a_port_that_is_used_is_one_line(shown: Page):
    with pytest.raises(HandsError, match=r"port \d+ cannot be used: .*--port"):
        Page(urlsplit(shown.url).port or 0)
    with pytest.raises(HandsError, match="port is -1"):
        Page(-1)


def test_a_browser_shows_the_newest_image(shown: Page):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    hand = {"track": 3, "handedness": "left", "confidence": 0.5}
    rates = {"frames": 9, "fps": 12.5, "latency_ms": 40, "dropped": 2, "seconds": 1.0, "recording": None}
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        view, problems = browser.new_page(), []
        view.on("console", lambda message: problems.append(message.text))
        view.goto(shown.url, wait_until="commit")
        view.wait_for_selector("img")
        deadline = time.monotonic() + WAIT_S
        while not view.evaluate("document.images[0].naturalWidth") and time.monotonic() < deadline:
            shown.show(rates | {"hands": [hand]}, noise_image(64, 80))
            time.sleep(0.05)
        assert view.evaluate("document.images[0].naturalWidth") == 80
        view.get_by_text("left hand #3, confidence 0.50").wait_for()
        assert view.inner_text("#rates").startswith("12.5 frames/s, latency 40 ms, 9 frames, 2 dropped")
        assert problems == []
        browser.close()
