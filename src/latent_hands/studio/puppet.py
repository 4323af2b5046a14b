"""The hand that is dragged: joint angles and a rotation, as a LEFT hand in the camera frame."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.hand import geometry
from latent_hands.hand.conventions import CONVENTIONS, FRAMING
from latent_hands.hand.rig import reaching
from latent_hands.hand.rig.articulation import neutral
from latent_hands.hand.rig.inverse import fit
from latent_hands.hand.rig.kinematics import Skeleton
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.skeleton import MIDDLE_MCP, WRIST

NEAR, FAR = 5, 20
"""Steps of inverse kinematics to a near hand, and to any hand."""
_FACING = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
"""The rotation of a left hand that points up and shows its palm."""
_BONE_MM = 40.0


@dataclass(frozen=True, eq=False)
class Puppet:
    """A posed left hand. Its palm is the origin of the camera frame: x right, y down, z forward.

    The proportions are those of the mean hand of `hand.rig.model`. The joint convention is "rhd_bones".

    Attributes:
        angles_deg: the joint angles, as `Articulation.flat`.
        rotation: the rotation from the hand frame to the camera frame, applied to rows: X @ rotation.
    """

    angles_deg: Float[Tensor, "24"]
    rotation: Float[Tensor, "3 3"]

    @staticmethod
    def relaxed() -> "Puppet":
        """Return a relaxed hand that points up and shows its palm."""
        return Puppet(torch.from_numpy(neutral().flat()), _FACING)

    @property
    def joints_mm(self) -> Float[Tensor, "21 3"]:
        """The joints in WRIST form, relative to the palm, in millimetres."""
        return joints_mm(self.angles_deg[None], self.rotation[None])[0]

    @property
    def pose(self) -> Float[Tensor, "21 3"]:
        """The 3DPose: joints in PALM form, in lengths of the middle MCP-PIP bone."""
        return pose_of(self.joints_mm)

    def dragged(self, finger: str, target_mm: Float[Tensor, "3"]) -> "Puppet":
        """Return the hand whose fingertip is nearest to a point of the camera frame (`reaching.reach`)."""
        left = target_mm.double() @ self.rotation.T + palm_of(self._left_mm())
        moved = reaching.reach(skeleton(), self.angles_deg, finger, geometry.mirror(left))
        return replace(self, angles_deg=moved)

    def with_wrist_towards(self, target_mm: Float[Tensor, "3"]) -> "Puppet":
        """Return the hand turned about its palm by the smallest angle, so that its wrist points to a point.

        A point at the palm changes nothing.
        """
        start, end = self.joints_mm[WRIST], target_mm.double()
        if end.norm() < 1e-6:
            return self
        return self.turned(_shortest(start / start.norm(), end / end.norm()))

    def turned(self, turn: Float[Tensor, "3 3"]) -> "Puppet":
        """Return the hand after a further rotation of the camera frame, X @ turn."""
        return replace(self, rotation=geometry.nearest_rotation(self.rotation @ turn.double()))

    def following(self, pose: Float[Tensor, "21 3"], steps: int = NEAR) -> "Puppet":
        """Return the hand that is nearest to a 3DPose of a left hand, searched from this one.

        `pose` is in PALM form and "rhd_bones". Its proportions do not matter.
        """
        wanted = geometry.to_wrist(pose.double() * _BONE_MM)
        angles = fit(skeleton(), geometry.mirror(wanted)[None], self.angles_deg[None], steps)[0]
        left = geometry.mirror(skeleton().keypoints_mm(angles[None])[0])
        rotation = geometry.nearest_rotation((left - left.mean(0)).T @ (wanted - wanted.mean(0)))
        return Puppet(angles, rotation)

    def _left_mm(self) -> Float[Tensor, "21 3"]:
        return geometry.mirror(skeleton().keypoints_mm(self.angles_deg[None])[0])


def joints_mm(angles_deg: Float[Tensor, "n 24"], rotation: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n 21 3"]:
    """Return the joints of many hands, as `Puppet.joints_mm`; the arguments are attributes of `Puppet`."""
    left = geometry.mirror(skeleton().keypoints_mm(angles_deg))
    return (left - palm_of(left)[:, None]) @ rotation


def pose_of(joints_mm: Float[Tensor, "*n 21 3"]) -> Float[Tensor, "*n 21 3"]:
    """Return the 3DPoses of joints in WRIST form."""
    return geometry.normalise(geometry.to_palm(joints_mm.float()))[0]


@cache
def skeleton() -> Skeleton:
    """Return the skeleton of the mean hand, with the keypoints of "rhd_bones"."""
    linear = torch.from_numpy(CONVENTIONS.find(FRAMING).weights()[:, :21])
    return Skeleton.of(HandModel.load().identity(np.zeros(12)), linear)


def palm_of(joints: Float[Tensor, "*n 21 3"]) -> Float[Tensor, "*n 3"]:
    """Return the palm of joints in WRIST form."""
    return (joints[..., WRIST, :] + joints[..., MIDDLE_MCP, :]) / 2


def turn_about(axis: int, angle_deg: float) -> Float[Tensor, "3 3"]:
    """Return the rotation about an axis of the camera frame (0 x, 1 y, 2 z), applied to rows.

    About z, a positive angle is clockwise in the image. The other axes follow by cyclic exchange.
    """
    turn = geometry.in_plane(float(np.radians(angle_deg)))
    order = [(i - axis - 1) % 3 for i in range(3)]
    return turn[order][:, order].double()


def _shortest(a: Float[Tensor, "3"], b: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """Return the smallest rotation Q of rows with a @ Q = b, for unit vectors."""
    cross, cosine = torch.linalg.cross(a, b), float(a @ b)
    if cosine < -1 + 1e-9:  # any axis across is a smallest one
        across = torch.linalg.cross(a, torch.eye(3).double()[int(a.abs().argmin())])
        across = across / across.norm()
        return 2 * torch.outer(across, across) - torch.eye(3).double()
    x, y, z = cross.tolist()
    skew = torch.tensor([[0, z, -y], [-z, 0, x], [y, -x, 0]], dtype=torch.float64)
    return torch.eye(3).double() + skew + skew @ skew / (1 + cosine)
