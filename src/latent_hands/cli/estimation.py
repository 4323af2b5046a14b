"""The work of the command estimate: open one image after the other, estimate its hand, write the result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from latent_hands import draw
from latent_hands.cli.sources import named_images, parse_box
from latent_hands.data import OnBroken, Sample
from latent_hands.errors import HandsError
from latent_hands.files import write_text
from latent_hands.hand.camera import centred_camera
from latent_hands.predictor import Hand, Photo, photo_of
from latent_hands.progress import progress_bars
from latent_hands.studies.gallery import error_mm, estimate_row, estimate_sheet, truth_mm


@dataclass(frozen=True)
class TypedLabels:
    """Labels of all images, as typed on the command line; None if not given."""

    handedness: str | None = None
    box: str | None = None
    bone_mm: float | None = None
    focal_px: float | None = None

    def refuse(self) -> None:
        """Raise HandsError if any label is given: those of a data set are used."""
        for name, value in vars(self).items():
            if value is not None:
                option = f"--{name.removesuffix('_px').replace('_', '-')}"
                raise HandsError(
                    f"{option} is {value}; it cannot be given with --data, whose labels are used. "
                    "Name the images instead of --data if they have no labels"
                )

    def open(self, file: Path) -> Photo:
        """Return an image with these labels. Raises HandsError if the image or a label is not valid."""
        photo = Photo.open(file, self.handedness or "left", parse_box(self.box), None, self.bone_mm)
        if self.focal_px is None:
            return photo
        return replace(photo, K=centred_camera(self.focal_px, photo.rgb.shape[:2]).numpy())


@dataclass(frozen=True)
class Input:
    """An image to estimate a hand from.

    Args:
        name: the name of the outputs.
        image: the file.
        open: opens the image with its labels.
        handedness_assumed: whether the handedness is not known.
        box_assumed: whether the box is not known.
        seconds: the time of a frame in its video.
        sample: the labelled sample, if there is one.
    """

    name: str
    image: Path
    open: Callable[[], Photo]
    handedness_assumed: bool
    box_assumed: bool
    seconds: float | None = None
    sample: Sample | None = None

    def about(self) -> dict[str, Any]:
        """Return what JSON states in addition to the hand."""
        time = {} if self.seconds is None else {"seconds": round(self.seconds, 3)}
        assumed = {"handedness_assumed": self.handedness_assumed, "box_assumed": self.box_assumed}
        return {"image": self.name, **time, **assumed}


@dataclass(frozen=True)
class Estimate:
    """An estimated hand, its input, and its error in millimetres if the labels are known."""

    input: Input
    hand: Hand
    error_mm: float | None

    def to_json(self, indent: int | None = None) -> str:
        """Return the hand with its image, as JSON."""
        return self.hand.to_json(indent=indent, **self.input.about())

    def write(self, path: Path, photo: Photo, overlay: bool) -> None:
        """Write `path`.json, and with `overlay` `path`.png, which shows the ground truth if it is known."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path.with_name(f"{path.name}.json"), self.to_json(indent=1) + "\n")
        if overlay:
            sample = self.input.sample
            row = estimate_row(photo, self.hand, sample and truth_mm(sample))
            draw.save_image(estimate_sheet([row]), path.with_name(f"{path.name}.png"))


def inputs_of_images(images: Sequence[Path], labels: TypedLabels, on_broken: OnBroken) -> list[Input]:
    """Return images, and those of folders and videos. Raises HandsError as `named_images` does."""
    assumed = labels.handedness is None, labels.box is None
    return [
        Input(name, each.image, partial(labels.open, each.image), *assumed, each.seconds)
        for name, each in named_images(images, on_broken).items()
    ]


def inputs_of_samples(samples: Sequence[Sample]) -> list[Input]:
    """Return the images of samples with their labels."""
    return [
        Input(s.name, s.image, partial(photo_of, s), s.side is None, s.uv_px is None, s.seconds, sample=s)
        for s in samples
    ]


def estimate_all(
    inputs: Sequence[Input], predict: Callable[[Photo], Hand], out: Path, overlays: bool, on_broken: OnBroken
) -> list[Estimate]:
    """Estimate and write one image after the other; `on_broken` takes the error of a broken image."""
    estimates = []
    with progress_bars() as advance:
        for done, each in enumerate(inputs, 1):
            try:
                estimates.append(estimate_one(each, predict, out, overlays))
            except HandsError as error:
                on_broken(error)
            if len(inputs) > 1:
                advance("estimating", done, len(inputs))
    return estimates


def estimate_one(given: Input, predict: Callable[[Photo], Hand], out: Path, overlay: bool) -> Estimate:
    """Estimate a hand, and write OUT/NAME.json and .png. Raises HandsError that names a broken image."""
    try:
        photo = given.open()
        hand = predict(photo)
    except HandsError as error:
        if str(given.image) in str(error):
            raise
        raise HandsError(f"{given.image}: {error}") from error
    estimate = Estimate(given, hand, given.sample and error_mm(hand, given.sample))
    estimate.write(out / given.name, photo, overlay)
    return estimate
