"""A hand of the skinned mesh in a sequence of poses, and the bones of a rig that other programs can move."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation, Slerp

from latent_hands.errors import HandsError
from latent_hands.hand.handedness import Handedness, check_handedness
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.kinematics import CHAINS, KEYPOINTS
from latent_hands.hand.rig.model import HandModel, Shape
from latent_hands.hand.rig.points import HAND, LEVELS, PARENTS, own_joints
from latent_hands.hand.rig.skin import Skin
from latent_hands.hand.skeleton import FINGERS

_FINGER = ("metacarpal", "proximal", "intermediate", "distal")
BONES = (
    *("forearm", "hand", "thumb_metacarpal", "thumb_proximal", "thumb_distal"),
    *(f"{finger}_{bone}" for finger in ("index", "middle", "ring", "little") for bone in _FINGER),
)
"""The names of the 21 bones, in the order of `hand.rig.points.PARENTS`."""
CHILDREN = tuple(
    tuple(child for child, parent in enumerate(PARENTS.tolist()) if parent == bone != child)
    for bone in range(len(BONES))
)
"""The children of each bone. The root is the hand; the forearm is one of its children."""
_MIRROR = np.diag([-1.0, 1, 1])


@dataclass(frozen=True, eq=False)
class AnimatedHand:
    """One hand of the mesh in t poses, t >= 1.

    The world is the camera frame in metres: x right, y down, z away from the camera.

    Attributes:
        name: the name in files.
        handedness: "left" or "right".
        shape: the person's hand at rest as a RIGHT hand, in the hand frame of `hand.rig.model`.
        angles_deg: the articulations, as `Articulation.flat`.
        rotations: R of the pose world = R @ point + place, for points in the hand frame. A left hand is the
            mirror image of the right one in the hand frame (x is negated), which is then rotated.
        places_m: the place, which is the wrist.
        seconds: the times of the poses.

    Raises HandsError for an unknown handedness, if the numbers of poses differ or are 0, and if the times do
    not increase.
    """

    name: str
    handedness: Handedness
    shape: Shape
    angles_deg: Float[np.ndarray, "t 24"]
    rotations: Float[np.ndarray, "t 3 3"]
    places_m: Float[np.ndarray, "t 3"]
    seconds: Float[np.ndarray, " t"]

    def __post_init__(self) -> None:
        """Check the arrays."""
        check_handedness(self.handedness)
        counts = [len(array) for array in (self.angles_deg, self.rotations, self.places_m, self.seconds)]
        if len(set(counts)) > 1 or counts[0] == 0:
            raise HandsError(
                f"hand {self.name} has {counts} angles, rotations, places and times; give as many of each"
            )
        if not (np.diff(self.seconds) > 0).all():
            raise HandsError(f"the times of hand {self.name} do not increase")

    @classmethod
    def still(
        cls,
        articulation: Articulation,
        handedness: Handedness = "right",
        shape: Shape | None = None,
        rotation: Float[np.ndarray, "3 3"] | None = None,
        place_m: Sequence[float] = (0, 0, 0),
        name: str = "hand",
    ) -> "AnimatedHand":
        """Return a hand in one pose.

        By default it is the mean hand with its fingers up, its back towards the camera.
        """
        shape = HandModel.load().identity(np.zeros(12)) if shape is None else shape
        rotation = np.diag([1.0, -1, -1]) if rotation is None else rotation
        angles, places = articulation.flat()[None], np.array([place_m], float)
        return cls(name, handedness, shape, angles, rotation[None], places, np.zeros(1))

    def at(self, seconds: Float[np.ndarray, " n"]) -> "AnimatedHand":
        """Return the hand at other times, interpolated. It rests before the first pose and after the last."""
        held = np.clip(seconds, self.seconds[0], self.seconds[-1])
        angles, places = (
            np.stack([np.interp(held, self.seconds, column) for column in array.T], 1)
            for array in (self.angles_deg, self.places_m)
        )
        if len(self.seconds) == 1:
            rotations = self.rotations.repeat(len(seconds), 0)
        else:
            rotations = Slerp(self.seconds, Rotation.from_matrix(self.rotations))(held).as_matrix()
        return replace(self, angles_deg=angles, rotations=rotations, places_m=places, seconds=seconds)

    @property
    def mirror(self) -> Float[np.ndarray, "3 3"]:
        """The map from a right hand to a hand of this side, in the hand frame."""
        return _MIRROR if self.handedness == "left" else np.eye(3)

    @cached_property
    def rest(self) -> tuple[Float[np.ndarray, "21 3 3"], Float[np.ndarray, "21 3"]]:
        """The frames of the bones at rest (axes as columns, y along the bone) and their heads, in metres.

        They are in the hand frame of this side.
        """
        shape, mirror = self.shape, self.mirror
        return mirror @ shape.frames @ mirror, shape.heads @ mirror

    @cached_property
    def turns(self) -> Float[np.ndarray, "t 21 3 3"]:
        """The rotation of each bone from rest to each pose, in the hand frame of this side."""
        model = HandModel.load()
        turns = [model.bones(self.shape, Articulation.from_flat(each))[0] for each in self.angles_deg]
        return self.mirror @ np.stack(turns).astype(float) @ self.mirror

    def local_rotations(self) -> Float[np.ndarray, "t 21 3 3"]:
        """Return the rotation of each bone in the frame of its parent; that of the root is in the world."""
        frames, _ = self.rest
        frames = self.rotations[:, None] @ self.turns @ frames
        local = frames[:, PARENTS].swapaxes(-1, -2) @ frames
        local[:, HAND] = frames[:, HAND]
        return local

    def local_places_m(self) -> Float[np.ndarray, "21 3"]:
        """Return the head of each bone in the frame of its parent, in every pose; that of the root is 0."""
        frames, heads = self.rest
        return np.einsum("bji,bj->bi", frames[PARENTS], heads - heads[PARENTS])

    def root_places_m(self) -> Float[np.ndarray, "t 3"]:
        """Return the head of the root in the world."""
        return self.places_m + self.rotations @ self.rest[1][HAND]

    def fingertips_m(self) -> Float[np.ndarray, "5 3"]:
        """Return the fingertips at rest, thumb to little finger, in the hand frame of this side."""
        joints = own_joints(self.shape.heads, self.shape.tails)
        return joints[[chain[-1] for chain in FINGERS.values()]] @ self.mirror

    def joints_m(self) -> Float[np.ndarray, "t 21 3"]:
        """Return wrist, joints and fingertips of each pose in the world, in the order of RHD."""
        _, heads = self.rest
        places = heads[None, [HAND] * len(BONES)].repeat(len(self.seconds), 0)
        for level in LEVELS:
            parents = PARENTS[level]
            steps = (heads[level] - heads[parents])[..., None]
            places[:, level] = places[:, parents] + (self.turns[:, parents] @ steps)[..., 0]
        last = CHAINS[:, -1]
        ends = (self.fingertips_m() - heads[last])[..., None]
        tips = places[:, last] + (self.turns[:, last] @ ends)[..., 0]
        joints = np.concatenate([places, tips], 1)[:, KEYPOINTS]
        return joints @ self.rotations.swapaxes(-1, -2) + self.places_m[:, None]

    def skin_vertices_m(self) -> Float[np.ndarray, "vertices 3"]:
        """Return the skin's vertices at rest, in the hand frame of this side."""
        return Skin.load().of_coarse @ self.shape.coarse @ self.mirror

    def skin_faces(self) -> np.ndarray:
        """Return the skin's triangles, counter-clockwise seen from outside."""
        faces = Skin.load().faces
        return faces[:, ::-1] if self.handedness == "left" else faces
