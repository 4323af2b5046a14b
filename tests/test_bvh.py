"""BVH: read by an independent forward kinematics, joints are those of the mesh to 0.001 cm."""

from pathlib import Path

import numpy as np
import pytest
from test_gltf import TENTHS, Y_UP, closing

from latent_hands.animation import write_bvh
from latent_hands.animation.bvh import zyx_deg
from latent_hands.errors import HandsError
from latent_hands.hand.rig.kinematics import CHAINS

AXES = {"X": 0, "Y": 1, "Z": 2}


class Bvh:
    """The joints of a file and, for each frame, their places in its unit."""

    def __init__(self, text: str):
        hierarchy, _, motion = text.partition("MOTION\n")
        self.names, self.parents, self.offsets, self.channels = [], [], [], []
        stack: list[int] = []
        for line in map(str.split, hierarchy.splitlines()):
            if line[0] in ("ROOT", "JOINT", "End"):
                self.parents.append(stack[-1] if stack else -1)
                self.names.append(self.names[stack[-1]] + "_end" if line[0] == "End" else line[1])
                self.channels.append([])
                stack.append(len(self.names) - 1)
            elif line[0] == "OFFSET":
                self.offsets.append(np.array(line[1:], float))
            elif line[0] == "CHANNELS":
                assert len(line[2:]) == int(line[1])
                self.channels[-1] = line[2:]
            elif line[0] == "}":
                stack.pop()
        frames, time, *rows = motion.splitlines()
        self.frame_seconds = float(time.removeprefix("Frame Time: "))
        self.numbers = np.array([row.split() for row in rows], float)
        assert len(rows) == int(frames.removeprefix("Frames: "))
        assert self.numbers.shape[1] == sum(map(len, self.channels))

    def places(self, frame: int) -> dict[str, np.ndarray]:
        numbers, turns, found = iter(self.numbers[frame].tolist()), [], []
        for parent, offset, channels in zip(self.parents, self.offsets, self.channels, strict=True):
            moved, turn = offset.copy(), np.eye(3)
            for channel in channels:
                axis, value = AXES[channel[0]], next(numbers)
                if channel.endswith("position"):
                    moved[axis] += value
                    continue
                a, b = (axis + 1) % 3, (axis + 2) % 3
                step = np.eye(3)
                c, s = np.cos(np.radians(value)), np.sin(np.radians(value))
                step[a, a], step[a, b], step[b, a], step[b, b] = c, -s, s, c
                turn = turn @ step
            before = np.eye(3) if parent < 0 else turns[parent]
            turns.append(before @ turn)
            found.append((0 if parent < 0 else found[parent]) + before @ moved)
        return dict(zip(self.names, found, strict=True))


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_joints_of_the_file_are_those_of_the_mesh(tmp_path: Path, handedness):
    hand = closing(handedness)
    bvh = Bvh(write_bvh(tmp_path / "hand.bvh", hand, 0.1).read_text())
    assert bvh.frame_seconds == pytest.approx(0.1)
    wanted = 100 * hand.joints_m() @ Y_UP
    for i in range(len(TENTHS)):
        places = bvh.places(i)
        joints = {
            **{f"{handedness}_{name}_distal_end": 1 + 4 * f for f, name in enumerate(FINGER_NAMES)},
            **{f"{handedness}_{name}_proximal": 4 + 4 * f for f, name in enumerate(FINGER_NAMES) if f},
            **{f"{handedness}_{name}_distal": 2 + 4 * f for f, name in enumerate(FINGER_NAMES)},
            f"{handedness}_hand": 0,
            f"{handedness}_thumb_metacarpal": 4,
        }
        for name, joint in joints.items():
            np.testing.assert_allclose(places[name], wanted[i, joint], atol=0.001)
    assert len(CHAINS) == len(FINGER_NAMES)


FINGER_NAMES = ("thumb", "index", "middle", "ring", "little")


def test_angles_do_not_jump(tmp_path: Path):
    seconds = np.arange(120) / 30
    bvh = Bvh(write_bvh(tmp_path / "hand.bvh", closing(seconds=seconds), 1 / 30).read_text())
    steps = np.abs(np.diff(bvh.numbers, axis=0))
    assert steps[:, 6:].max() < 10
    assert steps[:, 3:6].max() < 180  # the root passes a pole, where two of its angles are free


def test_angles_give_their_rotations_back():
    rng = np.random.default_rng(0)
    angles = np.radians(rng.uniform(-180, 180, (50, 1, 3)))
    (cz, cy, cx), (sz, sy, sx) = np.cos(angles).T, np.sin(angles).T

    def about(axis: int, c: np.ndarray, s: np.ndarray) -> np.ndarray:
        turn = np.zeros((50, 1, 3, 3))
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn[..., axis, axis] = 1
        turn[..., a, a], turn[..., b, b] = c.T, c.T
        turn[..., a, b], turn[..., b, a] = -s.T, s.T
        return turn

    rotations = about(2, cz, sz) @ about(1, cy, sy) @ about(0, cx, sx)
    z, y, x = np.radians(zyx_deg(rotations)).T
    again = about(2, np.cos(z), np.sin(z)) @ about(1, np.cos(y), np.sin(y)) @ about(0, np.cos(x), np.sin(x))
    np.testing.assert_allclose(again, rotations, atol=1e-9)


def test_another_ending_is_refused(tmp_path: Path):
    with pytest.raises(HandsError, match=r"hand\.txt does not end in \.bvh"):
        write_bvh(tmp_path / "hand.txt", closing(), 0.1)
