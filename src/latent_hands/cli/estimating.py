"""What `estimate` does with one image after the other: open, estimate, write, let go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from latent_hands.cli.sources import named_images, parse_box, write_estimate
from latent_hands.data import OnBroken, Sample
from latent_hands.errors import HandsError
from latent_hands.hand.camera import centred_camera
from latent_hands.predictor import Hand, Photo, photo_of
from latent_hands.progress import progress_bars
from latent_hands.studies.gallery import error_mm


@dataclass(frozen=True)
class Told:
    """What the command line says of all images; None is what it does not say."""

    hand: str | None = None
    box: str | None = None
    bone_mm: float | None = None
    focal_px: float | None = None

    def refuse(self) -> None:
        """Raise HandsError if it says anything: labels do."""
        for option, value in vars(self).items():
            if value is not None:
                raise HandsError(
                    f"--{option.removesuffix('_px').replace('_', '-')} is {value}; legal with --data: not "
                    "given, labels tell it (images without labels are named in place of --data)"
                )

    def open(self, file: Path) -> Photo:
        """An image with what is said of it."""
        photo = Photo.open(file, self.hand or "left", parse_box(self.box), None, self.bone_mm)
        if self.focal_px is None:
            return photo
        return replace(photo, K=centred_camera(self.focal_px, photo.rgb.shape[:2]).numpy())


@dataclass(frozen=True)
class Given:
    """An image to estimate from: how it is opened, and what is assumed. `labelled` brings its labels."""

    name: str
    image: Path
    open: Callable[[], Photo]
    hand_assumed: bool
    box_assumed: bool
    seconds: float | None = None
    labelled: Sample | None = None

    def about(self) -> dict[str, Any]:
        """What the JSON of its hand says beside the hand."""
        when = {} if self.seconds is None else {"seconds": round(self.seconds, 3)}
        assumed = {"handedness_assumed": self.hand_assumed, "box_assumed": self.box_assumed}
        return {"image": self.name, **when, **assumed}


@dataclass(frozen=True)
class Estimated:
    """A hand, what it was estimated from, and its error if the truth is known."""

    given: Given
    hand: Hand
    error_mm: float | None

    def to_json(self) -> str:
        """The hand with its image."""
        return self.hand.to_json(**self.given.about())


def given_images(images: Sequence[Path], told: Told, on_broken: OnBroken) -> list[Given]:
    """Images, folders and videos of a command line. Raises HandsError as `named_images` does."""
    assumed = told.hand is None, told.box is None
    return [
        Given(name, each.image, partial(told.open, each.image), *assumed, each.seconds)
        for name, each in named_images(images, on_broken).items()
    ]


def given_samples(samples: Sequence[Sample]) -> list[Given]:
    """Images of a data set, with what their labels give."""
    return [
        Given(s.name, s.image, partial(photo_of, s), s.side is None, s.uv_px is None, s.seconds, labelled=s)
        for s in samples
    ]


def estimate_all(
    given: Sequence[Given], estimate: Callable[[Photo], Hand], out: Path, images: bool, on_broken: OnBroken
) -> list[Estimated]:
    """Estimate and write one image after the other, with a bar; a broken one is told to `on_broken`."""
    found = []
    with progress_bars() as advance:
        for done, each in enumerate(given, 1):
            try:
                found.append(estimate_one(each, estimate, out, images))
            except HandsError as error:
                on_broken(error)
            if len(given) > 1:
                advance("estimating", done, len(given))
    return found


def estimate_one(given: Given, estimate: Callable[[Photo], Hand], out: Path, images: bool) -> Estimated:
    """Estimate and write OUT/NAME.json and .png. Raises HandsError naming an image that is broken."""
    try:
        photo = given.open()
        hand = estimate(photo)
    except HandsError as error:
        if str(given.image) in str(error):
            raise
        raise HandsError(f"{given.image}: {error}") from error
    write_estimate(out / given.name, photo, hand, given.labelled, given.about(), images)
    return Estimated(given, hand, given.labelled and error_mm(hand, given.labelled))
