"""From the arguments of a command to images, hands and samples."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from latent_hands.data import OnBroken, Sample, list_images, open_data
from latent_hands.data.checks import check_samples
from latent_hands.data.formats.numerals import number_of
from latent_hands.data.sample import with_handedness
from latent_hands.data.selection import find_sample, require_sample
from latent_hands.errors import HandsError
from latent_hands.files import check_folder
from latent_hands.hand.boxes import Box
from latent_hands.hand.handedness import check_handedness
from latent_hands.predictions import name_files, read_json
from latent_hands.predictor import ContentReads, Hand, HandCrop, Model, crop_of_sample, tag_of

_LOG = logging.getLogger(__name__)


def parse_box(text: str) -> Box:
    """Return the four numbers of "x,y,width,height". Raises HandsError for other texts."""
    try:
        x, y, width, height = map(number_of, text.split(","))
    except ValueError as error:
        raise HandsError(
            f'box is "{text}"; it must be x,y,width,height in pixels, as in 40,25,128,128'
        ) from error
    return x, y, width, height


def parse_set(text: str, option: str, place: str = "FOLDER") -> tuple[str, Path]:
    """Return name and path of "NAME=DIR" or "NAME=FILE". Raises HandsError for another text."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        kind = "DIR" if place == "FOLDER" else place
        raise HandsError(f'{option} is "{text}", but must be NAME={kind}, such as ge2019={place}')
    return name, Path(path)


def parse_sets(texts: Iterable[str], option: str, place: str = "FOLDER") -> dict[str, Path]:
    """Return {name: path} of texts such as "NAME=DIR". Raises HandsError for others, and for equal names."""
    found: dict[str, Path] = {}
    for name, path in (parse_set(text, option, place) for text in texts):
        if name in found:
            raise HandsError(f"{option} names {name} twice: {found[name]} and {path}; leave one of them out")
        found[name] = path
    return found


def find_samples(
    data: str, root: Path | None, split: str, ids: Sequence[str], limit: int | None = None
) -> list[Sample]:
    """Return the samples of a data set with these numbers or names; without `ids` the first `limit`.

    Raises HandsError if `root` is None, if a sample does not exist, and as the reader of the data set and
    `check_samples` do.
    """
    if root is None:
        raise HandsError(f'where is the data set "{data}"? Give its folder with --root DIR')
    samples = open_data(data, root, split, None if ids else limit)
    check_samples(samples)
    return [require_sample(text, samples, f"{split} of {root}") for text in ids] if ids else samples


def samples_of(data: str | None, root: Path | None, split: str | None, names: Sequence[str]) -> list[Sample]:
    """Return the samples that numbers and names select: all without names, none without a data set.

    A name that is a file means the file. Without `split`, it is that of evaluation. Raises HandsError for a
    data set that is not used, for a root or a split without a data set, and as `find_samples` does.
    """
    check_unnamed(data, root=root, split=split)
    ids = [name for name in dict.fromkeys(names) if name.isdecimal() or not Path(name).is_file()]
    if data and names and not ids:
        raise HandsError(f"--data is {data}, but {' and '.join(names)} are files: leave --data out")
    return find_samples(data, root, split or "evaluation", ids) if data else []


def check_unnamed(data: str | None, **options: object) -> None:
    """Raise HandsError for given options about a data set, those that are not None, if none is named."""
    for name, value in options.items() if data is None else ():
        if value is not None:
            raise HandsError(f"--{name} is {value}, but no data set is named: add --data NAME")


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
        model: the model that makes the images.
        samples: selected samples of a data set.
        content_reads: "rgb" if contents are images of hands, "tag" if they are content tags.
        handedness: the side of the hands in image files; None if it is not known.
        cropped: whether an image file is the crop of one hand already, so that no hand is searched in it.
    """

    model: Model
    samples: Sequence[Sample]
    content_reads: ContentReads
    handedness: str | None = None
    cropped: bool = False
    _found: dict[str, Hand] = field(default_factory=dict, init=False)

    def pose(self, text: str) -> HandCrop | Hand:
        """Return the source of a pose: a sample, the hand in an image file, or the JSON of a hand.

        The hand of a file is estimated by the model `estimation`.
        Raises HandsError for a file that cannot be read, and without exactly one hand in a JSON file.
        """
        if self.cropped or find_sample(text, self.samples) or text.endswith(".json"):
            return self.image(text)
        return self._hand(text)

    def image(self, text: str) -> HandCrop | Hand:
        """Return the source of all factors: a sample, the crop of the hand in an image file, or a JSON file.

        Raises HandsError as `pose` does.
        """
        if sample := find_sample(text, self.samples):
            return crop_of_sample(sample, self.model.experiment.data.crop)
        if text.endswith(".json"):
            return _only_hand(text)
        if self.cropped:
            return HandCrop.open(text, self.handedness or "left")
        return self.model.crop_of(text, self._hand(text))

    def content(self, text: str) -> HandCrop | Hand:
        """Return the source of a content, as `image` does; of a sample the tag if the run reads tags."""
        sample = find_sample(text, self.samples)
        if sample and sample.tag is not None and self.content_reads == "tag":
            return tag_of(sample, self.model.experiment.data.crop)
        return self.image(text)

    def _hand(self, file: str) -> Hand:
        if file not in self._found:
            self._found[file] = _found_hand(self._estimator, file, self.handedness)
        return self._found[file]

    @cached_property
    def _estimator(self) -> Model:
        return Model.load("estimation", self.model.device)


def _only_hand(file: str) -> Hand:
    """Return the hand of a JSON file. Raises HandsError unless it has exactly one."""
    hands = read_json(file)
    if len(hands) != 1:
        raise HandsError(f"{file} has {len(hands)} hands; give the JSON of one hand")
    return hands[0]


def _found_hand(estimator: Model, file: str, handedness: str | None) -> Hand:
    """Return the hand of an image file with the highest score. Raises HandsError if there is no hand."""
    hands = estimator.find(file, handedness=handedness)
    if not hands:
        raise HandsError(
            f"no hand was found in {file}; give an image of a hand. --cropped takes image files as crops of "
            "one hand, without a search"
        )
    if len(hands) > 1:
        x, y, width, height = (round(number) for number in hands[0].box_px)
        _LOG.warning(
            "%s has %d hands; the %s one at %d,%d,%d,%d is used. For another one, crop the image to it",
            *(file, len(hands), hands[0].handedness, x, y, width, height),
        )
    return hands[0]


def choose_content_reads(content_reads: str | None, samples: Sequence[Sample], model: Model) -> ContentReads:
    """Return the kind of image that gives the content; by default "tag" if samples and model have tags."""
    if content_reads is None:
        reads_tags = any(arrow.reads == "tag" for arrow in model.experiment.encoders.values())
        return "tag" if reads_tags and samples and samples[0].tag is not None else "rgb"
    return "tag" if content_reads == "tag" else "rgb"


def open_sources(
    model: Model,
    texts: Sequence[str],
    samples: Sequence[Sample],
    outputs: Iterable[Path],
    handedness: str | None,
    cropped: bool,
    content_reads: str | None = None,
) -> Sources:
    """Return the sources of a command, which reads `texts` and `samples` and writes `outputs`.

    Raises HandsError if an output would overwrite an input, for an unknown handedness, and for options that
    would have no effect.
    """
    check_outputs(texts, samples, outputs)
    reads = choose_content_reads(content_reads, samples, model)
    side = None if handedness is None else check_handedness(handedness)
    photographs = any(not (find_sample(each, samples) or each.endswith(".json")) for each in texts)
    if cropped and not photographs:
        raise HandsError("--cropped is about image files, and none is given: leave it out")
    if side and not photographs and all(sample.handedness for sample in samples):
        raise HandsError(f"--handedness is {side}, but all hands state their side: leave it out")
    return Sources(model, with_handedness(samples, side), reads, side, cropped)


def check_outputs(inputs: Iterable[str | Path], samples: Iterable[Sample], outputs: Iterable[Path]) -> None:
    """Raise HandsError if an output would overwrite an input, or cannot be written into its folder."""
    outputs = list(outputs)
    of_samples = (file for sample in samples for file in vars(sample).values() if isinstance(file, Path))
    read = {Path(file).resolve() for file in (*inputs, *of_samples)}
    for output in outputs:
        if output.parent.exists() and not output.parent.is_dir():
            raise HandsError(f"{output.parent} is a file; {output.name} must be in a folder")
        if output.resolve() in read:
            raise HandsError(f"{output} is an input and would be overwritten; give another name")
    for folder in {output.parent for output in outputs}:
        check_folder(folder)


def named_images(images: Sequence[Path], on_broken: OnBroken) -> dict[str, Sample]:
    """Return images by name, not opened yet; a folder or a video stands for its images.

    `on_broken` takes the error of a broken video. Raises HandsError for paths that do not exist.
    """
    listed = {sample.image: sample for sample in list_images(images, on_broken)}
    return {name: listed[file] for name, file in name_files(listed).items()}
