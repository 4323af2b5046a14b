"""The tag images of a scene: its content, its person alone and its background alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from latent_hands.data.formats.rhd_files import write_image
from latent_hands.hand.rig.model import HandModel
from latent_hands.rendering.image import backdrop, render_image
from latent_hands.rendering.looks.light import LAMPS, Light
from latent_hands.rendering.looks.sensor import PLAIN, develop
from latent_hands.rendering.placed_hand import tag_hand
from latent_hands.rendering.rays.stage import stage
from latent_hands.rendering.scene import Scene, bone_m
from latent_hands.rendering.sets.shots import render_hand

STUDIO = Light(LAMPS, seed=3, yaw_deg=0.0, pitch_deg=0.0, roll_deg=0.0, tint=(1.0, 1.0, 1.0))
STUDIO_M, STUDIO_BONES = 0.6, 8.4
"""Distance of the palm from the studio's camera, on its axis, and side of the image in middle bones."""
WALL = 0.5
"""Grey of the studio's wall, gamma-coded."""


def write_tags(folder: Path, scene: Scene, kinds: Sequence[str]) -> None:
    """Write the tag images of a scene, one for each of these kinds."""
    for kind in kinds:
        write_image(folder / kind / f"{scene.index:05d}.png", _TAGS[kind](scene))


def content_tag(scene: Scene) -> UInt8[np.ndarray, "size size 3"]:
    """Return the scene's tag: its hand in neutral pose, the palm towards the camera, the fingers up."""
    return render_hand(scene, tag_hand(scene)).rgb


def identity_tag(scene: Scene) -> UInt8[np.ndarray, "size size 3"]:
    """Return an image of the scene's person alone.

    It shows the shape and side of the hand, its skin, nails, sleeve and jewellery. The hand of `tag_hand` is
    before a grey wall in a fixed light, without an object. All fingers are inside the image, and the sensor
    is perfect. Two scenes of the same person give the same image.
    """
    studio = in_studio(scene)
    wall = np.full((scene.size_px, scene.size_px, 3), WALL**2.2, np.float32)
    hand, mirrored = tag_hand(studio), scene.side == "left"
    return render_image(
        HandModel.load(), hand.vertices_m, studio.K, scene.size_px, studio.look, mirrored, behind=wall
    ).rgb


def background_tag(scene: Scene) -> UInt8[np.ndarray, "size size 3"]:
    """Return the scene's image without hand, arm and object, taken by the scene's sensor."""
    look = scene.look
    light = backdrop(stage(HandModel.load()), look.background, look.light, scene.size_px)
    return develop(light.copy(), look.sensor)


def in_studio(scene: Scene) -> Scene:
    """Return the scene's person before the studio's camera; the scene's box is the whole image."""
    centre_px = (scene.size_px - 1) / 2
    focal_px = scene.size_px * STUDIO_M / (STUDIO_BONES * bone_m(scene.identity))
    return replace(
        scene,
        look=replace(scene.look, light=STUDIO, sensor=PLAIN, thing=None),
        K=np.array([[focal_px, 0, centre_px], [0, focal_px, centre_px], [0, 0, 1]]),
        palm_m=np.array([0.0, 0.0, STUDIO_M]),
        box=(centre_px, centre_px, float(scene.size_px)),
    )


_TAGS: dict[str, Callable[[Scene], UInt8[np.ndarray, "size size 3"]]] = {
    "tag": content_tag,
    "identity_tag": identity_tag,
    "background_tag": background_tag,
}
