"""Arms: from a shoulder to a wrist by two bones, and the hand at the end of a forearm."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from latent_hands.hand.boxes import SCENE_BONES
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.points import FOREARM
from latent_hands.hand.skeleton import MIDDLE_MCP, WRIST
from latent_hands.rendering.looks.things import place_thing
from latent_hands.rendering.placed_hand import PlacedHand, place_hand
from latent_hands.rendering.scene import MIRROR, Scene, bone_m, shape_of
from latent_hands.rendering.whole.body import FOREARM_M, UPPER_ARM_M
from latent_hands.rendering.whole.solids import unit

TOUCH_M = 0.016
"""Fingers are about as thick: hands whose joints are nearer enter one another."""


@dataclass(frozen=True)
class Arm:
    """A hand of a whole image with its forearm.

    Args:
        scene: The hand's person, look and camera.
        hand: The placed hand.
        forearm_m: Length at which the forearm ends at an elbow; None for an arm that leaves the image.
    """

    scene: Scene
    hand: PlacedHand
    forearm_m: float | None

    @property
    def vertices_m(self) -> Float32[ndarray, "v 3"]:
        """The vertices of hand and forearm; those beyond the elbow are moved back to it."""
        points = self.hand.vertices_m
        if self.forearm_m is None:
            return points
        excess = np.maximum(HandModel.load().forearm - self.forearm_m, 0)[:, None]
        return (points - excess * self.axis).astype(np.float32)

    @property
    def thing_m(self) -> Float32[ndarray, "t 3"] | None:
        """The points of the object in the hand, if it holds one."""
        thing = self.scene.look.thing
        return None if thing is None else place_thing(thing, self.hand.xyz_m, self.scene.side == "left")

    @property
    def axis(self) -> Float[ndarray, "3"]:
        """The direction from wrist to elbow."""
        end = self.hand.vertices_m[HandModel.load().forearm.argmax()]
        return unit((end - self.hand.xyz_m[WRIST]).astype(float))

    @property
    def elbow(self) -> Float[ndarray, "3"]:
        """The elbow of a forearm of the usual length."""
        return self.hand.xyz_m[WRIST] + (self.forearm_m or FOREARM_M) * self.axis

    def apart(self, other: "Arm") -> bool:
        """Return whether no joint is within TOUCH_M of a joint of another hand."""
        distance = np.linalg.norm(self.hand.xyz_m[:, None] - other.hand.xyz_m, axis=-1)
        return bool(distance.min() > TOUCH_M)


def bent_elbow(
    shoulder: Float[ndarray, "3"], wrist: Float[ndarray, "3"], towards: Float[ndarray, "3"], scale: float
) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"]]:
    """Return elbow and wrist of an arm; the elbow bends towards a direction.

    A wrist that is too far or too near is moved along its line to the shoulder.
    """
    upper, lower = UPPER_ARM_M * scale, FOREARM_M * scale
    reach = np.clip(np.linalg.norm(wrist - shoulder), 0.12 * scale, 0.985 * (upper + lower))
    along = unit(wrist - shoulder)
    share = (upper**2 - lower**2 + reach**2) / (2 * reach)
    out = unit(towards - (towards @ along) * along)
    elbow = shoulder + share * along + np.sqrt(max(upper**2 - share**2, 0)) * out
    return elbow, shoulder + reach * along


def arm_at(
    scene: Scene,
    articulation: Articulation,
    elbow: Float[ndarray, "3"],
    wrist: Float[ndarray, "3"],
    roll: float,
    forearm_m: float | None,
) -> Arm:
    """Place a hand at a wrist so that its forearm points to the elbow; `roll` turns it about the forearm."""
    model = HandModel.load()
    shape = shape_of(scene.identity)
    rotations, _ = model.bones(shape, articulation)
    joints = model.pose(shape, articulation).keypoints
    mirror = MIRROR if scene.side == "right" else np.eye(3)
    along = unit(rotations[FOREARM] @ model.bone_frames[FOREARM, :, 1]) @ MIRROR
    target = unit(elbow - wrist) @ mirror
    rotation = _frame(along, 0.0).T @ _frame(target, roll)
    palm = ((joints[MIDDLE_MCP] - joints[WRIST]) / 2) @ MIRROR @ rotation @ mirror
    scene = replace(scene, palm_m=wrist + palm)
    scene = replace(scene, box=palm_square(scene))
    return Arm(scene, place_hand(scene, articulation, rotation), forearm_m)


def palm_square(scene: Scene) -> tuple[float, float, float]:
    """Return (cx, cy, side) of the square around the palm, which synthesis crops."""
    depth = float(scene.palm_m[2])
    u, v = (scene.K @ scene.palm_m)[:2] / depth
    return float(u), float(v), float(SCENE_BONES * bone_m(scene.identity) * scene.K[0, 0] / depth)


def _frame(along: Float[ndarray, "3"], roll: float) -> Float[ndarray, "3 3"]:
    """Return orthonormal rows whose first is `along`; `roll` turns the others about it."""
    second = unit(np.cross(along, np.eye(3)[np.abs(along).argmin()]))
    third = np.cross(along, second)
    return np.stack(
        [
            along,
            np.cos(roll) * second + np.sin(roll) * third,
            np.cos(roll) * third - np.sin(roll) * second,
        ]
    )
