"""The evaluation splits of FreiHAND and HO-3D: their images, what they give at test time, and their answers.

    FreiHAND  ROOT/evaluation/rgb/%08d.jpg, ROOT/evaluation_K.json, ROOT/evaluation_scale.json
    HO-3D     ROOT/evaluation.txt, ROOT/evaluation/SEQ/rgb/ID.{png,jpg}, ROOT/evaluation/SEQ/meta/ID.pkl
    both      ROOT/evaluation_xyz.json and ROOT/evaluation_verts.json, the published answers

FreiHAND gives the camera and the length of the middle MCP-PIP bone. HO-3D gives the camera, a box, and where
the wrist is. Answers are metres, in the order "mediapipe" (FreiHAND) or "mano" (HO-3D). HO-3D uses the axes
of OpenGL: x right, y up, z backward.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from latent_hands.data.checks import MANY, check_unit
from latent_hands.data.formats.json_file import parse_json
from latent_hands.data.formats.limited import read_limited
from latent_hands.data.formats.numerals import array_of
from latent_hands.data.formats.safe_pickle import load_pickle
from latent_hands.data.readers.reading import MM_PER_METRE
from latent_hands.data.sample import project
from latent_hands.errors import BROKEN, AbsentError, HandsError, counted
from latent_hands.hand.boxes import Box
from latent_hands.hand.listing import other_listing
from latent_hands.hand.skeleton import MIDDLE_MCP, MIDDLE_PIP, reorder
from latent_hands.registry import Registry

MAX_BYTES = 2**31
"""HO-3D's vertices are a text of 0.6 GB."""
NEAREST_MM, FARTHEST_MM = 50.0, 5000.0
"""The smallest and the largest distance of a hand."""
MOST_AWAY, RIM, MOST_BESIDE = 0.5, 0.05, 0.25
"""The largest median distance of a wrist from its box, in sides of the box; the least one of a wrist that is
beside it; the largest share of wrists beside their corners that are in the box of the same four numbers."""
LEAST_BOX_MM, MOST_BOX_MM = 40.0, 400.0
"""The longer side of a box at the distance of the wrist: from a fist to an open hand with room around it."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frame:
    """An image of a benchmark, and what the benchmark gives. All hands are right hands.

    Attributes:
        name: its name, for messages.
        image: its file.
        K: (3, 3) the camera.
        bone_mm: length of the middle MCP-PIP bone; None if it is not given.
        box: box of the hand; None if it is not given.
        wrist_mm: (3,) the wrist in the camera frame, x right, y down, z forward; None if it is not given.
    """

    name: str
    image: Path
    K: Float[np.ndarray, "3 3"]
    bone_mm: float | None = None
    box: Box | None = None
    wrist_mm: Float[np.ndarray, "3"] | None = None


@dataclass(frozen=True)
class Benchmark:
    """A challenge.

    Attributes:
        frames: reads the images of ROOT, in the order of the submission.
        order: the order of the joints.
        axes: factors of x, y and z from the camera frame to the frame of the submission.
        scale: the two joints, in this order, whose distance is the scale of a hand.
        given: what it gives at test time, in words.
    """

    frames: Callable[[Path], list[Frame]]
    order: str
    axes: tuple[float, float, float]
    scale: tuple[int, int]
    given: str

    def submitted(self, xyz_mm: Float[np.ndarray, "n 21 3"]) -> Float[np.ndarray, "n 21 3"]:
        """Return joints of the camera frame, in mm and RHD's order, as they are submitted: in metres."""
        return reorder(xyz_mm, "rhd", self.order) * np.array(self.axes) / MM_PER_METRE

    def check_hands(self, xyz_mm: Float[np.ndarray, "n 21 3"], path: Path) -> None:
        """Raise HandsError if submitted or published joints have another unit, order or other axes."""
        hands_mm = reorder(xyz_mm, self.order, "rhd")
        bones_mm = np.linalg.norm(hands_mm[:, MIDDLE_MCP] - hands_mm[:, MIDDLE_PIP], axis=1)
        if len(hands_mm) >= MANY and other_listing(hands_mm) is not None:
            raise HandsError(f'{path} must list joints in the order "{self.order}"; they are in another one')
        try:
            check_unit(float(np.median(bones_mm)))
        except HandsError as error:
            raise HandsError(f"{path}, read as metres: {error}") from error
        depth_mm = float(np.median(xyz_mm[..., 2])) * self.axes[2]
        if depth_mm < -NEAREST_MM:
            z = "forward" if self.axes[2] > 0 else "backward, as in OpenGL"
            raise HandsError(f"{path} has hands behind the camera; z must point {z}")


def freihand_frames(root: Path) -> list[Frame]:
    """Return the frames of FreiHAND. Raises HandsError for missing and broken files."""
    K, scale = (_json(root / f"evaluation_{name}.json") for name in ("K", "scale"))
    cameras = finite_array(K, (3, 3), root / "evaluation_K.json")
    bones_mm = finite_array(scale, (), root / "evaluation_scale.json") * MM_PER_METRE
    if len(cameras) != len(bones_mm):
        raise HandsError(f"{root} has {len(cameras)} cameras, but {len(bones_mm)} scales")
    images = [root / "evaluation" / "rgb" / f"{i:08d}.jpg" for i in range(len(cameras))]
    return [
        Frame(image.stem, _existing(image), camera, float(bone))
        for image, camera, bone in zip(images, cameras, bones_mm, strict=True)
    ]


def ho3d_frames(root: Path) -> list[Frame]:
    """Return the frames of HO-3D, version 2 or 3. Raises HandsError for missing and broken files."""
    listed = root / "evaluation.txt"
    if not listed.is_file():
        raise AbsentError(f"no list of images at {listed}; give the folder of HO-3D with --root")
    names = [line.strip() for line in listed.read_text("utf-8").splitlines() if line.strip()]
    if len(set(names)) != len(names) or not names:
        raise HandsError(
            f"{listed} has {len(names)} lines of {len(set(names))} images; each must be there once"
        )
    frames = [_ho3d_frame(root, name) for name in names]
    if (away := float(np.median([_wrist_to_box(frame) for frame in frames]))) > MOST_AWAY:
        raise HandsError(
            f"the wrists of {len(frames)} images in {root / 'evaluation'} are {away:.2g} sides away from "
            "their boxes (median): camMat must be in pixels, handJoints3D in metres with the axes of OpenGL, "
            "and handBoundingBox must be the corners x1,y1,x2,y2 in pixels"
        )
    beside = [_wrist_to_box(each) > RIM and _wrist_to_box(_with_size(each)) <= 0 for each in frames]
    if np.mean(beside) > MOST_BESIDE:
        raise HandsError(
            f"the wrists of {sum(beside)} of {len(frames)} images in {root / 'evaluation'} are beside their "
            "boxes, but inside of them if handBoundingBox is x,y,width,height; it must be the corners "
            "x1,y1,x2,y2: add x to the width and y to the height"
        )
    sides_mm = [_side_mm(frame) for frame in frames]
    other = sum(not LEAST_BOX_MM <= side_mm <= MOST_BOX_MM for side_mm in sides_mm)
    if other > MOST_BESIDE * len(frames):
        raise HandsError(
            f"the boxes of {other} of {len(frames)} images in {root / 'evaluation'} are not "
            f"{LEAST_BOX_MM:g} to {MOST_BOX_MM:g} mm large at the distance of their wrists, such as "
            f"{sides_mm[0]:.0f} mm of {frames[0].name}: handBoundingBox must be the corners x1,y1,x2,y2 of a "
            "hand in pixels"
        )
    if other:
        _LOG.warning(
            "the boxes of %d of %d images in %s have not the size of a hand", other, len(frames), root
        )
    return frames


def _side_mm(frame: Frame) -> float:
    """Return the longer side of the box at the distance of the wrist."""
    assert frame.box is not None
    assert frame.wrist_mm is not None
    _, _, width, height = frame.box
    return float(frame.wrist_mm[2] * max(width / frame.K[0, 0], height / frame.K[1, 1]))


def _with_size(frame: Frame) -> Frame:
    """Return a frame whose box has the corner x2,y2 as its width and height."""
    assert frame.box is not None
    x, y, width, height = frame.box
    return replace(frame, box=(x, y, x + width, y + height))


def _wrist_to_box(frame: Frame) -> float:
    """Return how far the projected wrist is outside of the box, in longer sides of the box."""
    assert frame.box is not None
    assert frame.wrist_mm is not None
    (x, y, width, height), (u, v) = frame.box, project(frame.wrist_mm[None].astype(float), frame.K)[0]
    return max(x - u, u - x - width, y - v, v - y - height) / max(width, height)


def _ho3d_frame(root: Path, name: str) -> Frame:
    sequence, _, number = name.partition("/")
    if not number or ".." in (sequence, number) or "/" in number:
        raise HandsError(f'"{name}" in {root / "evaluation.txt"} must be SEQUENCE/NUMBER')
    folder = root / "evaluation" / sequence
    meta = folder / "meta" / f"{number}.pkl"
    labels = load_pickle(meta)
    files = [folder / "rgb" / f"{number}{ending}" for ending in (".png", ".jpg")]
    try:
        K, wrist, corners = (
            array_of(labels[key]).astype(np.float32).reshape(shape)
            for key, shape in (("camMat", (3, 3)), ("handJoints3D", (-1, 3)), ("handBoundingBox", (4,)))
        )
    except BROKEN as error:
        raise HandsError(
            f"{meta} must have camMat (3, 3), handJoints3D (3) and handBoundingBox (4): {error}"
        ) from error
    x, y, right, bottom = corners.tolist()
    camera_mm = wrist[0] * np.float32(MM_PER_METRE) * np.array([1, -1, -1], np.float32)
    if not NEAREST_MM <= camera_mm[2] <= FARTHEST_MM:
        raise HandsError(
            f"handJoints3D of {meta} begins with {wrist[0].tolist()}; it must be metres with the axes of "
            f"OpenGL, x right, y up, z backward: -{FARTHEST_MM / 1000:g} to -{NEAREST_MM / 1000:g} in z"
        )
    if not (right > x and bottom > y):
        raise HandsError(f"handBoundingBox of {meta} is {corners.tolist()}; it must be corners x1,y1,x2,y2")
    image = next((file for file in files if file.is_file()), files[0])
    return Frame(name, _existing(image), K, box=(x, y, right - x, bottom - y), wrist_mm=camera_mm)


BENCHMARKS = Registry[Benchmark]("benchmark")
BENCHMARKS.register(
    "freihand",
    Benchmark(freihand_frames, "mediapipe", (1.0, 1.0, 1.0), (0, 9), "camera and bone length"),
)
BENCHMARKS.register(
    "ho3d",
    Benchmark(ho3d_frames, "mano", (1.0, -1.0, -1.0), (0, 4), "camera, box and position of the wrist"),
)


def answers(root: Path, name: str, count: int, points: int) -> Float[np.ndarray, "n k 3"] | None:
    """Return the published "xyz" or "verts" of the first `count` images in mm, None if there is no file."""
    path = root / f"evaluation_{name}.json"
    if not path.is_file():
        return None
    content = _json(path)
    if not isinstance(content, list):
        raise HandsError(
            f"{path} must be a list with an entry for each image, not a {type(content).__name__}"
        )
    array = finite_array(content[:count], (points, 3), path)
    if len(array) < count:
        raise HandsError(
            f"{path} has {counted(len(array), 'hand')}, not {count}, the number of the predicted ones"
        )
    if len(content) > count:
        _LOG.warning("%s has %s; scored are the first %d", path, counted(len(content), "hand"), count)
    return array * MM_PER_METRE


def _existing(image: Path) -> Path:
    if not image.is_file():
        raise HandsError(f"no image at {image}")
    return image


def _json(path: Path) -> Any:
    if not path.is_file():
        raise AbsentError(f"no file at {path}; give the folder of the data set with --root")
    return parse_json(read_limited(path, MAX_BYTES), str(path))


def finite_array(content: Any, shape: tuple[int, ...], path: Path) -> Float[np.ndarray, "..."]:
    """Return n arrays of a shape as float32. Raises HandsError, naming the file, for anything else."""
    try:
        array = array_of(content).astype(np.float32)
    except BROKEN as error:
        raise HandsError(f"{path} must have arrays of the shape {shape}: {error}") from error
    if array.shape[1:] != shape or not len(array) or not np.isfinite(array).all():
        raise HandsError(f"{path} has the shape {array.shape}; it must be finite numbers, n x {shape}")
    return array
