"""Readings: crops of one image, read as hands of a side, all in one batch, and again around the joints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from latent_hands.data.image_files import cut_square
from latent_hands.hand import camera, geometry
from latent_hands.hand.boxes import Box
from latent_hands.paper.latent import Gaussian, Posterior
from latent_hands.pixels import from_bytes
from latent_hands.predictor.crop import CropReading
from latent_hands.predictor.hand import Handedness
from latent_hands.predictor.hand_crop import HandCrop
from latent_hands.predictor.rotations import window_px
from latent_hands.predictor.trained_graph import TrainedGraph


@dataclass(frozen=True, eq=False)
class Reading(CropReading):
    """The prediction of a torch model for a crop; see `CropReading`."""

    crop: HandCrop
    outputs: dict[str, Tensor]


def read(graph: TrainedGraph, crops: Sequence[HandCrop], rotations: int = 1, draws: int = 0) -> list[Reading]:
    """Predict the hand of every crop in one batch. All crops have a camera, or none has.

    `rotations` and `draws` are those of `TrainedGraph.predict_images`.
    """
    if not crops:
        return []
    if rotations == 1:
        return _decoded(graph, crops, _encoded(graph, crops), draws)
    return _read_windows(graph, crops, rotations, draws)


def read_rotated(
    graph: TrainedGraph, crops: Sequence[HandCrop], angle: float, encoder: str | None = None
) -> list[Reading]:
    """Predict the hand of every crop, which is rotated by an angle in radians, by one encoder.

    The predictions are rotated back. All crops have a camera, or none has.
    """
    return _read_windows(graph, crops, angle=angle, encoder=encoder)


def _read_windows(
    graph: TrainedGraph,
    crops: Sequence[HandCrop],
    rotations: int = 1,
    draws: int = 0,
    angle: float = 0.0,
    encoder: str | None = None,
) -> list[Reading]:
    """Predict the hands from windows with room for rotations."""
    size = window_px(graph.crop_px, max(rotations, 2))
    margin, K = size / graph.crop_px, _cameras(graph, crops, size)
    prediction = graph.fast.predict_images(
        _windows(graph, crops, size),
        K,
        _sides(graph, crops),
        margin=margin,
        rotations=rotations,
        angle=angle,
        draws=draws,
        encoder=encoder,
        frame="camera" if K is None else None,
    )
    return _readings(graph, crops, prediction.known())


@dataclass(frozen=True)
class Glance:
    """A first reading of some crops, which finds the joints in the image and, if the graph can, the side.

    Attributes:
        readings: one for each crop.
        posterior: q(z | crop), one row for each crop.
    """

    readings: list[Reading]
    posterior: Posterior


def glance(graph: TrainedGraph, crops: Sequence[HandCrop]) -> Glance:
    """Read every crop for the first time. It decodes only what decides how the hand is read again."""
    posterior = _encoded(graph, crops)
    outputs = graph.fast.decoded_of(posterior, ("uv", "side"), _sides(graph, crops))
    return Glance(_readings(graph, crops, outputs), posterior)


def read_again(
    graph: TrainedGraph,
    first: Glance,
    wanted: Sequence[tuple[int, Handedness]],
    rotations: int = 1,
    draws: int = 0,
) -> list[Reading]:
    """Read crops again, in the squares around the joints that were found.

    A crop that is read as the same side is not read again where it was right.

    Args:
        graph: the model.
        first: the first reading.
        wanted: the number of each crop in it, and the side that it is read as.
        rotations, draws: those of `TrainedGraph.predict_images`.
    """
    if not wanted:
        return []
    seen = [first.readings[i] for i, _ in wanted]
    crops = [
        replace(each.crop, handedness=side, box_px=each.next_crop if each.is_off else each.crop.box_px)
        for each, (_, side) in zip(seen, wanted, strict=True)
    ]
    if rotations != 1:
        return read(graph, crops, rotations, draws)
    fresh = [k for k, each in enumerate(seen) if each.is_off or crops[k].handedness != each.crop.handedness]
    posterior = _rows(first.posterior, [i for i, _ in wanted])
    if fresh:
        posterior = _replaced(posterior, fresh, _encoded(graph, [crops[k] for k in fresh]))
    return _decoded(graph, crops, posterior, draws)


def read_twice(
    graph: TrainedGraph, crops: Sequence[HandCrop], rotations: int = 1, draws: int = 0
) -> list[Reading]:
    """Read every crop, then read it again in the crop around the joints that were found (`read_again`).

    No crop is read again by a graph that does not measure the joints in the image. Rotations are averaged in
    the last reading only.
    """
    if not crops or "uv" not in graph.vae.writes:
        return read(graph, crops, rotations, draws)
    own: list[tuple[int, Handedness]] = [(i, crop.handedness) for i, crop in enumerate(crops)]
    return read_again(graph, glance(graph, crops), own, rotations, draws)


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


def _encoded(graph: TrainedGraph, crops: Sequence[HandCrop]) -> Posterior:
    """Return q(z | crop) of the crops."""
    images = from_bytes(_windows(graph, crops, graph.crop_px).to(graph.device))
    return graph.fast.infer(images, _sides(graph, crops))


def _decoded(
    graph: TrainedGraph, crops: Sequence[HandCrop], posterior: Posterior, draws: int
) -> list[Reading]:
    """Return the readings of crops that have this posterior, in the camera frame if there is one."""
    outputs = graph.fast.hands_of(posterior, _sides(graph, crops), draws)
    prediction = {name: value.cpu() for name, value in outputs.items()}
    K = _cameras(graph, crops, graph.crop_px)
    if K is not None and graph.experiment.data.frame == "ray":
        to_camera = geometry.crop_ray_rotation(K, graph.crop_px).mT
        prediction |= {name: prediction[name] @ to_camera for name in ("pose", "viewpoint")}
    return _readings(graph, crops, prediction)


def _rows(posterior: Posterior, rows: Sequence[int]) -> Posterior:
    """Return some rows of a posterior."""
    return {factor: Gaussian(q.mean[rows], q.log_var[rows]) for factor, q in posterior.items()}


def _replaced(posterior: Posterior, rows: Sequence[int], others: Posterior) -> Posterior:
    """Return the posterior with the Gaussians of some rows replaced by others."""
    index = torch.tensor(rows, device=next(iter(posterior.values())).mean.device)

    def part(name: str, factor: str) -> Tensor:
        return getattr(posterior[factor], name).index_copy(0, index, getattr(others[factor], name))

    return {factor: Gaussian(part("mean", factor), part("log_var", factor)) for factor in posterior}


def _readings(
    graph: TrainedGraph, crops: Sequence[HandCrop], prediction: Mapping[str, Tensor]
) -> list[Reading]:
    """Return the predictions for the windows as predictions for the hands, which may be mirrored."""
    outputs = [{name: value[i].cpu() for name, value in prediction.items()} for i in range(len(crops))]
    flip = _flipped(graph, crops).tolist()
    return [
        Reading(crop, mirrored(each) if flipped else each)
        for crop, each, flipped in zip(crops, outputs, flip, strict=True)
    ]


def _windows(graph: TrainedGraph, crops: Sequence[HandCrop], size: int) -> UInt8[Tensor, "n 3 {size} {size}"]:
    """Return the windows around the crops, of `size` pixels, mirrored where the model expects that.

    A square that is read as both hands is cut once.
    """
    margin, cuts = size / graph.crop_px, dict[tuple[int, Box], Tensor]()
    for crop in crops:
        key = id(crop.rgb), crop.box_px
        if key not in cuts:
            cuts[key] = cut_square(crop.rgb, crop.centre_px, crop.side_px * margin, size, False)
    upright = [cuts[id(crop.rgb), crop.box_px] for crop in crops]
    flip = _flipped(graph, crops).tolist()
    return torch.stack([each.flip(-1) if f else each for each, f in zip(upright, flip, strict=True)])


def _cameras(graph: TrainedGraph, crops: Sequence[HandCrop], size: int) -> Tensor | None:
    """Return the cameras of these windows; None if the image has no camera."""
    if crops[0].K is None:
        return None
    K = torch.stack([torch.from_numpy(crop.K) for crop in crops])
    centre = torch.tensor([crop.centre_px for crop in crops])
    side = torch.tensor([crop.side_px for crop in crops]) * size / graph.crop_px
    W = camera.warp_matrix(centre, side, size, flip=_flipped(graph, crops))
    return camera.warp_camera(K, W)


def _is_right(crops: Sequence[HandCrop]) -> Bool[Tensor, " n"]:
    return torch.tensor([crop.handedness == "right" for crop in crops])


def _flipped(graph: TrainedGraph, crops: Sequence[HandCrop]) -> Bool[Tensor, " n"]:
    """Return which crops the model reads as mirror images."""
    return _is_right(crops) & (graph.experiment.data.right_hands == "mirror")


def _sides(graph: TrainedGraph, crops: Sequence[HandCrop]) -> Bool[Tensor, " n"] | None:
    """Return which hands are right ones, for models that are given that."""
    return _is_right(crops) if graph.experiment.data.right_hands == "condition" else None
