"""The images that show what a run does: estimates beside the truth, transfers, walks."""

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
from latent_hands.predictor import ContentReads, Hand, Model, Photo, Source, Walk, as_photo

Points = Float[np.ndarray, "21 3"]
SHOWN_PX = 320


def truth_mm(sample: Sample) -> Points | None:
    """The labelled joints relative to the palm, which replaces the wrist; None without labels."""
    xyz_mm = palm_xyz_mm(sample)
    return None if xyz_mm is None else (xyz_mm - xyz_mm[:1]).numpy()


def labelled_pose(sample: Sample) -> Points:
    """The labelled hand as models see it, a left one, in millimetres. Raises HandsError without labels."""
    truth = truth_mm(sample)
    if truth is None:
        raise HandsError(f"{sample.image} has no 3D labels; legal: images of a labelled data set")
    return geometry.mirror(torch.from_numpy(truth)).numpy() if sample.side == "right" else truth


def error_mm(hand: Hand, sample: Sample) -> float | None:
    """Mean distance of the visible joints from the labels, with the hand's own bone; None without labels."""
    truth = truth_mm(sample)
    if truth is None:
        return None
    errors = joint_errors(torch.from_numpy(hand.xyz_mm)[None], torch.from_numpy(truth)[None])[0]
    visible = palm_visible(sample)
    if visible is not None and visible.any():
        errors = errors[visible]
    return float(errors.mean())


def overlaid(photo: Photo, hand: Hand) -> ImageArray:
    """The part of the image that was looked at, with the hand drawn over it."""
    W = camera.warp_matrix(torch.tensor(photo.centre_px), photo.side_px, SHOWN_PX)
    uv_px = camera.warp_points(torch.from_numpy(hand.uv_wrist_form_px), W).numpy()
    return draw.overlay(looked_at(photo), uv_px)


def looked_at(photo: Photo) -> ImageArray:
    """The square that the network sees, large."""
    return photo.window(SHOWN_PX, 1.0).permute(1, 2, 0).numpy()


def estimate_row(photo: Photo, hand: Hand, truth: Points | None = None) -> list[ImageArray]:
    """Image, overlay, and the hand from the front and from the side: in colours, or blue beside the red
    truth."""
    shown = hand.xyz_mm if truth is None else {TRUTH: truth, PREDICTION: hand.xyz_mm}
    return [looked_at(photo), overlaid(photo, hand), draw.skeleton(shown), draw.skeleton(shown, "side")]


def estimate_sheet(rows: Sequence[list[ImageArray]], headings: Sequence[str] = ()) -> ImageArray:
    """Rows of `estimate_row`, each with its heading; a model knows no place, the box gave the overlay's."""
    captions = ["image", "placed by the box,\nnot measured", "front", "side"]
    return draw.grid(rows, captions, headings, lead=(0, 1))


def transfer_grid(
    model: Model, poses: Sequence[Source], contents: Sequence[Source], content_reads: ContentReads = "rgb"
) -> ImageArray:
    """Fig. 6: the first column gives the pose, the second shows what was read from it, the first row the
    scene."""
    head = [None, None, *(_shown(source) for source in contents)]
    made = model.transfer(poses, contents, content_reads)
    scene = model.latent(contents[0], ["content"], content_reads)  # a decoder of poses may read z_u, too
    rows = [
        [_shown(source), draw.skeleton(_pose(model, source, scene)), *row]
        for source, row in zip(poses, made, strict=True)
    ]
    return draw.grid([head, *rows], ["pose from", "3DPose", "scene from"], lead=(1, 2))


def _shown(source: Source) -> ImageArray:
    """The source as the model sees it, a left hand."""
    if isinstance(source, Hand):
        return draw.skeleton(source.batch()["pose"][0].numpy())
    if isinstance(source, np.ndarray) and source.shape == (21, 3):
        return draw.skeleton(source)
    return looked_at(as_photo(source).as_left())


def _pose(model: Model, source: Source, scene: Latent) -> Points:
    """The 3DPose of a source, decoded in a scene."""
    latent = scene | model.latent(source, ["pose"])
    return model.decode(latent)["pose"][0].float().cpu().numpy()


def walk_row(walk: Walk, first: Source, last: Source) -> ImageArray:
    """Fig. 4: both ends, and between them what decodes on the way, images above, 3DPoses below."""
    rows = [row for row in (walk.images, _skeletons(walk)) if row]
    ends = [(_shown(first), _shown(last)), *[(None, None)] * (len(rows) - 1)]
    shown = [[start, *row, end] for (start, end), row in zip(ends, rows, strict=True)]
    headings = ["from", *[""] * len(walk.poses), "to"]
    return draw.grid(shown, headings, cell_px=112, lead=(0, 1))


def walk_frames(walk: Walk) -> list[ImageArray]:
    """The same as an animation: image and 3DPose side by side."""
    columns = [walk.images, _skeletons(walk)] if walk.images else [_skeletons(walk)]
    return [draw.grid([list(row)], cell_px=192) for row in zip(*columns, strict=True)]


def _skeletons(walk: Walk) -> list[ImageArray]:
    frame = draw.framing(*walk.poses)
    return [draw.skeleton(pose, frame=frame) for pose in walk.poses]
