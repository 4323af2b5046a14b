"""The work of the command label: read one image after the other, then write the hands of sufficient score."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latent_hands.cli.estimate_images import known_of
from latent_hands.cli.estimate_inputs import Given, Input, split_inputs, with_boxes
from latent_hands.cli.tables import print_table
from latent_hands.data import OnBroken
from latent_hands.errors import HandsError
from latent_hands.lock import one_writer
from latent_hands.predictions.pseudo_labels import PseudoLabels
from latent_hands.predictor import Model
from latent_hands.predictor.agreement import Agreed, agreed_hands, check_agreement
from latent_hands.predictor.checks import opened
from latent_hands.progress import progress_bars
from latent_hands.runs.folder import WEIGHTS, find_run
from latent_hands.runs.hub import pinned


def label_images(
    images: Path,
    out: Path,
    teacher: str,
    given: Given,
    boxes: Path | None,
    limit: int | None,
    split: str,
    threshold: float,
    on_broken: OnBroken,
) -> dict[str, Any]:
    """Label the images, or those that are not labelled yet, and write the set; return its counts.

    `on_broken` receives the errors of broken images, which are tried again by the next call.
    """
    inputs, videos = split_inputs([str(images)], limit, on_broken)
    if videos:
        raise HandsError(f"{images} is a video; label needs images: a folder of them, or one")
    inputs = with_boxes(inputs, boxes)
    model = Model.load(teacher)
    check_agreement(model, given.rotations)
    made_by = {
        "teacher": pinned(teacher),
        "weights": hashlib.sha256((find_run(teacher) / WEIGHTS).read_bytes()).hexdigest(),
        "convention": model.experiment.data.convention,
        "rotations": given.rotations,
        "handedness": given.handedness,
        "bone_mm": given.bone_mm,
        "focal_px": given.focal_px,
        "boxes": boxes and str(boxes.absolute()),
    }
    with one_writer(out), progress_bars() as progress:
        labels, last = PseudoLabels.open(out, made_by), None
        for count, each in enumerate(inputs, 1):
            if not labels.has(each.image, each.name):
                try:
                    hands, size_px = label_image(model, each, given)
                    labels.add(each.image, each.name, size_px, hands)
                except HandsError as error:
                    named = str(each.image) in str(error)
                    last = error if named else HandsError(f"{each.image}: {error}")
                    on_broken(last)
            progress("labelling", count, len(inputs))
        if last is not None and not labels.images:
            raise HandsError(f"no image of {images} could be labelled: {last}") from last
        return labels.write(split, threshold, progress)


def label_image(model: Model, each: Input, given: Given) -> tuple[list[Agreed], tuple[int, int]]:
    """Return the hands of an image with their scores, and its (width, height)."""
    image = opened(each.image)
    known = known_of(image.rgb, each, given)
    size_px = image.rgb.shape[1], image.rgb.shape[0]
    if known["boxes"] == []:
        return [], size_px
    return agreed_hands(model, image, rotations=given.rotations, **known), size_px


def print_counts(counts: Mapping[str, Any], out: Path) -> None:
    """Print the counts of a labelling."""
    rows = [
        ["images", f"{counts['images']:,}"],
        ["hands found", f"{counts['hands']:,}"],
        *([f"left out: {reason}", f"{count:,}"] for reason, count in counts["left_out"].items()),
        ["hands labelled", f"{counts['labelled']:,}"],
        ["images without a label", f"{counts['images_without_labels']:,}"],
    ]
    if counts["skipped_images"]:
        rows.append(["broken images skipped", f"{counts['skipped_images']:,}"])
    print_table(["", ""], rows, f"pseudo-labels in {out}")
