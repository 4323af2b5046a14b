"""How labels move when their image is warped, mirrored or turned towards a ray."""

from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.hand import camera


@dataclass(frozen=True)
class Motion:
    """The map from pixels and camera frames of source images to those of crops.

    Attributes:
        W: the warp of pixels, which may mirror (`camera.warp_matrix`).
        to_ray: the rotation from the crop's camera frame into the frame of the predicted pose; None if that
            is the camera frame.
    """

    W: Float[Tensor, "batch 3 3"]
    to_ray: Float[Tensor, "batch 3 3"] | None = None

    @cached_property
    def rotation(self) -> Float[Tensor, "batch 3 3"]:
        """Return R with X' = X @ R for points X of the camera frame."""
        return camera.warp_rotation(self.W)

    @cached_property
    def flips(self) -> Bool[Tensor, " batch"]:
        """Return which warps mirror the image."""
        return self.W[:, :2, :2].det() < 0


def stay(values: Tensor, motion: Motion) -> Tensor:
    """Return what no warp changes."""
    return values


def turn(values: Tensor, motion: Motion) -> Tensor:
    """Return points of the camera frame in the camera frame of the warped image."""
    return values @ motion.rotation


def turn_to_ray(values: Tensor, motion: Motion) -> Tensor:
    """Return points of the camera frame in the frame of the predicted pose."""
    rotation = motion.rotation if motion.to_ray is None else motion.rotation @ motion.to_ray
    return values @ rotation


def follow_pixels(values: Tensor, motion: Motion) -> Tensor:
    """Return pixels of the warped image."""
    return camera.warp_points(values, motion.W)


def warp_camera(values: Tensor, motion: Motion) -> Tensor:
    """Return cameras of the warped image."""
    return camera.warp_camera(values, motion.W)


def change_side(values: Tensor, motion: Motion) -> Tensor:
    """Return whether hands are right ones after mirroring."""
    return values ^ motion.flips
