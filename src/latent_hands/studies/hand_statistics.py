"""Statistics of the labelled hands of a data set: poses, viewpoints, sizes and colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from latent_hands.data import Sample, read_rgb
from latent_hands.data.formats.image import open_image
from latent_hands.data.palm import crop_square, palm_uv_px, palm_xyz_mm
from latent_hands.hand.geometry import canonicalise, mirror, to_wrist
from latent_hands.hand.skeleton import BONES, FINGERS, MIDDLE_MCP, MIDDLE_PIP, PALM
from latent_hands.rendering.retarget import right_hands_mm

STROKE_BONES = 0.4
"""A distance from a bone, in middle bones.

Pixels within half of it count as hand. Pixels beyond one and a half times it count as background.
"""
LUMA = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class Statistics:
    """The statistics of one set.

    `flexion_deg` are angles by joint. `towards_camera` are unit vectors (n, 3) from the palm to the camera,
    in the canonical frame. `turn_deg` are in-plane rotations. `colours`, of some images, are in [0, 1].
    """

    hands: int
    flexion_deg: dict[str, np.ndarray]
    towards_camera: np.ndarray
    turn_deg: np.ndarray
    sizes: dict[str, np.ndarray]
    colours: dict[str, np.ndarray]


def measure(samples: Sequence[Sample], images: int) -> Statistics:
    """Measure the labels of all samples, and the colours of at most about `images` of their images."""
    right_hands_mm(samples)  # for its checks of the labels
    palms = [palm for sample in samples if (palm := palm_xyz_mm(sample)) is not None]
    xyz_mm = torch.stack(palms).double()
    left = torch.tensor([sample.handedness == "left" for sample in samples])[:, None, None]
    xyz_mm = torch.where(left, xyz_mm, mirror(xyz_mm))
    cpose, viewpoint = canonicalise(xyz_mm - xyz_mm[:, [PALM]])
    ray = -xyz_mm[:, PALM] / xyz_mm[:, PALM].norm(dim=1, keepdim=True)
    up = xyz_mm[:, MIDDLE_MCP] - xyz_mm[:, PALM]
    width_mm = (xyz_mm[:, FINGERS["index"][0]] - xyz_mm[:, FINGERS["little"][0]]).norm(dim=1)
    distance_mm = xyz_mm[:, PALM].norm(dim=1)
    sizes = {
        "crop, pixels": np.array([side_px(sample) for sample in samples]),
        "distance, millimetres": distance_mm.numpy(),
        "distance, hand widths": (distance_mm / width_mm).numpy(),
    }
    with_image = [sample for sample in samples if sample.image.is_file()]
    some = with_image[:: max(1, len(with_image) // images)][:images]
    return Statistics(
        hands=len(samples),
        flexion_deg=flexions_deg(to_wrist(cpose)),
        towards_camera=(viewpoint @ ray[:, :, None])[..., 0].numpy(),
        turn_deg=torch.rad2deg(torch.atan2(up[:, 0], -up[:, 1])).numpy(),
        sizes=sizes,
        colours=colours(some),
    )


def flexions_deg(cpose: Float[Tensor, "n 21 3"]) -> dict[str, np.ndarray]:
    """Return the angles between consecutive bones.

    Fingers bend about the axis across the bone of the palm.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in ("MCP", "PIP", "DIP")}
    back = torch.tensor([0.0, 0, 1]).to(cpose)
    for finger in ("index", "middle", "ring", "little"):
        bones = cpose[:, (0, *FINGERS[finger])].diff(dim=1)
        across = torch.linalg.cross(back.expand(len(bones), 3), bones[:, 0])
        across = across / across.norm(dim=1, keepdim=True)
        for name, before, after in zip(found, bones.unbind(1), bones.unbind(1)[1:], strict=False):
            sine = (torch.linalg.cross(before, after) * across).sum(1)
            found[name].append(torch.atan2(sine, (before * after).sum(1)))
    angles = {name: torch.rad2deg(torch.cat(values)).numpy() for name, values in found.items()}
    thumb = cpose[:, FINGERS["thumb"]].diff(dim=1)
    thumb = thumb / thumb.norm(dim=2, keepdim=True)
    bends = torch.rad2deg((thumb[:, :-1] * thumb[:, 1:]).sum(2).clip(-1, 1).acos()).numpy()
    return angles | {"thumb MCP": bends[:, 0], "thumb IP": bends[:, 1]}


def side_px(sample: Sample) -> float:
    """Return the side of the ground-truth crop. The centre of a missing image is its principal point."""
    if sample.image.is_file():
        with open_image(sample.image) as image:
            width, height = image.size
    else:
        assert sample.K is not None
        width, height = (2 * sample.K[:2, 2]).round().astype(int).tolist()
    square = crop_square(sample, (height, width))
    assert square is not None
    return square[2]


def colours(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Return the mean luminance of hand and background in the crop, and the saturation of the hand."""
    rows = [row for sample in samples if (row := _colours(sample)) is not None]
    table = np.array(rows).reshape(-1, 3)
    return dict(zip(("hand", "background", "saturation"), table.T, strict=True))


def _colours(sample: Sample) -> tuple[float, float, float] | None:
    rgb = read_rgb(sample.image)
    square, points = crop_square(sample, rgb.shape[:2]), palm_uv_px(sample)
    assert square is not None
    assert points is not None
    uv_px = points.numpy()
    width_px = 2 * STROKE_BONES * float(np.linalg.norm(uv_px[MIDDLE_MCP] - uv_px[MIDDLE_PIP]).clip(4))
    hand, near = (strokes(rgb.shape[:2], uv_px, factor * width_px) for factor in (0.5, 1.5))
    cx, cy, side = square
    rows, columns = np.ogrid[: rgb.shape[0], : rgb.shape[1]]
    around = (abs(columns - cx) < side / 2) & (abs(rows - cy) < side / 2) & ~near
    if not hand.any() or not around.any():
        return None
    values = rgb / 255.0
    luminance, most = values @ LUMA, values.max(2)
    saturation = (most - values.min(2)) / most.clip(1e-3)
    return float(luminance[hand].mean()), float(luminance[around].mean()), float(saturation[hand].mean())


def strokes(size: tuple[int, ...], uv_px: np.ndarray, width_px: float) -> np.ndarray:
    """Return a mask of the pixels on lines of this width along the bones."""
    mask = Image.new("1", (size[1], size[0]))
    draw = ImageDraw.Draw(mask)
    for parent, child in BONES:
        draw.line([*uv_px[parent], *uv_px[child]], fill=1, width=max(round(width_px), 1))
    return np.array(mask)
