"""Joint order, unit, root and side, decided by what most hands of a set show, and set right one by one.

Each function takes labels whose conventions before it in this file are already right, and returns its verdict
with the labels as they should be.
"""

from dataclasses import replace

import numpy as np

from latent_hands.data.units import UNITS, power_to_mm
from latent_hands.doctor import anatomy
from latent_hands.doctor.labels import Labels, Verdict, figures
from latent_hands.hand.skeleton import MIDDLE_MCP

_CLEAR_MISFIT = 0.22
BONE_MM = (18.0, 70.0)
"""The middle MCP-PIP bone of hands of all ages, by anybody's definition of its joints."""
_TYPICAL = "a hand's is 20-60 mm"
_PALM_BELOW = -0.1
_BENT = 0.3
_MAJORITY = 0.8


def find_order(labels: Labels) -> tuple[Verdict, Labels]:
    """The order in which most hands have a hand's proportions."""
    orders = anatomy.listings()
    scores = {name: np.median(each) for name, each in anatomy.misfit_of_orders(labels.xyz_mm).items()}
    best = min(scores, key=lambda name: scores[name])
    told = f"proportions differ from a mean hand's by {_percent(scores['rhd'])} read so"
    if scores[best] > _CLEAR_MISFIT:
        wrong = f"no known order of joints makes these hands: {told}, a hand's by 5 to 20 %"
        return Verdict("order", "unknown", told, wrong), labels
    if best == "rhd" or scores["rhd"] < _CLEAR_MISFIT:
        other = min(score for name, score in scores.items() if name != "rhd")
        return Verdict(
            "order", orders["rhd"].about, f"{told}, by {_percent(other)} or more otherwise"
        ), labels
    told = f"{told}, by {_percent(scores[best])} in that order"
    wrong = f'the joints are in the order "{best}" ({orders[best].about}), not in "rhd": {told}'
    if best != anatomy.LITTLE_FIRST:
        wrong += f'. Right is reorder(points, "{best}", "rhd") of what is read now'
    return Verdict("order", orders[best].about, told, wrong), labels.listed(orders[best].places)


def find_unit(labels: Labels) -> tuple[Verdict, Labels]:
    """The unit in which the middle bone is a hand's."""
    bones = anatomy.middle_bone(labels.xyz_mm)
    bone = float(np.median(bones))
    told = f"middle bone {figures(bone)} mm; {_TYPICAL}"
    if BONE_MM[0] <= bone <= BONE_MM[1]:
        low, high = np.percentile(bones, [5, 95])
        told = f"middle bone {bone:.1f} mm, {low:.1f} .. {high:.1f} in 90 % of the hands; {_TYPICAL}"
        return Verdict("unit", "millimetres", told), labels
    if np.ptp(bones) < 1e-3 * bone and abs(bone - 1) < 1e-3:
        wrong = f"{told}: the labels look like poses in lengths of that bone; their millimetres are lost"
        return Verdict("unit", "lengths of the middle bone", told, wrong), labels
    power = power_to_mm(bone)
    if power is None:
        wrong = f"{told}: no usual unit makes this a hand's; {40 / bone:.3g} times as much would be one"
        return Verdict("unit", "unknown", told, wrong), labels
    do = f"multiply by {10**power}" if power > 0 else f"divide by {10**-power}"
    right = replace(labels, xyz_mm=labels.xyz_mm * 10.0**power)
    return Verdict("unit", UNITS[power], told, f"{told}: the labels look like {UNITS[power]}, {do}"), right


def find_root(labels: Labels) -> tuple[Verdict, Labels]:
    """Whether joint 0 is the wrist or the palm: the thumb's base lies before the one, behind the other."""
    share = float(np.median(anatomy.thumb_base(labels.xyz_mm)))
    found = "palm" if share < _PALM_BELOW else "wrist"
    way = np.linalg.norm(labels.xyz_mm[:, MIDDLE_MCP] - labels.xyz_mm[:, 0], axis=1)
    bones = np.median(way / np.maximum(anatomy.middle_bone(labels.xyz_mm), 1e-9))
    told = f"seen along the hand, the thumb's base lies {abs(share):.2f} of the way to the middle MCP "
    told += f"{'behind' if share < 0 else 'before'} joint 0 (wrist: before, palm: behind); "
    told += f"that MCP is {bones:.1f} middle bones away"
    wrong = f"joint 0 is read as the {labels.root} but is the {found}: {told}" if found != labels.root else ""
    return Verdict("root", f"{found} at joint 0", told, wrong), replace(labels, root=found)


def find_side(labels: Labels) -> tuple[Verdict, Labels]:
    """Whether fingers bend to the palm of the side that the set says."""
    if labels.left is None:
        bent = anatomy.left_bend(labels.xyz_mm)
        left, right = int((bent > _BENT).sum()), int((bent < -_BENT).sum())
        told = f"{left} hands bend as left ones do, {right} as right ones"
        return Verdict("side", "not labelled", told), labels
    told, wrong, found, really_left = [], [], [], labels.left.copy()
    for side, here in (("left", labels.left), ("right", ~labels.left)):
        if not here.any():
            continue
        other = "right" if side == "left" else "left"
        against, bent = against_side(labels.those(here))
        told.append(f"of {bent.sum()} {side} hands with bent fingers {against.sum()} bend as {other} ones do")
        share = against.sum() / max(bent.sum(), 1)
        which = side if share < 0.5 else f"{other} (labelled {side})"
        found.append(which if bent.any() else f"{side} (nothing to tell by)")
        if bent.any() and share >= _MAJORITY:
            wrong.append(f"hands labelled {side} are {other} hands, or mirror images")
            really_left[here] = other == "left"
        elif share > 1 - _MAJORITY:
            wrong.append(f"the side {side} is wrong for {_percent(share)} of its hands")
    evidence = "; ".join(told)
    verdict = Verdict(
        "side", " and ".join(found), evidence, f"{'; '.join(wrong)}: {evidence}" if wrong else ""
    )
    return verdict, replace(labels, left=really_left)


def against_side(labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Which hands bend as those of the other side do, and which are bent enough to tell, (n,) each."""
    assert labels.left is not None
    bend = anatomy.left_bend(labels.xyz_mm) * np.where(labels.left, 1, -1)
    return bend < -_BENT, np.abs(bend) > _BENT


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
