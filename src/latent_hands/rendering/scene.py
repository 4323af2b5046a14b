"""Scenes: everything that decides an image, except the pose of the hand and the viewpoint."""

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from latent_hands.data.readers.reading import SPLITS
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.hand.boxes import SCENE_BONES
from latent_hands.hand.conventions import FRAMING, RHD
from latent_hands.hand.handedness import HANDEDNESS
from latent_hands.hand.rig.articulation import Articulation, neutral
from latent_hands.hand.rig.model import HandModel, Shape
from latent_hands.hand.skeleton import MIDDLE_MCP, MIDDLE_PIP, WRIST
from latent_hands.rendering.image import Look, sample_look

DEPTH_M = (0.35, 0.9)
AXIS_DEG, AXIS_SHAPE = 8.8, 2.7
"""Weibull distribution of the angle between palm and optical axis: median 7.7, 90 % 12 degrees, as in RHD."""
OFFSET = 0.03
"""Greatest distance of the palm from the middle, in image sides, if the box is larger than the image."""
DEFOCUS = 2**31
"""Key of the random stream of `defocused`; smaller keys belong to the images of a scene."""
MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Scene:
    """A person's hand, its look, and a camera.

    Args:
        split, index: The split and the number of the scene.
        size_px: Side of the square image.
        side: "left" or "right".
        identity: Shape of the hand, see `HandModel.identity`.
        look: Skin, light, background, sleeve, sensor, jewellery and object.
        K: Intrinsics.
        palm_m: Place of the palm in the camera frame.
        box: (cx, cy, side), pixels: the square around the palm, which synthesis crops.
        convention: Convention of the labels. Joints in the convention FRAMING place the hand, so that no
            pixel depends on it.
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
        """Return the scene with other parts of its look."""
        return dataclasses.replace(self, look=dataclasses.replace(self.look, **parts))

    def factors(self) -> dict[str, Any]:
        """Return everything that the scene was made from, ready for JSON."""
        return {
            "scene": self.index,
            "side": self.side,
            "identity": plain(self.identity),
            "K": plain(self.K),
            "palm_m": plain(self.palm_m),
            # The name in files of all versions.
            "window": list(self.box),
            "look": plain(self.look),
        }


def sample_scene(
    seed: int,
    split: str,
    index: int,
    size_px: int,
    scene_size: tuple[float, float] = (0.8, 1.3),
    *stream: int,
    convention: str = RHD,
) -> Scene:
    """Draw a scene; the same arguments give the same scene.

    The depth of the palm is log-uniform in 0.35 .. 0.9 m. The palm is off the optical axis as in RHD: the
    image is like a crop of a larger one, and its principal point may be far from the middle. The two splits
    share no scene, no place and no lamp.

    Args:
        seed: Seed of all random numbers.
        split: "training" or "evaluation".
        index: Number of the scene in its split.
        size_px: Side of the square image, 16 .. 2048.
        scene_size: Range of the side of the scene's box, in image sides; the side is uniform.
        stream: Numbers that choose another stream of scenes, see `scene_rng`.
        convention: Convention of the labels.

    Raises HandsError for an unknown split, a negative seed, and values of `size_px` or `scene_size` out of
    range.
    """
    check_settings(seed, split, size_px, scene_size)
    rng = scene_rng(seed, split, index, *stream)
    side = HANDEDNESS[rng.integers(2)]
    identity = HandModel.load().sample_identity(rng)
    share = rng.uniform(*scene_size)
    K, palm_m, centre_px = _sample_camera(rng, bone_m(identity), size_px, share)
    look = sample_look(rng, split == "training")
    box = (float(centre_px[0]), float(centre_px[1]), share * size_px)
    return Scene(split, index, size_px, side, identity, look, K, palm_m, box, convention)


def defocused(scene: Scene, seed: int, defocus: tuple[float, float]) -> Scene:
    """Return the scene with the blurred background of a portrait lens; nothing else changes.

    The standard deviation of the blur, in image sides, is uniform in the range `defocus`.
    """
    rng = scene_rng(seed, scene.split, scene.index, DEFOCUS)
    background = dataclasses.replace(scene.look.background, blur=float(rng.uniform(*defocus)))
    return scene.with_look(background=background)


def scene_rng(seed: int, split: str, index: int, *stream: int) -> np.random.Generator:
    """Return the random numbers of a scene; the numbers `stream` choose another independent stream of it."""
    entropy = (seed, SPLITS.index(split), index)
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=stream))


def sample_view(rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    """Draw a rotation uniformly from SO(3)."""
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
    """Raise HandsError if a setting is out of range."""
    if split not in SPLITS:
        raise HandsError(f'unknown split "{split}"; {did_you_mean(split, SPLITS)}')
    if seed < 0:
        raise HandsError(f"seed is {seed}; it must be 0 or more")
    if not 16 <= size_px <= 2048:
        raise HandsError(f"size_px is {size_px}; it must be between 16 and 2048")
    if not 0.1 <= scene_size[0] <= scene_size[1] <= 4:
        legal = "(low, high) with 0.1 <= low <= high <= 4 image sides"
        raise HandsError(f"scene_size is {scene_size}; it must be {legal}")


def plain(value: object) -> Any:
    """Convert dataclasses, arrays and numpy numbers to JSON types; floats keep all significant digits."""
    if type(value) in (float, int, str, bool):
        return value
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
    """Draw (K, palm in metres, its pixel); the box has its side, and lies inside the image if it fits."""
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


def shape_of(identity: Float[np.ndarray, "12"]) -> Shape:
    """Return a person's hand at rest; those of the last few people are kept."""
    return _shape(tuple(identity.tolist()))


@lru_cache(maxsize=16)
def _shape(identity: tuple[float, ...]) -> Shape:
    return HandModel.load().identity(np.array(identity))


def left_form(
    identity: Float[np.ndarray, "12"], articulation: Articulation, convention: str = FRAMING
) -> Float[np.ndarray, "21 3"]:
    """Return the joints of a posed hand in left form (x mirrored), relative to its palm, metres."""
    posed = HandModel.load().pose(shape_of(identity), articulation, convention)
    joints = posed.keypoints @ MIRROR
    return joints - (joints[WRIST] + joints[MIDDLE_MCP]) / 2


def bone_m(identity: Float[np.ndarray, "12"]) -> float:
    """Return the length of the middle MCP-PIP bone, metres."""
    joints = left_form(identity, neutral())
    return float(np.linalg.norm(joints[MIDDLE_MCP] - joints[MIDDLE_PIP]))
