"""The frames of a camera device: a webcam, or a phone that acts as one."""

import errno
import sys
from collections.abc import Iterator
from pathlib import Path

from latent_hands.data.formats.video import Frame, decode, import_av
from latent_hands.errors import HandsError

PREFIX = "camera:"
"""Prefix of a device among names of files, as in camera:0."""
_INPUTS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
"""Operating system -> FFmpeg's input for cameras."""
_OPTIONS = {"avfoundation": {"framerate": "30"}}
"""Options of inputs. Cameras of Macs refuse the frame rate that FFmpeg chooses by itself, 29.97."""


def read_camera(device: str) -> Iterator[Frame]:
    """Iterate over the frames of a camera, with their times since the first one, until it is unplugged.

    `device` is a number, counted from 0, or the device's name: /dev/video2 (Linux), the camera's name (macOS,
    Windows). On Windows the name is needed.

    Raises HandsError if PyAV is not installed, or if there is no such camera or it cannot be used.
    """
    check_camera(device)
    av, (name, form) = import_av(f"camera {device}"), device_of(device, sys.platform)
    start: float | None = None
    try:
        with av.open(name, "r", form, options=_OPTIONS.get(form, {})) as camera:
            for frame, *_ in decode(camera):
                start = frame.seconds if start is None else start
                yield Frame(
                    frame.rgb, None if frame.seconds is None or start is None else frame.seconds - start
                )
    except HandsError as error:
        raise HandsError(f"camera {device}: {error}") from error
    except Exception as error:  # FFmpeg raises almost every type
        raise HandsError(f"camera {device} ({name}) {_reason(error, start is not None)}") from error


def check_camera(device: str) -> None:
    """Raise HandsError if PyAV is not installed, and on Linux if there is no such camera.

    Nothing is opened.
    """
    import_av(f"camera {device}: reading a camera")
    name, form = device_of(device, sys.platform)
    if form == "v4l2" and not Path(name).exists():
        raise HandsError(f"there is no camera {device} ({name}); {_present()}")


def device_of(device: str, platform: str) -> tuple[str, str]:
    """Return FFmpeg's name of a camera and of its input. Raises HandsError on unknown operating systems."""
    if platform not in _INPUTS:
        raise HandsError(f"cameras are not supported on {platform}; give a video instead")
    if platform == "linux" and device.isdecimal():
        device = f"/dev/video{device}"
    return f"video={device}" if platform == "win32" else device, _INPUTS[platform]


def _reason(error: Exception, begun: bool) -> str:
    """Return why a camera gives no frames, and what to do."""
    number = getattr(error, "errno", None)
    if number == errno.EBUSY:
        return "is used by another program: close that program, or choose another camera"
    if number in (errno.EACCES, errno.EPERM):
        return "may not be used: allow this program to use the camera; on Linux, join the group video"
    return f"{'stopped' if begun else 'cannot be opened'}: {error}; {_present()}"


def _present() -> str:
    """Return which cameras there are, as far as it is known."""
    if sys.platform != "linux":
        return "ffmpeg -devices lists the cameras"
    found = sorted(str(path) for path in Path("/dev").glob("video*"))
    return f"cameras here: {', '.join(found)}" if found else "there is no camera here"
