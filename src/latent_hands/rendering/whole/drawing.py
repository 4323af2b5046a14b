"""The parts that all kinds of whole images share: random numbers, camera, light and people."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.rendering.grasp import closed_around
from latent_hands.rendering.image import Look
from latent_hands.rendering.looks.background import Background
from latent_hands.rendering.looks.jewellery import sample_jewellery
from latent_hands.rendering.looks.light import Light
from latent_hands.rendering.looks.sensor import Sensor
from latent_hands.rendering.looks.things import Thing, sample_thing
from latent_hands.rendering.scene import Scene
from latent_hands.rendering.whole.arms import Arm, arm_at, bent_elbow
from latent_hands.rendering.whole.body import FOREARM_M, Body, arm_piece
from latent_hands.rendering.whole.clothes import Dress
from latent_hands.rendering.whole.solids import Solid

NEAREST_M = 0.12
HOLDING = 0.2
"""Share of hands for which an object is drawn; three quarters of these objects are held."""
LEAST_PX, INSIDE = 24.0, 11
"""A hand is wanted if its joints' box has this longer side, and as many joints are inside the image."""


@dataclass
class Drawing:
    """A whole image under construction.

    Args:
        rng: Source of random numbers.
        split, index: The image's split and number.
        size_px: Side of the image.
        convention: Convention of the labels.
        K: The camera.
        light, background, sensor: Light, background and sensor of the image.
        arms: The hands so far.
        solids: The other things so far.
    """

    rng: np.random.Generator
    split: str
    index: int
    size_px: int
    convention: str
    K: Float[ndarray, "3 3"]
    light: Light
    background: Background
    sensor: Sensor
    arms: list[Arm] = field(default_factory=list)
    solids: list[Solid] = field(default_factory=list)

    def ray(self, u: float, v: float) -> Float[ndarray, "3"]:
        """Return the point at depth 1 of a place in the image, in image sides."""
        pixel = np.array([u, v]) * self.size_px
        return np.array([*((pixel - self.K[:2, 2]) / self.K[[0, 1], [0, 1]]), 1.0])

    def person(self, dress: Dress) -> tuple[Float[ndarray, "12"], tuple]:
        """Draw the shape and the jewellery of a person's hands; a small person has a child's hands."""
        identity = HandModel.load().sample_identity(self.rng)
        if dress.scale < 0.8:
            identity[:3] = self.rng.uniform([-2.3, -1.8, -1.6], [-1.2, -0.2, 0.0])
        bands = sample_jewellery(self.rng) if self.rng.random() < 0.2 else ()
        return identity, bands

    def hand_scene(self, side: str, dress: Dress, identity: ndarray, bands: tuple = ()) -> Scene:
        """Return the scene of a person's hand at no place yet."""
        thing = self._held() if self.rng.random() < HOLDING else None
        look = Look(dress.skin, self.light, self.background, dress.sleeve, self.sensor, bands, thing)
        return Scene(
            split=self.split,
            index=self.index,
            size_px=self.size_px,
            side=side,
            identity=identity,
            look=look,
            K=self.K,
            palm_m=np.array([0.0, 0.0, 1.0]),
            box=(0.0, 0.0, 1.0),
            convention=self.convention,
        )

    def _held(self) -> Thing | None:
        """Draw an object to hold; None if the drawn object is a free one."""
        thing = sample_thing(self.rng, np.array([0.0, 0.0, 1.0]), 0.1, np.eye(3))
        return thing if thing.held else None

    def articulation(self, scene: Scene) -> Articulation:
        """Draw a pose of a scene's hand, which closes around the object that it holds."""
        drawn, thing = sample_articulation(self.rng), scene.look.thing
        return drawn if thing is None else closed_around(thing, scene.identity, drawn)

    def reach(
        self, body: Body, side: str, wrist: Float[ndarray, "3"], identity: ndarray, bands: tuple = ()
    ) -> Arm:
        """Return a body's arm that reaches for a point, with a random hand."""
        sign = 1 if side == "left" else -1
        towards = body.frame.T @ (np.array([0.5 * sign, 1.0, 0.3]) + self.rng.normal(0, 0.4, 3))
        scale = body.dress.scale
        elbow, wrist = bent_elbow(body.shoulder(side), wrist, towards, scale)
        scene = self.hand_scene(side, body.dress, identity, bands)
        roll = float(self.rng.uniform(0, 2 * np.pi))
        return arm_at(scene, self.articulation(scene), elbow, wrist, roll, FOREARM_M * scale)

    def free(self, arm: Arm, bodies: list[Body]) -> bool:
        """Return whether a hand is before the lens, and enters neither a body nor another hand."""
        joints = arm.hand.xyz_m
        if joints[:, 2].min() < NEAREST_M or any(body.inside(joints, 0.008).any() for body in bodies):
            return False
        return all(arm.apart(other) for other in self.arms)

    def wanted(self, arm: Arm) -> bool:
        """Return whether a hand is large enough and enough of it is inside the image."""
        uv, size = arm.hand.uv_px, self.size_px
        inside = ((uv > -0.5) & (uv < size - 0.5)).all(1).sum()
        longer = float(np.ptp(uv, axis=0).max())
        return bool(inside >= INSIDE and LEAST_PX <= longer <= 1.2 * size)

    def attach(self, arm: Arm, body: Body | None = None) -> None:
        """Keep a hand, and the upper arm of its body."""
        self.arms.append(arm)
        if body is not None:
            self.solids += arm_piece(body.dress, body.shoulder(arm.scene.side), arm.elbow)
