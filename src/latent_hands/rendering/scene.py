"""Scenes: everything about an image but the hand's pose and the viewpoint onto it."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.hand.camera import SCENE_BONES
from latent_hands.hand.conventions import RHD
from latent_hands.hand.rig.articulation import Articulation, neutral
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.skeleton import MIDDLE_MCP, MIDDLE_PIP, WRIST
from latent_hands.rendering.image import Look, sample_look

SPLITS = ("training", "evaluation")
SIDES = ("left", "right")
DEPTH_M = (0.35, 0.9)
AXIS_DEG, AXIS_SHAPE = 8.8, 2.7
"""Weibull distribution of the palm's angle off the optical axis: median 7.7, 90 % 12 degrees, as in RHD."""
OFFSET = 0.03
"""How far the palm is off the middle, at most, where the window is larger than the image."""
DEFOCUS = 2**31
"""Key of the random numbers of `defocused`: beyond those of the images of a scene."""
MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Scene:
    """A hand's identity and side, its look (skin, light, background, sleeve, sensor), a camera and a window.

    ``K`` is the camera of the ``size`` x ``size`` image, ``palm_m`` the palm's place in its frame and
    ``window`` = (cx, cy, side) the square around the palm's pixel that synthesis crops. ``convention`` is
    that of the labels; the hand is placed and framed by the joints of RHD's, so no pixel depends on it.
    """

    split: str
    index: int
    size_px: int
    side: str
    identity: Float[np.ndarray, "12"]
    look: Look
    K: Float[np.ndarray, "3 3"]
    palm_m: Float[np.ndarray, "3"]
    box: tuple[float, float, float]
    convention: str = RHD

    def with_look(self, **parts: Any) -> "Scene":
        """The scene with other parts of its look."""
        return dataclasses.replace(self, look=dataclasses.replace(self.look, **parts))

    def factors(self) -> dict[str, Any]:
        """What the scene was made from, ready for JSON."""
        return {
            "scene": self.index,
            "side": self.side,
            "identity": plain(self.identity),
            "K": plain(self.K),
            "palm_m": plain(self.palm_m),
            "window": list(self.box),
            "look": plain(self.look),
        }


def sample_scene(
    seed: int,
    split: str,
    index: int,
    size_px: int,
    scene_size: tuple[float, float] = (0.8, 1.3),
    *spawn: int,
    convention: str = RHD,
) -> Scene:
    """Draw scene number ``index`` of a split, the same for the same arguments.

    The palm lies 0.35 to 0.9 m away (log-uniform); the window's side is uniform in ``window`` times ``size``.
    The image is as cut out of a larger one: the palm's ray is off the optical axis as in RHD, so the
    principal point may lie far from the middle. Scenes, light and backgrounds of the two splits are disjoint.
    ``spawn`` chooses another stream of scenes, as in `scene_rng`; ``convention`` is that of the labels.
    Raises HandsError for an unknown split, a negative seed, and a size or window out of range.
    """
    check_settings(seed, split, size_px, scene_size)
    rng = scene_rng(seed, split, index, *spawn)
    side = SIDES[rng.integers(2)]
    identity = HandModel.load().sample_identity(rng)
    share = rng.uniform(*scene_size)
    K, palm_m, centre_px = _sample_camera(rng, bone_m(identity), size_px, share)
    look = sample_look(rng, split)
    box = (float(centre_px[0]), float(centre_px[1]), share * size_px)
    return Scene(split, index, size_px, side, identity, look, K, palm_m, box, convention)


def defocused(scene: Scene, seed: int, defocus: tuple[float, float]) -> Scene:
    """The scene as a portrait lens shows it: behind the hand a blur whose standard deviation, in image
    sides, is uniform in ``defocus``; all else, of every image, stays."""
    rng = scene_rng(seed, scene.split, scene.index, DEFOCUS)
    background = dataclasses.replace(scene.look.background, blur=float(rng.uniform(*defocus)))
    return scene.with_look(background=background)


def scene_rng(seed: int, split: str, index: int, *spawn: int) -> np.random.Generator:
    """The stream of random numbers of a scene, or with ``spawn`` of a part of it."""
    entropy = (seed, SPLITS.index(split), index)
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=spawn))


def sample_view(rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    """A rotation drawn uniformly from SO(3)."""
    quaternion = rng.standard_normal(4)
    x, y, z, w = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)],
            [2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)],
            [2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def check_settings(seed: int, split: str, size_px: int, scene_size: tuple[float, float]) -> None:
    """Refuse settings that no scene can have, with a HandsError."""
    if split not in SPLITS:
        raise HandsError(f'unknown split "{split}"; {did_you_mean(split, SPLITS)}')
    if seed < 0:
        raise HandsError(f"seed is {seed}; legal: 0 or more")
    if not 16 <= size_px <= 2048:
        raise HandsError(f"size_px is {size_px}; it must be between 16 and 2048")
    if not 0.1 <= scene_size[0] <= scene_size[1] <= 4:
        legal = "(low, high) with 0.1 <= low <= high <= 4 image sides"
        raise HandsError(f"scene_size is {scene_size}; it must be {legal}")


def plain(value: object) -> Any:
    """Dataclasses, arrays and numpy numbers as what JSON knows; floats keep all the digits that count."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        return np.vectorize(lambda number: float(f"{number:.9g}"))(value).tolist()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def _sample_camera(
    rng: np.random.Generator, bone_m: float, size_px: int, share: float
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"], Float[np.ndarray, "2"]]:
    """Draw (K, palm in metres, its pixel): the window has its side and, if it fits, lies in the image."""
    depth_m = np.exp(rng.uniform(*np.log(DEPTH_M)))
    focal_px = share * size_px * depth_m / (SCENE_BONES * bone_m)
    azimuth = rng.uniform(0, 2 * np.pi)
    slope = np.tan(np.deg2rad(AXIS_DEG * rng.weibull(AXIS_SHAPE))) * np.array(
        [np.cos(azimuth), np.sin(azimuth)]
    )
    slack = (1 - share) / 2 if share < 1 else OFFSET
    centre_px = (size_px - 1) / 2 + size_px * rng.uniform(-slack, slack, 2)
    principal_px = centre_px - focal_px * slope
    K = np.array([[focal_px, 0, principal_px[0]], [0, focal_px, principal_px[1]], [0, 0, 1]])
    return K, depth_m * np.array([*slope, 1.0]), centre_px


def left_form(
    identity: Float[np.ndarray, "12"], articulation: Articulation, convention: str = RHD
) -> Float[np.ndarray, "21 3"]:
    """Joints of a posed hand in left form (x mirrored), about its palm, metres."""
    model = HandModel.load()
    joints = model.pose(model.identity(identity), articulation, convention).keypoints @ MIRROR
    return joints - (joints[WRIST] + joints[MIDDLE_MCP]) / 2


def bone_m(identity: Float[np.ndarray, "12"]) -> float:
    """Length of the middle MCP-PIP bone, metres."""
    joints = left_form(identity, neutral())
    return float(np.linalg.norm(joints[MIDDLE_MCP] - joints[MIDDLE_PIP]))
