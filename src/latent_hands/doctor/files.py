"""The files of a data set, each read once: missing and broken files, image sizes, and copies."""

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from latent_hands.data import Sample, check_limit, find_reader
from latent_hands.data.formats.image import decode, open_image, pages_of, read_pixels
from latent_hands.data.frames import MOST_IMAGES
from latent_hands.data.image_files import file_of
from latent_hands.data.labelled_images import check_size
from latent_hands.data.labels import image_keys, image_label
from latent_hands.data.place_contrast import neighbours
from latent_hands.data.readers.recognising import SIGNS, suggestion
from latent_hands.doctor.images import colour_spread
from latent_hands.doctor.places import UNKNOWN, is_compared, place_contrast
from latent_hands.errors import AbsentError, HandsError
from latent_hands.progress import Progress


@dataclass(frozen=True)
class Problem:
    """Something wrong with a data set.

    kind: "file", "frame", "label", "convention", "outlier" or "copy".
    where: the file, sample, split or convention.
    message: what is wrong.
    """

    kind: str
    where: str
    message: str


@dataclass(frozen=True)
class Inspected:
    """A sample whose image was read.

    name: "split/name of the sample". size_px: (width, height) of the image. digest: a hash of its pixels.
    colour_spread: see `images.colour_spread`. place_contrast: see `places.place_contrast`.
    """

    name: str
    split: str
    sample: Sample
    size_px: tuple[int, int]
    digest: bytes
    colour_spread: np.ndarray
    place_contrast: np.ndarray


def read_splits(
    name: str, root: Path, splits: Sequence[str], limit: int | None
) -> tuple[dict[str, list[Sample]], list[Problem], list[str]]:
    """Read the samples of a data set by split; return them, the errors of the reader, and notes.

    The notes are the log of the reader and the splits that do not exist. Raises HandsError for an unknown
    reader, a packed store, a limit below 1, and if no split exists.
    """
    check_limit(limit)
    reader = find_reader(name, root)
    if not root.exists():
        raise HandsError(f"no data set at {root}{suggestion(name, root)}")
    if root.is_file() and name.split("-")[0] in SIGNS:
        raise HandsError(f"{root} is no data set{suggestion(name, root)}")
    read, problems, absent, notes = dict[str, list[Sample]](), [], list[AbsentError](), list[str]()
    reported = set[str]()
    for split in splits:
        errors: list[HandsError] = []
        try:
            with _log_of_readers(notes):
                samples = reader(root, split, limit, on_broken=errors.append)
            if any(_same_files(samples, others) for others in read.values()):
                continue
            read[split] = samples
        except AbsentError as error:
            absent.append(error)
        except HandsError as error:
            errors.append(error)
        # Samples may share a label, and splits a folder: each message is reported once.
        messages = {str(error) for error in errors} - reported
        reported |= messages
        problems += [Problem("file", split, message) for message in sorted(messages)]
    if len(absent) == len(splits):
        raise absent[0]
    return read, problems, notes + [f"absent: {error}" for error in absent]


def inspect(
    samples: Sequence[Sample], split: str, progress: Progress
) -> tuple[list[Inspected], list[Problem]]:
    """Read every image, mask, depth image and tag of the samples.

    `progress` receives each image, by the split. It is a problem, too, if a sample lacks a kind
    of image that others have.
    """
    inspected, problems = list[Inspected](), list[Problem]()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (each, found) in enumerate(
            pool.map(partial(_inspect, split, samples), range(len(samples))), 1
        ):
            inspected += [each] if each is not None else []
            problems += found
            progress(split, done, len(samples))
    return inspected, problems + list(_problems_of_kinds(samples, split))


def find_copies(inspected: Iterable[Inspected]) -> tuple[list[Problem], list[str]]:
    """Return copies as problems: images that occur twice, and poses of one split in another.

    Several hands of one file are one image. Poses that occur twice in one split are a note, because images of
    one pose from two cameras are common.
    """
    inspected = list(inspected)
    images = _groups((each.digest, each.name) for each in _first_hands(inspected))
    labelled = ((each.sample.xyz_mm, each.name) for each in inspected)
    poses = _groups((xyz.tobytes(), name) for xyz, name in labelled if xyz is not None)
    problems = [Problem("copy", names[0], f"the same image as {', '.join(names[1:])}") for names in images]
    across = [names for names in poses if len({name.partition("/")[0] for name in names}) > 1]
    problems += [Problem("copy", names[0], f"the same pose as {', '.join(names[1:])}") for names in across]
    within = sum(map(len, poses)) - sum(map(len, across))
    groups = len(poses) - len(across)
    return problems, [f"{within} samples share {groups} poses within their split"] if within else []


def _first_hands(inspected: Iterable[Inspected]) -> Iterator[Inspected]:
    """Yield the first hand of each file and split, and hands whose joints repeat those of one before it."""
    known: dict[tuple[str, Path], set[bytes]] = {}
    for each in inspected:
        joints = each.sample.uv_px if each.sample.xyz_mm is None else each.sample.xyz_mm
        own = b"" if joints is None else joints.tobytes()
        before = known.setdefault((each.split, each.sample.image), set())
        if not before or own in before:
            yield each
        before.add(own)


def _groups(pairs: Iterable[tuple[bytes, str]]) -> list[list[str]]:
    """Return the names that share a key, group by group."""
    groups: dict[bytes, list[str]] = {}
    for key, name in pairs:
        groups.setdefault(key, []).append(name)
    return [names for names in groups.values() if len(names) > 1]


@contextmanager
def _log_of_readers(messages: list[str]) -> Iterator[None]:
    """Collect what readers log, and log it nowhere else."""
    log, handler = logging.getLogger("latent_hands.data"), logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    propagate, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagate


def _problems_of_kinds(samples: Sequence[Sample], split: str) -> Iterator[Problem]:
    """Yield broken images that samples share, and samples that lack a kind of image that others have."""
    for key in sorted(image_keys()):
        kind = image_label(key)
        files = {sample.name: file_of(sample, key) for sample in samples}
        existing = dict.fromkeys(file for file in files.values() if file is not None)
        for file in existing if kind.shared else ():
            yield from _read(file, "RGB")[1]
        for name, file in files.items() if existing else ():
            if file is None:
                yield Problem("file", f"{split}/{name}", f"it has no {key} image, but others have")


def _same_files(samples: Sequence[Sample], others: Sequence[Sample]) -> bool:
    """Return whether these are the same images again, as in a folder of images, which has no splits."""
    return bool(samples) and [sample.image for sample in samples] == [sample.image for sample in others]


def _inspect(split: str, samples: Sequence[Sample], number: int) -> tuple[Inspected | None, list[Problem]]:
    sample, problems = samples[number], list[Problem]()
    try:
        with open_image(sample.image) as opened:
            image = decode(sample.image, opened)
            problems += _problems_of_frame(sample, opened)
    except HandsError as error:
        return None, [Problem("file", str(sample.image), str(error))]
    height, width = image.shape[:2]
    for path in (sample.mask, sample.depth):
        if path is None:
            continue
        pixels, broken = _read(path, "L")
        problems += broken
        if pixels is not None and pixels.shape != (height, width):
            size = f"{pixels.shape[1]}x{pixels.shape[0]} px, but its image has {width}x{height} px"
            problems.append(Problem("file", str(path), f"{path} has {size}"))
    digest = hashlib.blake2b(image.tobytes(), digest_size=16, key=f"{width}x{height}".encode()).digest()
    spread, contrast = colour_spread(image, sample), UNKNOWN
    if is_compared(number, len(samples)):
        frames = is_compared(number, len(samples), MOST_IMAGES)
        contrast = place_contrast(image, sample, *neighbours(samples, number), frames)
    name = f"{split}/{sample.name}"
    return Inspected(name, split, sample, (width, height), digest, spread, contrast), problems


def _problems_of_frame(sample: Sample, image: Image.Image) -> list[Problem]:
    """Return whether labels are for another size or orientation, and whether further pages are not read."""
    problems = []
    try:
        check_size(sample, image)
    except HandsError as error:
        problems.append(Problem("frame", str(sample.image), f"{sample.image}: {error}"))
    if (pages := pages_of(image)) > 1:
        message = f"{sample.image} has {pages} pages or frames; the first is read"
        problems.append(Problem("frame", str(sample.image), message))
    return problems


def _read(path: Path, mode: str) -> tuple[np.ndarray | None, list[Problem]]:
    try:
        return read_pixels(path, mode), []
    except HandsError as error:
        return None, [Problem("file", str(path), str(error))]
