"""A counterfactual set as tensors: images, masks, poses, and the ground truth of every swap."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from latent_hands.data import Counterfactuals, read_counterfactual
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.data.formats.rhd_files import read_parts
from latent_hands.data.readers.counterfactual import FACTORS
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import RHD
from latent_hands.studies.assess.content import content_of

Indices = Int64[Tensor, " some"]


@dataclass(frozen=True)
class Transfers:
    """Image indices: `truth` has the pose and viewpoint of `pose` and the scene of `scene`."""

    pose: Indices
    scene: Indices
    truth: Indices


@dataclass(frozen=True)
class Groups:
    """Image indices: `changed[factor]` is the anchor with only this factor taken from the donor."""

    anchor: Indices
    donor: Indices
    changed: dict[str, Indices]


@dataclass(frozen=True)
class Benchmark:
    """N images of a counterfactual set, cut to their scene boxes, and the relations between them.

    * `rgb` and `tags`, by kind of tag, are in [-1, 1]. The kind "tag" is always present.
    * `pose` is in bones and in the frame of the model, `camera_pose` in the camera frame.
    * `hand` masks the hand. `ground` masks the pixels with neither hand nor arm.
    * `content` has the numbers of `content_of`.
    * `block` numbers the group or grid. The images of one block share people and places.
    * `right` marks right hands, for models that get the handedness as an input.
    * `uv_px` and `K` are in pixels of the cut images.
    * `convention` is the joint convention of all joints.
    """

    rgb: Float[Tensor, "n 3 px px"]
    tags: dict[str, Float[Tensor, "n 3 px px"]]
    pose: Float[Tensor, "n 21 3"]
    camera_pose: Float[Tensor, "n 21 3"]
    bone_mm: Float[Tensor, " n"]
    visible: Bool[Tensor, "n 21"]
    hand: Bool[Tensor, "n px px"]
    ground: Bool[Tensor, "n px px"]
    content: Float[Tensor, "n 19"]
    block: Int64[Tensor, " n"]
    transfers: Transfers
    groups: Groups
    right: Bool[Tensor, " n"] | None = None
    uv_px: Float[Tensor, "n 21 2"] | None = None
    K: Float[Tensor, "n 3 3"] | None = None
    convention: str = RHD

    @property
    def tag(self) -> Float[Tensor, "n 3 px px"]:
        """The tag image of each scene: the same person and place in another pose."""
        return self.tags["tag"]

    def right_of(self, index: Indices) -> Tensor | None:
        """Return `right` of some images, or None."""
        return None if self.right is None else self.right[index]


def open_benchmark(
    root: str | Path,
    px: int,
    right_hands: str,
    frame: str,
    convention: str,
    limit: int | None = None,
    tags: Collection[str] = (),
) -> Benchmark:
    """Read the evaluation split, or its first `limit` groups and grids, cut to `px` pixels.

    `right_hands` ("mirror" or "condition"), `frame` and `convention` are those of the assessed run. `tags`
    are more kinds of tags, such as "background_tag". Raises HandsError for a set that cannot be read, and
    for labels of another joint convention.
    """
    truth = read_counterfactual(root, "evaluation", limit)
    samples, block = _list_samples(truth)
    kinds = tuple(dict.fromkeys(["tag", *tags]))
    windows = build_windows(samples, "scene", 1.0, px, right_hands, kinds)
    if windows.convention != convention:
        raise HandsError(
            f'the joint convention of {root} is "{windows.convention}"; this run needs "{convention}": '
            f"render it with --convention {convention}"
        )

    def labels(frame: str, *keys: str) -> dict[str, Tensor]:
        return Batches(windows, px, len(windows), frame=frame, shuffle=False).batch(0, 0, {"pose", *keys})

    batch = labels(frame, "rgb", *kinds, "bone_mm", "visible", "uv_px", "K")
    tag_images = {kind: batch.pop(kind) for kind in kinds}
    masks = torch.stack([cut_mask(sample, px, right_hands == "mirror") for sample in samples])
    number = {sample.name: i for i, sample in enumerate(samples)}
    return Benchmark(
        **batch,
        tags=tag_images,
        camera_pose=labels("camera")["pose"],
        hand=masks > 1,
        ground=masks == 0,
        content=content_of(samples),
        block=torch.tensor(block),
        transfers=_transfers(truth, number),
        groups=_groups(truth, number),
        right=windows.handed,
        convention=convention,
    )


def _list_samples(truth: Counterfactuals) -> tuple[list[Sample], list[int]]:
    """Return all samples and the block of each."""
    listed = [(s, g.number) for g in truth.groups for s in (g.anchor, g.donor, *g.changed.values())]
    listed += [(sample, grid.number) for grid in truth.grids for row in grid.cells for sample in row]
    return [sample for sample, _ in listed], [block for _, block in listed]


def _transfers(truth: Counterfactuals, number: dict[str, int]) -> Transfers:
    every = [transfer for grid in truth.grids for transfer in grid.transfers()]
    return Transfers(
        pose=_numbers([t.pose for t in every], number),
        scene=_numbers([t.scene for t in every], number),
        truth=_numbers([t.truth for t in every], number),
    )


def _groups(truth: Counterfactuals, number: dict[str, int]) -> Groups:
    return Groups(
        anchor=_numbers([group.anchor for group in truth.groups], number),
        donor=_numbers([group.donor for group in truth.groups], number),
        changed={f: _numbers([group.changed[f] for group in truth.groups], number) for f in FACTORS},
    )


def _numbers(samples: Sequence[Sample], number: dict[str, int]) -> Indices:
    return torch.tensor([number[sample.name] for sample in samples])


def cut_mask(sample: Sample, px: int, mirror: bool) -> UInt8[Tensor, "{px} {px}"]:
    """Return RHD's part numbers in the scene box, by nearest neighbour, and 0 beyond the image.

    Raises HandsError for a sample without mask or scene box.
    """
    if sample.mask is None or sample.scene_box is None:
        raise HandsError(f"{sample.image} has no mask or no scene box; use a counterfactual set")
    parts = read_parts(sample.mask)
    cx, cy, side_px = sample.scene_box
    steps = (np.arange(px) + 0.5) * side_px / px - side_px / 2 + 0.5
    rows, columns = (np.floor(centre + steps).astype(int) for centre in (cy, cx))
    inside = (rows >= 0) & (rows < parts.shape[0])
    cut = np.where(inside[:, None], parts[rows.clip(0, parts.shape[0] - 1)], 0)
    inside = (columns >= 0) & (columns < parts.shape[1])
    cut = np.where(inside, cut[:, columns.clip(0, parts.shape[1] - 1)], 0)
    return torch.from_numpy((cut[:, ::-1] if mirror and sample.handedness == "right" else cut).copy())
