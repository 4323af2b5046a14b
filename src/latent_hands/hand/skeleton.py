"""The 21 joints of a hand, their bones, and the orders in which data sets list them.

The package lists joints in the order of RHD (Zimmermann & Brox 2017). Index 0 is the wrist in labels and the
palm in poses. Then follow thumb, index, middle, ring and little finger, each from its TIP to its base.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.registry import Registry


@runtime_checkable
class _Array(Protocol):  # an array of numpy or of torch; this module imports neither
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
"""The names of the joints in RHD's order.

CMC, MCP, PIP, DIP and IP are the anatomical joints: carpometacarpal, metacarpophalangeal (the knuckle),
proximal, distal and (of the thumb) single interphalangeal joint.
"""
WRIST = PALM = 0
INDEX_MCP = JOINTS.index("index_mcp")
MIDDLE_PIP = JOINTS.index("middle_pip")
MIDDLE_MCP = JOINTS.index("middle_mcp")
LITTLE_MCP = JOINTS.index("little_mcp")

BONE_RANGE_MM = (15.0, 80.0)
"""Range of the middle MCP-PIP bone, with room for newborns and for any definition of the joints."""

FINGERS: dict[str, tuple[int, ...]] = {
    finger: tuple(range(tip + 3, tip - 1, -1))
    for finger, tip in zip(("thumb", "index", "middle", "ring", "little"), range(1, 21, 4), strict=True)
}
"""Joint indices of each finger, base to tip."""

PARENTS: tuple[int, ...] = tuple(
    -1 if joint == WRIST else WRIST if joint % 4 == 0 else joint + 1 for joint in range(21)
)
"""The parent of each joint, one joint nearer to the wrist; -1 for the root."""

BONES: tuple[tuple[int, int], ...] = tuple(
    (parent, child) for child, parent in enumerate(PARENTS) if parent >= 0
)
"""The 20 bones as (parent, child)."""


@dataclass(frozen=True)
class JointOrder:
    """The order in which a data set lists the 21 joints.

    places: the index at which the data set lists each RHD joint, so that rhd = native[places].
    about: the order in words, for messages.

    Raises HandsError if `places` is not a permutation of 0 to 20.
    """

    places: tuple[int, ...]
    about: str

    def __post_init__(self) -> None:
        """Check the places."""
        if sorted(self.places) != list(range(21)):
            raise HandsError(
                f"the places of a joint order must be a permutation of 0 to 20, not {self.places}"
            )


ORDERS = Registry[JointOrder]("joint order")
"""The joint orders by name; `register_order` adds one."""


def register_order(name: str, places: Sequence[int], about: str = "") -> JointOrder:
    """Add a joint order, so that `reorder` converts it and the doctor of data sets recognises it.

    `places` holds the index at which the new order lists each RHD joint: rhd = native[places]. `about`
    describes the order in words. Raises HandsError if the name is taken or `places` is not a permutation.
    """
    return ORDERS.register(name, JointOrder(tuple(places), about or name))


def reorder(points: Points, source: str, target: str) -> Points:
    """Convert joints (..., 21, c) listed in the order `source` to the order `target`.

    Args:
        points: a numpy array or a torch tensor.
        source: "rhd" (RHD, and this package), "mediapipe" (MediaPipe, FreiHAND, COCO, Ge 2019), "stb" (STB),
            "interhand" (InterHand2.6M), "hands2017" (HANDS 2017, BigHand2.2M), "mano" (MANO, HO-3D), or an
            order that was registered.
        target: another one.

    For the joints of a prediction use `Hand.in_order`, because joint 0 of a prediction is the palm. Raises
    HandsError for an unknown order, and for anything but an array of 21 joints.

    >>> thumb_tip = samples[0].xyz_mm[lh.JOINTS.index("thumb_tip")]
    >>> bool((lh.reorder(samples[0].xyz_mm, "rhd", "mediapipe")[4] == thumb_tip).all())
    True
    """
    native, wanted = (_order(name).places for name in (source, target))
    if not isinstance(points, _Array):
        raise HandsError(f"joints must be an array or a tensor (..., 21, c), not a {type(points).__name__}")
    if points.ndim < 2 or points.shape[-2] != 21:
        raise HandsError(f"joints must have the shape (..., 21, c), not {tuple(points.shape)}")
    return points[..., [native[wanted.index(place)] for place in range(21)], :]


def _order(name: object) -> JointOrder:
    if isinstance(name, str) and name == "snap":
        raise HandsError('the joint order "snap" was renamed: use "mediapipe"')
    if not isinstance(name, str) or name not in ORDERS:
        legal = "; ".join(f"{known} ({order.about})" for known, order in ORDERS.items())
        raise HandsError(f'unknown joint order "{name}"; {did_you_mean(name, ORDERS)}; they are {legal}')
    return ORDERS[name]


register_order("rhd", range(21), "RHD: wrist, then thumb to little finger, tip to base")
register_order("stb", (0, *range(20, 0, -1)), "STB: palm, then little finger to thumb, base to tip")
MEDIAPIPE = register_order(
    "mediapipe",
    (0, *(joint for chain in FINGERS.values() for joint in chain)),
    "FreiHAND, Ge et al. (2019), MediaPipe, COCO: wrist, then thumb to little finger, base to tip",
)
register_order(
    "interhand", (20, *range(20)), "InterHand2.6M: thumb to little finger, tip to base, wrist last"
)
register_order(
    "hands2017",
    (0, *(joint for f in range(5) for joint in (8 + 3 * f, 7 + 3 * f, 6 + 3 * f, 1 + f))),
    "HANDS 2017, BigHand2.2M: wrist, five bases, then the other joints finger by finger",
)
register_order(
    "mano",
    (0, *(j for f, base in enumerate((13, 1, 4, 10, 7)) for j in (16 + f, base + 2, base + 1, base))),
    "MANO: wrist, then index, middle, little, ring, thumb without tips, then five tips, thumb to little",
)
