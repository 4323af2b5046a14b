"""Writing and reading hands in the format that a file's ending names."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from latent_hands.data.formats.image import open_image, shown_size
from latent_hands.data.formats.json_file import parse_json
from latent_hands.data.formats.limited import read_limited
from latent_hands.data.formats.numerals import integer_of, number_of
from latent_hands.errors import BROKEN, HandsError, as_list, as_path
from latent_hands.predictions.coco_files import write_coco
from latent_hands.predictions.csv_file import write_csv
from latent_hands.predictions.image_hands import ImageHands, name_files
from latent_hands.predictions.json_files import LineWriter, read_json, write_json
from latent_hands.predictions.npz_file import read_npz, write_npz
from latent_hands.predictor import Hand
from latent_hands.predictor.hand import check_found_in, checked_hand

MAX_BYTES = 2**30
Hands = Hand | Sequence[Hand]
"""The hands of an image, or one hand."""


def write_hands(
    path: str | Path,
    images: Mapping[str, Hands] | Mapping[Path, Hands] | Iterable[ImageHands] | Iterable[Sequence[Hand]],
    convention: str | None = None,
) -> Path:
    """Write the hands of images, and return the path. Its ending names the format (docs/outputs.md).

    * `.json`: the list of the hands of one image.
    * `.jsonl`: one line per image, for the frames of a video.
    * `.csv`: one line per hand.
    * `.npz`: arrays of all hands.
    * without ending: a folder of COCO keypoints with copies of the images.

    Args:
        path: the file or the folder to write.
        images: the hands of each image file, or its one hand: `{"photo.jpg": hands}`; or the hands of each
            frame of a video, as `Model.follow` yields them; or a list of `ImageHands`.
        convention: the joint convention that all hands must have; `find(convention=...)` translates hands.

    Raises HandsError for another ending, for an image that cannot be read, for several images in `.json`, for
    hands that are not legal, of another convention, or found in an image of another size, and as `write_coco`
    does.

    >>> lh.write_hands("hands.csv", {photo: model.find(photo)}).name
    'hands.csv'
    >>> lh.write_hands("clip.jsonl", model.follow([photo, photo])).name
    'clip.jsonl'
    """
    path = as_path(path, "path")
    if isinstance(images, Mapping):
        files = cast("Mapping[str | Path, Hands]", images)
        images = _of_files({as_path(file, "an image"): hands for file, hands in files.items()})
    else:
        images = _of_frames(path.stem, images)
    for image in images:
        _check_hands(image, convention)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        if len(images) != 1:
            raise HandsError(f"{path} holds the hands of one image, not of {len(images)}; write .jsonl")
        return write_json(path, images[0])
    if path.suffix == ".jsonl":
        with LineWriter(path) as lines:
            for image in images:
                lines.add(image)
        return path
    if path.suffix == ".csv":
        return write_csv(path, images)
    if path.suffix == ".npz":
        return write_npz(path, images)
    if path.suffix:
        raise HandsError(f"{path} does not end in .json, .jsonl, .csv or .npz; a folder has no ending")
    write_coco(path, images, convention)
    return path


def read_hands(path: str | Path) -> list[Hand]:
    """Read all hands of a .json, .jsonl or .npz file that `write_hands` or the command estimate wrote.

    Raises HandsError for a missing file, another ending, and other content.

    >>> path = lh.write_hands("hands.npz", {photo: [hand]})
    >>> [each.handedness for each in lh.read_hands(path)]
    ['left']
    """
    return [hand for image in read_images(path) for hand in image.hands]


def read_images(path: str | Path) -> list[ImageHands]:
    """Read the images of such a file with their hands, also those without hands.

    The size of images is (0, 0) in .json and .jsonl, which do not state it. Raises HandsError as `read_hands`
    does.
    """
    path = as_path(path, "path")
    if path.suffix == ".json":
        return [ImageHands(path.stem, (0, 0), read_json(path))]
    if path.suffix == ".npz":
        return read_npz(path)
    if path.suffix != ".jsonl":
        raise HandsError(f"{path} does not end in .json, .jsonl or .npz")
    if not path.is_file():
        raise HandsError(f"no file at {path}")
    lines = enumerate(read_limited(path, MAX_BYTES).splitlines(), 1)
    return [_frame(path, number, line) for number, line in lines if line.strip()]


def _check_hands(image: ImageHands, convention: str | None) -> None:
    for hand in map(checked_hand, image.hands):
        if any(image.size_px):
            check_found_in(hand, image.size_px)
        if convention not in (None, hand.convention):
            raise HandsError(
                f'a hand of {image.name} is in the joint convention "{hand.convention}", not '
                f'"{convention}"; model.find(image, convention="{convention}") translates hands'
            )


def _of_files(hands: Mapping[Path, Hands]) -> list[ImageHands]:
    images = []
    for name, file in name_files(hands).items():
        found = listed_hands(hands[file], file)
        with open_image(file) as image:
            size_px = shown_size(image)
        images.append(ImageHands(name, size_px, found, file))
    return images


def listed_hands(hands: object, file: Path) -> list[Hand]:
    """Return one hand, or several, as a list. Raises HandsError for anything else."""
    listed = [hands] if isinstance(hands, Hand) else as_list(hands, f"the hands of {file}", "a list of Hand")
    if other := [each for each in listed if not isinstance(each, Hand)]:
        raise HandsError(f"the hands of {file} must be a list of Hand, but have a {type(other[0]).__name__}")
    return listed


def _of_frames(stem: str, frames: object) -> list[ImageHands]:
    """Return images as they are, and lists of hands as the frames of a video."""
    each = list(frames) if isinstance(frames, Iterable) else [frames]
    return [
        image if isinstance(image, ImageHands) else _of_frame(stem, i, image) for i, image in enumerate(each)
    ]


def _of_frame(stem: str, number: int, hands: object) -> ImageHands:
    found = [hand for hand in hands if isinstance(hand, Hand)] if isinstance(hands, Sequence) else []
    if not isinstance(hands, Sequence) or len(found) < len(hands):
        raise HandsError(
            'hands are written with their image files: give {"photo.jpg": hands}; for a video, give the '
            "hands of each frame, as model.follow yields them"
        )
    seconds = found[0].seconds if found else None
    return ImageHands(f"{stem}-{number:05d}", (0, 0), found, frame=number, seconds=seconds)


def _frame(path: Path, number: int, line: bytes) -> ImageHands:
    try:
        fields = parse_json(line, "it")
        if not isinstance(fields, dict) or not isinstance(fields.get("hands"), list):
            raise HandsError('it must be an object with the list "hands"')
        hands = [Hand.from_json(json.dumps(each)) for each in fields["hands"]]
        frame, seconds = fields.get("frame"), fields.get("seconds")
        seconds = None if seconds is None else number_of(seconds)
        frame = None if frame is None else integer_of(frame)
        if (frame or 0) < 0 or not math.isfinite(seconds or 0):
            raise HandsError(
                f'"frame" is {frame}, "seconds" {seconds}; a frame must be 0 or more, and seconds finite'
            )
        return ImageHands(f"{path.stem}-{number - 1:05d}", (0, 0), hands, frame=frame, seconds=seconds)
    except BROKEN as error:
        raise HandsError(f"{path}, line {number}, has no hands of a frame: {error}") from error
