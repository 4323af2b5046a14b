"""Variety: what only some scenes have, such as jewellery, objects and faults of the camera.

Each kind has its own rate and its own random numbers, so leaving one kind out does not change the others.
Ages are an exception: a person's other hand has the same age, and a child's focal length places an object.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, replace

import numpy as np

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.hand.boxes import SCENE_BONES
from latent_hands.hand.handedness import HANDEDNESS, OTHER_HAND
from latent_hands.hand.rig.articulation import neutral
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.rendering.image import EXPOSURE
from latent_hands.rendering.looks.background import OtherHand
from latent_hands.rendering.looks.cloth import sample_sleeve
from latent_hands.rendering.looks.jewellery import sample_jewellery
from latent_hands.rendering.looks.near_surface import sample_near_surface
from latent_hands.rendering.looks.skin import sample_skin
from latent_hands.rendering.looks.things import sample_thing
from latent_hands.rendering.scene import MIRROR, Scene, bone_m, sample_view, scene_rng

VARIETY = 2**31 + 1
"""Key of the random stream of the first kind; smaller keys belong to images and to `defocused`."""
HAND_PX = (81.0, 0.24)
"""Median and logarithmic spread of the side of RHD's hands: 10 % are below 61 px, 10 % above 112 px."""


@dataclass(frozen=True)
class Variety:
    """The share of scenes with each kind of variety, 0 .. 1.

    Args:
        ages: Children's hands (a third) and old skin.
        jewellery: Rings, bracelets, watches.
        objects: An object in the hand or in front of it.
        other_hand: Another hand behind it.
        low_resolution: A hand of as few pixels as in RHD, enlarged.
        rough_camera: Strong motion blur, lens blur, noise or compression.
        surfaces: A wall or a table close behind the hand, on which its shadow falls.
    """

    ages: float = 0.25
    jewellery: float = 0.25
    objects: float = 0.3
    other_hand: float = 0.15
    low_resolution: float = 0.3
    rough_camera: float = 0.1
    surfaces: float = 0.4

    @staticmethod
    def without(*names: str) -> "Variety":
        """Return the default rates with 0 for these kinds. Raises HandsError for an unknown kind."""
        for name in names:
            if name not in KINDS:
                raise HandsError(f'unknown variety "{name}"; {did_you_mean(name, KINDS)}')
        return replace(EVERYTHING, **dict.fromkeys(names, 0.0))


def varied(scene: Scene, seed: int, variety: Variety, *stream: int) -> Scene:
    """Return the scene with its kinds of variety; `seed` and `stream` are those of `sample_scene`."""
    for number, (name, change) in enumerate(_CHANGES.items()):
        rng = scene_rng(seed, scene.split, scene.index, *stream, VARIETY + number)
        if rng.random() < getattr(variety, name):
            scene = change(scene, rng)
    return scene


def kinds_of(split: str, index: int, seed: int, variety: Variety) -> tuple[str, ...]:
    """Return the kinds of variety that a scene of a rendered set has."""
    return tuple(
        name
        for number, name in enumerate(KINDS)
        if scene_rng(seed, split, index, VARIETY + number).random() < getattr(variety, name)
    )


def check_variety(variety: Variety) -> None:
    """Raise HandsError for another type, and if a rate is out of range."""
    if not isinstance(variety, Variety):
        raise HandsError(f"variety must be a Variety, such as lh.Variety(ages=0.5), not {variety!r}")
    for name in KINDS:
        if not 0 <= getattr(variety, name) <= 1:
            raise HandsError(f"variety {name} is {getattr(variety, name)}; it must be between 0 and 1")


def _with_age(scene: Scene, rng: np.random.Generator) -> Scene:
    """Give the scene a child's hand, small with short fingers and smooth skin, or old skin."""
    skin = scene.look.skin
    if rng.random() < 1 / 3:
        identity = scene.identity.copy()
        # The first components are size, length of the fingers, and that length relative to the palm.
        identity[:3] = rng.uniform([-2.3, -1.8, -1.6], [-1.2, -0.2, 0.0])
        skin = replace(
            skin, creases=0.5 * skin.creases, mottle=0.6 * skin.mottle, bump=0.5 * skin.bump, freckles=0.0
        )
        return _filling_the_box(replace(scene, identity=identity).with_look(skin=skin))
    age = float(rng.uniform(0.4, 1.0))
    skin = replace(
        skin,
        mottle=skin.mottle + 0.9 * age,
        bump=skin.bump + 0.9 * age,
        creases=min(1.5, skin.creases + 0.7 * age),
        freckles=max(skin.freckles, float(rng.uniform(0, 1.6)) * age),
        oil=skin.oil * (1 - 0.4 * age),
        veins=age,
    )
    return scene.with_look(skin=skin)


def _filling_the_box(scene: Scene) -> Scene:
    """Return the scene with the focal length at which its hand fills its box."""
    centre_px, side = np.array(scene.box[:2]), scene.box[2]
    focal_px = side * scene.palm_m[2] / (SCENE_BONES * bone_m(scene.identity))
    K = np.diag([focal_px, focal_px, 1.0])
    K[:2, 2] = centre_px - focal_px * scene.palm_m[:2] / scene.palm_m[2]
    return replace(scene, K=K)


def _with_jewellery(scene: Scene, rng: np.random.Generator) -> Scene:
    """Give the scene's hand jewellery."""
    return scene.with_look(jewellery=sample_jewellery(rng))


def _with_object(scene: Scene, rng: np.random.Generator) -> Scene:
    """Put an object into the hand or in front of it."""
    reach = 0.3 * scene.box[2] / scene.K[0, 0]
    return scene.with_look(thing=sample_thing(rng, scene.palm_m, reach, sample_view(rng)))


def _with_other_hand(scene: Scene, rng: np.random.Generator) -> Scene:
    """Put the person's other hand, or another person's hand, into the background."""
    own = rng.random() < 0.6
    skin, identity = scene.look.skin, scene.identity
    if not own:
        skin, identity = sample_skin(rng), HandModel.load().sample_identity(rng)
    side = OTHER_HAND[scene.side] if own else HANDEDNESS[rng.integers(2)]
    pose = sample_articulation(rng) if rng.random() < 0.9 else neutral()
    turn = (MIRROR if side == "left" else np.eye(3)) @ sample_view(rng)
    u, v = rng.uniform(0.0, 1.0, 2)
    sleeve = scene.look.sleeve if own else sample_sleeve(rng)
    other = OtherHand(
        side=side,
        identity=tuple(identity.tolist()),
        articulation=tuple(pose.flat().tolist()),
        turn=tuple(turn.ravel().tolist()),
        palm=(float(u), float(v), float(rng.uniform(0.5, 1.2))),
        skin=skin,
        sleeve=sleeve,
    )
    return scene.with_look(background=replace(scene.look.background, other=other))


def _with_few_pixels(scene: Scene, rng: np.random.Generator) -> Scene:
    """Give the sensor so few pixels that the hand is as small as in RHD."""
    hand_px = HAND_PX[0] * np.exp(rng.normal(0, HAND_PX[1]))
    resolution = float(min(1.0, hand_px / scene.box[2]))
    return scene.with_look(sensor=replace(scene.look.sensor, resolution=resolution))


def _with_rough_camera(scene: Scene, rng: np.random.Generator) -> Scene:
    """Give the camera one or two of four faults."""
    strong = {
        "motion_px": float(rng.uniform(4, 10)),
        "blur_px": float(rng.uniform(0.8, 2.2)),
        "noise": float(rng.uniform(6, 16)),
        "quality": int(rng.integers(12, 45)),
    }
    faults = rng.choice(list(strong), rng.integers(1, 3), replace=False, p=[0.35, 0.2, 0.25, 0.2])
    return scene.with_look(sensor=replace(scene.look.sensor, **{name: strong[name] for name in faults}))


def _with_surface(scene: Scene, rng: np.random.Generator) -> Scene:
    """Put a wall or a table close behind the hand."""
    look = scene.look
    exposure = EXPOSURE * 2.0**look.sensor.stops
    surface = sample_near_surface(rng, scene.palm_m, exposure)
    layers = () if rng.random() < 0.7 else look.background.layers
    return scene.with_look(background=replace(look.background, surface=surface, layers=layers, gain=1.0))


_CHANGES: dict[str, Callable[[Scene, np.random.Generator], Scene]] = {
    "ages": _with_age,
    "jewellery": _with_jewellery,
    "objects": _with_object,
    "other_hand": _with_other_hand,
    "low_resolution": _with_few_pixels,
    "rough_camera": _with_rough_camera,
    "surfaces": _with_surface,
}
EVERYTHING = Variety()
KINDS: Collection[str] = tuple(field.name for field in fields(Variety))
