"""Counterfactual images: what one would show if one of its factors, and nothing else, were another's.

A *group* is an anchor, a donor, and for every factor the anchor with that factor alone taken from the donor.
The donor differs from the anchor in all factors and in nothing else: side, camera, window, sleeve and sensor,
with the seed of its noise, are the group's. A *grid* shows each of some poses in each of some scenes.

Pose is the articulation; viewpoint is that of the labels (pose = cpose @ viewpoint), which a rotation of the
mesh alone would not keep. Ordinary scenes take light and background from one place, and its panorama is seen
from where the light comes. Here the camera's turn in the world (yaw, pitch and roll) belongs to the camera,
light is place, lamps and tint, background is place, patterns and gain: so each changes without the other.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from jaxtyping import Float

from latent_hands.errors import HandsError
from latent_hands.hand.conventions import RHD
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.poses import WRIST_LIMITS_DEG, sample_articulation
from latent_hands.rendering.image import Look
from latent_hands.rendering.looks.light import LAMPS
from latent_hands.rendering.placed_hand import PlacedHand, arm_fits, joints_fit, place_hand, upright
from latent_hands.rendering.scene import SIDES, Scene, defocused, plain, sample_scene, sample_view, scene_rng
from latent_hands.rendering.variety import Variety, varied

FACTORS = ("pose", "viewpoint", "identity", "skin", "light", "background")
GROUP_SCENES = ("anchor", "identity", "skin", "light", "background", "donor")
"""Images of a group whose scenes differ, in the order of their tag images."""
POSES, SCENES = 4, 4
IMAGES = 2 + len(FACTORS) + POSES * SCENES
TAGS = len(GROUP_SCENES) + SCENES
"""Of a block: one group and one grid."""
SCENE, POSE = (1, 0), (1, 1)
"""Streams of random numbers, apart from those of ordinary scenes, whose keys have one number or none."""
ATTEMPTS, WRISTS = 20, 20

VARIETY = Variety.without("ages", "objects", "low_resolution", "rough_camera")
"""Objects and coarse cameras carry a change beyond the hand; a child and an adult fit no one image."""


@dataclass(frozen=True)
class Framing:
    """What all images of a set share: `size` in pixels, and `window`, `convention` and `defocus` as in
    `sample_scene` and `defocused`."""

    size: int
    window: tuple[float, float]
    convention: str = RHD
    defocus: tuple[float, float] | None = None


@dataclass(frozen=True)
class Shot:
    """What decides an image: its scene, the articulation and the canonical viewpoint (left form).

    ``part`` tells its place in a group or a grid, ready for JSON.
    """

    scene: Scene
    articulation: Articulation
    viewpoint: Float[np.ndarray, "3 3"]
    part: dict[str, Any] = field(default_factory=dict)

    def hand(self) -> PlacedHand:
        """The hand as the image shows it."""
        rotation = upright(self.scene.identity, self.articulation, self.scene.convention) @ self.viewpoint
        return place_hand(self.scene, self.articulation, rotation)

    def record(self) -> dict[str, Any]:
        """What a line of factors says beyond those of ordinary images."""
        return {"viewpoint": plain(self.viewpoint), "counterfactual": self.part}


def take(shot: Shot, other: Shot, factor: str) -> Shot:
    """The shot with one of FACTORS taken from another shot."""
    scene, look = shot.scene, shot.scene.look
    if factor == "pose":
        return dataclasses.replace(shot, articulation=other.articulation)
    if factor == "viewpoint":
        return dataclasses.replace(shot, viewpoint=other.viewpoint)
    if factor == "identity":
        return dataclasses.replace(shot, scene=dataclasses.replace(scene, identity=other.scene.identity))
    taken = getattr(other.scene.look, factor)
    if factor == "light":
        turn = {name: getattr(look.light, name) for name in ("yaw_deg", "pitch_deg", "roll_deg")}
        taken = dataclasses.replace(taken, **turn)
    return dataclasses.replace(shot, scene=scene.with_look(**{factor: taken}))


def draw_block(seed: int, split: str, block: int, framing: Framing) -> list[Shot]:
    """The shots of a block, a group and a grid, the same for the same arguments.

    Raises HandsError where no pose fits, and as `sample_scene` does.
    """
    first = block * TAGS
    shots = []
    for role, shot in draw_group(seed, split, first, framing).items():
        offset = GROUP_SCENES.index(role) if role in GROUP_SCENES else 0
        scene = dataclasses.replace(shot.scene, index=first + offset)
        part = {"group": block, "role": role, "changed": role if role in FACTORS else None}
        shots.append(dataclasses.replace(shot, scene=scene, part=part))
    rows = draw_grid(seed, split, first + len(GROUP_SCENES), framing)
    for row, cells in enumerate(rows):
        for column, shot in enumerate(cells):
            shots.append(dataclasses.replace(shot, part={"grid": block, "row": row, "column": column}))
    return shots


def draw_group(seed: int, split: str, index: int, framing: Framing) -> dict[str, Shot]:
    """The shots of a group by role: "anchor", "donor", and each factor for the shot in which it changed."""
    rng = scene_rng(seed, split, index, *POSE)
    scene, other = _two_scenes(seed, split, index, framing)
    relative = dataclasses.replace(scene, identity=other.identity)
    anchor = draw_shots(rng, lambda pose, view: [Shot(scene, pose, view), Shot(relative, pose, view)])[0]

    def group(pose: Articulation, view: Float[np.ndarray, "3 3"]) -> list[Shot]:
        drawn = Shot(other, pose, view)
        donor = anchor
        for factor in FACTORS:
            donor = take(donor, drawn, factor)
        return [anchor, donor, *(take(anchor, drawn, factor) for factor in FACTORS)]

    return dict(zip(("anchor", "donor", *FACTORS), draw_shots(rng, group), strict=True))


def draw_grid(seed: int, split: str, index: int, framing: Framing) -> list[list[Shot]]:
    """Rows of shots: row i has one pose and viewpoint, column j one scene; all hands are of one side."""
    rng = scene_rng(seed, split, index, *POSE)
    side = SIDES[rng.integers(2)]
    drawn = (_scene(seed, split, index + column, framing) for column in range(SCENES))
    scenes = [dataclasses.replace(scene, side=side) for scene in drawn]
    return [draw_shots(rng, lambda pose, view: [Shot(s, pose, view) for s in scenes]) for _ in range(POSES)]


def draw_shots(
    rng: np.random.Generator,
    shots_of: Callable[[Articulation, Float[np.ndarray, "3 3"]], list[Shot]],
) -> list[Shot]:
    """Shots of a random pose and viewpoint that all their images can show.

    As in ordinary sets, the wrist is bent another way where an arm is in the way. Raises HandsError if no
    pose is found.
    """
    for _ in range(ATTEMPTS):
        pose, view = sample_articulation(rng), sample_view(rng)
        for _ in range(WRISTS):
            shots = shots_of(pose, view)
            placed = ((shot.scene, shot.hand()) for shot in shots)
            if all(joints_fit(*hand) and arm_fits(*hand) for hand in placed):
                return shots
            pose = dataclasses.replace(pose, wrist=rng.uniform(*WRIST_LIMITS_DEG.T))
    raise HandsError(
        f"no pose of {ATTEMPTS} was found that fits all its images; legal: a window near the image's side"
    )


def _two_scenes(seed: int, split: str, index: int, framing: Framing) -> tuple[Scene, Scene]:
    """Two scenes whose light, and whose background, come from different places."""
    draw = partial(_scene, seed, split, index, framing)
    scene = draw()
    others = (draw(attempt) for attempt in count(1))
    return scene, next(other for other in others if _apart(scene.look, other.look))


def _scene(seed: int, split: str, index: int, framing: Framing, *attempt: int) -> Scene:
    size, window = framing.size, framing.window
    scene = sample_scene(seed, split, index, size, window, *SCENE, *attempt, convention=framing.convention)
    if framing.defocus is not None:
        scene = defocused(scene, seed, framing.defocus)
    return varied(scene, seed, VARIETY, *SCENE, *attempt)


def _apart(look: Look, other: Look) -> bool:
    places = look.light.place != other.light.place or look.light.place == LAMPS
    return places and look.background.place != other.background.place
