"""The work of the command estimate on images: open one after the other, find its hands, write them."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from latent_hands import draw
from latent_hands.cli.estimate_inputs import Given, Input
from latent_hands.cli.estimate_outputs import Outputs
from latent_hands.data import OnBroken, Sample
from latent_hands.data.formats.box_label import check_box
from latent_hands.errors import HandsError
from latent_hands.predictions import ImageHands, draw_readable
from latent_hands.predictor import Hand, Model
from latent_hands.predictor.checks import Opened, Rgb, opened
from latent_hands.progress import progress_bars
from latent_hands.studies.gallery import error_mm, truth_mm


@dataclass(frozen=True)
class Estimated:
    """The hands of an image, and the error of each in mm if its labels are known."""

    image: ImageHands
    errors_mm: tuple[float | None, ...]


def estimate_images(
    model: Model, inputs: Sequence[Input], given: Given, outputs: Outputs, on_broken: OnBroken
) -> list[Estimated]:
    """Estimate and write one image after the other; `on_broken` receives the error of a broken image.

    What was done until Ctrl-C is written.
    """
    done: list[Estimated] = []
    try:
        with progress_bars() as progress:
            for count, each in enumerate(inputs, 1):
                try:
                    done.append(estimate_image(model, each, given, outputs))
                except HandsError as error:
                    on_broken(error)
                except OSError as error:
                    if error.errno != errno.ENAMETOOLONG:
                        raise
                    on_broken(HandsError(f"{each.image}: its name is too long for the files of its hands"))
                if len(inputs) > 1:
                    progress("estimating", count, len(inputs))
    finally:
        if done:
            outputs.write_all([each.image for each in done], model.experiment.data.convention)
    return done


def estimate_image(model: Model, given_image: Input, given: Given, outputs: Outputs) -> Estimated:
    """Find the hands of an image and write them. Raises HandsError that names a broken image."""
    path = given_image.image
    try:
        image = opened(path)
        hands = given.described(find_hands(model, image, given_image, given))
    except HandsError as error:
        if str(path) in str(error):
            raise
        raise HandsError(f"{path}: {error}") from error
    rgb = image.rgb
    found = ImageHands(given_image.name, (rgb.shape[1], rgb.shape[0]), tuple(hands), path)
    outputs.write_image(found)
    samples = given_image.samples if len(given_image.samples) == len(hands) else (None,) * len(hands)
    if outputs.overlays:
        truths = [sample and truth_mm(sample) for sample in samples]
        draw.save_image(draw_readable(rgb, hands, truths, outputs.panels), outputs.path(found.name, "png"))
    errors = tuple(sample and error_mm(hand, sample) for hand, sample in zip(hands, samples, strict=True))
    return Estimated(found, errors)


def find_hands(model: Model, image: Opened, given_image: Input, given: Given) -> list[Hand]:
    """Return the hands of an image: those of labelled samples, those in given boxes, or those detected.

    Boxes and sides that the user gives take precedence over those of a file, and these over the detector.
    """
    if given_image.samples and all(map(is_labelled, given_image.samples)):
        return [
            model.estimate(sample, rotations=given.rotations, draws=given.draws)
            for sample in given_image.samples
        ]
    known = known_of(image.rgb, given_image, given)
    if known["boxes"] == []:
        return []
    return model.find(image, rotations=given.rotations, draws=given.draws, **known)


def known_of(rgb: Rgb, given_image: Input, given: Given) -> dict[str, Any]:
    """Return what is given of an image's hands: arguments of `Model.find`.

    Boxes and sides that the user gives take precedence over those of a file. `boxes` is an empty list for an
    image that has no hand in the file, and None if the hands must be detected.
    """
    height, width = rgb.shape[:2]
    boxes, sides = given.boxes, given.handedness
    if boxes is None and given_image.boxes is not None:
        boxes = tuple(label.box for label in given_image.boxes)
        sides = sides or [label.handedness for label in given_image.boxes]
    return {
        "boxes": None if boxes is None else [check_box(box, "box", (width, height)) for box in boxes],
        "handedness": sides,
        "bone_mm": given.bone_mm,
        "focal_px": given.focal_px,
        **given.search,
        **({} if boxes is None else {"zoom": 1}),
    }


def is_labelled(sample: Sample) -> bool:
    """Return whether the labels give the side and the crop of a hand."""
    return sample.handedness is not None and (sample.uv_px is not None or sample.scene_box is not None)
