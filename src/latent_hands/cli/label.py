"""The command label."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from latent_hands.cli.estimate import Boxes
from latent_hands.cli.options import RUN_HELP, BoneMm, FocalPx, Json, Limit, OptionalHandedness, unset
from latent_hands.cli.quick_imports import quick_imports
from latent_hands.errors import HandsError, PartlyReadError

DEFAULT_THRESHOLD = 0.5
"""The least score of a hand that is labelled (docs/pseudo_labels.md)."""


DRAWS = 16


def label(
    images: Annotated[Path, Positional, arg(metavar="IMAGES", help="A folder of images, or one image.")],
    out: Annotated[Path, Positional, arg(metavar="OUT", help="A new folder, or one to continue.")],
    teacher: Annotated[str | None, unset("estimation", "RUN", RUN_HELP)] = None,
    threshold: Annotated[float, arg(metavar="SCORE")] = DEFAULT_THRESHOLD,
    rotations: Annotated[int, arg(metavar="N")] = 8,
    handedness: OptionalHandedness = None,
    bone_mm: BoneMm = None,
    boxes: Boxes = None,
    focal_px: FocalPx = None,
    split: Literal["training", "evaluation"] = "training",
    limit: Limit = None,
    json: Json = False,
) -> bool:
    """Label unlabelled images by a trained model: pseudo-labels, each with a score.

    $ latent-hands label photos/ labelled
    $ latent-hands label photos/ labelled --threshold 0.7 --boxes labels.csv
    $ latent-hands train my.toml --data.name coco --data.root labelled

    Output: a COCO data set in OUT, with 2D and 3D joints. Training weights each hand by its score.

    Each hand is read in rotated crops, in the crop that is found in the mirror image, and by each encoder of
    the run. The label is the mean of these readings, and the score is their agreement. Hands with a low score
    are left out and counted, and so are hands that the mirror image contradicts.

    Pseudo-labels have the errors of their teacher. Look at some before you train, and score the new model on
    labelled images.

    Repeat the command to continue an interrupted labelling. With another --threshold, nothing is read again.

    The exit code is 1 if a broken image was skipped.

    Args:
        threshold: Smallest score of a hand that is written, from 0 to 1.
        rotations: Number of rotated crops to compare, 2 to 64.
        boxes: Boxes, and optionally sides, of all images, as in `latent-hands estimate`.
        split: The split of the new data set.
    """
    with quick_imports():
        from latent_hands.cli.estimate_inputs import DEFAULT_RUN, Given
        from latent_hands.cli.label_images import label_images, print_counts
        from latent_hands.cli.tables import complaint, print_json

    if not 0 <= threshold <= 1:
        raise HandsError(f"--threshold is {threshold:g}; it must be between 0 and 1")
    broken = list[HandsError]()
    given = Given.typed(handedness, (), boxes, bone_mm, focal_px, rotations, DRAWS, None)
    counts = label_images(
        images, out, teacher or DEFAULT_RUN, given, boxes, limit, split, threshold, broken.append
    )
    for error in broken:
        print(complaint(error), file=sys.stderr)
    counts["skipped_images"] = sum(not isinstance(error, PartlyReadError) for error in broken)
    if json:
        print_json(counts)
    else:
        print_counts(counts, out)
    return not broken
