"""Left and right hands."""

from typing import Literal

from latent_hands.errors import HandsError, did_you_mean

Handedness = Literal["left", "right"]
HANDEDNESS: tuple[Handedness, ...] = ("left", "right")
OTHER_HAND: dict[str, Handedness] = {"left": "right", "right": "left"}
"""The side of a hand in the mirror image."""


def check_handedness(name: object) -> Handedness:
    """Return "left" or "right". Raises HandsError for anything else."""
    for side in HANDEDNESS:
        if isinstance(name, str) and name == side:
            return side
    raise HandsError(f'unknown handedness "{name}"; {did_you_mean(str(name), HANDEDNESS)}')
