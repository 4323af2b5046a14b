"""The 3D scene of a page: the skinned hand, handles at its fingertips and wrist, and rings that turn it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import ImageColor
from scipy.spatial.transform import Rotation
from torch import Tensor

from latent_hands.draw import PALETTE
from latent_hands.hand.skeleton import FINGERS, WRIST
from latent_hands.studio import skin
from latent_hands.studio.puppet import Puppet

METRE, MILLIMETRE = 10.0, 0.01
"""Units of the scene: 1 is 10 cm, so that the camera's near plane is far enough."""
CAMERA = (0.0, 0.0, -3.6)
SKIN_COLOUR, WRIST_COLOUR = (222, 174, 148), (15, 118, 110)
WRIST_NAME = "wrist"
TIP_RADIUS, WRIST_RADIUS = 0.11, 0.31
"""Radii of the handles; that of the wrist shows around the arm."""
HANDLES = {WRIST_NAME: WRIST} | {finger: chain[-1] for finger, chain in FINGERS.items()}
"""The joints that can be dragged, by name."""
Dragged = Callable[[str, Float[Tensor, "3"], bool], None]
"""Called with a handle's name, its wanted place in millimetres, and whether the drag has ended."""
Turned = Callable[[Float[Tensor, "3 3"], bool], None]
"""Called with a rotation as `Puppet.rotation`, and whether the turn has ended."""


class HandScene:
    """The hand of one client.

    Args:
        client: viser's handle of the client.
        dragged, turned: what happens when the user drags a handle or turns a ring.
    """

    def __init__(self, client: Any, dragged: Dragged, turned: Turned):
        self._turning, self._turned = False, False
        self._mesh = self._add_mesh(client)
        self._handles = {name: self._add_handle(client, name, dragged) for name in HANDLES}
        self._rings = self._add_rings(client, turned)
        client.camera.look_at = (0.0, 0.0, 0.0)
        self.look_from_the_front(client)

    @staticmethod
    def look_from_the_front(client: Any) -> None:
        """Put the viewer where the camera of the image is."""
        with client.atomic():
            client.camera.position = CAMERA
            client.camera.look_at = (0.0, 0.0, 0.0)
            client.camera.up_direction = (0.0, -1.0, 0.0)

    def show(self, puppet: Puppet) -> None:
        """Move the mesh, the handles and the rings to a hand."""
        rotations, places = skin.bone_poses(puppet)
        for bone, wxyz, place in zip(self._mesh.bones, _wxyz(rotations), places * METRE, strict=True):
            bone.wxyz, bone.position = wxyz, place
        joints = puppet.joints_mm.numpy() * MILLIMETRE
        for name, handle in self._handles.items():
            handle.position = joints[HANDLES[name]]
        if not self._turning:
            self._rings.wxyz = _wxyz(puppet.rotation.numpy().T)

    def settle(self, puppet: Puppet) -> None:
        """Send the rotation of the rings if the user has turned them, also if the browser should have it.

        `show` may have sent an older rotation while the user's was on the network.
        """
        if self._turned and not self._turning:
            self._turned = False
            self._rings.wxyz = _wxyz(puppet.rotation.numpy().T)
            self._rings.wxyz = -self._rings.wxyz  # the same rotation, which is sent because it differs

    def toggle_rings(self) -> None:
        """Hide the rings, or show them again."""
        self._rings.visible = not self._rings.visible

    def _add_mesh(self, client: Any) -> Any:
        hand = skin.rest()
        _, heads = hand.rest
        return client.scene.add_mesh_skinned(
            "/hand",
            (hand.skin_vertices_m() * METRE).astype(np.float32),
            hand.skin_faces(),
            bone_wxyzs=np.tile([1.0, 0, 0, 0], (len(heads), 1)),
            bone_positions=heads * METRE,
            skin_weights=skin.skin_weights(),
            color=SKIN_COLOUR,
        )

    def _add_handle(self, client: Any, name: str, dragged: Dragged) -> Any:
        colour = ImageColor.getrgb(PALETTE[name])[:3] if name in PALETTE else WRIST_COLOUR
        radius = WRIST_RADIUS if name == WRIST_NAME else TIP_RADIUS
        handle = client.scene.add_icosphere(f"/handles/{name}", radius=radius, color=colour, opacity=0.6)

        grip = np.zeros(3)

        @handle.on_drag
        async def _(event: Any) -> None:  # a coroutine, so that viser keeps the order of events
            if event.phase == "start":  # the user grips the surface of the ball, not its centre
                grip[:] = handle.position - np.array(event.start_position)
            place_mm = (np.array(event.end_position) + grip) / MILLIMETRE
            dragged(name, torch.from_numpy(place_mm), event.phase == "end")

        return handle

    def _add_rings(self, client: Any, turned: Turned) -> Any:
        rings = client.scene.add_transform_controls(
            "/rings", scale=2.2, line_width=2.0, disable_axes=True, disable_sliders=True, opacity=0.5
        )

        def rotation() -> Float[Tensor, "3 3"]:
            return torch.from_numpy(Rotation.from_quat(rings.wxyz, scalar_first=True).as_matrix().T.copy())

        async def update(event: Any) -> None:
            self._turning = event.phase != "end"
            if event.phase != "start":
                turned(rotation(), event.phase == "end")
                self._turned = True

        rings.on_update(update)
        return rings


def _wxyz(rotations: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n 4"]:
    return Rotation.from_matrix(rotations).as_quat(scalar_first=True)
