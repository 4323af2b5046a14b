"""Tags of a scene's single factors: its person before a grey wall, and what is there without that person."""

from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from latent_hands.hand.rig.model import HandModel
from latent_hands.rendering.image import backdrop, render_image
from latent_hands.rendering.looks.light import LAMPS, Light
from latent_hands.rendering.looks.sensor import PLAIN, develop
from latent_hands.rendering.placed_hand import tag_hand
from latent_hands.rendering.rays.stage import stage
from latent_hands.rendering.scene import Scene, bone_m

STUDIO = Light(LAMPS, seed=3, yaw_deg=0.0, pitch_deg=0.0, roll_deg=0.0, tint=(1.0, 1.0, 1.0))
STUDIO_M, STUDIO_BONES = 0.6, 8.4
"""The palm's distance from the studio's camera, on its axis, and the image's side in middle bones."""
WALL = 0.5
"""Of mid-grey, gamma-coded."""


def identity_tag(scene: Scene) -> UInt8[np.ndarray, "size size 3"]:
    """The scene's person: shape and side of the hand, skin, nails, sleeve and jewellery, and nothing else.

    The hand of `tag_hand`, all fingers in the image, in fixed light; no object, a perfect sensor. It is
    the same image for any two scenes of one person.
    """
    studio = in_studio(scene)
    wall = np.full((scene.size, scene.size, 3), WALL**2.2, np.float32)
    hand, mirrored = tag_hand(studio), scene.side == "left"
    model = HandModel.load()
    return render_image(model, hand.vertices_m, studio.K, scene.size, studio.look, mirrored, behind=wall).rgb


def background_tag(scene: Scene) -> UInt8[np.ndarray, "size size 3"]:
    """What the scene's images show where neither hand, arm nor object is, by the scene's own sensor."""
    look = scene.look
    light = backdrop(stage(HandModel.load()), look.background, look.light, scene.size)
    return develop(light.copy(), look.sensor)


def in_studio(scene: Scene) -> Scene:
    """The scene's person before the studio's camera, whose window is the whole image."""
    centre_px = (scene.size - 1) / 2
    focal_px = scene.size * STUDIO_M / (STUDIO_BONES * bone_m(scene.identity))
    return replace(
        scene,
        look=replace(scene.look, light=STUDIO, sensor=PLAIN, thing=None),
        K=np.array([[focal_px, 0, centre_px], [0, focal_px, centre_px], [0, 0, 1]]),
        palm_m=np.array([0.0, 0.0, STUDIO_M]),
        window=(centre_px, centre_px, float(scene.size)),
    )
