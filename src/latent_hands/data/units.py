"""Labels in another unit than millimetres, told by the one length that all hands have about the same."""

from latent_hands.errors import HandsError

LEGAL_BONE_MM = (15.0, 80.0)
"""The middle MCP-PIP bone of any hand, by anybody's definition of its joints, with room for odd sets."""
UNITS = {
    3: "metres, not millimetres",
    2: "decimetres, not millimetres",
    1: "centimetres, not millimetres",
    -1: "millimetres taken for centimetres",
    -2: "millimetres taken for decimetres",
    -3: "millimetres taken for metres",
}
"""The power of ten that makes labels millimetres -> what they look like."""


def power_to_mm(bone: float) -> int | None:
    """The power of `UNITS` that makes this bone as long as a hand's in millimetres; None if none does."""
    return next((power for power in UNITS if 20 <= bone * 10.0**power <= 65), None)


def check_unit(bone_mm: float) -> None:
    """Raise HandsError if the median middle MCP-PIP bone of the labels is no hand's."""
    low, high = LEGAL_BONE_MM
    if low <= bone_mm <= high:
        return
    power = power_to_mm(bone_mm)
    looks = "no known unit makes them a hand's" if power is None else f"the labels look like {UNITS[power]}"
    raise HandsError(
        f"the middle MCP-PIP bone of the labels is {bone_mm:.3g} mm (median); legal: {low:g} .. {high:g}. "
        f"{looks[0].upper()}{looks[1:]}: run `latent-hands check` on the set"
    )
