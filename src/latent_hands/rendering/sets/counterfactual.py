"""Counterfactual images: images of which one factor is exchanged and nothing else.

A *group* has an anchor, a donor and, for each factor, the anchor with this factor taken from the donor.
The donor differs from the anchor in all factors. Everything else is equal in the whole group: side, camera,
box, sleeve, sensor and the seed of the sensor's noise.
A *grid* has each of its poses in each of its scenes.

Pose is the articulation. Viewpoint is that of the labels (pose = cpose @ viewpoint); a fixed rotation of the
mesh would not keep it. Light and background change separately here, although an ordinary scene takes both
from one place. Light is place, lamps and tint; background is place, patterns and gain. Yaw, pitch and roll
belong to the camera and are not exchanged.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from jaxtyping import Float

from latent_hands.data.readers.counterfactual import FACTORS
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import RHD
from latent_hands.hand.handedness import HANDEDNESS
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.poses import sample_articulation, with_wrist
from latent_hands.rendering.image import Look
from latent_hands.rendering.looks.light import LAMPS
from latent_hands.rendering.placed_hand import WIDEST, PlacedHand, arm_fits, joints_fit, place_hand, upright
from latent_hands.rendering.scene import Scene, defocused, plain, sample_scene, sample_view, scene_rng
from latent_hands.rendering.variety import Variety, varied

GROUP_SCENES = ("anchor", "identity", "skin", "light", "background", "donor")
"""Images of a group whose scenes differ, in the order of their tag images."""
GRID_POSES, GRID_SCENES = 4, 4
BLOCK_IMAGES = 2 + len(FACTORS) + GRID_POSES * GRID_SCENES
BLOCK_SCENES = len(GROUP_SCENES) + GRID_SCENES
"""Images and scenes of a block, which is one group and one grid."""
SCENE_STREAM, POSE_STREAM = (1, 0), (1, 1)
"""Keys of the random streams; the keys of ordinary scenes have at most one number."""
POSE_ATTEMPTS, WRIST_ATTEMPTS = 20, 20

VARIETY = Variety.without("ages", "objects", "low_resolution", "rough_camera", "surfaces")
"""An object, a shadow and a coarse camera carry a change beyond the hand.

A child and an adult do not fit one image.
"""


@dataclass(frozen=True)
class Framing:
    """The settings that all images of a set share; see `sample_scene` and `defocused`."""

    size_px: int
    scene_size: tuple[float, float]
    convention: str = RHD
    defocus: tuple[float, float] | None = None


@dataclass(frozen=True)
class Shot:
    """Everything that decides an image.

    Args:
        scene: The scene.
        articulation: The pose of the hand.
        viewpoint: The canonical viewpoint, left form.
        part: The image's place in a group or a grid, ready for JSON.
    """

    scene: Scene
    articulation: Articulation
    viewpoint: Float[np.ndarray, "3 3"]
    part: dict[str, Any] = field(default_factory=dict)

    def hand(self) -> PlacedHand:
        """Return the posed hand in the camera frame."""
        rotation = upright(self.scene.identity, self.articulation, self.scene.convention) @ self.viewpoint
        return place_hand(self.scene, self.articulation, rotation)

    def record(self) -> dict[str, Any]:
        """Return the part of a record that ordinary images lack."""
        return {"viewpoint": plain(self.viewpoint), "counterfactual": self.part}


def take(shot: Shot, other: Shot, factor: str) -> Shot:
    """Return `shot` with one of FACTORS taken from `other`."""
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
    """Draw the shots of a block: a group, then a grid. The same arguments give the same shots.

    Raises HandsError if no pose fits all images of a group or a row, and as `sample_scene` does.
    """
    first = block * BLOCK_SCENES
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
    """Draw a group; return its shots by role: "anchor", "donor", and the name of each exchanged factor."""
    rng = scene_rng(seed, split, index, *POSE_STREAM)
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
    """Draw a grid: a row has one pose and viewpoint, a column one scene; all hands are of one side."""
    rng = scene_rng(seed, split, index, *POSE_STREAM)
    side = HANDEDNESS[rng.integers(2)]
    drawn = (_scene(seed, split, index + column, framing) for column in range(GRID_SCENES))
    scenes = [dataclasses.replace(scene, side=side) for scene in drawn]
    return [
        draw_shots(rng, lambda pose, view: [Shot(scene, pose, view) for scene in scenes])
        for _ in range(GRID_POSES)
    ]


def draw_shots(
    rng: np.random.Generator,
    shots_of: Callable[[Articulation, Float[np.ndarray, "3 3"]], list[Shot]],
) -> list[Shot]:
    """Draw a pose and a viewpoint until the hand fits into all images, and return the shots.

    If only the arm does not fit, the wrist is drawn again, as in ordinary sets.
    Raises HandsError if no pose is found.
    """
    for _ in range(POSE_ATTEMPTS):
        pose, view = sample_articulation(rng), sample_view(rng)
        for _ in range(WRIST_ATTEMPTS):
            shots = shots_of(pose, view)
            placed = ((shot.scene, shot.hand()) for shot in shots)
            if all(joints_fit(*hand) and arm_fits(*hand) for hand in placed):
                return shots
            pose = dataclasses.replace(pose, wrist=with_wrist(pose, rng, WIDEST / 2).wrist)
    raise HandsError(
        f"none of {POSE_ATTEMPTS} poses fits into all its images; use a scene_size closer to 1 image side"
    )


def _two_scenes(seed: int, split: str, index: int, framing: Framing) -> tuple[Scene, Scene]:
    """Draw two scenes with different places of light and different places of background."""
    draw = partial(_scene, seed, split, index, framing)
    scene = draw()
    others = (draw(attempt) for attempt in count(1))
    return scene, next(other for other in others if _places_differ(scene.look, other.look))


def _scene(seed: int, split: str, index: int, framing: Framing, *attempt: int) -> Scene:
    stream = (*SCENE_STREAM, *attempt)
    scene = sample_scene(
        seed, split, index, framing.size_px, framing.scene_size, *stream, convention=framing.convention
    )
    if framing.defocus is not None:
        scene = defocused(scene, seed, framing.defocus)
    return varied(scene, seed, VARIETY, *stream)


def _places_differ(look: Look, other: Look) -> bool:
    lights_differ = look.light.place != other.light.place or look.light.place == LAMPS
    return lights_differ and look.background.place != other.background.place
