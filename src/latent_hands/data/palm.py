"""Samples in palm form: joint 0 is the palm, which models and scores use, whichever joint a set labels."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry
from latent_hands.hand.skeleton import MIDDLE_MCP


def palm_xyz_mm(sample: Sample) -> Float[Tensor, "21 3"] | None:
    """Return the joints in mm in the camera frame, with the palm as joint 0; None without labels."""
    return _with_palm(sample, sample.xyz_mm)


def palm_uv_px(sample: Sample) -> Float[Tensor, "21 2"] | None:
    """Return the joints in the image in pixels, with the palm as joint 0; None without labels.

    Joints without label are NaN, and so is the palm if its wrist or the middle MCP has no label. Raises
    HandsError naming the sample if a labelled joint is not finite.
    """
    uv_px = sample.uv_px
    if uv_px is not None and sample.labelled is not None:
        uv_px = np.where(sample.labelled[:, None], uv_px, np.float32(np.nan))
    if uv_px is not None and not np.isfinite(uv_px[sample.labelled_or_all]).all():
        raise HandsError(f"{sample.where}: uv_px has values that are not finite")
    return _with_palm(sample, uv_px)


def palm_visible(sample: Sample) -> Bool[Tensor, "21"] | None:
    """Return whether each of these joints is visible; None if this is not known."""
    if sample.visible is None:
        return None
    visible = torch.from_numpy(sample.visible)
    return visible if sample.root == "palm" else geometry.to_palm_visible(visible)


def crop_square(sample: Sample, size_px: tuple[int, int]) -> tuple[float, float, float] | None:
    """Return the ground-truth crop (cx, cy, side) in pixels of an image of (height, width) `size_px`.

    It is None without 2D joints. The middle of the labelled joints is the centre if the middle MCP has no
    label.
    """
    uv_px, visible = palm_uv_px(sample), palm_visible(sample)
    if uv_px is None:
        return None
    if sample.wrist_px is not None:
        uv_px = torch.cat([torch.from_numpy(sample.wrist_px)[None], uv_px[1:]])
    if visible is None:
        visible = torch.ones(21, dtype=torch.bool)
    labelled = ~uv_px.isnan().any(dim=-1)
    if not labelled[MIDDLE_MCP]:
        low, high = uv_px[labelled].aminmax(dim=0)
        uv_px = uv_px.index_copy(0, torch.tensor([MIDDLE_MCP]), (low + high)[None] / 2)
    visible = visible & labelled
    centre, side_px = camera.crop_box(uv_px, visible, size_px)
    return float(centre[0]), float(centre[1]), float(side_px)


def scene_square(sample: Sample) -> tuple[float, float, float] | None:
    """Return the crop (cx, cy, side) in pixels that does not depend on the pose.

    It is the sample's scene box, or else `camera.palm_box`; None without 3D joints or camera.
    """
    xyz_mm = palm_xyz_mm(sample)
    if sample.scene_box is not None or xyz_mm is None or sample.K is None:
        return sample.scene_box
    centre, side_px = camera.palm_box(xyz_mm, torch.from_numpy(sample.K))
    return float(centre[0]), float(centre[1]), float(side_px)


def _with_palm(sample: Sample, points: np.ndarray | None) -> Tensor | None:
    if points is None:
        return None
    tensor = torch.from_numpy(points)
    return tensor if sample.root == "palm" else geometry.to_palm(tensor)
