"""The order in which joints are listed, found by the proportions of hands.

Hands are (n, 21, 3) in any unit and frame, with the wrist or the palm as joint 0.
"""

import numpy as np
from jaxtyping import Float

from latent_hands.hand.proportions import MEAN_LENGTHS, RIGID
from latent_hands.hand.skeleton import BONES, ORDERS, JointOrder

LITTLE_FIRST = "little-first"
"""The order that results if joints in STB's order are read as if in the order "mediapipe"."""
LIKE_A_HAND, UNLIKE_A_HAND = 0.2, 0.23
"""The largest median misfit of a set in its order, and the smallest of one in another order."""
CLEARLY_SHORTER = 0.9
"""The ratio of the lengths of all bones in two orders, below which the first is the right one."""
Hands = Float[np.ndarray, "n 21 3"]


def misfit(xyz: Hands) -> Float[np.ndarray, " n"]:
    """Return the difference from the proportions of the mean hand: the mean of |log ratio|, of any size.

    It is 0.06 to 0.17 for real hands of all data sets, and at least 0.25 if joints are in another order.
    """
    ends = np.array(RIGID)
    lengths = np.linalg.norm(xyz[:, ends[:, 0]] - xyz[:, ends[:, 1]], axis=-1)
    ratio = np.log(np.maximum(lengths, 1e-9)) - np.log(MEAN_LENGTHS)
    return np.abs(ratio - ratio.mean(axis=1, keepdims=True)).mean(axis=1)


def misfit_of_orders(xyz: Hands) -> dict[str, Float[np.ndarray, " n"]]:
    """Return the misfit of the same points if they are listed in each of `listings()`, by name."""
    return {name: misfit(xyz[:, list(order.places)]) for name, order in listings().items()}


def listings() -> dict[str, JointOrder]:
    """Return all registered joint orders, LITTLE_FIRST, and the orders read as "mediapipe", by name.

    Readers of files in the order "mediapipe" move the joints of files in another order to other places.
    """
    places = (0, *(joint for tip in (17, 13, 9, 5, 1) for joint in range(tip, tip + 4)))
    found = {**ORDERS, LITTLE_FIRST: JointOrder(places, "wrist, then little finger to thumb, tip to base")}
    for name, order in ORDERS.items():
        places = tuple(ORDERS["mediapipe"].places.index(place) for place in order.places)
        if all(places != each.places for each in found.values()):
            about = f"{order.about}; it was read as mediapipe"
            found[f"{name} read as mediapipe"] = JointOrder(places, about)
    return found


def shorter_listing(uv: Float[np.ndarray, "n 21 2"]) -> str | None:
    """Return the order in which the bones of hands in images are clearly shorter than in RHD's; else None.

    In another order, lines between joints cross the hand: the bones of real hands together are 1.2 to 2 times
    as long (median). Orders that differ only by which finger is which are not told apart.
    """
    parents, children = np.array(BONES).T

    def length(order: JointOrder) -> Float[np.ndarray, " n"]:
        points = uv[:, list(order.places)]
        return np.linalg.norm(points[:, children] - points[:, parents], axis=-1).sum(axis=1)

    orders = listings()
    own = np.maximum(length(orders["rhd"]), 1e-9)
    ratios = {name: float(np.median(length(order) / own)) for name, order in orders.items()}
    best = min(ratios, key=lambda name: ratios[name])
    return best if ratios[best] < CLEARLY_SHORTER else None


def other_listing(xyz: Hands) -> str | None:
    """Return the order of most hands if they are hands in that order and not in RHD's; else None."""
    if not np.median(misfit(xyz)) > UNLIKE_A_HAND:  # no need to try other orders
        return None
    scores = {name: float(np.median(each)) for name, each in misfit_of_orders(xyz).items()}
    best = min(scores, key=lambda name: scores[name])
    return best if scores[best] < LIKE_A_HAND else None
