"""The work of the command estimate on videos and cameras: hands are followed from frame to frame."""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain, islice
from threading import Event

from latent_hands import draw
from latent_hands.cli.estimate_inputs import Given, Video
from latent_hands.cli.estimate_outputs import Outputs
from latent_hands.data import OnBroken
from latent_hands.data.formats.camera import read_camera
from latent_hands.data.formats.video import Frame, count_frames, read_video
from latent_hands.draw import ImageArray
from latent_hands.errors import HandsError, PartlyReadError
from latent_hands.interrupt import on_interrupt
from latent_hands.predictions import ImageHands, LineWriter, count_hands, draw_readable
from latent_hands.predictor import Hand, Model
from latent_hands.progress import progress_bars


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

    An error ends the reading and goes to `on_broken`, and so does Ctrl-C; what was read until then is
    written. A second Ctrl-C, and the end of a video that Ctrl-C stopped, raise KeyboardInterrupt.
    """
    video, read = recorded.video, deque[Read]()
    live, found = video.camera is not None, 0
    path = outputs.path(video.name, "mp4")
    count = limit if video.file is None else least(limit, count_frames(video.file))
    with on_interrupt() as stop, progress_bars() as progress, ExitStack() as files:
        lines = files.enter_context(LineWriter(outputs.path(video.name, "jsonl")))
        drawn = files.enter_context(draw.VideoWriter(path)) if live and outputs.overlays else None
        frames = islice(
            reading(video, read, stop, lambda n: progress(f"{video.name}: frames", n, count)), limit
        )
        hands_of_frames = follow(model, frames, given, "online" if live else "offline")
        for number, hands in enumerate(until_broken(hands_of_frames, video, on_broken), 1):
            frame = read.popleft()
            image = image_of(video, number - 1, frame, given.described(hands))
            lines.add(image)
            recorded.frames.append(image)
            found += len(hands)
            progress(f"{video.name}: hands", number, number + len(read) if read else number, f"{found} hands")
            if drawn is not None and frame.rgb is not None:
                drawn.add(draw_readable(frame.rgb, image.hands), frame.seconds)
        if outputs.overlays and video.file is not None:
            with draw.VideoWriter(path) as again:
                for number, (image, frame) in enumerate(
                    zip(recorded.frames, read_video(video.file), strict=False), 1
                ):
                    again.add(draw_readable(frame.rgb, image.hands), frame.seconds)
                    progress(f"{video.name}: video", number, len(recorded.frames))
    if stop.is_set() and not live:
        raise KeyboardInterrupt


def least(limit: int | None, count: int | None) -> int | None:
    """Return the smaller number of those that are known; None if the number of frames is not known."""
    return count if limit is None or count is None else min(limit, count)


def until_broken(
    hands_of_frames: Iterator[list[Hand]], video: Video, on_broken: OnBroken
) -> Iterator[list[Hand]]:
    """Yield the hands of each frame until an error, which goes to `on_broken` with the name of the video."""
    try:
        yield from hands_of_frames
    except HandsError as error:
        named = video.file is None or str(video.file) in str(error)
        text = f"{video.file}: {error}; the frames until there are used"
        on_broken(error if named else PartlyReadError(text))


def reading(video: Video, read: deque[Read], stop: Event, progress: Callable[[int], None]) -> Iterator[Frame]:
    """Yield the frames of a video or a camera until `stop`, and append each to `read`.

    A message names the first frame of another size.
    """
    size_px = None
    for number, frame in enumerate(frames_of(video), 1):
        height, width = frame.rgb.shape[:2]
        read.append(Read((width, height), frame.seconds, frame.rgb if video.file is None else None))
        if size_px is not None and size_px != (width, height):
            print(f"latent-hands: {changed(video, number - 1, size_px, (width, height))}", file=sys.stderr)
        size_px = width, height
        yield frame
        progress(number)
        if stop.is_set():
            return


def changed(video: Video, number: int, old: tuple[int, int], new: tuple[int, int]) -> str:
    """Return a message about frames that change their size."""
    (a, b), (c, d) = old, new
    return (
        f"{video.name}: the frames change from {a}x{b} to {c}x{d} pixels at frame {number}; hands get new "
        "numbers there, and the focal length of --focal-px is that of the first frame, resized"
    )


def frames_of(video: Video) -> Iterator[Frame]:
    """Return the frames of a video or a camera."""
    if video.camera is not None:
        return read_camera(video.camera)
    assert video.file is not None
    return read_video(video.file)


def follow(model: Model, frames: Iterator[Frame], given: Given, smooth: str) -> Iterator[list[Hand]]:
    """Yield the hands of each frame, in order; `smooth` is used if none is given.

    Each frame is estimated alone if boxes are given, which hold for every frame, and by a model that does not
    measure where joints are.
    """
    first = next(frames, None)
    if first is None:
        return
    size_px = first.rgb.shape[0], first.rgb.shape[1]
    frames = chain([first], frames)
    if given.boxes is not None or not measures_places(model):
        yield from each_alone(model, frames, given, size_px)
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
        focal_px=given.focal_px,
        smooth=given.smooth or smooth,
        **given.search,
    )


def each_alone(
    model: Model, frames: Iterator[Frame], given: Given, size_px: tuple[int, int]
) -> Iterator[list[Hand]]:
    """Yield the hands of each frame without those of other frames.

    Raises HandsError if boxes or a camera are given, and a frame is not of (height, width) `size_px`.
    """
    for rgb, _ in frames:
        if rgb.shape[:2] != size_px and (given.boxes is not None or given.focal_px is not None):
            raise HandsError("the size of its frames changes, but --box and --focal-px are those of one size")
        yield model.find(
            rgb,
            boxes=given.boxes,
            handedness=given.handedness,
            bone_mm=given.bone_mm,
            focal_px=given.focal_px,
            rotations=given.rotations,
            draws=given.draws,
            **given.search,
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
