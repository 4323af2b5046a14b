"""Scores of a run on a labelled data set, under the conventions that the run was trained with."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from latent_hands.data.checks import check_labels
from latent_hands.data.crops import build_windows
from latent_hands.data.sample import Sample
from latent_hands.data.shard_files import open_windows
from latent_hands.data.store import Cut
from latent_hands.data.windows import Windows, known_hands
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.evaluation import protocol
from latent_hands.evaluation.constant import constant_part
from latent_hands.evaluation.in_image import score_in_image
from latent_hands.hand.conventions import CONVENTIONS, UNTABLED
from latent_hands.hand.geometry import crop_ray_rotation
from latent_hands.hand.translation import translate
from latent_hands.predictor import Model
from latent_hands.predictor.rotations import Prediction, window_px


def score_run(
    model: Model,
    hands: Sequence[Sample] | Windows,
    split: str,
    rotations: int = 1,
    exact: bool = False,
    encoder: str | None = None,
    convention: str | None = None,
) -> dict[str, Any]:
    """Return the scores of a run (the keys of `protocol.score`).

    Handedness and bone length are given to the run, as in the paper; a run of frame "ray" is also given the
    camera.

    Args:
        model: the run.
        hands: samples, or their windows from a packed store (`stored_windows`).
        split: name of the split, for the result and for errors.
        rotations: number of rotated crops that are averaged.
        exact: whether AUC 20-50 integrates from 20 mm, not from the published 21.05 mm.
        encoder: the encoder that reads the crops; by default one that reads rgb.
        convention: where the labels place the joints, if the data set does not name it or names another one.

    Sets without 3D labels have the scores of the joints in the image alone. Of other sets, the hands with 3D
    labels are scored.

    Further keys:
        in_image: the scores of the joints in the image (`in_image.score_in_image`), if the run predicts them
            and they are labelled.
        frame, rotations: those of the run.
        convention, labels_convention: where the run and the labels place the joints.
        mean_pose: the scores of the labels' own mean pose.
        pck: the PCK curve, "thresholds_mm" and "shares".
        translated: the scores of the poses in the labels' joint convention (`hand.translation`), if the two
            conventions are known and differ.
        constant: what one offset of each joint explains of the error, a diagnosis (`constant_part`); of the
            translated poses if there are any.
        without_camera: for frame "ray", the scores without the camera (`without_camera`).

    Raises HandsError for samples without labels that the run predicts or in a wrong unit (`check_labels`),
    and as cutting and scoring do.
    """
    windows = hands if isinstance(hands, Windows) else evaluation_windows(model, hands, rotations, encoder)
    if convention is not None:
        windows = replace(windows, convention=known_convention(convention, model))
    if windows.xyz_mm is None:
        return score_2d(model, windows, split, rotations, encoder)
    labelled = known_hands(windows, "xyz_mm")
    in_image = None
    if not labelled.all():
        in_image = score_2d(model, windows, split, rotations, encoder)["in_image"]
        windows = windows.select(labelled.nonzero()[:, 0])
    prediction = model.predict_windows(windows, rotations, encoder)
    if in_image is None and prediction.uv is not None and windows.uv_px is not None:
        in_image = score_in_image(prediction, windows, split)
    scores = _score_3d(model, windows, prediction, split, exact) | {"rotations": rotations}
    return scores if in_image is None else scores | {"in_image": in_image}


def _score_3d(
    model: Model, windows: Windows, prediction: Prediction, split: str, exact: bool
) -> dict[str, Any]:
    """Return the scores of predicted 3D joints, also translated, without the camera, and of the mean pose."""
    truth, data = truth_of(windows), model.experiment.data
    scores = protocol.score(prediction, truth, split, exact)
    moved = None
    if windows.convention not in (None, data.convention):
        moved = in_labels_convention(prediction, truth, (data.convention, windows.convention))
    if moved is not None:
        scores["translated"] = protocol.score(moved, truth, split, exact)
    scores["constant"] = constant_part(prediction if moved is None else moved, truth)
    if data.frame == "ray":
        scores["without_camera"] = protocol.score(without_camera(prediction, windows), truth, split, exact)
    mean_pose = protocol.mean_pose_reference(truth.pose, len(truth.pose), truth.right)
    thresholds_mm, shares = protocol.pck_curve(prediction, truth)
    return scores | {
        "frame": data.frame,
        "convention": data.convention,
        "labels_convention": windows.convention,
        "mean_pose": protocol.score(mean_pose, truth, split, exact),
        "pck": {"thresholds_mm": thresholds_mm.tolist(), "shares": shares.tolist()},
    }


def score_2d(
    model: Model, windows: Windows, split: str, rotations: int, encoder: str | None
) -> dict[str, Any]:
    """Return the scores of the joints in the image, which need no camera, under "in_image".

    Raises HandsError for a run that predicts none, and as `check_labels` does.
    """
    if "uv" not in model.vae.writes:
        raise HandsError(
            "the data have no 3D joints (xyz_mm) to score against, and the model predicts no joints in the "
            'image (uv): use a model with a decoder of "uv", such as estimation, or label 3D joints'
        )
    check_labels(windows)
    pixels = windows.images[model.reads(encoder)].pixels
    prediction = model.predict_images(
        pixels,
        None,
        windows.handed,
        margin=windows.margin,
        rotations=rotations,
        encoder=encoder,
        frame="camera",
    )
    scores = score_in_image(prediction, windows, split)
    return {
        "in_image": scores,
        "samples": scores["samples"],
        "split": split,
        "rotations": rotations,
        "labels_convention": windows.convention,
        "convention": model.experiment.data.convention,
    }


def given(frame: str) -> str:
    """Return in words what a run of that frame is given at test time, in addition to the crop."""
    return "side and bone length" if frame == "camera" else "side, bone length and camera"


def known_convention(name: str, model: Model) -> str:
    """Return the name of a joint convention. Raises HandsError for an unknown one.

    Known are those with a table, that of FreiHAND, and that of the model.
    """
    known = {*CONVENTIONS, *UNTABLED, model.experiment.data.convention}
    if name not in known:
        raise HandsError(f'unknown joint convention "{name}"; {did_you_mean(name, known)}')
    return name


def translated(
    prediction: Prediction,
    truth: protocol.Truth,
    conventions: tuple[str, str],
    split: str,
    exact: bool,
) -> dict[str, Any]:
    """Return under "translated" the scores of the poses in the labels' joint convention.

    Returns an empty dict where `in_labels_convention` returns None.
    """
    moved = in_labels_convention(prediction, truth, conventions)
    return {} if moved is None else {"translated": protocol.score(moved, truth, split, exact)}


def in_labels_convention(
    prediction: Prediction, truth: protocol.Truth, conventions: tuple[str, str]
) -> Prediction | None:
    """Return the poses in the labels' joint convention; `conventions` are the model's and the labels'.

    Returns None and logs a warning if no pose is predicted or a convention has no table.
    """
    model, labels = conventions
    if prediction.pose is None or not {model, labels} <= CONVENTIONS.keys():
        logging.getLogger(__name__).warning(
            'the model places joints as "%s", the labels as "%s": this causes much of the error; '
            "epe_bone_aligned_mm, with the labels' bone lengths, contains less of it",
            *conventions,
        )
        return None
    return Prediction(pose=translate(prediction.pose, model, labels, truth.right))


def without_camera(prediction: Prediction, windows: Windows) -> Prediction:
    """Return the predictions of a run of frame "ray" if the camera is unknown.

    The ray through the crop is then taken for the optical axis. Takes and returns predictions in the camera
    frame of the windows. Raises HandsError for windows without cameras.
    """
    if windows.K is None:
        raise HandsError("the windows have no cameras (K), so the rays through them are unknown")
    R = crop_ray_rotation(windows.K, windows.rgb.shape[-1])
    in_frame = {name: getattr(prediction, name) for name in ("pose", "viewpoint")}
    return replace(prediction, **{name: each @ R for name, each in in_frame.items() if each is not None})


def evaluation_windows(
    model: Model, samples: Sequence[Sample], rotations: int = 1, encoder: str | None = None
) -> Windows:
    """Cut the windows that a run is evaluated on, with a margin if crops are rotated."""
    size, data = window_px(model.crop_px, rotations), model.experiment.data
    margin, images = size / model.crop_px, (model.reads(encoder),)
    return build_windows(samples, data.crop, margin, size, data.right_hands, images)


def stored_windows(
    model: Model,
    name: str,
    root: Path,
    split: str,
    rotations: int = 1,
    limit: int | None = None,
    encoder: str | None = None,
) -> Windows:
    """Open the same windows from a packed store. Raises HandsError if it was prepared in another way."""
    size, data = window_px(model.crop_px, rotations), model.experiment.data
    wanted = Cut(name, data.crop, data.right_hands, size / model.crop_px, size, (model.reads(encoder),))
    return open_windows(root, split, wanted, limit)


def truth_of(windows: Windows) -> protocol.Truth:
    """Return the labels of windows; without visibility all joints count as visible.

    Raises HandsError without 3D labels, and as `check_labels` does.
    """
    if windows.xyz_mm is None:
        raise HandsError(
            "the data have no 3D joints (xyz_mm) to score against: choose a data set that labels them"
        )
    check_labels(windows)
    visible = torch.ones(len(windows), 21, dtype=torch.bool) if windows.visible is None else windows.visible
    return protocol.Truth.of(windows.xyz_mm, visible, windows.handed, windows.block)
