"""Reader of the Stereo Hand Pose Tracking Benchmark, STB (Zhang et al. 2016): a left hand, two cameras.

`ROOT/labels/B1Counting_BB.mat` has handPara (3, 21, 1500), millimetres. BB is the Bumblebee stereo camera, SK
the RealSense. `ROOT/images/B1Counting/{BB_left,BB_right,SK_color}_0.png` to 1499 are the images, 640x480.
Point 0 is the centre of the palm, not the wrist. BB labels are in the frame of the left camera, SK labels in
the frame of the depth camera.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from latent_hands.data.formats.mat_file import load_mat
from latent_hands.data.readers.reading import OnBroken, check_split, raise_error, read_each
from latent_hands.data.sample import Sample, project
from latent_hands.errors import AbsentError, HandsError, did_you_mean
from latent_hands.hand.skeleton import JOINTS, MIDDLE_MCP, PALM, reorder

IMAGE_PX = (640, 480)
"""Width and height of all images."""
FRAMES = 1500
BLOCK = 50
"""Number of consecutive frames in a block of samples that are alike."""
SEQUENCES = {
    "training": tuple(f"B{i}{kind}" for i in range(2, 7) for kind in ("Counting", "Random")),
    "evaluation": ("B1Counting", "B1Random"),
}
_KNUCKLES = [JOINTS.index(f"{finger}_mcp") for finger in ("index", "middle", "ring", "little")]
WRISTS = {
    "ring": (2.0, [JOINTS.index("ring_mcp")]),
    "middle": (2.2, [MIDDLE_MCP]),
    "mean": (2.25, _KNUCKLES),
}
"""Rules for the wrist: factor and knuckles. The wrist is the mean of knuckle + factor (palm - knuckle)."""


@dataclass(frozen=True)
class View:
    """One camera: names of its labels and images, focal lengths and principal point in pixels.

    Points in its frame are (X_label - offset_mm) @ R, where R is the matrix of `rotvec`.
    """

    labels: str
    image: str
    focal_px: tuple[float, float]
    centre_px: tuple[float, float]
    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotvec: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def camera(self) -> Float32[np.ndarray, "3 3"]:
        """Return the intrinsic matrix K of the images."""
        (fx, fy), (cx, cy) = self.focal_px, self.centre_px
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float32)

    def to_camera(self, xyz_mm: Float32[np.ndarray, "*batch 3"]) -> Float32[np.ndarray, "*batch 3"]:
        """Transform points from the frame of the labels into the frame of the camera."""
        x, y, z = self.rotvec
        angle = np.linalg.norm(self.rotvec)
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        R = np.eye(3) + np.sinc(angle / np.pi) * cross + np.sinc(angle / 2 / np.pi) ** 2 / 2 * cross @ cross
        return ((xyz_mm - np.array(self.offset_mm)) @ R).astype(np.float32)


_BB_PX = ((822.79041, 822.79041), (318.47345, 250.31296))
VIEWS = {
    "left": View("BB", "BB_left", *_BB_PX),
    "right": View("BB", "BB_right", *_BB_PX, offset_mm=(120.054, 0.0, 0.0)),
    "sk": View(
        "SK",
        "SK_color",
        (607.92271, 607.88192),
        (314.78337, 236.42484),
        offset_mm=(-24.0381, -0.4563, -1.2326),
        rotvec=(0.00531, -0.01196, 0.00301),
    ),
}
"""The left and the right camera of the Bumblebee, and the colour camera of the RealSense."""


def read_stb(
    root: str | Path,
    split: str,
    limit: int | None = None,
    *,
    views: tuple[str, ...] = ("left", "right"),
    wrist: str = "ring",
    images: bool = True,
    on_broken: OnBroken = raise_error,
) -> list[Sample]:
    """Read a split. Evaluation has B1Counting and B1Random, training the other ten sequences.

    `views` are keys of VIEWS, by default both views of the Bumblebee, as in the papers. `wrist` is a key of
    WRISTS. The wrist only affects the box of the crop, because the samples' root is the palm. All joints
    count as visible. `tag` is the middle frame of the same sequence and view.

    Frames without image are left out, and their number is logged. `images=False` reads all poses, whether
    their images exist or not.

    Raises HandsError if the folder is missing, the split, a view or the wrist rule is unknown, or no image
    exists. `on_broken` receives the error of a missing or broken label file, and its sequence is left out.
    """
    check_split(split)
    for name, value, legal in (("wrist rule", wrist, WRISTS), *(("view", view, VIEWS) for view in views)):
        if value not in legal:
            raise HandsError(f'unknown {name} "{value}"; {did_you_mean(value, legal)}')
    root = Path(root)
    if not (root / "labels").is_dir():
        raise AbsentError(f"{root} is not in STB's layout: folder labels/ is missing")

    def read(name: str) -> list[Sample | None]:
        return _sequence(root, name, views, wrist, images)

    samples = [sample for sequence in read_each(read, SEQUENCES[split], on_broken) for sample in sequence]
    present = [sample for sample in samples if sample is not None]
    _name_absent(len(samples) - len(present), len(samples), root, split)
    return present[:limit]


def _sequence(root: Path, name: str, views: tuple[str, ...], wrist: str, images: bool) -> list[Sample | None]:
    """Return all frames of a sequence, each in all views; with `images`, None for frames without image."""
    by_view = [_frames(root, name, VIEWS[view], wrist, images) for view in views]
    return [sample for frame in zip(*by_view, strict=True) for sample in frame]


def _frames(root: Path, name: str, view: View, wrist: str, needed: bool) -> list[Sample | None]:
    labels = load_mat(root / "labels" / f"{name}_{view.labels}.mat", {"handPara": (3, 21, FRAMES)})
    xyz_mm = view.to_camera(reorder(labels["handPara"].transpose(2, 1, 0), "stb", "rhd"))
    K = view.camera()
    wrists_mm = wrist_mm(xyz_mm, wrist)
    uv_px, wrists_px = project(xyz_mm, K), project(wrists_mm, K)
    images = [root / "images" / name / f"{view.image}_{i}.png" for i in range(FRAMES)]
    tag = images[FRAMES // 2] if images[FRAMES // 2].is_file() else None
    return [
        Sample(
            name=f"{name}_{image.stem}",
            image=image,
            handedness="left",
            xyz_mm=xyz_mm[i],
            uv_px=uv_px[i],
            visible=np.ones(21, bool),
            K=K,
            root="palm",
            wrist_mm=wrists_mm[i, 0],
            wrist_px=wrists_px[i, 0],
            tag=tag,
            convention="stb",
            block=f"{name} {i // BLOCK}",
            size_px=IMAGE_PX,
        )
        if not needed or image.is_file()
        else None
        for i, image in enumerate(images)
    ]


def wrist_mm(xyz_mm: Float32[np.ndarray, "*batch 21 3"], rule: str) -> Float32[np.ndarray, "*batch 1 3"]:
    """Return the wrist of hands whose joint 0 is the palm, by one of the rules in WRISTS."""
    factor, knuckles = WRISTS[rule]
    palm, mcp = xyz_mm[..., [PALM], :], xyz_mm[..., knuckles, :]
    return (mcp + np.float32(factor) * (palm - mcp)).mean(axis=-2, keepdims=True)


def _name_absent(absent: int, count: int, root: Path, split: str) -> None:
    """Log how many frames have no image. Raises AbsentError if none has one."""
    if absent and absent == count:
        first = f"{root / 'images' / SEQUENCES[split][0]}/BB_left_0.png"
        raise AbsentError(f"{root} has none of the {count:,} images of {split}: {first}, ..")
    if absent:
        logging.getLogger(__name__).warning(
            "%s of the %s images of STB's %s split are not in %s; their frames are left out",
            *(f"{absent:,}", f"{count:,}", split, root),
        )
