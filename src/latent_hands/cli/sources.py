"""From what stands on a command line to images, hands and labels."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from latent_hands import draw
from latent_hands.data import OnBroken, Sample, list_images, open_data
from latent_hands.errors import HandsError
from latent_hands.files import write_text
from latent_hands.predictor import ContentReads, Hand, Model, Photo, photo_of, tag_of
from latent_hands.studies.gallery import estimate_row, estimate_sheet, truth_mm


def parse_box(text: str | None) -> tuple[float, ...] | None:
    """Four numbers of "x,y,w,h". Raises HandsError for anything else."""
    if text is None:
        return None
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError as error:
        raise HandsError(
            f'box is "{text}"; legal: x,y,width,height in pixels, as in 40,25,128,128'
        ) from error
    return x, y, width, height


def find_samples(
    data: str, root: Path | None, split: str, ids: Sequence[str], limit: int | None = None
) -> list[Sample]:
    """Samples of a data set; some of them by number or name, else the first `limit`.

    Raises HandsError without a folder, for a sample that is not there, and as the set's reader does.
    """
    if root is None:
        raise HandsError(f'where is the data set "{data}"? Give its folder with --root DIR')
    samples = open_data(data, root, split, None if ids else limit)
    found = [find_sample(text, samples) for text in ids]
    for text, sample in zip(ids, found, strict=True):
        if sample is None:
            what = "number" if samples[0].name.isdecimal() else "name"
            raise HandsError(
                f'no image "{text}" in {split} of {root}; it has {len(samples)}, told by their {what}: '
                f"{samples[0].name} .. {samples[-1].name}"
            )
    return [sample for sample in found if sample is not None] if ids else samples


def find_sample(text: str, samples: Sequence[Sample]) -> Sample | None:
    """The sample of this name or number; None if there is none."""
    for sample in samples:
        if text == sample.name or (text.isdecimal() and text.zfill(len(sample.name)) == sample.name):
            return sample
    return None


def samples_of(data: str | None, root: Path | None, split: str, names: Sequence[str]) -> list[Sample]:
    """The samples that numbers and names mean, all if nothing is named, none without a set.

    A name that is a file means that file. Raises HandsError as `find_samples` does.
    """
    ids = [name for name in dict.fromkeys(names) if name.isdecimal() or not Path(name).is_file()]
    return find_samples(data, root, split, ids) if data and (ids or not names) else []


def spread(samples: Sequence[Sample], count: int, start: int = 0) -> list[str]:
    """The names of so many samples, evenly spaced. Raises HandsError if there are none."""
    if not samples:
        raise HandsError("give poses and contents, or --data NAME --root DIR to take some from there")
    step = max(len(samples) // count, 1)
    return [samples[(start + i * step) % len(samples)].name for i in range(count)]


def what_is_read(reads: str | None, samples: Sequence[Sample], model: Model) -> ContentReads:
    """What contents are taken for: what was asked for, else tag images where set and model know them."""
    if reads is None:
        known = any(arrow.reads == "tag" for arrow in model.experiment.encoders.values())
        return "tag" if known and samples and samples[0].tag is not None else "rgb"
    return "tag" if reads == "tag" else "rgb"


def write_estimate(
    path: Path, photo: Photo, hand: Hand, sample: Sample | None, about: dict[str, Any], images: bool
) -> None:
    """Write `path`.json with the numbers, and with `images` `path`.png, the truth beside it if known."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path.with_name(f"{path.name}.json"), hand.to_json(indent=1, **about) + "\n")
    if not images:
        return
    row = estimate_row(photo, hand, sample and truth_mm(sample))
    draw.save_image(estimate_sheet([row]), path.with_name(f"{path.name}.png"))


def check_outputs(inputs: Iterable[str | Path], samples: Iterable[Sample], outputs: Iterable[Path]) -> None:
    """Raise HandsError if a file that will be written is one that is read, or its folder is a file."""
    of_samples = (file for sample in samples for file in vars(sample).values() if isinstance(file, Path))
    read = {Path(file).resolve() for file in (*inputs, *of_samples)}
    for output in outputs:
        if output.parent.exists() and not output.parent.is_dir():
            raise HandsError(f"{output.parent} is a file; legal: --out in a folder")
        if output.resolve() in read:
            raise HandsError(f"{output} would be overwritten, but it is read here; legal: another --out")


def named_images(images: Sequence[Path], on_broken: OnBroken) -> dict[str, Sample]:
    """Images by name, not opened yet; a folder or video stands for those in it.

    Raises HandsError for what is not there; a broken video is told to `on_broken`.
    """
    listed = {sample.image: sample for sample in list_images(images, on_broken)}
    return {name: listed[file] for name, file in name_files(listed).items()}


def name_files(files: Iterable[Path]) -> dict[str, Path]:
    """Files by their stems; where these are the same, by whole names and as many folders as it takes."""
    parts = {file: file.relative_to(file.anchor).parts for file in files}
    names, folders = {file: file.stem for file in parts}, 1
    while len(set(names.values())) < len(names):
        if folders > max(map(len, parts.values())):
            raise HandsError(f"these images cannot be told apart by name: {', '.join(map(str, parts))}")
        counts, folders = Counter(names.values()), folders + 1
        alike = [file for file, name in names.items() if counts[name] > 1]
        names |= {file: "-".join(parts[file][-folders:]) for file in alike}
    return {name: file for file, name in names.items()}


def open_source(
    text: str, hand: str, samples: Sequence[Sample], crop: str, tag: bool = False
) -> Photo | Hand:
    """What a pose or a scene is taken from.

    A sample's name or number names it (its tag image if `tag`), cut by the model's `crop`; a file that ends
    in .json a hand that `estimate` wrote, anything else an image. Raises HandsError as reading them does.
    """
    if (sample := find_sample(text, samples)) is not None:
        return tag_of(sample, crop) if tag and sample.tag is not None else photo_of(sample, crop)
    if not text.endswith(".json"):
        return Photo.open(text, hand)
    if not Path(text).is_file():
        raise HandsError(f"no file at {text}; legal: a hand's JSON that `latent-hands estimate` wrote")
    try:
        return Hand.from_json(Path(text).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, HandsError) as error:
        raise HandsError(f"{text}: {error}") from error
