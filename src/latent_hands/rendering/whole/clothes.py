"""The look of a person: skin, hair, clothes and size."""

from dataclasses import dataclass, replace

import numpy as np

from latent_hands.rendering.looks.cloth import Colour, Sleeve, cloth_colour, sample_sleeve
from latent_hands.rendering.looks.skin import Skin, sample_skin
from latent_hands.rendering.whole.paint import Paint

HAIR: tuple[Colour, ...] = (
    *((0.008, 0.006, 0.005), (0.02, 0.011, 0.006), (0.05, 0.026, 0.012), (0.10, 0.055, 0.025)),
    *((0.30, 0.20, 0.09), (0.16, 0.05, 0.02), (0.30, 0.29, 0.28), (0.6, 0.59, 0.57)),
)
EYES: tuple[Colour, ...] = ((0.05, 0.025, 0.01), (0.02, 0.01, 0.006), (0.06, 0.12, 0.2), (0.07, 0.1, 0.05))


@dataclass(frozen=True)
class Dress:
    """A person's look.

    Args:
        scale: Size relative to an adult of 1.75 m.
        skin: The skin, of hands too.
        shirt, trousers: Cloth of the torso and of the legs.
        sleeve: Cloth of the forearms, None for bare ones.
        upper_sleeve: Whether cloth covers the upper arms.
        hair, eyes: Colours of the head.
        hairline: Height of the hair above the eyes, in half heads; above 1 is a bald head.
        beard: Cover of a beard, 0 .. 1.
        long_hair: Length of hair behind the head, metres.
        width: Width of the torso relative to a slim one.
        barefoot: Whether the feet are bare.
        seed: Seed of the patterns.
    """

    scale: float
    skin: Skin
    shirt: Paint
    trousers: Paint
    sleeve: Sleeve | None
    upper_sleeve: bool
    hair: Colour
    eyes: Colour
    hairline: float
    beard: float
    long_hair: float
    width: float
    barefoot: bool
    seed: int

    @property
    def bare(self) -> Paint:
        """The paint of bare skin."""
        none = (0.0, 0.0, 0.0)
        return Paint(
            "skin", (none, none), self.skin.melanin, self.skin.blood, gloss=self.skin.oil, seed=self.seed
        )

    @property
    def face(self) -> Paint:
        """The paint of the head."""
        return replace(
            self.bare,
            kind="face",
            colours=(self.hair, self.eyes),
            half_m=head_half_m(self.scale),
            hairline=self.hairline,
            beard=self.beard,
        )

    @property
    def arm(self) -> Paint:
        """The paint of the upper arm."""
        return self.shirt if self.upper_sleeve else self.bare


def head_half_m(scale: float) -> tuple[float, float, float]:
    """Return the half axes of a head, metres; a child's head is larger relative to its body."""
    size = 0.5 + 0.5 * scale
    return 0.078 * size, 0.118 * size, 0.098 * size


def sample_dress(rng: np.random.Generator) -> Dress:
    """Draw the look of a person, from child to adult."""
    skin = sample_skin(rng)
    shirt = sample_cloth(rng)
    long_sleeve = rng.random() < 0.45
    sleeve = None
    if long_sleeve:
        drawn = sample_sleeve(rng)
        sleeve = replace(drawn, colours=shirt.colours, stripe_m=max(shirt.period_m, 0.01))
    return Dress(
        scale=float(rng.uniform(0.85, 1.08) if rng.random() < 0.85 else rng.uniform(0.55, 0.85)),
        skin=skin,
        shirt=shirt,
        trousers=sample_cloth(rng),
        sleeve=sleeve,
        upper_sleeve=bool(long_sleeve or rng.random() < 0.5),
        hair=HAIR[rng.integers(len(HAIR))],
        eyes=EYES[rng.integers(len(EYES))],
        hairline=float(rng.uniform(0.4, 0.7) if rng.random() < 0.85 else 1.5),
        beard=float(rng.uniform(0.4, 0.95) if rng.random() < 0.25 else 0.0),
        long_hair=float(rng.uniform(0.1, 0.4) if rng.random() < 0.35 else 0.0),
        width=float(rng.uniform(0.9, 1.35)),
        barefoot=bool(rng.random() < 0.5),
        seed=int(rng.integers(2**31)),
    )


def sample_cloth(rng: np.random.Generator) -> Paint:
    """Draw a cloth: mostly of one colour, else striped or checked."""
    first = cloth_colour(rng)
    plain = rng.random() < 0.6
    return Paint(
        "cloth",
        (first, first if plain else cloth_colour(rng)),
        period_m=0.0 if plain else float(np.exp(rng.uniform(np.log(0.015), np.log(0.12)))),
        gloss=0.3,
        seed=int(rng.integers(2**31)),
    )
