"""Test-time rotations: a network's predictions for rotated crops, rotated back and averaged."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from latent_hands.data.image_stacks import ShardedImages
from latent_hands.data.windows import FRAMES
from latent_hands.errors import HandsError, check_whole, did_you_mean
from latent_hands.hand.camera import warp_camera, warp_images, warp_matrix, warp_rotation
from latent_hands.hand.geometry import crop_ray_rotation, nearest_rotation
from latent_hands.pixels import from_bytes

Network = Callable[[Tensor], Mapping[str, Tensor]]
"""Crops (batch, 3, px, px) in [-1, 1] to any of the attributes of `Prediction`."""
MOST_ROTATIONS = 64
"""The largest number of rotated crops. More do not change the average."""
ROTATED_MARGIN = 1.5
"""Side of a window over that of its crop if the crop is rotated; its corners reach sqrt(2) times as far."""


@dataclass(frozen=True)
class Prediction:
    """Predictions for n hands; None if not predicted.

    Attributes:
        pose, cpose, viewpoint: in lengths of the middle bone and the camera frame.
        uv: joints in the crop, which spans -1 to 1, x right and y down.
        place: palm (u, v) in these units, and the logarithm of a bone's length in them.
        side: log-odds that the crop shows a hand of the side that it is read as.
        presence: log-odds that the crop shows a hand.
        spread: standard deviation of each joint of `pose` over draws, in bone lengths.
        uv_spread: that of `uv`, in the units of the crop.
        nats: KL(q || prior) of the factors of the pose.
        latent, latent_variance: mean and widened variance of q, all factors of a hand in one vector.
    """

    pose: Float[Tensor, "n 21 3"] | None = None
    cpose: Float[Tensor, "n 21 3"] | None = None
    viewpoint: Float[Tensor, "n 3 3"] | None = None
    uv: Float[Tensor, "n 21 2"] | None = None
    place: Float[Tensor, "n 3"] | None = None
    side: Float[Tensor, "n 1"] | None = None
    presence: Float[Tensor, "n 1"] | None = None
    spread: Float[Tensor, "n 21"] | None = None
    uv_spread: Float[Tensor, "n 21"] | None = None
    nats: Float[Tensor, " n"] | None = None
    latent: Float[Tensor, "n d"] | None = None
    latent_variance: Float[Tensor, "n d"] | None = None

    def known(self) -> dict[str, Tensor]:
        """Return what is predicted, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


def window_px(crop_px: int, rotations: int) -> int:
    """Return the side of the windows that crops of `crop_px` pixels are cut from."""
    return round(crop_px * (ROTATED_MARGIN if rotations > 1 else 1.0))


def predict_rotated(
    network: Network,
    images: UInt8[Tensor | ShardedImages, "n c size size"],
    K: Float[Tensor, "n 3 3"] | None,
    crop_px: int,
    *,
    margin: float = 1.0,
    frame: str = "camera",
    rotations: int = 1,
    angle: float = 0.0,
    batch_size: int = 64,
    device: str | torch.device = "cpu",
    first: Network | None = None,
) -> Prediction:
    """Run a network on `rotations` rotated crops of every window and average the predictions.

    Crop k is rotated by angle + 2 pi k / rotations about its centre; its prediction is rotated back before
    averaging.
    What only the network of the first crop predicts (spreads) is that of this crop.

    Args:
        network: predicts from crops.
        images: windows; the crop is the central square of `size / margin` pixels.
        K: the camera of each window.
        crop_px: side of the crops that the network reads.
        margin: side of the windows over that of the crops; 1.5 or more if crops are rotated.
        frame: "camera", or "ray" for a network that predicts along the ray through the crop's centre. Its
            predictions are rotated into the camera frame.
        rotations: number of crops for each window.
        angle: rotation of the first crop, in radians.
        batch_size: number of windows in a batch.
        device: where the network runs; predictions are returned on the CPU.
        first: network for the first crops, if it predicts more than `network`.

    Raises HandsError for an unknown frame, for "ray" without cameras, and for fewer than 1 rotation.
    """
    _check_options(frame, K, rotations)
    angles = [angle + 2 * math.pi * k / rotations for k in range(rotations)]
    parts = []
    for start in range(0, len(images), batch_size):
        batch = slice(start, start + batch_size)
        windows = from_bytes(images[batch].to(device))
        cameras = None if K is None else K[batch].to(device)
        networks = [first or network, *[network] * (rotations - 1)]
        views = [
            _rotated(each, windows, cameras, crop_px, margin, frame, turned)
            for each, turned in zip(networks, angles, strict=True)
        ]
        parts.append(_mean(views))
    return Prediction(**{name: torch.cat([part[name] for part in parts]) for name in parts[0]})


@torch.no_grad()
def _rotated(
    network: Network, images: Tensor, K: Tensor | None, crop_px: int, margin: float, frame: str, angle: float
) -> dict[str, Tensor]:
    """Return the predictions for crops rotated by `angle`, in the camera frame of the windows."""
    size = images.shape[-1]
    centre = images.new_ones(len(images), 2)
    W = warp_matrix(centre * (size - 1) / 2, size / margin, crop_px, angle=angle)
    outputs = network(warp_images(images, W, crop_px))
    back = warp_rotation(W).mT
    upright = back[:, :2, :2]
    if frame == "ray" and K is not None:
        back = crop_ray_rotation(warp_camera(K, W), crop_px).mT @ back
    undo: dict[str, Callable[[Tensor], Tensor]] = {
        "pose": lambda pose: pose @ back,
        "cpose": lambda cpose: cpose,
        "viewpoint": lambda viewpoint: nearest_rotation(viewpoint) @ back,
        "uv": lambda uv: uv @ upright,
        "place": lambda place: torch.cat([(place[:, None, :2] @ upright)[:, 0], place[:, 2:]], dim=-1),
        **dict.fromkeys(
            ("side", "presence", "spread", "uv_spread", "nats", "latent", "latent_variance"),
            lambda same: same,
        ),
    }
    return {name: change(outputs[name].float()) for name, change in undo.items() if name in outputs}


def _mean(views: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    each = {name: [view[name] for view in views if name in view] for name in views[0]}
    means = {name: torch.stack(values).mean(dim=0).cpu() for name, values in each.items()}
    if "viewpoint" in means:
        means["viewpoint"] = nearest_rotation(means["viewpoint"])
    return means


def _check_options(frame: str, K: Tensor | None, rotations: int) -> None:
    if frame not in FRAMES:
        raise HandsError(f'unknown frame "{frame}": {did_you_mean(frame, FRAMES)}')
    if frame == "ray" and K is None:
        raise HandsError(
            'a model of frame "ray" needs the camera K of every image, and these images have none: '
            'give K or use a model of frame "camera"'
        )
    check_whole(rotations=rotations)
    if not 1 <= rotations <= MOST_ROTATIONS:
        raise HandsError(f"rotations is {rotations}; it must be between 1 and {MOST_ROTATIONS}")
