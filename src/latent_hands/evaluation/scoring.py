"""A run against a labelled data set, under the conventions that the run was trained with."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latent_hands.data.crops import build_windows
from latent_hands.data.labels import check_labels
from latent_hands.data.sample import Sample
from latent_hands.data.shard_files import open_windows
from latent_hands.data.store import Cut
from latent_hands.data.windows import Windows
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.evaluation import protocol
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.hand.geometry import ray_rotation
from latent_hands.hand.translation import translate
from latent_hands.predictor.model import TURNED_MARGIN, Model


def score_run(
    model: Model,
    hands: Sequence[Sample] | Windows,
    split: str,
    rotations: int = 1,
    exact: bool = False,
    encoder: str | None = None,
    convention: str | None = None,
) -> dict[str, Any]:
    """The protocol's numbers of a run (see `protocol.score`), and under "pck" its curve.

    `hands` are samples, or their windows out of a packed store (`stored_windows`). Side and bone length are
    given, as in the paper. `rotations` averages over so many turned crops; `encoder` reads them, by default
    one that reads rgb; `convention` says where the labels place the joints, for sets that do not say it
    themselves or say another one. Beside them stand `frame`, `rotations`, the joint conventions of model and
    labels, under "mean_pose" what the labels' own mean pose would score and, where the two conventions are
    known and differ, under "translated" the scores of the 3DPoses translated into that of the labels
    (`render.translation`). A model of the ray frame is given the camera besides, which turns its answer into
    the camera's frame; under "without_camera" are the scores without it (`without_camera`).
    Raises HandsError for samples without 3D labels or in a wrong unit (`check_labels`) and as cutting and
    scoring do.
    """
    windows = hands if isinstance(hands, Windows) else evaluation_windows(model, hands, rotations, encoder)
    if convention is not None:
        windows = replace(windows, convention=known_convention(convention, model))
    truth = truth_of(windows)
    prediction = predict_windows(model, windows, rotations, encoder)
    numbers = protocol.score(prediction, truth, split, exact)
    thresholds_mm, shares = protocol.pck_curve(prediction, truth)
    own = model.experiment.data.convention
    if windows.convention not in (None, own):
        numbers |= translated(prediction, truth, (own, windows.convention), split, exact)
    if model.experiment.data.frame == "ray":
        numbers["without_camera"] = protocol.score(without_camera(prediction, windows), truth, split, exact)
    mean_pose = protocol.mean_pose_reference(truth.pose, len(truth.pose), truth.right)
    return numbers | {
        "frame": model.experiment.data.frame,
        "rotations": rotations,
        "convention": own,
        "labels_convention": windows.convention,
        "mean_pose": protocol.score(mean_pose, truth, split, exact),
        "pck": {"thresholds_mm": thresholds_mm.tolist(), "shares": shares.tolist()},
    }


def given(frame: str) -> str:
    """What a model of that frame is told at test time beside the image's crop, in words."""
    return "side and bone length" if frame == "camera" else "side, bone length and camera"


def known_convention(name: str, model: Model) -> str:
    """A joint convention by name: one with a table, FreiHAND's, or the model's. HandsError for another."""
    legal = {*CONVENTIONS, "mano", model.experiment.data.convention}
    if name not in legal:
        raise HandsError(f'unknown joint convention "{name}"; {did_you_mean(name, legal)}')
    return name


def translated(
    prediction: protocol.Prediction,
    truth: protocol.Truth,
    conventions: tuple[str, str],
    split: str,
    exact: bool,
) -> dict[str, Any]:
    """Under "translated" what the 3DPose scores once its joints lie where those of the labels do.

    Empty, and a warning, if there is no 3DPose or a convention has no table.
    """
    model, labels = conventions
    if prediction.pose is None or not {model, labels} <= CONVENTIONS.keys():
        logging.getLogger(__name__).warning(
            'the model places joints as "%s", the labels as "%s": much of the error is that; '
            "epe_bone_aligned_mm, with the labels' bone lengths, holds less of it",
            *conventions,
        )
        return {}
    there = protocol.Prediction(pose=translate(prediction.pose, model, labels, truth.right))
    return {"translated": protocol.score(there, truth, split, exact)}


def without_camera(prediction: protocol.Prediction, windows: Windows) -> protocol.Prediction:
    """What a model of the ray frame says to whom the camera is unknown: its ray is taken for the axis.

    Takes and returns predictions in the camera frame of the windows. Raises HandsError for windows without
    cameras.
    """
    if windows.K is None:
        raise HandsError("the windows have no cameras (K), so the rays through them are unknown")
    centre = windows.K.new_full((len(windows), 2), (windows.rgb.shape[-1] - 1) / 2)
    R = ray_rotation(windows.K, centre)
    seen = {name: getattr(prediction, name) for name in ("pose", "viewpoint")}
    return replace(prediction, **{name: each @ R for name, each in seen.items() if each is not None})


def evaluation_windows(
    model: Model, samples: Sequence[Sample], rotations: int = 1, encoder: str | None = None
) -> Windows:
    """The crops that a run is evaluated on, with room for turns if there are any."""
    size, data = evaluation_px(model, rotations), model.experiment.data
    margin, images = size / model.crop_px, (model.reads(encoder),)
    return build_windows(samples, data.crop, margin, size, data.side, images)


def stored_windows(
    model: Model,
    name: str,
    root: Path,
    split: str,
    rotations: int = 1,
    limit: int | None = None,
    encoder: str | None = None,
) -> Windows:
    """The same crops out of a packed store; HandsError if it was prepared otherwise."""
    size, data = evaluation_px(model, rotations), model.experiment.data
    wanted = Cut(name, data.crop, data.side, size / model.crop_px, size, (model.reads(encoder),))
    return open_windows(root, split, wanted, limit)


def evaluation_px(model: Model, rotations: int) -> int:
    """Side of the windows: the crop's, or larger where it is turned."""
    return round(model.crop_px * (TURNED_MARGIN if rotations > 1 else 1.0))


def truth_of(windows: Windows) -> protocol.Truth:
    """The labels of windows; where nothing says which joints are visible, all are.

    Raises HandsError if there are none, and as `check_labels` does.
    """
    if windows.xyz_mm is None:
        raise HandsError(
            "the data have no 3D joints (xyz_mm) to score against; legal: a set that labels them, not images"
        )
    check_labels(windows)
    visible = torch.ones(len(windows), 21, dtype=torch.bool) if windows.visible is None else windows.visible
    return protocol.Truth.of(windows.xyz_mm, visible, windows.handed, windows.block)


def predict_windows(
    model: Model, windows: Windows, rotations: int = 1, encoder: str | None = None
) -> protocol.Prediction:
    """What a run says of every window, in the camera frame of the windows."""

    def predict(some: Windows, right: bool | None) -> protocol.Prediction:
        def told(crops: Tensor) -> dict[str, Tensor]:
            sides = None if right is None else torch.full((len(crops),), right)
            return model.predict(crops, sides, encoder)

        return protocol.predict_windows(
            told,
            some,
            model.crop_px,
            model.reads(encoder),
            frame=model.experiment.data.frame,
            rotations=rotations,
            device=model.device,
        )

    if windows.handed is None:
        return predict(windows, None)
    groups = [(right, (windows.handed == right).nonzero()[:, 0]) for right in (False, True)]
    parts = [vars(predict(windows.select(index), right)) for right, index in groups if len(index)]
    place = torch.cat([index for _, index in groups]).argsort()
    return protocol.Prediction(
        **{name: torch.cat([part[name] for part in parts])[place] for name in parts[0]}
    )
