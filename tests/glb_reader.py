"""An independent reader of animated .glb files: the vertices of each skin at a time, by glTF's formulas."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

_TYPES = {5121: np.uint8, 5123: np.uint16, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """A .glb file. `json` is its document."""

    def __init__(self, path: Path):
        data = path.read_bytes()
        magic, version, length, size, kind = struct.unpack_from("<4sIIII", data)
        assert (magic, version, length, kind) == (b"glTF", 2, len(data), 0x4E4F534A)
        self.json: dict[str, Any] = json.loads(data[20 : 20 + size])
        assert struct.unpack_from("<II", data, 20 + size) == (len(data) - 28 - size, 0x004E4942)
        self.buffer = data[28 + size :]

    def array(self, index: int) -> np.ndarray:
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        width, kind = _WIDTHS[accessor["type"]], _TYPES[accessor["componentType"]]
        found = np.frombuffer(self.buffer, kind, accessor["count"] * width, view["byteOffset"])
        assert view["byteOffset"] % found.itemsize == 0
        assert view["byteLength"] == found.nbytes
        return found.reshape(accessor["count"], width)

    def values(self, seconds: float) -> list[dict[str, np.ndarray]]:
        """Return translation, rotation and scale of every node at a time."""
        nodes = [
            {
                "translation": np.array(node.get("translation", [0, 0, 0]), float),
                "rotation": np.array(node.get("rotation", [0, 0, 0, 1]), float),
                "scale": np.ones(3),
            }
            for node in self.json["nodes"]
        ]
        for animation in self.json.get("animations", []):
            for channel in animation["channels"]:
                sampler = animation["samplers"][channel["sampler"]]
                keys, values = self.array(sampler["input"])[:, 0], self.array(sampler["output"]).astype(float)
                i = int(np.clip(np.searchsorted(keys, seconds, "right") - 1, 0, len(keys) - 1))
                value = values[i]
                if sampler["interpolation"] == "LINEAR" and i + 1 < len(keys):
                    share = np.clip((seconds - keys[i]) / (keys[i + 1] - keys[i]), 0, 1)
                    value = (1 - share) * values[i] + share * values[i + 1]
                nodes[channel["target"]["node"]][channel["target"]["path"]] = value
        return nodes

    def node_matrices(self, seconds: float = 0.0) -> dict[int, np.ndarray]:
        """Return the global matrix of every node at a time."""
        values, found = self.values(seconds), {}

        def visit(node: int, parent: np.ndarray) -> None:
            x, y, z, w = values[node]["rotation"] / np.linalg.norm(values[node]["rotation"])
            turn = np.array(
                [
                    [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                    [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                    [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
                ]
            )
            local = np.eye(4)
            local[:3, :3] = turn * values[node]["scale"]
            local[:3, 3] = values[node]["translation"]
            found[node] = parent @ local
            for child in self.json["nodes"][node].get("children", []):
                visit(child, found[node])

        for root in self.json["scenes"][self.json["scene"]]["nodes"]:
            visit(root, np.eye(4))
        assert len(found) == len(values)
        return found

    def skinned(self, name: str, seconds: float = 0.0) -> np.ndarray:
        """Return the vertices of the skin of a node at a time, in metres."""
        node = next(node for node in self.json["nodes"] if node["name"] == name)
        skin, mesh = self.json["skins"][node["skin"]], self.json["meshes"][node["mesh"]]
        parts = mesh["primitives"][0]["attributes"]
        matrices = self.node_matrices(seconds)
        inverse = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
        joints = np.stack([matrices[joint] @ inverse[i] for i, joint in enumerate(skin["joints"])])
        weights, bones = self.array(parts["WEIGHTS_0"]), self.array(parts["JOINTS_0"])
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
        blended = np.einsum("vk,vkij->vij", weights, joints[bones])
        vertices = np.pad(self.array(parts["POSITION"]), ((0, 0), (0, 1)), constant_values=1)
        return np.einsum("vij,vj->vi", blended, vertices)[:, :3]

    def faces(self, name: str) -> np.ndarray:
        node = next(node for node in self.json["nodes"] if node["name"] == name)
        return self.array(self.json["meshes"][node["mesh"]]["primitives"][0]["indices"]).reshape(-1, 3)
