"""The inputs of the command estimate: images with their boxes, samples of data sets, videos and cameras."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from latent_hands.cli.sources import named_images, parse_box
from latent_hands.data import OnBroken, Sample
from latent_hands.data.formats.box_label import BoxLabel
from latent_hands.data.formats.boxes import match_boxes, read_boxes
from latent_hands.data.formats.camera import PREFIX
from latent_hands.data.formats.video import FORMATS
from latent_hands.data.readers.reading import check_limit
from latent_hands.errors import HandsError, counted
from latent_hands.hand.boxes import Box
from latent_hands.predictions import name_files
from latent_hands.predictor.checks import bone_of
from latent_hands.predictor.hand import Hand, check_handedness
from latent_hands.predictor.rotations import MOST_ROTATIONS
from latent_hands.runs.folder import EXPERIMENT
from latent_hands.runs.hub import is_hub
from latent_hands.runs.shipped import shipped_runs

DEFAULT_RUN = "estimation"
MOST_DRAWS, MOST_FOCAL_PX = 1000, 1_000_000
NAMED = 5
"""The largest number of images that a message names."""


def split_run(run: str | None, images: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the run and the images. Without --run, a first argument that is a run is the run."""
    if run is None and images and _is_run(images[0]):
        return images[0], tuple(images[1:])
    return run or DEFAULT_RUN, tuple(images)


def _is_run(text: str) -> bool:
    path = Path(text)
    return is_hub(text) or (path / EXPERIMENT).is_file() or (not path.exists() and text in shipped_runs())


@dataclass(frozen=True)
class Given:
    """The options that hold for all images and videos; None if not given.

    Attributes:
        handedness: the side of all hands.
        boxes: the boxes of the hands of every image.
        bone_mm: the length of the middle MCP-PIP bone.
        focal_px: the focal length in pixels.
        rotations, draws: as in `Model.find`.
        smooth: as in `Model.follow`; by default "offline" for videos and "online" for cameras.
        angles: whether the hands get their joint angles.
        max_hands: the largest number of hands that are detected.
        zoom: as in `Model.find`.
    """

    handedness: str | None = None
    boxes: tuple[Box, ...] | None = None
    bone_mm: float | None = None
    focal_px: float | None = None
    rotations: int = 1
    draws: int = 16
    smooth: str | None = None
    angles: bool = False
    max_hands: int | None = None
    zoom: int = 1

    @classmethod
    def typed(
        cls,
        handedness: str | None,
        box: Sequence[str],
        boxes: Path | None,
        bone_mm: float | None,
        focal_px: float | None,
        rotations: int,
        draws: int,
        smooth: str | None,
        angles: bool = False,
        max_hands: int | None = None,
        zoom: int = 1,
    ) -> "Given":
        """Return the options as they were typed. Raises HandsError for values that no image allows."""
        if box and boxes is not None:
            raise HandsError("--box and --boxes were both given; --boxes FILE gives the boxes of every image")
        if not 1 <= rotations <= MOST_ROTATIONS:
            raise HandsError(f"--rotations is {rotations}; it must be between 1 and {MOST_ROTATIONS}")
        if draws not in (0, *range(2, MOST_DRAWS + 1)):
            raise HandsError(f"--draws is {draws}; it must be 0, or between 2 and {MOST_DRAWS}")
        if focal_px is not None and not 1 <= focal_px <= MOST_FOCAL_PX:
            raise HandsError(
                f"the focal length is {focal_px} px; it must be between 1 and {MOST_FOCAL_PX:,}, "
                "and is usually near the longer side of the image"
            )
        if max_hands is not None and max_hands < 1:
            raise HandsError(f"--max-hands is {max_hands}; it must be at least 1")
        if box and zoom != 1:
            raise HandsError(f"--zoom is {zoom}, but nothing is searched with --box; leave one of them out")
        side = None if handedness is None else check_handedness(handedness)
        bone = None if bone_mm is None else bone_of(bone_mm)
        known = side, tuple(map(parse_box, box)) or None, bone, focal_px
        return cls(*known, rotations, draws, smooth, angles, max_hands, zoom)

    @property
    def search(self) -> dict[str, Any]:
        """`zoom`, and `max_hands` if it is given, for `Model.find` and `follow`."""
        return {"zoom": self.zoom} | ({} if self.max_hands is None else {"max_hands": self.max_hands})

    def described(self, hands: Sequence[Hand]) -> tuple[Hand, ...]:
        """Return the hands with their joint angles if these are asked for."""
        if not self.angles:
            return tuple(hands)
        from latent_hands.animation import with_angles

        return tuple(with_angles(hands))

    def check_smooth(self, videos: Sequence["Video"]) -> None:
        """Raise HandsError if --smooth is given and cannot be used."""
        if self.smooth is None:
            return
        if not videos:
            raise HandsError(f"--smooth is {self.smooth}; it needs a video or a camera")
        if self.boxes is not None:
            raise HandsError(f"--smooth is {self.smooth}; with --box each frame is estimated alone")
        if self.smooth == "offline" and any(each.camera is not None for each in videos):
            raise HandsError("--smooth is offline, which needs all frames; a camera needs online or none")

    def check_zoom(self, inputs: Sequence["Input"], videos: Sequence["Video"]) -> None:
        """Raise HandsError if --zoom is given and a file of boxes has all images: none is searched."""
        if self.zoom != 1 and inputs and not videos and all(each.boxes is not None for each in inputs):
            raise HandsError(f"--zoom is {self.zoom}, but --boxes has all images: leave one of them out")

    def refuse_labels(self) -> None:
        """Raise HandsError if a label is given: those of a data set are used."""
        options = {
            "--handedness": self.handedness,
            "--box": self.boxes and ",".join(f"{number:g}" for number in self.boxes[0]),
            "--bone-mm": self.bone_mm,
            "--focal-px": self.focal_px,
            "--zoom": None if self.zoom == 1 else self.zoom,
        }
        for option, value in options.items():
            if value is not None:
                raise HandsError(
                    f"{option} is {value}; it cannot be given with --data, whose labels are used. "
                    "Name the images instead of --data if they have no labels"
                )


@dataclass(frozen=True)
class Input:
    """An image to find hands in.

    Attributes:
        name: the name of the outputs.
        image: the file.
        boxes: the boxes of its hands in a file of boxes; None if it has no entry there.
        samples: the labelled hands, if it is an image of a data set.
    """

    name: str
    image: Path
    boxes: tuple[BoxLabel, ...] | None = None
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Video:
    """A video or a camera: the name of its outputs, and the file or the device."""

    name: str
    file: Path | None = None
    camera: str | None = None


def split_inputs(
    named: Sequence[str], limit: int | None, on_broken: OnBroken
) -> tuple[list[Input], list[Video]]:
    """Return the images, and those of folders, and the videos and cameras. `limit` keeps the first images.

    Raises HandsError for paths that do not exist and folders without images.
    """
    check_limit(limit)
    cameras = [text for text in named if text.startswith(PREFIX)]
    paths = [Path(text) for text in named if text not in cameras]
    videos = [path for path in paths if path.suffix.lower() in FORMATS and path.is_file()]
    images = [path for path in paths if path not in videos]
    found = named_images(images, on_broken) if images else {}
    inputs = [Input(name, each.image) for name, each in islice(found.items(), limit)]
    of_cameras = [Video(f"camera-{_plain(text)}", camera=text.removeprefix(PREFIX)) for text in cameras]
    taken = {each.name for each in inputs}
    of_files = [
        Video(name if name not in taken else file.name, file) for name, file in name_files(videos).items()
    ]
    return inputs, of_files + of_cameras


def _plain(camera: str) -> str:
    """Return the name of a device as a name of files."""
    return "".join(c if c.isalnum() else "-" for c in camera.removeprefix(PREFIX)).strip("-") or "0"


def with_boxes(inputs: list[Input], file: Path | None) -> list[Input]:
    """Return the images with their boxes in a file. A message counts the images without an entry there.

    Raises HandsError as `read_boxes` and `match_boxes` do, and if no image has an entry.
    """
    if file is None:
        return inputs
    images = [each.image for each in inputs]
    if not images:
        raise HandsError("--boxes gives boxes of images, but no image was given")
    found = match_boxes(read_boxes(file, images), images)
    if not found.boxes:
        some = ", ".join(found.unused[:NAMED]) or "none"
        raise HandsError(f"{file} has no box of a given image: it names {some}; given are {_some(images)}")
    if found.missing:
        count = f"{len(found.missing)} of {len(images)} images"
        _warn(f"{file} has no entry for {count}, whose hands are detected: {_some(found.missing)}")
    if found.unused:
        some = ", ".join(found.unused[:NAMED]) + (" ..." if len(found.unused) > NAMED else "")
        _warn(f"{file} names {counted(len(found.unused), 'file')} more than are given: {some}")
    return [
        replace(each, boxes=tuple(found.boxes[each.image]) if each.image in found.boxes else None)
        for each in inputs
    ]


def _warn(text: str) -> None:
    print(f"latent-hands: {text}", file=sys.stderr)


def _some(files: Sequence[Path]) -> str:
    return ", ".join(str(file) for file in files[:NAMED]) + (" ..." if len(files) > NAMED else "")


def inputs_of_samples(samples: Sequence[Sample]) -> list[Input]:
    """Return the images of samples, each with all its hands, in the order of their first samples."""
    by_image: dict[Path, list[Sample]] = {}
    for sample in samples:
        by_image.setdefault(sample.image, []).append(sample)
    names = {file: name for name, file in name_files(by_image).items()}
    if all(len(hands) == 1 for hands in by_image.values()):
        own = {image: hands[0].name for image, hands in by_image.items()}
        names = own if len(set(own.values())) == len(own) else names
    return [Input(names[image], image, samples=tuple(hands)) for image, hands in by_image.items()]
