"""The 21 joints of a hand, their bones, and the orders in which data sets list them.

Everything in this package uses the order of RHD (Zimmermann & Brox 2017): the wrist (or the palm, which
replaces it in poses), then thumb, index, middle, ring and little finger, each from its TIP to its base.
"""

from typing import Any, Protocol, TypeVar, runtime_checkable

from latent_hands.errors import HandsError, did_you_mean


@runtime_checkable
class _Array(Protocol):  # of numpy or of torch: neither need be imported here
    @property
    def ndim(self) -> int: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    def __getitem__(self, index: Any, /) -> Any: ...


Points = TypeVar("Points", bound=_Array)

JOINTS = (
    "wrist",
    *("thumb_tip", "thumb_ip", "thumb_mcp", "thumb_cmc"),
    *("index_tip", "index_dip", "index_pip", "index_mcp"),
    *("middle_tip", "middle_dip", "middle_pip", "middle_mcp"),
    *("ring_tip", "ring_dip", "ring_pip", "ring_mcp"),
    *("little_tip", "little_dip", "little_pip", "little_mcp"),
)
WRIST = PALM = 0
INDEX_MCP = JOINTS.index("index_mcp")
MIDDLE_PIP = JOINTS.index("middle_pip")
MIDDLE_MCP = JOINTS.index("middle_mcp")
LITTLE_MCP = JOINTS.index("little_mcp")

FINGERS: dict[str, tuple[int, ...]] = {
    finger: tuple(range(tip + 3, tip - 1, -1))
    for finger, tip in zip(("thumb", "index", "middle", "ring", "little"), range(1, 21, 4), strict=True)
}
"""Joint indices of each finger, base to tip."""

PARENTS: tuple[int, ...] = tuple(
    -1 if joint == WRIST else WRIST if joint % 4 == 0 else joint + 1 for joint in range(21)
)
"""The joint from which each joint hangs; the root's is -1."""

BONES: tuple[tuple[int, int], ...] = tuple(
    (parent, child) for child, parent in enumerate(PARENTS) if parent >= 0
)
"""The 20 bones as (parent, child)."""

ORDERS: dict[str, tuple[int, ...]] = {
    "rhd": tuple(range(21)),
    "stb": (0, *range(20, 0, -1)),
    "snap": (0, *(joint for finger in FINGERS.values() for joint in finger)),
    "interhand": (20, *range(20)),
    "hands2017": (0, *(joint for f in range(5) for joint in (8 + 3 * f, 7 + 3 * f, 6 + 3 * f, 1 + f))),
    "mano": (0, *(j for f, base in enumerate((13, 1, 4, 10, 7)) for j in (16 + f, base + 2, base + 1, base))),
}
"""For each data set's order: where it keeps each RHD joint (rhd = native[ORDERS[native]]).

`stb` lists palm, little, ring, middle, index and thumb, base to tip; `snap` (FreiHAND, Ge 2019, MediaPipe)
lists wrist, thumb, index, middle, ring and little, base to tip. `interhand` (InterHand2.6M) is RHD's with the
wrist last; `hands2017` (BigHand2.2M) lists the wrist, five bases, then the rest finger by finger; `mano` the
wrist, index, middle, little, ring and thumb without their tips, then five tips from thumb to little.
"""


def reorder(points: Points, source: str, target: str) -> Points:
    """Joints listed in order `source`, listed in order `target`.

    `points` is an array or tensor (..., 21, c); the orders are keys of `ORDERS`.
    Raises `HandsError` for an unknown order or another number of joints.
    """
    for order in (source, target):
        if order not in ORDERS:
            raise HandsError(f'unknown joint order "{order}": {did_you_mean(order, ORDERS)}')
    if points.ndim < 2 or points.shape[-2] != 21:
        raise HandsError(f"joints must be (..., 21, c), not {tuple(points.shape)}")
    native = ORDERS[source]
    place = [ORDERS[target].index(joint) for joint in range(21)]
    return points[..., [native[joint] for joint in place], :]
