"""The command evaluate."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from latent_hands.cli.options import Data, Json, LabelledHandedness, Limit, Root, Rotations, Run, Split, unset
from latent_hands.cli.tables import print_json, print_table

SCORES = {
    "epe_mm": ("3DPose EPE, mean", "mm", 1),
    "median_epe_mm": ("3DPose EPE, median", "mm", 1),
    "epe_20_mm": ("... without the palm", "mm", 1),
    "epe_wrist_mm": ("... with the wrist instead of the palm", "mm", 1),
    "auc_20_50": ("AUC 20-50 mm", "", 3),
    "auc_0_50": ("AUC 0-50 mm", "", 3),
    "pa_epe_mm": ("EPE after Procrustes alignment", "mm", 1),
    "epe_bone_aligned_mm": ("EPE with the labels' mean bone lengths", "mm", 1),
    "cpose_epe_mm": ("CPose EPE", "mm", 1),
    "viewpoint_deg": ("viewpoint error", "deg", 1),
    "epe_composed_mm": ("EPE of CPose x viewpoint", "mm", 1),
}
"""Key of a score -> its name, its unit, its number of decimals."""
VARIANTS = {
    "without_camera": ("without the camera", ("epe_mm", "auc_20_50", "viewpoint_deg")),
    "translated": ("translated", ("epe_mm", "auc_20_50", "pa_epe_mm")),
}
"""Scores under other conditions: key -> their name, the scores to print."""
IN_IMAGE = {
    "error": ("joints in the image, error", "% of the box", 1),
    "error_px": ("joints in the image, error", "px", 1),
    "pck_10": ("... within 10 % of the box", "%", 1),
    "pck_20": ("... within 20 % of the box", "%", 1),
    "auc_0_20": ("... AUC 0-20 % of the box", "", 3),
}
"""Key of a score of 2D joints -> its name, its unit, its number of decimals. Shares are in percent."""
ENOUGH_HANDS = 50
"""With fewer hands, the score of their own mean pose is too good."""


def evaluate(
    run: Run,
    data: Data,
    root: Root,
    split: Split = "evaluation",
    rotations: Rotations = 1,
    limit: Limit = None,
    exact_auc: bool = False,
    encoder: Annotated[str | None, unset("all that read rgb", "ARROW")] = None,
    convention: Annotated[str | None, unset("that of the data set", "NAME")] = None,
    handedness: LabelledHandedness = None,
    json: Json = False,
) -> None:
    """Score a run on a labelled data set: pose and viewpoint, with 95 % intervals.

    $ latent-hands evaluate estimation --data rhd --root RHD_published_v2
    $ latent-hands evaluate runs/mine --data rendered --root hands --rotations 8 --json
    $ latent-hands evaluate runs/depth --data rendered --root hands --encoder depth
    $ latent-hands evaluate estimation --data freihand --root mine --convention mediapipe

    The model gets handedness and bone length from the labels, as in the paper, and in the ray frame the
    camera. The run determines crop and frame. DIR may be a packed store of `latent-hands prepare`.

    Output: one row a score. These are the keys of --json. EPE is the end-point error: the mean distance
    between predicted and labelled joints.

    * epe_mm, median_epe_mm: EPE of the visible joints, palm included.
    * epe_20_mm, epe_wrist_mm: EPE without the palm, and with the wrist in its place.
    * auc_20_50, auc_0_50: area under the curve of the share of joints within a distance (PCK).
    * pa_epe_mm: EPE after Procrustes alignment.
    * epe_bone_aligned_mm: EPE with the mean bone lengths of the labels.
    * cpose_epe_mm, viewpoint_deg: errors of canonical pose and viewpoint.
    * epe_composed_mm: EPE of the pose that is composed of these two.
    * without_camera: scores of a run of the ray frame without the camera.
    * translated: scores of the predictions in the joint convention of the labels.
    * in_image: scores of the joints in the image, in shares of the larger side of the box around the joints.
    * constant: one offset of each joint, the same for all hands, and the EPE without it; a diagnosis.

    A data set without 3D labels has the scores in the image alone.

    Labels in a wrong unit are an error: see `latent-hands check`.

    Args:
        exact_auc: Integrate AUC 20-50 from 20 mm instead of 21.05 mm, the published lower limit.
        encoder: The encoder of the run that reads the images.
        convention: The joint convention of the labels: rhd, mediapipe, mano and more
            (docs/joint_conventions.md).
    """
    from latent_hands import api

    numbers = api.evaluate(
        run,
        data,
        root,
        split,
        rotations=rotations,
        limit=limit,
        exact_auc=exact_auc,
        encoder=encoder,
        convention=convention,
        handedness=handedness,
    )
    if json:
        print_json(numbers)
        return
    title = f"{run} on {data}, {numbers['samples']} images of {split}"
    if "mean_pose" in numbers:
        print_scores(numbers, title)
    if "in_image" in numbers:
        print_in_image(numbers["in_image"], "" if "mean_pose" in numbers else title)


def print_in_image(numbers: Mapping[str, Any], title: str) -> None:
    """Print the scores of the joints in the image with their intervals."""
    rows = []
    for key, (name, unit, digits) in IN_IMAGE.items():
        scale = 100 if unit.startswith("%") else 1
        value, low, high = (scale * each for each in (numbers[key], *numbers[f"{key}_interval"]))
        text = f"{value:.{digits}f} {unit}".strip()
        rows.append([name, text, f"{low:.{digits}f} .. {high:.{digits}f}"])
    caption = f"{numbers['samples']} hands with labelled 2D joints; the box is that of the labelled joints"
    print_table(["", "value", "95 % interval"], rows, title, caption)


def print_scores(numbers: Mapping[str, Any], title: str) -> None:
    """Print the scores of a run with their intervals, and those of the labels' own mean pose."""
    lines = [(numbers, key, SCORES[key][0]) for key in SCORES if key in numbers]
    for part, (name, keys) in VARIANTS.items():
        lines += [(numbers[part], key, f"{SCORES[key][0]}, {name}") for key in keys if part in numbers]
    rows = []
    for scores, key, name in lines:
        _, unit, digits = SCORES[key]
        low, high = scores[f"{key}_interval"]
        mean = numbers["mean_pose"].get(key)
        cells = [f"{low:.{digits}f} .. {high:.{digits}f}", "" if mean is None else f"{mean:.{digits}f}"]
        rows.append([name, f"{scores[key]:.{digits}f} {unit}".strip(), *cells])
    headings = ["", "value", "95 % interval", "labels' own mean pose"]
    print_table(headings, rows, title, "\n".join(notes(numbers)))


def notes(numbers: Mapping[str, Any]) -> list[str]:
    """Return the conditions of an evaluation, one a line."""
    from latent_hands.evaluation.scoring import given

    labels = numbers["labels_convention"] or "unknown"
    lines = [
        f"{numbers['frame']} frame, {numbers['rotations']} rotation(s); {given(numbers['frame'])} given",
        f"joint conventions: model {numbers['convention']}, labels {labels}",
    ]
    if constant := numbers.get("constant"):
        lines.append(constant_note(constant))
    if numbers["blocks"] < numbers["samples"]:
        lines.append(f"intervals by resampling {numbers['blocks']:,} scenes or sequences of similar images")
    if numbers["samples"] < ENOUGH_HANDS:
        lines.append(
            f"do not compare with the mean pose of {numbers['samples']} hands: it is fitted to them; "
            f"{ENOUGH_HANDS} hands are enough"
        )
    return lines


def constant_note(constant: Mapping[str, Any]) -> str:
    """Return what `evaluation.constant.constant_part` found, in one line."""
    sizes = {name: math.hypot(*offset) for name, offset in constant["offset_mm"].items()}
    worst = sorted(sizes, key=lambda name: -sizes[name])[:3]
    text = ", ".join(f"{name.replace('_', ' ')} {sizes[name]:.1f}" for name in worst)
    mean = sum(sizes.values()) / len(sizes)
    return (
        f"diagnosis: the error has a constant part of {mean:.1f} mm a joint (most: {text}); "
        f"without it the EPE would be {constant['epe_mm']:.1f} mm"
    )
