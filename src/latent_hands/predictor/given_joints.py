"""Joints that a user gives as a source: finite, and those of a left hand in RHD's order, palm first."""

import logging

import numpy as np

from latent_hands.errors import HandsError
from latent_hands.hand.arrays import wrist_form
from latent_hands.hand.bending import against_side
from latent_hands.hand.listing import is_no_hand, other_listing
from latent_hands.hand.skeleton import MIDDLE_MCP, MIDDLE_PIP, PALM
from latent_hands.shapes import Float32

FAR_PALM = 1.8
"""The palm is at most 1.64 bones from the middle MCP in all joint conventions, the wrist twice as far."""
_LOG = logging.getLogger(__name__)


def check_joints(joints: Float32[np.ndarray, "21 3"]) -> None:
    """Raise HandsError for joints that are not finite; announce those that are no left hand, palm first."""
    if not np.isfinite(joints).all():
        joint = int(np.argwhere(~np.isfinite(joints))[0, 0])
        raise HandsError(f"joint {joint} of 21 is {joints[joint].tolist()}; joints must be finite numbers")
    if (mistake := _mistake(joints.astype(float))) is not None:
        _LOG.warning(
            "the joints %s; give those of a left hand, x right, y down, in the order lh.JOINTS with the palm "
            "(the middle of wrist and middle MCP) in place of the wrist",
            mistake,
        )


def _mistake(joints: np.ndarray) -> str | None:
    """Return what the joints look like instead of a left hand, palm first; None if they look like one."""
    if (order := other_listing(joints[None])) is not None:
        return f'seem to be in the order "{order}"'
    if is_no_hand(joints[None]):
        return "have the proportions of no hand, in no known order"
    palm_mm, bone_mm = (np.linalg.norm(joints[MIDDLE_MCP] - joints[end]) for end in (PALM, MIDDLE_PIP))
    if palm_mm > FAR_PALM * bone_mm:
        return "seem to begin with the wrist"
    against, _ = against_side(wrist_form(joints)[None], np.array([True]))
    return "bend like those of a right hand, or their y axis points up" if against.any() else None
