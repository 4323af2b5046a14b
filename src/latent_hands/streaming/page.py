"""A page on this machine that shows images as they come, as Motion JPEG.

Any browser shows it without a plug-in, and over SSH it needs one forwarded port. It is the standard library's
HTTP server: no window toolkit is installed everywhere.

Other programs and pages on this machine must not see the camera. So the server binds to 127.0.0.1, its
addresses contain a secret, requests must name this machine as their host (DNS rebinding), and the numbers of
connections and viewers are limited.
"""

import io
import json
import secrets
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Condition, Thread
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from latent_hands.draw import ImageArray
from latent_hands.errors import HandsError
from latent_hands.streaming.html import POLICY, html

HOST, HOSTS = "127.0.0.1", ("127.0.0.1", "localhost")
"""Where the server listens, and the names of this machine that requests may state, with any port."""
MOST_CONNECTIONS, MOST_VIEWERS = 32, 4
SILENCE_S = 10.0
"""A connection that takes or sends nothing for so long ends."""
LOOK_S = 0.05
"""Longest time until the server notices its end."""
QUALITY = 80
BOUNDARY = "frame"


class Board:
    """The last image, as JPEG, and the last status. Viewers wait for the next image."""

    def __init__(self) -> None:
        self.change = Condition()
        self.version, self.jpeg, self.ended = 0, b"", False
        self.status: dict[str, Any] = {}
        self.viewers = 0

    def put(self, status: Mapping[str, Any], jpeg: bytes | None) -> None:
        """Replace the status, and the image if there is a new one."""
        with self.change:
            self.status = dict(status)
            if jpeg is not None:
                self.jpeg, self.version = jpeg, self.version + 1
            self.change.notify_all()

    def end(self) -> None:
        """Let all viewers go."""
        with self.change:
            self.ended = True
            self.change.notify_all()

    def enter(self) -> bool:
        """Count a viewer; return whether there was room."""
        with self.change:
            room = self.viewers < MOST_VIEWERS
            self.viewers += room
            return room

    def leave(self) -> None:
        """Count a viewer no more."""
        with self.change:
            self.viewers -= 1

    def newer(self, version: int) -> tuple[int, bytes] | None:
        """Wait for an image after `version`; return its version and the image, or None at the end."""
        with self.change:
            self.change.wait_for(lambda: self.ended or self.version > version)
            return None if self.ended else (self.version, self.jpeg)


class Page:
    """A context in which a page at `url` shows the images and the status that are given to `show`.

    Args:
        port: the port on 127.0.0.1; 0 is any free one.
        title: the title of the page.

    Raises HandsError if the port is used by another program or may not be used.
    """

    def __init__(self, port: int = 0, title: str = "Latent Hands"):
        if not 0 <= port < 2**16:
            raise HandsError(f"port is {port}, but must be 0 (any free one) to 65535")
        self._board, secret = Board(), secrets.token_urlsafe(16)
        handler = type("Handler", (_Handler,), {"board": self._board, "secret": secret, "title": title})
        try:
            self._server = _Server((HOST, port), handler)
        except OSError as error:
            raise HandsError(
                f"port {port} cannot be used: {error.strerror}; give another --port, or 0 for a free one"
            ) from error
        self.url = f"http://{HOST}:{self._server.server_port}/{secret}/"
        self._thread = Thread(target=self._server.serve_forever, args=(LOOK_S,), name="page", daemon=True)

    def __enter__(self) -> "Page":
        """Serve the page."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let all viewers go, and free the port."""
        self._board.end()
        self._server.shutdown()
        self._server.server_close()

    @property
    def viewed(self) -> bool:
        """Whether anyone looks at the page; otherwise it needs no images."""
        return self._board.viewers > 0

    def show(self, status: Mapping[str, Any], rgb: ImageArray | None = None) -> None:
        """Show a status, which JSON can hold, and an image."""
        self._board.put(status, None if rgb is None else to_jpeg(rgb))


def to_jpeg(rgb: ImageArray) -> bytes:
    """Return an image as the bytes of a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


class _Server(ThreadingHTTPServer):
    """A server of a limited number of connections; further ones are closed at once."""

    daemon_threads = True
    allow_reuse_address = False
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, *args: Any):
        self._free = BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a viewer that goes is no error."""


class _Handler(BaseHTTPRequestHandler):
    board: Board
    secret: str
    title: str
    timeout = SILENCE_S
    server_version, sys_version = "latent-hands", ""

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing for a request."""

    def do_GET(self) -> None:
        """Answer a request: the page, its images, or the status."""
        start = f"/{self.secret}/"
        if not is_local(self.headers.get("Host", "")):
            self._answer(403, "text/plain", b"this page is only for this machine\n")
        elif not secrets.compare_digest(self.path[: len(start)].encode(), start.encode()):
            self._answer(404, "text/plain", b"not found: use the address that the program printed\n")
        elif self.path == start:
            self._answer(200, "text/html; charset=utf-8", html(self.title).encode())
        elif self.path == f"{start}status":
            self._answer(200, "application/json", json.dumps(self.board.status).encode())
        elif self.path == f"{start}stream":
            self._stream()
        else:
            self._answer(404, "text/plain", b"not found\n")

    def _stream(self) -> None:
        if not self.board.enter():
            self._answer(503, "text/plain", f"{MOST_VIEWERS} viewers look already\n".encode())
            return
        try:
            self._begin(200, f"multipart/x-mixed-replace; boundary={BOUNDARY}")
            version = 0
            # Browsers draw an image when the boundary after it arrives, so it is sent with the image.
            self.wfile.write(f"--{BOUNDARY}\r\n".encode())
            while found := self.board.newer(version):
                version, jpeg = found
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + f"\r\n--{BOUNDARY}\r\n".encode())
        finally:
            self.board.leave()

    def _answer(self, status: int, kind: str, data: bytes) -> None:
        self._begin(status, kind, {"Content-Length": str(len(data))})
        self.wfile.write(data)

    def _begin(self, status: int, kind: str, further: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Cache-Control": "no-store",
            "Content-Security-Policy": POLICY,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            **further,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def is_local(host: str) -> bool:
    """Return whether the Host header of a request names this machine.

    Another name that leads here is that of a page which was rebound to this machine. The port may differ,
    because SSH forwards one to another.
    """
    try:
        return urlsplit(f"//{host}").hostname in HOSTS
    except ValueError:
        return False
