"""Animated hands as binary glTF 2.0 (.glb): one skinned mesh for each hand.

The file has metres, y up, and the camera at the origin, which looks along -z.
"""

import json
import struct
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from latent_hands.animation.posed import BONES, CHILDREN, AnimatedHand
from latent_hands.animation.times import visibility
from latent_hands.errors import HandsError, as_path
from latent_hands.files import write_bytes
from latent_hands.hand.rig.mesh import vertex_normals
from latent_hands.hand.rig.points import HAND
from latent_hands.hand.rig.skin import Skin

Y_UP = np.diag([1.0, -1, -1])
"""The rotation from the camera frame (y down, z forward) to the world of glTF (y up, z backward)."""
_SKIN_COLOUR = (0.70, 0.42, 0.31, 1.0)
_COMPONENTS = {"float32": 5126, "uint8": 5121, "uint16": 5123}
_KINDS = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_VERTICES, _INDICES = 34962, 34963


def write_glb(
    path: str | Path,
    hands: Sequence[AnimatedHand],
    duration: float | None = None,
    camera: dict[str, Any] | None = None,
) -> Path:
    """Write hands as binary glTF. Hands in one pose have no animation.

    Each hand has a skin, a mesh and 21 nodes. The name of a node is NAME_BONE (`posed.BONES`), and the y axis
    of a bone points along it. A hand is hidden, by a scale of 0, before its first pose, after its last pose,
    and in gaps of more than `times.LONGEST_GAP`. In shorter gaps its pose is interpolated.

    Args:
        path: the file; it ends in .glb.
        hands: the hands; their names differ. Their times are counted from the start of the clip.
        duration: the length of the clip in seconds; by default until the last pose.
        camera: glTF's description of a camera at the origin.

    Raises HandsError for another ending, without hands, and if two hands have one name.
    """
    path = as_path(path, "path")
    if path.suffix != ".glb":
        raise HandsError(f"{path} does not end in .glb, the ending of binary glTF")
    names = [hand.name for hand in hands]
    if not names or len(set(names)) < len(names):
        raise HandsError(f"{path} needs hands with different names, not {names}")
    end = max(float(hand.seconds[-1]) for hand in hands) if duration is None else duration
    document = _Document()
    for hand in hands:
        document.add_hand(hand, end)
    if camera is not None:
        document.add_camera(camera)
    return write_bytes(path, document.to_bytes())


def quaternions(rotations: Float[np.ndarray, "t 3 3"]) -> Float[np.ndarray, "t 4"]:
    """Return unit quaternions (x, y, z, w) without changes of sign from one rotation to the next."""
    found = Rotation.from_matrix(rotations).as_quat()
    flips = np.sign(np.einsum("ti,ti->t", found[1:], found[:-1]))
    return found * np.cumprod(np.concatenate([[1], np.where(flips == 0, 1, flips)]))[:, None]


class _Document:
    """A glTF document that grows hand by hand: JSON, and one binary buffer."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.json: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": f"latent-hands {version('latent-hands')}"},
            "scene": 0,
            "scenes": [{"nodes": []}],
            "materials": [_material()],
        } | {key: [] for key in ("nodes", "meshes", "skins", "accessors", "bufferViews", "cameras")}
        self.channels: list[dict[str, Any]] = []
        self.samplers: list[dict[str, Any]] = []

    def add(self, key: str, value: dict[str, Any]) -> int:
        """Append an object to an array of the document, and return its index."""
        self.json[key].append(value)
        return len(self.json[key]) - 1

    def accessor(self, array: np.ndarray, target: int | None = None, bounds: bool = False) -> int:
        """Append an array to the buffer, and return the index of its accessor."""
        data = np.ascontiguousarray(array)
        view = {"buffer": 0, "byteOffset": len(self.buffer), "byteLength": data.nbytes}
        self.buffer += data.tobytes() + bytes(-data.nbytes % 4)
        view |= {} if target is None else {"target": target}
        accessor: dict[str, Any] = {
            "bufferView": self.add("bufferViews", view),
            "componentType": _COMPONENTS[str(data.dtype)],
            "count": len(data),
            "type": _KINDS[data.shape[1:]],
        }
        if bounds:
            accessor |= {
                "min": np.atleast_1d(data.min(0)).tolist(),
                "max": np.atleast_1d(data.max(0)).tolist(),
            }
        return self.add("accessors", accessor)

    def add_hand(self, hand: AnimatedHand, end: float) -> None:
        """Add the nodes, the skin, the mesh and the animation of a hand."""
        first = len(self.json["nodes"])
        turns, offsets = hand.local_rotations(), hand.local_places_m()
        turns[:, HAND] = Y_UP @ turns[:, HAND]
        places = hand.root_places_m() @ Y_UP
        for bone, name in enumerate(BONES):
            node: dict[str, Any] = {
                "name": f"{hand.name}_{name}",
                "rotation": quaternions(turns[:1, bone])[0].tolist(),
                "translation": (places[0] if bone == HAND else offsets[bone]).tolist(),
            }
            node |= {"children": [first + child for child in CHILDREN[bone]]} if CHILDREN[bone] else {}
            self.add("nodes", node)
        skin = self.add("skins", self._skin(hand, first))
        mesh = self.add("meshes", self._mesh(hand))
        skinned = self.add("nodes", {"name": hand.name, "mesh": mesh, "skin": skin})
        self.json["scenes"][0]["nodes"] += [first + HAND, skinned]
        self._animate(hand, first, turns, places, end)

    def add_camera(self, camera: dict[str, Any]) -> None:
        """Add a camera at the origin."""
        node = self.add("nodes", {"name": "camera", "camera": self.add("cameras", camera)})
        self.json["scenes"][0]["nodes"].append(node)

    def to_bytes(self) -> bytes:
        """Return the file: a header, the chunk of the JSON, and the chunk of the buffer."""
        content = {key: value for key, value in self.json.items() if value != []}
        content["buffers"] = [{"byteLength": len(self.buffer)}]
        if self.channels:
            content["animations"] = [{"name": "clip", "channels": self.channels, "samplers": self.samplers}]
        text = json.dumps(content, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
        chunks += struct.pack("<II", len(self.buffer), 0x004E4942) + self.buffer
        return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks

    def _skin(self, hand: AnimatedHand, first: int) -> dict[str, Any]:
        frames, heads = hand.rest
        inverse = np.tile(np.eye(4, dtype=np.float32), (len(BONES), 1, 1))
        inverse[:, :3, :3] = frames.swapaxes(-1, -2)
        inverse[:, :3, 3] = -np.einsum("bji,bj->bi", frames, heads)
        joints = [first + bone for bone in range(len(BONES))]
        matrices = self.accessor(inverse.swapaxes(-1, -2))  # glTF stores columns
        return {
            "name": hand.name,
            "joints": joints,
            "skeleton": first + HAND,
            "inverseBindMatrices": matrices,
        }

    def _mesh(self, hand: AnimatedHand) -> dict[str, Any]:
        skin, faces = Skin.load(), hand.skin_faces()
        vertices = hand.skin_vertices_m().astype(np.float32)
        attributes = {
            "POSITION": self.accessor(vertices, _VERTICES, bounds=True),
            "NORMAL": self.accessor(vertex_normals(vertices, faces), _VERTICES),
            "JOINTS_0": self.accessor(skin.bones, _VERTICES),
            "WEIGHTS_0": self.accessor(skin.weights, _VERTICES),
        }
        indices = self.accessor(faces.astype(np.uint16).ravel(), _INDICES)
        return {
            "name": hand.name,
            "primitives": [{"attributes": attributes, "indices": indices, "material": 0}],
        }

    def _animate(
        self, hand: AnimatedHand, first: int, turns: np.ndarray, places: np.ndarray, end: float
    ) -> None:
        """Add the rotations of the bones that move, the places of the root, and when the hand is visible."""
        times, visible = visibility(hand.seconds, end)
        if not visible.all():
            scales = np.repeat(visible.astype(np.float32)[:, None], 3, 1)
            self._channel(first + HAND, "scale", self._times(times), scales, "STEP")
        if len(hand.seconds) == 1:
            return
        keys = self._times(hand.seconds)
        self._channel(first + HAND, "translation", keys, places)
        for bone in range(len(BONES)):
            if np.ptp(turns[:, bone], axis=0).max() > 1e-6:
                self._channel(first + bone, "rotation", keys, quaternions(turns[:, bone]))

    def _times(self, seconds: np.ndarray) -> int:
        return self.accessor(seconds.astype(np.float32), bounds=True)

    def _channel(self, node: int, path: str, keys: int, values: np.ndarray, way: str = "LINEAR") -> None:
        output = self.accessor(values.astype(np.float32))
        self.samplers.append({"input": keys, "output": output, "interpolation": way})
        self.channels.append({"sampler": len(self.samplers) - 1, "target": {"node": node, "path": path}})


def _material() -> dict[str, Any]:
    surface = {"baseColorFactor": list(_SKIN_COLOUR), "metallicFactor": 0.0, "roughnessFactor": 0.6}
    return {"name": "skin", "pbrMetallicRoughness": surface}
