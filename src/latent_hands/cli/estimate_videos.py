"""The work of the command estimate on videos and cameras: frame after frame, written as it goes."""

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice

from latent_hands import draw
from latent_hands.cli.estimate_inputs import Given, Video
from latent_hands.cli.estimate_outputs import Outputs
from latent_hands.data import OnBroken
from latent_hands.data.formats.camera import read_camera
from latent_hands.data.formats.video import Frame, read_video
from latent_hands.errors import HandsError
from latent_hands.hand.camera import centred_camera
from latent_hands.predictions import ImageHands, LineWriter, count_hands, drawing
from latent_hands.predictor import Hand, Model


@dataclass(frozen=True)
class Recorded:
    """A video or a camera, and the hands of its frames."""

    video: Video
    frames: list[ImageHands]


def estimate_videos(
    model: Model,
    videos: Sequence[Video],
    given: Given,
    outputs: Outputs,
    limit: int | None,
    on_broken: OnBroken,
) -> list[Recorded]:
    """Find, track and write the hands of each video, and of each camera until Ctrl-C.

    `limit` keeps the first frames. `on_broken` receives the error of a file that cannot be read, or not to
    its end, and of a camera that is missing.
    """
    done = []
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

    Ctrl-C ends a camera, and raises KeyboardInterrupt for a video. Both keep what was done.
    """
    video = recorded.video
    kept: deque[Frame] = deque()
    with ExitStack() as files:
        lines = files.enter_context(LineWriter(outputs.path(video.name, "jsonl")))
        drawn = None
        if outputs.overlays:
            drawn = files.enter_context(draw.VideoWriter(outputs.path(video.name, "mp4")))
        try:
            frames = islice(kept_frames(frames_of(video), kept, on_broken), limit)
            for number, hands in enumerate(follow(model, frames, given)):
                frame = kept.popleft()
                image = image_of(video, number, frame, hands)
                lines.add(image)
                recorded.frames.append(image)
                if drawn is not None:
                    drawn.add(drawing(frame.rgb, image.hands), frame.seconds)
        except KeyboardInterrupt:
            if video.camera is None:
                raise


def frames_of(video: Video) -> Iterator[Frame]:
    """Return the frames of a video or a camera."""
    if video.camera is not None:
        return read_camera(video.camera)
    assert video.file is not None
    return read_video(video.file)


def kept_frames(frames: Iterator[Frame], kept: deque[Frame], on_broken: OnBroken) -> Iterator[Frame]:
    """Yield the frames and append each to `kept`; an error ends them and goes to `on_broken`."""
    try:
        for frame in frames:
            kept.append(frame)
            yield frame
    except HandsError as error:
        on_broken(error)


def follow(model: Model, frames: Iterator[Frame], given: Given) -> Iterator[list[Hand]]:
    """Yield the hands of each frame, in order."""
    for rgb, _ in frames:
        size_px = rgb.shape[:2]
        yield model.find(
            rgb,
            boxes=given.boxes,
            handedness=given.handedness,
            bone_mm=given.bone_mm,
            K=None if given.focal_px is None else centred_camera(given.focal_px, size_px).numpy(),
            rotations=given.rotations,
            draws=given.draws,
        )


def image_of(video: Video, number: int, frame: Frame, hands: Sequence[Hand]) -> ImageHands:
    """Return the hands of a frame with the name and the time of the frame."""
    height, width = frame.rgb.shape[:2]
    timed = tuple(replace(hand, seconds=frame.seconds) for hand in hands)
    return ImageHands(f"{video.name}-{number:05d}", (width, height), timed, video.file, number, frame.seconds)


def found_any(recorded: Recorded) -> bool:
    """Return whether any frame has a hand."""
    return count_hands(recorded.frames) > 0
