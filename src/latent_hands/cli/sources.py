"""From what stands on a command line to pictures, hands and labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from latent_hands import draw
from latent_hands.checkpoint import write_text
from latent_hands.data import OnBroken, Sample, list_images, open_data
from latent_hands.errors import HandsError
from latent_hands.gallery import estimate_row, estimate_sheet, truth_mm
from latent_hands.predictor import Hand, Model, Photo, photo_of, tag_of


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
    data: str, root: Path | None, split: str, ids: Sequence[int], limit: int | None = None
) -> list[Sample]:
    """Samples of a data set; some of them by number, else the first `limit`.

    Raises HandsError without a folder, for a number that is not there, and as the set's reader does.
    """
    if root is None:
        raise HandsError(f'where is the data set "{data}"? Give its folder with --root DIR')
    samples = open_data(data, root, split, None if ids else limit)
    if not ids:
        return samples
    numbered = {int(sample.name): sample for sample in samples if sample.name.isdecimal()}
    for index in ids:
        if index not in numbered:
            raise HandsError(
                f"no picture {index} in {split} of {root}; it has {len(samples)}, from {samples[0].name}"
            )
    return [numbered[index] for index in ids]


def samples_of(data: str | None, root: Path | None, split: str, names: Sequence[str]) -> list[Sample]:
    """The samples that numbers among the names mean, all if there are no names, none without a set."""
    ids = sorted({int(name) for name in names if name.isdigit()})
    return find_samples(data, root, split, ids) if data and (ids or not names) else []


def spread(samples: Sequence[Sample], count: int, start: int = 0) -> list[str]:
    """The names of so many samples, evenly spaced. Raises HandsError if there are none."""
    if not samples:
        raise HandsError("give poses and contents, or --data NAME --root DIR to take some from there")
    step = max(len(samples) // count, 1)
    return [samples[(start + i * step) % len(samples)].name for i in range(count)]


def what_is_read(reads: str | None, samples: Sequence[Sample], model: Model) -> Literal["rgb", "tag"]:
    """What contents are taken for: what was asked for, else tag pictures where set and model know them."""
    if reads is None:
        known = any(arrow.reads == "tag" for arrow in model.experiment.encoders.values())
        return "tag" if known and samples and samples[0].tag is not None else "rgb"
    return "tag" if reads == "tag" else "rgb"


def write_estimate(
    path: Path, photo: Photo, hand: Hand, sample: Sample | None, about: dict[str, Any], pictures: bool
) -> None:
    """Write `path`.json with the numbers, and with `pictures` `path`.png, the truth beside it if known."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path.with_name(f"{path.name}.json"), hand.to_json(indent=1, **about) + "\n")
    if not pictures:
        return
    row = estimate_row(photo, hand, sample and truth_mm(sample))
    draw.save_picture(estimate_sheet([row]), path.with_name(f"{path.name}.png"))


def named_pictures(images: Sequence[Path], on_broken: OnBroken) -> dict[str, Sample]:
    """Pictures by name, not opened yet; a folder or video stands for those in it.

    Raises HandsError for what is not there; a broken video is told to `on_broken`.
    """
    listed = {sample.image: sample for sample in list_images(images, on_broken)}
    return {name: listed[file] for name, file in _named(list(listed)).items()}


def _named(files: Sequence[Path]) -> dict[str, Path]:
    """Files by their stems, and by whole names where two stems are the same."""
    stems = [file.stem for file in files]
    names = [file.stem if stems.count(file.stem) == 1 else "-".join(file.parts[-2:]) for file in files]
    return dict(zip(names, files, strict=True))


def open_source(
    text: str, hand: str = "left", samples: Sequence[Sample] = (), tag: bool = False
) -> Photo | Hand:
    """What a pose or a scene is taken from.

    A sample's name or number names it (its tag picture if `tag`), a file that ends in .json a hand that
    `estimate` wrote, anything else a picture. Raises HandsError as reading them does.
    """
    for sample in samples:
        if text == sample.name or (text.isdecimal() and text.zfill(len(sample.name)) == sample.name):
            return tag_of(sample) if tag and sample.tag is not None else photo_of(sample, "scene")
    if not text.endswith(".json"):
        return Photo.open(text, hand)
    try:
        return Hand.from_json(Path(text).read_text())
    except (UnicodeDecodeError, HandsError) as error:
        raise HandsError(f"{text}: {error}") from error
