"""The work of the command estimate on videos and cameras: hands are followed from frame to frame."""

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain, islice
from threading import Event

from latent_hands import draw
from latent_hands.cli.estimate_inputs import Given, Video
from latent_hands.cli.estimate_outputs import Outputs
from latent_hands.data import OnBroken
from latent_hands.data.formats.camera import read_camera
from latent_hands.data.formats.video import Frame, read_video
from latent_hands.draw import ImageArray
from latent_hands.errors import HandsError
from latent_hands.hand.camera import centred_camera
from latent_hands.interrupt import on_interrupt
from latent_hands.predictions import ImageHands, LineWriter, count_hands, drawing
from latent_hands.predictor import Hand, Model


@dataclass(frozen=True)
class Recorded:
    """A video or a camera, and the hands of its frames."""

    video: Video
    frames: list[ImageHands]


@dataclass(frozen=True)
class Read:
    """A frame that was read. Only frames of a camera keep their pixels: a video can be read again."""

    size_px: tuple[int, int]
    seconds: float | None
    rgb: ImageArray | None


def estimate_videos(
    model: Model,
    videos: Sequence[Video],
    given: Given,
    outputs: Outputs,
    limit: int | None,
    on_broken: OnBroken,
) -> list[Recorded]:
    """Follow and write the hands of each video, and of each camera until Ctrl-C.

    `limit` keeps the first frames. `on_broken` receives the error of a file that cannot be read, or not to
    its end, and of a camera that is missing.
    """
    done = []
    if videos and not measures_places(model):
        print(
            "latent-hands: this run does not measure where joints are, so each frame is estimated alone",
            file=sys.stderr,
        )
    for video in videos:
        if video.camera is not None:
            print(f"latent-hands: reading camera {video.camera}; Ctrl-C ends it", file=sys.stderr)
        recorded = Recorded(video, [])
        try:
            record(model, recorded, given, outputs, limit, on_broken)
        except HandsError as error:
            on_broken(error)
        finally:
            if recorded.frames:
                done.append(recorded)
                outputs.write_video(video.name, recorded.frames)
    return done


def record(
    model: Model, recorded: Recorded, given: Given, outputs: Outputs, limit: int | None, on_broken: OnBroken
) -> None:
    """Append the hands of each frame to `recorded`, and write them as lines of JSON and as a video.

    Ctrl-C ends the reading; what was read until then is written. A second Ctrl-C, and the end of a video that
    Ctrl-C stopped, raise KeyboardInterrupt.
    """
    video, read = recorded.video, deque[Read]()
    live = video.camera is not None
    path = outputs.path(video.name, "mp4")
    with on_interrupt() as stop, ExitStack() as files:
        lines = files.enter_context(LineWriter(outputs.path(video.name, "jsonl")))
        drawn = files.enter_context(draw.VideoWriter(path)) if live and outputs.overlays else None
        frames = islice(reading(video, read, stop, on_broken), limit)
        for number, hands in enumerate(follow(model, frames, given, "online" if live else "offline")):
            frame = read.popleft()
            image = image_of(video, number, frame, hands)
            lines.add(image)
            recorded.frames.append(image)
            if drawn is not None and frame.rgb is not None:
                drawn.add(drawing(frame.rgb, image.hands), frame.seconds)
        if outputs.overlays and video.file is not None:
            with draw.VideoWriter(path) as again:
                for image, frame in zip(recorded.frames, read_video(video.file), strict=False):
                    again.add(drawing(frame.rgb, image.hands), frame.seconds)
    if stop.is_set() and not live:
        raise KeyboardInterrupt


def reading(video: Video, read: deque[Read], stop: Event, on_broken: OnBroken) -> Iterator[Frame]:
    """Yield the frames of a video or a camera until `stop`, and append each to `read`.

    An error ends them and goes to `on_broken`.
    """
    try:
        for frame in frames_of(video):
            height, width = frame.rgb.shape[:2]
            read.append(Read((width, height), frame.seconds, frame.rgb if video.file is None else None))
            yield frame
            if stop.is_set():
                return
    except HandsError as error:
        on_broken(error)


def frames_of(video: Video) -> Iterator[Frame]:
    """Return the frames of a video or a camera."""
    if video.camera is not None:
        return read_camera(video.camera)
    assert video.file is not None
    return read_video(video.file)


def follow(model: Model, frames: Iterator[Frame], given: Given, smooth: str) -> Iterator[list[Hand]]:
    """Yield the hands of each frame, in order.

    Each frame is estimated alone if boxes are given, which hold for every frame, and by a model that does not
    measure where joints are.
    """
    first = next(frames, None)
    if first is None:
        return
    size_px = first.rgb.shape[0], first.rgb.shape[1]
    K = None if given.focal_px is None else centred_camera(given.focal_px, size_px).numpy()
    frames = chain([first], frames)
    if given.boxes is not None or not measures_places(model):
        for rgb, _ in frames:
            yield model.find(
                rgb,
                boxes=given.boxes,
                handedness=given.handedness,
                bone_mm=given.bone_mm,
                K=K,
                rotations=given.rotations,
                draws=given.draws,
            )
        return
    times: deque[float | None] = deque()

    def images() -> Iterator[ImageArray]:
        for rgb, seconds in frames:
            times.append(seconds)
            yield rgb

    yield from model.follow(
        images(),
        seconds=iter(times.popleft, object()),  # a time is taken after its frame
        handedness=given.handedness,
        bone_mm=given.bone_mm,
        K=K,
        smooth=smooth,
    )


def measures_places(model: Model) -> bool:
    """Return whether a model measures where joints are in the image."""
    return any(arrow.writes == "uv" for arrow in model.experiment.decoders.values())


def image_of(video: Video, number: int, frame: Read, hands: Sequence[Hand]) -> ImageHands:
    """Return the hands of a frame with the name and the time of the frame."""
    timed = tuple(replace(hand, seconds=frame.seconds) for hand in hands)
    return ImageHands(f"{video.name}-{number:05d}", frame.size_px, timed, video.file, number, frame.seconds)


def found_any(recorded: Recorded) -> bool:
    """Return whether any frame has a hand."""
    return count_hands(recorded.frames) > 0
