"""The order in which joints are listed, found by the proportions of hands.

Hands are (n, 21, 3) in any unit and frame, with the wrist or the palm as joint 0.
"""

from itertools import permutations

import numpy as np
from jaxtyping import Float

from latent_hands.hand.proportions import MEAN_LENGTHS, RIGID
from latent_hands.hand.skeleton import BONES, FINGERS, ORDERS, WRIST, JointOrder

LITTLE_FIRST = "little-first"
"""The order that results if joints in STB's order are read as if in the order "mediapipe"."""
LIKE_A_HAND, UNLIKE_A_HAND = 0.2, 0.23
"""The largest median misfit of a set in its order, and the smallest of one in another order."""
NO_HAND = 0.3
"""Sets with a larger median misfit are in no known order. Of 1,519 hands, none has more than 0.21."""
CLEARLY_SHORTER, MUCH_SHORTER = 0.9, 0.84
"""The ratio of the lengths of all bones in two orders, below which the first is the right one; the same for
fewer than twice VIEWS hands. Right orders of one person's video have 0.88 and more for few hands, 0.94 for
more."""
LONG_WAY, MOST_HANDS = 0.9, 0.6
"""The way from the wrist over the finger bases is shorter than 0.9 sizes of the hand in its image; in another
order it must be shorter for 60 % of the hands."""
VIEWS, MOST_VIEWS, VIEW_APART = 8, 64, 0.1
"""The least and largest number of hands that tell which finger is which, and the mean distance of joints, in
sizes of the hand, by which they differ: frames of one edge-on hand may all be deceptive."""
Fingers = tuple[str, ...]
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
    """Return all registered joint orders, LITTLE_FIRST, "rhd" and "mediapipe" with the wrist last,
    and the orders read as "mediapipe", by name.

    Readers of files in the order "mediapipe" move the joints of files in another order to other places.
    """
    places = (0, *(joint for tip in (17, 13, 9, 5, 1) for joint in range(tip, tip + 4)))
    found = {**ORDERS, LITTLE_FIRST: JointOrder(places, "wrist, then little finger to thumb, tip to base")}
    variants = dict[str, JointOrder]()
    for name in ("rhd", "mediapipe"):
        places, about = ORDERS[name].places, ORDERS[name].about
        last = tuple(20 if each == 0 else each - 1 for each in places)
        variants[f"{name}, wrist last"] = JointOrder(last, f"{about}; with the wrist last")
    for name, order in {**ORDERS, **variants}.items():
        if all(order.places != each.places for each in found.values()):
            found[name] = order
        places = tuple(ORDERS["mediapipe"].places.index(place) for place in order.places)
        if all(places != each.places for each in found.values()):
            about = f"{order.about}; it was read as mediapipe"
            found[f"{name} read as mediapipe"] = JointOrder(places, about)
    return found


def shorter_listing(uv: Float[np.ndarray, "n 21 2"]) -> str | None:
    """Return the order in which the bones of hands in images are clearly shorter than in RHD's; else None.

    In another order, lines between joints cross the hand: the bones of real hands together are 1.2 to 2 times
    as long (median). `shorter_fingers` tells orders apart that differ only by which finger is which. Returns
    None for fewer than VIEWS hands that differ: a curled finger may be shorter in another order.
    """
    uv = uv[_different(uv)]
    if len(uv) < VIEWS:
        return None
    parents, children = np.array(BONES).T

    def length(order: JointOrder) -> Float[np.ndarray, " n"]:
        points = uv[:, list(order.places)]
        return np.linalg.norm(points[:, children] - points[:, parents], axis=-1).sum(axis=1)

    orders = listings()
    own = np.maximum(length(orders["rhd"]), 1e-9)
    ratios = {name: float(np.quantile(length(order) / own, MOST_HANDS)) for name, order in orders.items()}
    best = min(ratios, key=lambda name: ratios[name])
    return best if ratios[best] < (CLEARLY_SHORTER if len(uv) >= 2 * VIEWS else MUCH_SHORTER) else None


def shorter_fingers(uv: Float[np.ndarray, "n 21 2"]) -> tuple[Fingers, Fingers] | None:
    """Return two orders of fingers, one of which hands in images have, if it is not thumb to little finger.

    `uv` has the wrist as joint 0. The way from the wrist to the base of the thumb, and from knuckle to
    knuckle from index to little finger, is shorter in the right order for most hands. It does not tell the
    order from the one in which these four fingers are reversed. Returns None for points that are not hands,
    and for fewer than VIEWS hands that differ.
    """
    uv = uv[_different(uv)]
    if len(uv) < VIEWS:
        return None
    fingers, bases = tuple(FINGERS), [joints[0] for joints in FINGERS.values()]
    places = np.array(list(permutations(range(5))))  # where each finger stands; the stated order is the first
    points = uv[:, [*bases, WRIST]]
    apart = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    stops = [(places[:, i], places[:, i + 1]) for i in (1, 2, 3)]
    ways = apart[:, places[:, 0], 5] + np.sum([apart[:, start, end] for start, end in stops], axis=0)
    ratios = np.quantile(ways / np.maximum(ways[:, :1], 1e-9), MOST_HANDS, axis=0)
    best = int(ratios.argmin())
    if ratios[best] >= CLEARLY_SHORTER or np.median(ways[:, best] / _sizes(uv)) >= LONG_WAY:
        return None
    order = places[best]
    first, second = (tuple(fingers[i] for i in np.argsort(each)) for each in (order, order[[0, 4, 3, 2, 1]]))
    return first, second


def _sizes(uv: Float[np.ndarray, "n 21 2"]) -> Float[np.ndarray, " n"]:
    return np.maximum(np.ptp(uv, axis=1).max(axis=-1), 1e-9)


def _different(uv: Float[np.ndarray, "n 21 2"]) -> list[int]:
    """Return the first hands whose joints differ in place from those of each other, moved and resized."""
    shapes = (uv - uv.mean(axis=1, keepdims=True)) / _sizes(uv)[:, None, None]
    kept = list[int]()
    for i, shape in enumerate(shapes):
        distances = np.linalg.norm(shapes[kept] - shape, axis=-1).mean(axis=-1)
        if (distances > VIEW_APART).all():
            kept.append(i)
        if len(kept) == MOST_VIEWS:
            break
    return kept


def other_listing(xyz: Hands) -> str | None:
    """Return the order of most hands if they are hands in that order and not in RHD's; else None."""
    if not np.median(misfit(xyz)) > UNLIKE_A_HAND:  # no need to try other orders
        return None
    scores = {name: float(np.median(each)) for name, each in misfit_of_orders(xyz).items()}
    best = min(scores, key=lambda name: scores[name])
    return best if scores[best] < LIKE_A_HAND else None


def is_no_hand(xyz: Hands) -> bool:
    """Return whether most hands have the proportions of no hand, in whichever order they are."""
    return bool(np.median(misfit(xyz)) > NO_HAND)
