"""From the arguments of a command to images, hands and samples."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latent_hands.data import OnBroken, Sample, list_images, open_data
from latent_hands.data.formats.numerals import number_of
from latent_hands.data.selection import find_sample, require_sample
from latent_hands.errors import HandsError
from latent_hands.files import check_folder
from latent_hands.hand.boxes import Box
from latent_hands.predictions import name_files, read_json
from latent_hands.predictor import ContentReads, Hand, Model, Photo, photo_of, tag_of

LEAST_SHARE = 0.2
"""The least side of a hand's box over that of its crop. The smallest of 3,600 rendered hands has 0.23."""


def parse_box(text: str) -> Box:
    """Return the four numbers of "x,y,width,height". Raises HandsError for other texts."""
    try:
        x, y, width, height = map(number_of, text.split(","))
    except ValueError as error:
        raise HandsError(
            f'box is "{text}"; it must be x,y,width,height in pixels, as in 40,25,128,128'
        ) from error
    return x, y, width, height


def parse_set(text: str, option: str) -> tuple[str, Path]:
    """Return name and folder of "NAME=DIR". Raises HandsError for another text."""
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise HandsError(f'{option} is "{text}", but must be NAME=DIR, such as ge2019=FOLDER')
    return name, Path(folder)


def find_samples(
    data: str, root: Path | None, split: str, ids: Sequence[str], limit: int | None = None
) -> list[Sample]:
    """Return the samples of a data set with these numbers or names; without `ids` the first `limit`.

    Raises HandsError if `root` is None, if a sample does not exist, and as the reader of the data set does.
    """
    if root is None:
        raise HandsError(f'where is the data set "{data}"? Give its folder with --root DIR')
    samples = open_data(data, root, split, None if ids else limit)
    return [require_sample(text, samples, f"{split} of {root}") for text in ids] if ids else samples


def samples_of(data: str | None, root: Path | None, split: str, names: Sequence[str]) -> list[Sample]:
    """Return the samples that numbers and names select: all without names, none without a data set.

    A name that is a file means the file. Raises HandsError as `find_samples` does.
    """
    ids = [name for name in dict.fromkeys(names) if name.isdecimal() or not Path(name).is_file()]
    return find_samples(data, root, split, ids) if data and (ids or not names) else []


def evenly_spaced(samples: Sequence[Sample], count: int, start: int = 0) -> list[str]:
    """Return the names of `count` evenly spaced samples, or of all if there are fewer.

    Raises HandsError if there are no samples.
    """
    if not samples:
        raise HandsError("give poses and contents, or take some of a data set with --data NAME --root DIR")
    count = min(count, len(samples))
    step = len(samples) // count
    return [samples[(start + i * step) % len(samples)].name for i in range(count)]


@dataclass(frozen=True)
class Sources:
    """The sources of poses and contents of a command that makes images.

    Args:
        samples: selected samples of a data set.
        handedness: the hand that image files show.
        crop: the crop of the model.
        content_reads: "rgb" if contents are images of hands, "tag" if they are content tags.
        model: the model whose detector examines image files; None does not examine them.
    """

    samples: Sequence[Sample]
    handedness: str
    crop: str
    content_reads: ContentReads
    model: Model | None = None

    def pose(self, text: str) -> Photo | Hand:
        """Return the source of a pose: a sample, an image file, or the JSON of a hand.

        Raises HandsError if it cannot be read.
        """
        sample = find_sample(text, self.samples)
        return photo_of(sample, self.crop) if sample else self._file(text)

    def content(self, text: str) -> Photo | Hand:
        """Return the source of a content, as `pose` does; of a sample its tag image if the run reads tags."""
        sample = find_sample(text, self.samples)
        if sample and sample.tag is not None and self.content_reads == "tag":
            return tag_of(sample, self.crop)
        return self.pose(text)

    def _file(self, text: str) -> Photo | Hand:
        if not text.endswith(".json"):
            photo = Photo.open(text, self.handedness)
            if self.model is not None:
                warn_of_small_hand(photo, text, self.model)
            return photo
        hands = read_json(text)
        if len(hands) != 1:
            raise HandsError(f"{text} has {len(hands)} hands; give the JSON of one hand")
        return hands[0]


def warn_of_small_hand(photo: Photo, file: str, model: Model) -> None:
    """Log that an image is not the crop of a hand, if the hand with the highest score is small in it."""
    found = model.detector.detect(photo.rgb)
    if not found:
        return
    share = max(found[0].box_px[2:]) / photo.side_px
    if share < LEAST_SHARE:
        logging.getLogger(__name__).warning(
            "%s is read as the crop of a hand, but its hand covers only %.0f %% of its side: crop the image "
            "to the hand",
            file,
            100 * share,
        )


def choose_content_reads(content_reads: str | None, samples: Sequence[Sample], model: Model) -> ContentReads:
    """Return the kind of image that gives the content; by default "tag" if samples and model have tags."""
    if content_reads is None:
        reads_tags = any(arrow.reads == "tag" for arrow in model.experiment.encoders.values())
        return "tag" if reads_tags and samples and samples[0].tag is not None else "rgb"
    return "tag" if content_reads == "tag" else "rgb"


def open_sources(
    model: Model,
    handedness: str,
    texts: Sequence[str],
    samples: Sequence[Sample],
    outputs: Iterable[Path],
    content_reads: str | None = None,
) -> Sources:
    """Return the sources of a command, which reads `texts` and `samples` and writes `outputs`.

    Raises HandsError if an output would overwrite an input.
    """
    check_outputs(texts, samples, outputs)
    reads = choose_content_reads(content_reads, samples, model)
    return Sources(samples, handedness, model.experiment.data.crop, reads, model)


def check_outputs(inputs: Iterable[str | Path], samples: Iterable[Sample], outputs: Iterable[Path]) -> None:
    """Raise HandsError if an output would overwrite an input, or cannot be written into its folder."""
    outputs = list(outputs)
    of_samples = (file for sample in samples for file in vars(sample).values() if isinstance(file, Path))
    read = {Path(file).resolve() for file in (*inputs, *of_samples)}
    for output in outputs:
        if output.parent.exists() and not output.parent.is_dir():
            raise HandsError(f"{output.parent} is a file; --out must be in a folder")
        if output.resolve() in read:
            raise HandsError(f"{output} is an input and would be overwritten; give another --out")
    for folder in {output.parent for output in outputs}:
        check_folder(folder)


def named_images(images: Sequence[Path], on_broken: OnBroken) -> dict[str, Sample]:
    """Return images by name, not opened yet; a folder or a video stands for its images.

    `on_broken` takes the error of a broken video. Raises HandsError for paths that do not exist.
    """
    listed = {sample.image: sample for sample in list_images(images, on_broken)}
    return {name: listed[file] for name, file in name_files(listed).items()}
