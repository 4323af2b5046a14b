"""Every file of a data set read once: what is missing or broken, sizes, and images that are the same."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from latent_hands.data import Sample, check_limit, find_reader
from latent_hands.data.formats.image import read_pixels
from latent_hands.doctor.images import unlikeness
from latent_hands.errors import AbsentError, HandsError


@dataclass(frozen=True)
class Problem:
    """Something wrong: of which kind, with what (a file, a sample, a split, the set), and why."""

    kind: str
    where: str
    told: str


@dataclass(frozen=True)
class Looked:
    """A sample whose image was read. digest: of the pixels; unlike: see `images.unlikeness`."""

    name: str
    split: str
    sample: Sample
    size_px: tuple[int, int]
    digest: bytes
    unlike: np.ndarray


def read_splits(
    name: str, root: Path, splits: Sequence[str], limit: int | None
) -> tuple[dict[str, list[Sample]], list[Problem], list[str]]:
    """Samples by split, what readers said about the others, and splits that are not there at all, as notes.

    Raises HandsError for an unknown set, a packed store, a limit below 1, and if no split is there.
    """
    check_limit(limit)
    reader = find_reader(name, root)
    if not root.exists():
        raise HandsError(f"no data set at {root}")
    read, problems, absent, heard = dict[str, list[Sample]](), [], list[AbsentError](), list[str]()
    known = set[str]()
    for split in splits:
        errors: list[HandsError] = []
        try:
            with _readers_log(heard):
                samples = reader(root, split, limit, on_broken=errors.append)
            if any(_same_files(samples, others) for others in read.values()):
                continue
            read[split] = samples
        except AbsentError as error:
            absent.append(error)
        except HandsError as error:
            errors.append(error)
        told = {str(error) for error in errors} - known  # images may share a label, splits a folder
        known |= told
        problems += [Problem("file", split, each) for each in sorted(told)]
    if len(absent) == len(splits):
        raise absent[0]
    return read, problems, heard + [f"not there: {error}" for error in absent]


@contextmanager
def _readers_log(heard: list[str]) -> Iterator[None]:
    """What readers log meanwhile is taken down and shown nowhere else."""
    log, handler = logging.getLogger("latent_hands.data"), logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())
    propagate, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagate


def look_at(
    samples: Sequence[Sample], split: str, advance: Callable[[str, int, int], None]
) -> tuple[list[Looked], list[Problem]]:
    """Read every image, mask, depth map and tag; `advance` is told (split, done, all).

    A sample without a kind of image that others have is a problem, too.
    """
    looked, problems = list[Looked](), list[Problem]()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (seen, told) in enumerate(pool.map(partial(_look, split), samples), 1):
            looked += [seen] if seen is not None else []
            problems += told
            advance(split, done, len(samples))
    return looked, problems + list(_of_kinds(samples, split))


def _of_kinds(samples: Sequence[Sample], split: str) -> Iterator[Problem]:
    """Of every kind of image, broken ones that samples share, and samples without one."""
    from latent_hands.data.image_files import (  # which brings torch, and help need not wait for it
        KINDS,
        file_of,
    )

    for key, kind in KINDS.items():
        files = {sample.name: file_of(sample, key) for sample in samples}
        there = dict.fromkeys(file for file in files.values() if file is not None)
        for file in there if kind.shared else ():
            yield from _try(file, "RGB")[1]
        for name, file in files.items() if there else ():
            if file is None:
                yield Problem("file", f"{split}/{name}", f"it has no {key} image, but others have")


def same_images(looked: Iterable[Looked]) -> list[list[str]]:
    """Names of the samples that show the very same pixels, group by group."""
    return _groups((each.digest, each.name) for each in looked)


def same_poses(looked: Iterable[Looked]) -> list[list[str]]:
    """Names of the samples with the very same 3D joints, group by group."""
    labelled = ((each.sample.xyz_mm, each.name) for each in looked)
    return _groups((xyz.tobytes(), name) for xyz, name in labelled if xyz is not None)


def _same_files(samples: Sequence[Sample], others: Sequence[Sample]) -> bool:
    """Whether these are the same images again: a folder of images has no splits."""
    return bool(samples) and [sample.image for sample in samples] == [sample.image for sample in others]


def _groups(pairs: Iterable[tuple[bytes, str]]) -> list[list[str]]:
    groups: dict[bytes, list[str]] = {}
    for key, name in pairs:
        groups.setdefault(key, []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def _look(split: str, sample: Sample) -> tuple[Looked | None, list[Problem]]:
    image, problems = _try(sample.image, "RGB")
    if image is None:
        return None, problems
    height, width = image.shape[:2]
    for path in (sample.mask, sample.depth):
        if path is None:
            continue
        map_, told = _try(path, "L")
        problems += told
        if map_ is not None and map_.shape != (height, width):
            size = f"{map_.shape[1]}x{map_.shape[0]} px, its image {width}x{height}"
            problems.append(Problem("file", str(path), f"{path} has {size}"))
    digest = hashlib.blake2b(image.tobytes(), digest_size=16, key=f"{width}x{height}".encode()).digest()
    seen = Looked(f"{split}/{sample.name}", split, sample, (width, height), digest, unlikeness(image, sample))
    return seen, problems


def _try(path: Path, mode: str) -> tuple[np.ndarray | None, list[Problem]]:
    try:
        return read_pixels(path, mode), []
    except HandsError as error:
        return None, [Problem("file", str(path), str(error))]
