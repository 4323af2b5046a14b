"""Photo: an image of one hand, and the crop of it that a network reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from latent_hands.data.formats.image import read_rgb
from latent_hands.data.image_files import cut_square
from latent_hands.data.labelled_images import read_labelled
from latent_hands.data.palm import crop_square, palm_xyz_mm, scene_square
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry
from latent_hands.hand.boxes import Box
from latent_hands.hand.skeleton import MIDDLE_MCP
from latent_hands.pixels import from_bytes
from latent_hands.predictor.checks import ImageSource, bone_of, box_of, camera_of, pixels_of
from latent_hands.predictor.hand import Handedness, check_handedness


@dataclass(frozen=True, eq=False)
class Photo:
    """An image of one hand, with what is known about the hand.

    Attributes:
        rgb: (height, width, 3) bytes.
        handedness: "left" or "right".
        box_px: (x, y, width, height) from the image's upper left corner. The model reads the square around
            it.
        K: (3, 3) the image's camera, if known.
        bone_mm: length of the middle finger's bone between MCP and PIP, if known.
    """

    rgb: UInt8[np.ndarray, "height width 3"]
    handedness: Handedness
    box_px: Box
    K: Float[np.ndarray, "3 3"] | None = None
    bone_mm: float | None = None

    @classmethod
    def open(
        cls,
        image: ImageSource,
        handedness: str = "left",
        box_px: Sequence[float] | None = None,
        K: np.ndarray | None = None,
        bone_mm: float | None = None,
    ) -> "Photo":
        """Open a file, a Pillow image or bytes (height, width, 3); the box is the whole image by default.

        Raises HandsError for a broken file, for another shape or type, for an unknown handedness, for a box
        outside the image, for a matrix that is not the image's camera in pixels, and for a bone outside 15 to
        80 mm.
        """
        rgb = pixels_of(image)
        height, width = rgb.shape[:2]
        box = (0.0, 0.0, float(width), float(height)) if box_px is None else box_of(box_px, width, height)
        K = None if K is None else camera_of(K, width, height)
        bone = None if bone_mm is None else bone_of(bone_mm)
        return cls(rgb, check_handedness(handedness), box, K, bone)

    @property
    def centre_px(self) -> tuple[float, float]:
        """Centre of the box; pixel centres are at integers."""
        x, y, width, height = self.box_px
        return x + (width - 1) / 2, y + (height - 1) / 2

    @property
    def side_px(self) -> float:
        """Side of the square around the box."""
        return max(self.box_px[2:])

    @property
    def crop_box_px(self) -> Box:
        """The square around the box, as a box (x, y, side, side)."""
        (u, v), side = self.centre_px, self.side_px
        return u + (1 - side) / 2, v + (1 - side) / 2, side, side

    def mirrored(self) -> "Photo":
        """Return the mirror image, which is of the other hand."""
        (x, y, width, height), total = self.box_px, self.rgb.shape[1]
        K = self.K
        if K is not None:
            K = np.diag(np.array([-1, 1, 1], np.float32)) @ K @ np.diag(np.array([-1, 1, 1], np.float32))
            K[0, 2] += total - 1
        other: Handedness = "left" if self.handedness == "right" else "right"
        rgb = np.ascontiguousarray(self.rgb[:, ::-1])
        return replace(self, rgb=rgb, handedness=other, box_px=(total - x - width, y, width, height), K=K)

    def as_left(self) -> "Photo":
        """Return the photo of a left hand: itself, or the mirror image if the hand is a right one."""
        return self.mirrored() if self.handedness == "right" else self

    def window(self, out_px: int, margin: float) -> UInt8[Tensor, "3 {out_px} {out_px}"]:
        """Return the square around the box, `margin` times as wide; it is mid-grey outside the image."""
        return cut_square(self.rgb, self.centre_px, self.side_px * margin, out_px, flip=False)

    def window_camera(self, out_px: int, margin: float) -> Float[Tensor, "3 3"] | None:
        """Return the camera of that window, or None if the image's camera is unknown."""
        if self.K is None:
            return None
        W = camera.warp_matrix(torch.tensor(self.centre_px), self.side_px * margin, out_px)
        return camera.warp_camera(torch.from_numpy(self.K), W)

    def crop(self, crop_px: int) -> Float[Tensor, "1 3 {crop_px} {crop_px}"]:
        """Return the square around the box as a network's input, a batch of one in [-1, 1]."""
        return from_bytes(self.window(crop_px, 1.0)[None])

    def along_ray(self, pose: Float[Tensor, "21 3"]) -> Float[Tensor, "21 3"]:
        """Rotate a pose from the camera frame into the frame of the ray through the box.

        Perspective distorts it least in that frame. Without a camera the pose is returned unchanged.
        """
        if self.K is None:
            return pose
        return pose @ geometry.ray_rotation(torch.from_numpy(self.K), torch.tensor(self.centre_px))

    def joints_px(self, outputs: Mapping[str, Tensor]) -> Float[np.ndarray, "21 2"]:
        """Return the joints of a predicted hand in the image.

        They are the predicted "uv", whose unit is half the side of the crop, or else the "pose", placed by
        the crop (`place`).
        """
        if "uv" in outputs:
            return (torch.tensor(self.centre_px) + self.side_px / 2 * outputs["uv"]).numpy()
        return self.place(self.along_ray(outputs["pose"]))

    def place(self, pose: Float[Tensor, "21 3"]) -> Float[np.ndarray, "21 2"]:
        """Return the pose's joints in the image, without perspective, placed by the rule that cuts crops.

        A crop is centred on the middle MCP. Half its side is the largest distance of a joint from that
        centre along either axis. So the pose's own largest distance gives the pixels of a bone length.
        """
        offset = pose[:, :2] - pose[MIDDLE_MCP, :2]
        bone_px = 0.5 * self.side_px / offset.abs().max()
        return (torch.tensor(self.centre_px) + bone_px * offset).numpy()


def photo_of(sample: Sample, crop: str = "box") -> Photo:
    """Return a sample's image with handedness, bone length, camera and box from its labels.

    `crop="scene"` takes the square that does not depend on the pose (`palm.scene_square`) if it is known.
    """
    rgb, xyz_mm = read_labelled(sample), palm_xyz_mm(sample)
    bone_mm = None if xyz_mm is None else float(geometry.normalise(xyz_mm)[1])
    box = _box(sample, crop, rgb.shape[:2])
    return replace(Photo.open(rgb, sample.side or "left", box, sample.K), bone_mm=bone_mm)


def tag_of(sample: Sample, crop: str = "scene") -> Photo:
    """Return a sample's tag image with the box of the sample itself. Raises HandsError if it has none."""
    if sample.tag is None:
        raise HandsError(f"{sample.image} has no tag image; rendered data and STB have tag images")
    rgb = read_rgb(sample.tag)
    return Photo.open(rgb, sample.side or "left", _box(sample, crop, rgb.shape[:2]))


def _box(sample: Sample, crop: str, size_px: tuple[int, int]) -> Box | None:
    square = scene_square(sample) if crop == "scene" else None
    square = square or crop_square(sample, size_px) or sample.scene_box
    if square is None:
        return None
    cx, cy, side_px = square
    return cx + 0.5 - side_px / 2, cy + 0.5 - side_px / 2, side_px, side_px
