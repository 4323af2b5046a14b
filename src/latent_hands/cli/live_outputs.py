"""Where the command `live` shows and writes its frames: a page, a video and a file of lines."""

import os
import sys
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from latent_hands.draw import VideoWriter
from latent_hands.predictions import ImageHands, LineWriter, draw_readable
from latent_hands.predictor import Hand
from latent_hands.streaming import Live, Page


class LiveOutputs:
    """The outputs of a stream, each of which may be left out. On exit the files are complete.

    Args:
        stream: the stream.
        page: the page in the browser.
        record: the video of the frames with their hands.
        json: the file with one line for each frame.
        browser: whether the page opens with the first frame.
    """

    def __init__(
        self, stream: Live, page: Page | None, record: Path | None, json: Path | None, browser: bool
    ):
        self.stream, self.page, self.browser = stream, page, browser
        self.files = [each for each in (record, json) if each is not None]
        self._record = record
        self._opened = ExitStack()
        self._video = None if record is None else self._opened.enter_context(VideoWriter(record))
        self._lines = None if json is None else self._opened.enter_context(LineWriter(json))

    def __enter__(self) -> "LiveOutputs":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Complete the files."""
        self._opened.__exit__(kind, error, traceback)

    def add(self, hands: list[Hand]) -> None:
        """Show and write the newest frame of the stream with its hands."""
        frame, page = self.stream.frame, self.page
        assert frame is not None
        if self._lines is not None:
            source, size_px = self.stream.source, (frame.rgb.shape[1], frame.rgb.shape[0])
            named = f"{source.name}-{frame.number:05d}"
            self._lines.add(ImageHands(named, size_px, hands, source.file, frame.number, frame.seconds))
        drawn = None
        if self._video is not None or (page is not None and page.viewed):
            drawn = draw_readable(frame.rgb, hands)
        if self._video is not None and drawn is not None:
            self._video.add(drawn, frame.seconds)
        if page is not None:
            if self.stream.rates.frames == 1:
                announce(page.url, self.browser)
            page.show(self._status(hands), drawn)

    def _status(self, hands: list[Hand]) -> dict[str, Any]:
        """Return what the page says about the newest frame."""
        rates, frame = self.stream.rates, self.stream.frame
        return {
            "frames": rates.frames,
            "dropped": rates.dropped,
            "fps": rates.fps,
            "latency_ms": 1000 * rates.latency_s,
            "seconds": None if frame is None else frame.seconds,
            "recording": None if self._record is None else self._record.name,
            "hands": [
                {"track": hand.track, "handedness": hand.handedness, "confidence": hand.confidence}
                for hand in hands
            ],
        }


def announce(url: str, browser: bool) -> None:
    """Print the address of the page, and open it if there is a desktop here."""
    print(f"latent-hands: {url} shows the hands; Ctrl-C ends", file=sys.stderr)
    desktop = sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    if browser and desktop and "SSH_CONNECTION" not in os.environ:
        webbrowser.open(url)
