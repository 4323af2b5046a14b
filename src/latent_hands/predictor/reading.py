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
from latent_hands.predictor.photo import Photo
from latent_hands.predictor.rotations import window_px
from latent_hands.predictor.trained_graph import TrainedGraph


@dataclass(frozen=True, eq=False)
class Reading(CropReading):
    """The prediction of a torch model for a crop; see `CropReading`."""

    photo: Photo
    outputs: dict[str, Tensor]


def read(graph: TrainedGraph, photos: Sequence[Photo], rotations: int = 1, draws: int = 0) -> list[Reading]:
    """Predict the hand of every photo in one batch. All photos have a camera, or none has.

    `rotations` and `draws` are those of `TrainedGraph.predict_images`.
    """
    if not photos:
        return []
    if rotations == 1:
        return _decoded(graph, photos, _encoded(graph, photos), draws)
    return _read_windows(graph, photos, rotations, draws)


def read_rotated(
    graph: TrainedGraph, photos: Sequence[Photo], angle: float, encoder: str | None = None
) -> list[Reading]:
    """Predict the hand of every photo from crops that are rotated by an angle in radians, by one encoder.

    The predictions are those for the photos: rotated back. All photos have a camera, or none has.
    """
    return _read_windows(graph, photos, angle=angle, encoder=encoder)


def _read_windows(
    graph: TrainedGraph,
    photos: Sequence[Photo],
    rotations: int = 1,
    draws: int = 0,
    angle: float = 0.0,
    encoder: str | None = None,
) -> list[Reading]:
    """Predict the hands from windows with room for rotations."""
    size = window_px(graph.crop_px, max(rotations, 2))
    margin, K = size / graph.crop_px, _cameras(graph, photos, size)
    prediction = graph.fast.predict_images(
        _windows(graph, photos, size),
        K,
        _sides(graph, photos),
        margin=margin,
        rotations=rotations,
        angle=angle,
        draws=draws,
        encoder=encoder,
        frame="camera" if K is None else None,
    )
    return _readings(graph, photos, prediction.known())


@dataclass(frozen=True)
class Glance:
    """A first reading of some crops, which finds the joints in the image and, if the graph can, the side.

    Attributes:
        readings: one for each crop.
        posterior: q(z | crop), one row for each crop.
    """

    readings: list[Reading]
    posterior: Posterior


def glance(graph: TrainedGraph, photos: Sequence[Photo]) -> Glance:
    """Read every photo for the first time. It decodes only what decides how the hand is read again."""
    posterior = _encoded(graph, photos)
    outputs = graph.fast.decoded_of(posterior, ("uv", "side"), _sides(graph, photos))
    return Glance(_readings(graph, photos, outputs), posterior)


def read_again(
    graph: TrainedGraph,
    first: Glance,
    wanted: Sequence[tuple[int, Handedness]],
    rotations: int = 1,
    draws: int = 0,
) -> list[Reading]:
    """Read photos again in the crops around the joints that were found.

    A photo that is read as the same side is not read again where its crop was right.

    Args:
        graph: the model.
        first: the first reading.
        wanted: the number of each photo in it, and the side that it is read as.
        rotations, draws: those of `TrainedGraph.predict_images`.
    """
    seen = [first.readings[i] for i, _ in wanted]
    photos = [
        replace(each.photo, handedness=side, box_px=each.next_crop if each.is_off else each.photo.box_px)
        for each, (_, side) in zip(seen, wanted, strict=True)
    ]
    if rotations != 1:
        return read(graph, photos, rotations, draws)
    fresh = [k for k, each in enumerate(seen) if each.is_off or photos[k].handedness != each.photo.handedness]
    posterior = _rows(first.posterior, [i for i, _ in wanted])
    if fresh:
        posterior = _replaced(posterior, fresh, _encoded(graph, [photos[k] for k in fresh]))
    return _decoded(graph, photos, posterior, draws)


def read_twice(
    graph: TrainedGraph, photos: Sequence[Photo], rotations: int = 1, draws: int = 0
) -> list[Reading]:
    """Read every photo, then read it again in the crop around the joints that were found (`read_again`).

    No crop is read again by a graph that does not measure the joints in the image. Rotations are averaged in
    the last reading only.
    """
    if not photos or "uv" not in graph.vae.writes:
        return read(graph, photos, rotations, draws)
    own: list[tuple[int, Handedness]] = [(i, photo.handedness) for i, photo in enumerate(photos)]
    return read_again(graph, glance(graph, photos), own, rotations, draws)


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


def _encoded(graph: TrainedGraph, photos: Sequence[Photo]) -> Posterior:
    """Return q(z | crop) of the photos' crops."""
    crops = from_bytes(_windows(graph, photos, graph.crop_px).to(graph.device))
    return graph.fast.infer(crops, _sides(graph, photos))


def _decoded(graph: TrainedGraph, photos: Sequence[Photo], posterior: Posterior, draws: int) -> list[Reading]:
    """Return the readings of photos whose crops have this posterior, in the camera frame if there is one."""
    outputs = graph.fast.hands_of(posterior, _sides(graph, photos), draws)
    prediction = {name: value.cpu() for name, value in outputs.items()}
    K = _cameras(graph, photos, graph.crop_px)
    if K is not None and graph.experiment.data.frame == "ray":
        to_camera = geometry.crop_ray_rotation(K, graph.crop_px).mT
        prediction |= {name: prediction[name] @ to_camera for name in ("pose", "viewpoint")}
    return _readings(graph, photos, prediction)


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
    graph: TrainedGraph, photos: Sequence[Photo], prediction: Mapping[str, Tensor]
) -> list[Reading]:
    """Return the predictions for the windows as predictions for the hands, which may be mirrored."""
    outputs = [{name: value[i].cpu() for name, value in prediction.items()} for i in range(len(photos))]
    flip = _flipped(graph, photos).tolist()
    return [
        Reading(photo, mirrored(each) if flipped else each)
        for photo, each, flipped in zip(photos, outputs, flip, strict=True)
    ]


def _windows(graph: TrainedGraph, photos: Sequence[Photo], size: int) -> UInt8[Tensor, "n 3 {size} {size}"]:
    """Return the windows around the crops, of `size` pixels, mirrored where the model expects that.

    A square that is read as both hands is cut once.
    """
    margin, cuts = size / graph.crop_px, dict[tuple[int, Box], Tensor]()
    for photo in photos:
        key = id(photo.rgb), photo.box_px
        if key not in cuts:
            cuts[key] = cut_square(photo.rgb, photo.centre_px, photo.side_px * margin, size, False)
    upright = [cuts[id(photo.rgb), photo.box_px] for photo in photos]
    flip = _flipped(graph, photos).tolist()
    return torch.stack([each.flip(-1) if f else each for each, f in zip(upright, flip, strict=True)])


def _cameras(graph: TrainedGraph, photos: Sequence[Photo], size: int) -> Tensor | None:
    """Return the cameras of these windows; None if the image has no camera."""
    if photos[0].K is None:
        return None
    K = torch.stack([torch.from_numpy(photo.K) for photo in photos])
    centre = torch.tensor([photo.centre_px for photo in photos])
    side = torch.tensor([photo.side_px for photo in photos]) * size / graph.crop_px
    W = camera.warp_matrix(centre, side, size, flip=_flipped(graph, photos))
    return camera.warp_camera(K, W)


def _is_right(photos: Sequence[Photo]) -> Bool[Tensor, " n"]:
    return torch.tensor([photo.handedness == "right" for photo in photos])


def _flipped(graph: TrainedGraph, photos: Sequence[Photo]) -> Bool[Tensor, " n"]:
    """Return which photos the model reads as mirror images."""
    return _is_right(photos) & (graph.experiment.data.right_hands == "mirror")


def _sides(graph: TrainedGraph, photos: Sequence[Photo]) -> Bool[Tensor, " n"] | None:
    """Return which hands are right ones, for models that are given that."""
    return _is_right(photos) if graph.experiment.data.right_hands == "condition" else None
