"""Readings: crops of one image, read as hands of a side, all in one batch, and again around the joints."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.data.image_files import cut_square
from latent_hands.hand import camera, geometry
from latent_hands.hand.boxes import ROOM, Box, box_of_joints, crop_of_joints
from latent_hands.pixels import from_bytes
from latent_hands.predictor.photo import Photo
from latent_hands.predictor.placing import disagreement
from latent_hands.predictor.rotations import window_px
from latent_hands.predictor.trained_graph import TrainedGraph

SCALE_TOLERANCE, SHIFT_TOLERANCE = 0.1, 0.05
"""A crop is read again if it differs from that of its joints by more, relative to its side."""
MOST_CHANGE = 1.15
"""The largest change of a crop's side at one refinement, as a factor. It is chosen on Ge et al. (2019)."""


@dataclass(frozen=True, eq=False)
class Reading:
    """The prediction of a model for a crop of an image, read as a hand of one side.

    Attributes:
        photo: the image with crop, handedness and camera.
        outputs: attributes of `Prediction` of this hand, as it is in the image: not mirrored.
    """

    photo: Photo
    outputs: dict[str, Tensor]

    @cached_property
    def uv_px(self) -> Float[np.ndarray, "21 2"]:
        """Joints in the image, in pixels."""
        return self.photo.joints_px(self.outputs)

    @cached_property
    def box_px(self) -> Box:
        """Box of the joints, with the wrist in place of the palm."""
        return box_of_joints(geometry.to_wrist(torch.from_numpy(self.uv_px)).numpy())

    @cached_property
    def disagreement(self) -> float:
        """How far the pose is from the joints in the image, in bone lengths (`placing.disagreement`)."""
        return disagreement(self.photo.along_ray(self.outputs["pose"]).numpy(), self.uv_px)

    @property
    def next_crop(self) -> Box:
        """The crop around the joints that this reading found, with `ROOM`, and `MOST_CHANGE` at most."""
        x, y, side, _ = crop_of_joints(self.uv_px, self.photo.rgb.shape[:2], ROOM)
        legal = min(max(side, self.photo.side_px / MOST_CHANGE), self.photo.side_px * MOST_CHANGE)
        return x + (side - legal) / 2, y + (side - legal) / 2, legal, legal

    @property
    def is_off(self) -> bool:
        """Whether the crop differs so much from that around its joints that the hand must be read again."""
        x, y, side, _ = self.photo.crop_box_px
        u, v, wanted, _ = self.next_crop
        shift = max(abs(u + wanted / 2 - x - side / 2), abs(v + wanted / 2 - y - side / 2))
        return abs(wanted / side - 1) > SCALE_TOLERANCE or shift > SHIFT_TOLERANCE * side


def read(graph: TrainedGraph, photos: Sequence[Photo], rotations: int = 1, draws: int = 0) -> list[Reading]:
    """Predict the hand of every photo in one batch. All photos have a camera, or none has.

    `rotations` and `draws` are those of `TrainedGraph.predict_images`.
    """
    if not photos:
        return []
    size = window_px(graph.crop_px, rotations)
    margin, data = size / graph.crop_px, graph.experiment.data
    right = torch.tensor([photo.handedness == "right" for photo in photos])
    flip = right & (data.right_hands == "mirror")
    squares = zip(photos, flip.tolist(), strict=True)
    windows = [cut_square(p.rgb, p.centre_px, p.side_px * margin, size, mirrored) for p, mirrored in squares]
    K = _cameras(photos, flip, size, margin)
    sides = right if data.right_hands == "condition" else None
    prediction = (
        _unrotated(graph.fast, torch.stack(windows), K, sides, draws)
        if rotations == 1
        else graph.fast.predict_images(
            torch.stack(windows),
            K,
            sides,
            margin=margin,
            rotations=rotations,
            draws=draws,
            frame="camera" if K is None else None,
        ).known()
    )
    outputs = [{name: value[i] for name, value in prediction.items()} for i in range(len(photos))]
    return [
        Reading(photo, mirrored(each) if flipped else each)
        for photo, each, flipped in zip(photos, outputs, flip.tolist(), strict=True)
    ]


def read_twice(
    graph: TrainedGraph, photos: Sequence[Photo], rotations: int = 1, draws: int = 0
) -> list[Reading]:
    """Read every photo, then read it again in the crop around the joints that were found.

    A crop that was right is not read again, and no crop by a graph that does not measure the joints in the
    image. Rotations are averaged in the last reading only.
    """
    if not photos or "uv" not in {graph.vae.decoder(name).writes for name in graph.vae.decoders}:
        return read(graph, photos, rotations, draws)
    readings = read(graph, photos, draws=draws)
    again = [i for i, reading in enumerate(readings) if rotations > 1 or reading.is_off]
    crops = [replace(photos[i], box_px=readings[i].next_crop) for i in again]
    for i, reading in zip(again, read(graph, crops, rotations, draws), strict=True):
        readings[i] = reading
    return readings


def mirrored(outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the prediction for the mirrored image of one hand. It is its own inverse."""
    across = torch.tensor([-1.0, 1.0])
    change = {
        "pose": geometry.mirror,
        "viewpoint": lambda viewpoint: geometry.Mz @ viewpoint @ geometry.Mx,
        "uv": lambda uv: uv * across,
        "place": lambda place: torch.cat([place[:2] * across, place[2:]]),
    }
    return {name: change[name](value) if name in change else value for name, value in outputs.items()}


def _unrotated(
    graph: TrainedGraph, windows: Tensor, K: Tensor | None, right: Tensor | None, draws: int
) -> dict[str, Tensor]:
    """Return what `predict_images` predicts for windows that are crops, without resampling them."""
    outputs = graph.outputs(from_bytes(windows.to(graph.device)), right, draws=draws)
    prediction = {name: value.cpu() for name, value in outputs.items()}
    if K is not None and graph.experiment.data.frame == "ray":
        centre = K.new_full((len(K), 2), (windows.shape[-1] - 1) / 2)
        to_camera = geometry.ray_rotation(K, centre).mT
        prediction |= {name: prediction[name] @ to_camera for name in ("pose", "viewpoint")}
    return prediction


def _cameras(photos: Sequence[Photo], flip: Tensor, size: int, margin: float) -> Tensor | None:
    """Return the cameras of the windows, mirrored where `flip`; None if the image has no camera."""
    if photos[0].K is None:
        return None
    K = torch.stack([torch.from_numpy(photo.K) for photo in photos])
    centre = torch.tensor([photo.centre_px for photo in photos])
    side = torch.tensor([photo.side_px for photo in photos]) * margin
    return camera.warp_camera(K, camera.warp_matrix(centre, side, size, flip=flip))
