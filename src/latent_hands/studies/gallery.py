"""Images of the results of a run: estimates next to the ground truth, transfers and walks."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from latent_hands import draw
from latent_hands.data.palm import palm_visible, palm_xyz_mm
from latent_hands.data.sample import Sample
from latent_hands.draw import PREDICTION, TRUTH, ImageArray
from latent_hands.errors import HandsError
from latent_hands.evaluation.metrics import joint_errors
from latent_hands.hand import camera, geometry
from latent_hands.paper.latent import Latent
from latent_hands.predictor import ContentReads, Hand, HandCrop, Model, Source, Walk, as_crop

Points = Float[np.ndarray, "21 3"]
CROP_PX = 320
"""The side of a drawn crop."""


def truth_mm(sample: Sample) -> Points | None:
    """Return the labelled joints in mm relative to the palm, which replaces the wrist.

    None without labels.
    """
    xyz_mm = palm_xyz_mm(sample)
    return None if xyz_mm is None else (xyz_mm - xyz_mm[:1]).numpy()


def labelled_pose(sample: Sample) -> Points:
    """Return the labelled joints in mm, mirrored to a left hand. Raises HandsError without labels."""
    truth = truth_mm(sample)
    if truth is None:
        raise HandsError(f"{sample.image} has no 3D labels; use images of a labelled data set")
    return geometry.mirror(torch.from_numpy(truth)).numpy() if sample.handedness == "right" else truth


def error_mm(hand: Hand, sample: Sample) -> float | None:
    """Return the mean distance of the visible joints from the labels in mm. None without labels."""
    truth = truth_mm(sample)
    if truth is None:
        return None
    errors = joint_errors(torch.from_numpy(hand.xyz_mm)[None], torch.from_numpy(truth)[None])[0]
    visible = palm_visible(sample)
    if visible is not None and visible.any():
        errors = errors[visible]
    return float(errors.mean())


def overlay_crop(crop: HandCrop, hand: Hand) -> ImageArray:
    """Draw the estimated hand over its crop."""
    W = camera.warp_matrix(torch.tensor(crop.centre_px), crop.side_px, CROP_PX)
    uv_px = camera.warp_points(torch.from_numpy(hand.in_order("rhd").uv_px), W).numpy()
    return draw.overlay(crop_image(crop), uv_px)


def crop_image(crop: HandCrop) -> ImageArray:
    """Return the crop, enlarged to CROP_PX."""
    return crop.window(CROP_PX, 1.0).permute(1, 2, 0).numpy()


def estimate_row(crop: HandCrop, hand: Hand, truth: Points | None = None) -> list[ImageArray]:
    """Return the crop, its overlay, and the hand from the front and from the side.

    The hand is in the colours of the fingers, or blue next to the red ground truth.
    """
    poses = hand.xyz_mm if truth is None else {TRUTH: truth, PREDICTION: hand.xyz_mm}
    return [crop_image(crop), overlay_crop(crop, hand), draw.skeleton(poses), draw.skeleton(poses, "side")]


def estimate_sheet(rows: Sequence[list[ImageArray]], headings: Sequence[str] = ()) -> ImageArray:
    """Arrange rows of `estimate_row` with headings.

    The box, not the model, determines the overlay's position.
    """
    captions = ["image", "position from\nthe given box", "front", "side"]
    return draw.grid(rows, captions, headings, lead=(0, 1))


def content_reads(model: Model) -> ContentReads:
    """Return which encoder reads the content of tag images: the one of tags, or else the one of images."""
    return "tag" if "tag" in model.vae.reads else "rgb"


def transfer_grid(
    model: Model,
    poses: Sequence[Source],
    contents: Sequence[Source],
    content_reads: ContentReads = "rgb",
    shown: Sequence[Source] = (),
) -> ImageArray:
    """Draw a grid of transfers (Fig. 6): each row has the pose of its source, each column the scene.

    The first column and the first row are the sources. The second column is the 3DPose decoded from the pose.
    `shown` replaces the poses in the first column, such as the photograph that a hand was estimated in.
    """
    head = [None, None, *(_source_image(source) for source in contents)]
    images = model.transfer(poses, contents, content_reads)
    scene = model.latent(contents[0], ["content"], content_reads)  # the decoder of the pose may read z_u too
    rows = [
        [_source_image(picture), draw.skeleton(_pose(model, source, scene)), *row]
        for picture, source, row in zip(shown or poses, poses, images, strict=True)
    ]
    return draw.grid([head, *rows], ["pose from", "3DPose", "scene from"], lead=(1, 2))


def _source_image(source: Source) -> ImageArray:
    """Draw a source as the model gets it, as a left hand."""
    if isinstance(source, Hand):
        return draw.skeleton(source.as_left()["pose"])
    if isinstance(source, np.ndarray) and source.shape == (21, 3):
        return draw.skeleton(source)
    return crop_image(as_crop(source).as_left())


def _pose(model: Model, source: Source, scene: Latent) -> Points:
    """Return the 3DPose decoded from the pose of a source and the content of a scene."""
    latent = scene | model.latent(source, ["pose"])
    return model.decode(latent)["pose"][0].float().cpu().numpy()


def walk_row(walk: Walk, start: Source, end: Source) -> ImageArray:
    """Draw a walk (Fig. 4): both ends, and between them the decoded images above the decoded 3DPoses."""
    rows = [row for row in (walk.images, _skeletons(walk)) if row]
    ends = [(_source_image(start), _source_image(end)), *[(None, None)] * (len(rows) - 1)]
    cells = [[first, *row, last] for (first, last), row in zip(ends, rows, strict=True)]
    headings = ["start", *[""] * len(walk.poses), "end"]
    return draw.grid(cells, headings, cell_px=112, lead=(0, 1))


def walk_frames(walk: Walk) -> list[ImageArray]:
    """Draw a walk as frames of an animation: image and 3DPose side by side."""
    columns = [walk.images, _skeletons(walk)] if walk.images else [_skeletons(walk)]
    return [draw.grid([list(row)], cell_px=192) for row in zip(*columns, strict=True)]


def _skeletons(walk: Walk) -> list[ImageArray]:
    frame = draw.framing(*walk.poses)
    return [draw.skeleton(pose, frame=frame) for pose in walk.poses]
