"""From labels and images to named diagnoses: every convention in turn, each set right before the next."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from latent_hands.data.sample import project
from latent_hands.doctor.cameras import AS_LABELLED, find_camera, with_axes
from latent_hands.doctor.conventions import find_order, find_root, find_side, find_unit
from latent_hands.doctor.images import READINGS, find_frame, likeliest
from latent_hands.doctor.labels import Labels, Verdict
from latent_hands.doctor.outliers import find_outliers

Unlike = Float[np.ndarray, "n readings"]


def diagnose(labels: Labels, unlike: Unlike | None = None) -> tuple[list[Verdict], list[tuple[str, str]]]:
    """Verdicts on all conventions, and (name, what is wrong) of single hands once these are set right.

    `unlike` is what images say about axes (`images.unlikeness`), where they were looked at.
    """
    order, labels = find_order(labels)
    unit, labels = find_unit(labels)
    camera, labels = find_camera(labels)
    verdicts = [order, unit, *camera]
    agree = any(verdict.topic == "axes" for verdict in camera)
    known = order.found != "unknown"
    if known:
        root, labels = find_root(labels)
        as_read = any(verdict.found == AS_LABELLED for verdict in camera)
        sides, labels = _side_or_axes(labels, unlike if as_read else None)
        verdicts += [root, *sides]
    if agree and not camera[-1].wrong:
        frame, labels = find_frame(labels)
        verdicts.append(frame)
    latest = {verdict.topic: verdict for verdict in verdicts}
    return list(latest.values()), list(find_outliers(labels, agree)) if known else []


def _side_or_axes(labels: Labels, unlike: Unlike | None) -> tuple[list[Verdict], Labels]:
    """Wrong sides, mirrored joints and swapped axes all bend fingers to the wrong side: images decide."""
    side, righted = find_side(labels)
    if labels.left is None or righted.left is None or not (labels.left ^ righted.left).all():
        return [side], righted
    reading = None if unlike is None else likeliest(unlike)
    if unlike is None or reading is None:
        told = "; 3D joints that are mirrored, or have x and y swapped, would look the same: see --sheet"
        return [replace(side, wrong=side.wrong + told)], righted
    if reading == AS_LABELLED:
        return [side], righted
    won = (unlike.argmin(axis=1) == READINGS.index(reading)).sum()
    told = f"{side.evidence}; in {won} of {len(unlike)} images the joints lie most on one colour, as skin "
    told += "is, with that set right"
    axes = Verdict("axes", reading, told, f"{reading}: {told}")
    return [replace(side, found="as labelled", wrong=""), axes], _with_axes(labels, reading)


def _with_axes(labels: Labels, reading: str) -> Labels:
    assert labels.K is not None
    xyz_mm = with_axes(labels.xyz_mm, reading)
    return replace(labels, xyz_mm=xyz_mm, uv_px=project(xyz_mm, labels.K))
