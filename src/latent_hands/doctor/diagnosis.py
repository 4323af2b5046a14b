"""The conventions that labels follow, decided by what most hands of a data set have in common.

Conventions are examined in turn: order, unit, axes and camera, root, side, frame. Each `find_...` function
takes labels whose earlier conventions are right. It returns its verdict and the labels as they should be.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from latent_hands.data.checks import UNITS, power_to_mm
from latent_hands.data.sample import project
from latent_hands.doctor import anatomy
from latent_hands.doctor.cameras import AS_LABELLED, find_camera, with_axes
from latent_hands.doctor.images import READINGS, best_reading, find_frame
from latent_hands.doctor.labels import Labels, Verdict, against_side, count_sides, figures
from latent_hands.doctor.outliers import find_outliers
from latent_hands.hand import listing
from latent_hands.hand.skeleton import BONE_RANGE_MM, MIDDLE_MCP, ORDERS

ColourSpread = Float[np.ndarray, "n readings"]

_CLEAR_MISFIT = 0.22
_TYPICAL = "that of a hand is 20-60 mm"
_PALM_BELOW = -0.1
_MAJORITY = 0.8
_SOME, _SINGLE = 0.05, 2
"""A side is wrong for the set from this share of its bent hands; up to so many are single hands."""


def diagnose(
    labels: Labels, colour_spread: ColourSpread | None = None
) -> tuple[list[Verdict], list[tuple[str, str]]]:
    """Return the verdicts on all conventions, and (name, message) of outliers among the corrected hands.

    `colour_spread` is `images.colour_spread` of each image; None if the images were not read.
    """
    order, labels = find_order(labels)
    unit, labels = find_unit(labels)
    camera, labels = find_camera(labels)
    verdicts = [order, unit, *camera]
    consistent = any(verdict.topic == "axes" for verdict in camera)
    ordered = order.found != "unknown"
    if ordered:
        root, labels = find_root(labels)
        as_labelled = any(verdict.found == AS_LABELLED for verdict in camera)
        sides, labels = _find_side_or_axes(labels, colour_spread if as_labelled else None)
        verdicts += [root, *sides]
    if consistent and not camera[-1].wrong:
        frame, labels = find_frame(labels)
        verdicts.append(frame)
    latest = {verdict.topic: verdict for verdict in verdicts}
    return list(latest.values()), list(find_outliers(labels, consistent)) if ordered else []


def find_order(labels: Labels) -> tuple[Verdict, Labels]:
    """Find the joint order in which most hands have the proportions of a hand."""
    orders = listing.listings()
    scores = {name: np.median(each) for name, each in listing.misfit_of_orders(labels.xyz_mm).items()}
    best = min(scores, key=lambda name: scores[name])
    evidence = f"the proportions differ from those of a mean hand by {_percent(scores['rhd'])}"
    if scores[best] > _CLEAR_MISFIT:
        wrong = f"the joints are in no known order: {evidence}; those of real hands differ by 5 to 20 %"
        return Verdict("order", "unknown", evidence, wrong), labels
    if best == "rhd" or scores["rhd"] < _CLEAR_MISFIT:
        other = min(score for name, score in scores.items() if name != "rhd")
        evidence += f", in other orders by at least {_percent(other)}"
        return Verdict("order", orders["rhd"].about, evidence), labels
    evidence += f", in that order by {_percent(scores[best])}"
    wrong = f'the joints are in the order "{best}" ({orders[best].about}), not in "rhd": {evidence}'
    if best in ORDERS:
        wrong += f'. Apply reorder(points, "{best}", "rhd")'
    return Verdict("order", orders[best].about, evidence, wrong), labels.listed(orders[best].places)


def find_unit(labels: Labels) -> tuple[Verdict, Labels]:
    """Find the unit in which the middle bone has the length of a hand's."""
    bones = anatomy.middle_bone(labels.xyz_mm)
    bone = float(np.median(bones))
    evidence = f"the middle bone is {figures(bone)} mm; {_TYPICAL}"
    if BONE_RANGE_MM[0] <= bone <= BONE_RANGE_MM[1]:
        low, high = np.percentile(bones, [5, 95])
        evidence = f"the middle bone is {bone:.1f} mm, and {low:.1f} to {high:.1f} in 90 % of the hands"
        return Verdict("unit", "millimetres", f"{evidence}; {_TYPICAL}"), labels
    if np.ptp(bones) < 1e-3 * bone and abs(bone - 1) < 1e-3:
        wrong = f"{evidence}: the labels look like poses in lengths of that bone; their millimetres are lost"
        return Verdict("unit", "lengths of the middle bone", evidence, wrong), labels
    power = power_to_mm(bone)
    if power is None:
        wrong = f"{evidence}: no usual unit gives that; a factor of {40 / bone:.3g} would"
        return Verdict("unit", "unknown", evidence, wrong), labels
    remedy = f"multiply by {10**power}" if power > 0 else f"divide by {10**-power}"
    wrong = f"{evidence}: the labels look like {UNITS[power]}, {remedy}"
    return Verdict("unit", UNITS[power], evidence, wrong), replace(labels, xyz_mm=labels.xyz_mm * 10.0**power)


def find_root(labels: Labels) -> tuple[Verdict, Labels]:
    """Find whether joint 0 is the wrist or the palm, by the place of the thumb's base along the hand."""
    share = float(np.median(anatomy.thumb_base(labels.xyz_mm)))
    found = "palm" if share < _PALM_BELOW else "wrist"
    length = np.linalg.norm(labels.xyz_mm[:, MIDDLE_MCP] - labels.xyz_mm[:, 0], axis=1)
    bones = np.median(length / np.maximum(anatomy.middle_bone(labels.xyz_mm), 1e-9))
    evidence = f"on the line from joint 0 (at 0) to the middle MCP (at 1), the thumb's base is at {share:.2f}"
    evidence += " (above 0 if joint 0 is a wrist, below 0 if it is a palm); "
    evidence += f"the line has the length of {bones:.1f} middle bones"
    wrong = ""
    if found != labels.root:
        wrong = f"joint 0 is read as the {labels.root} but is the {found}: {evidence}"
    return Verdict("root", f"{found} at joint 0", evidence, wrong), replace(labels, root=found)


def find_side(labels: Labels) -> tuple[Verdict, Labels]:
    """Find whether fingers bend to the palm of the labelled side."""
    if labels.left is None:
        left, right = count_sides(labels)
        evidence = f"{left} hands bend like left hands, {right} like right hands"
        evidence += "; training and evaluation need the side: label it, or give --handedness (handedness)"
        return Verdict("side", "not labelled", evidence), labels
    evidences, wrong, found, corrected = [], [], [], labels.left.copy()
    for side, other, rows in (("left", "right", labels.left), ("right", "left", ~labels.left)):
        if not rows.any():
            continue
        against, bent = against_side(labels.subset(rows))
        number, total = against.sum(), bent.sum()
        evidences.append(f"{number} of {total} {side} hands with bent fingers bend like {other} hands")
        share = number / max(total, 1)
        likely = side if share < 0.5 else f"{other} (labelled {side})"
        found.append(likely if total else f"{side} (too flat to decide)")
        if total and share >= _MAJORITY:
            wrong.append(f"hands labelled {side} are {other} hands, or mirror images")
            corrected[rows] = other == "left"
        elif share > _SOME and number > _SINGLE:
            wrong.append(f"the side {side} is wrong for {_percent(share)} of its hands")
    evidence = "; ".join(evidences)
    message = f"{'; '.join(wrong)}: {evidence}" if wrong else ""
    return Verdict("side", " and ".join(found), evidence, message), replace(labels, left=corrected)


def _find_side_or_axes(labels: Labels, colour_spread: ColourSpread | None) -> tuple[list[Verdict], Labels]:
    """Find the side; if all sides are wrong, decide by the images between wrong sides and wrong axes.

    Wrong sides, mirrored joints, and swapped x and y axes all bend fingers to the wrong side.
    """
    side, corrected = find_side(labels)
    if labels.left is None or corrected.left is None or not (labels.left ^ corrected.left).all():
        return [side], corrected
    reading = None if colour_spread is None else best_reading(colour_spread)
    if colour_spread is None or reading is None:
        look = "; 3D joints that are mirrored, or have x and y swapped, look the same: see the sheet"
        hint = f"{look} (check --sheet)"
        return [replace(side, wrong=side.wrong + hint)], corrected
    if reading == AS_LABELLED:
        return [side], corrected
    votes = (colour_spread.argmin(axis=1) == READINGS.index(reading)).sum()
    evidence = f"{side.evidence}; in {votes} of {len(colour_spread)} images, the colours at the joints are "
    evidence += "most uniform, as skin is, with these axes corrected"
    axes = Verdict("axes", reading, evidence, f"{reading}: {evidence}")
    assert labels.K is not None
    xyz_mm = with_axes(labels.xyz_mm, reading)
    labels = replace(labels, xyz_mm=xyz_mm, uv_px=project(xyz_mm, labels.K))
    return [replace(side, found="as labelled", wrong=""), axes], labels


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
