"""The frames of a camera device: a webcam, or a phone that acts as one."""

import sys
from collections.abc import Iterator
from pathlib import Path

from latent_hands.data.formats.video import Frame, decode, import_av
from latent_hands.errors import HandsError

PREFIX = "camera:"
"""Prefix of a device among names of files, as in camera:0."""
_INPUTS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
"""Operating system -> FFmpeg's input for cameras."""


def read_camera(device: str) -> Iterator[Frame]:
    """Iterate over the frames of a camera, with their times since the first one, until it is unplugged.

    `device` is a number, counted from 0, or the device's name: /dev/video2 (Linux), the camera's name (macOS,
    Windows). On Windows the name is needed.

    Raises HandsError if PyAV is not installed, or if there is no such camera or it cannot be used.
    """
    av = import_av(f"camera {device}: reading a camera")
    name, form = device_of(device, sys.platform)
    start: float | None = None
    try:
        with av.open(name, "r", form) as camera:
            for frame in decode(camera):
                start = frame.seconds if start is None else start
                yield Frame(
                    frame.rgb, None if frame.seconds is None or start is None else frame.seconds - start
                )
    except HandsError as error:
        raise HandsError(f"camera {device}: {error}") from error
    except Exception as error:  # FFmpeg raises almost every type
        ended = "stopped" if start is not None else "cannot be opened"
        raise HandsError(f"camera {device} ({name}) {ended}: {error}; {_present()}") from error


def device_of(device: str, platform: str) -> tuple[str, str]:
    """Return FFmpeg's name of a camera and of its input. Raises HandsError on unknown operating systems."""
    if platform not in _INPUTS:
        raise HandsError(f"cameras are not supported on {platform}; give a video instead")
    if platform == "linux" and device.isdecimal():
        device = f"/dev/video{device}"
    return f"video={device}" if platform == "win32" else device, _INPUTS[platform]


def _present() -> str:
    """Return which cameras there are, as far as it is known."""
    if sys.platform != "linux":
        return "ffmpeg -devices lists the cameras"
    found = sorted(str(path) for path in Path("/dev").glob("video*"))
    return f"cameras here: {', '.join(found)}" if found else "there is no camera here"
