"""Errors in the camera frame, and after alignments, as the challenges of FreiHAND and HO-3D measure them.

Zimmermann et al. (2019) and Hampali et al. (2020) average the distances of each keypoint over all hands, then
over the keypoints. AUC is the area under the curve of correct keypoints at 100 thresholds from 0 to 50 mm.
Points are (n, keypoints, 3) in millimetres, in one frame and one order.
"""

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

THRESHOLDS_MM = np.linspace(0, 50, 100)
F_THRESHOLDS_MM = (5.0, 15.0)
HO3D_SCALE = (0, 4)
"""The joints of HO-3D's order, wrist and middle MCP, whose distance is the scale of a hand."""

Points = Float[np.ndarray, "n k 3"]


def keypoint_scores(prediction: Points, truth: Points) -> tuple[float, float]:
    """Return the mean distance of the keypoints in mm, and the AUC from 0 to 1."""
    errors = np.linalg.norm(prediction.astype(float) - truth, axis=-1)
    shares = np.array([(errors <= threshold).mean() for threshold in THRESHOLDS_MM])
    width = THRESHOLDS_MM[-1] - THRESHOLDS_MM[0]
    return float(errors.mean()), float(np.trapezoid(shares, THRESHOLDS_MM) / width)


def root_relative(prediction: Points, truth: Points) -> Points:
    """Return the predictions, moved so that their first joint is that of the truth."""
    return prediction - prediction[:, :1] + truth[:, :1]


def scale_translation_aligned(
    prediction: Points, truth: Points, scale: tuple[int, int] = HO3D_SCALE
) -> Points:
    """Return the predictions with the truth's root and scale: the distance of the two joints `scale`."""
    first, second = scale

    def size(points: Points) -> Float[np.ndarray, "n 1 1"]:
        return np.linalg.norm(points[:, second] - points[:, first], axis=-1)[:, None, None]

    return root_relative(prediction / np.maximum(size(prediction), 1e-9) * size(truth), truth)


def procrustes_aligned(prediction: Points, truth: Points) -> Points:
    """Return the predictions moved, rotated and scaled onto the truth by least squares.

    The rotation may contain a reflection, as in the code of both challenges.
    """
    centre, target = prediction.mean(axis=1, keepdims=True), truth.mean(axis=1, keepdims=True)
    source, wanted = prediction.astype(float) - centre, truth.astype(float) - target
    U, singular, Vt = np.linalg.svd(source.swapaxes(1, 2) @ wanted)
    scale = singular.sum(axis=1) / np.maximum((source**2).sum(axis=(1, 2)), 1e-12)
    return scale[:, None, None] * source @ (U @ Vt) + target


def f_score(
    prediction: Float[np.ndarray, "k 3"], truth: Float[np.ndarray, "m 3"], threshold_mm: float
) -> float:
    """Return the F-score of the points of two surfaces.

    It is the harmonic mean of the share of predicted points that are nearer than the threshold to a true one,
    and of the share of true points that are nearer to a predicted one. It is 0 if both are 0.
    """
    near_truth = (KDTree(truth).query(prediction)[0] < threshold_mm).mean()
    near_prediction = (KDTree(prediction).query(truth)[0] < threshold_mm).mean()
    total = near_truth + near_prediction
    return float(2 * near_truth * near_prediction / total) if total else 0.0


def joint_scores(prediction: Points, truth: Points, scale: tuple[int, int]) -> dict[str, float]:
    """Return mean error and AUC of joints, in the camera frame and after each alignment."""
    aligned = {
        "camera": prediction,
        "root_relative": root_relative(prediction, truth),
        "scale_translation": scale_translation_aligned(prediction, truth, scale),
        "pa": procrustes_aligned(prediction, truth),
    }
    scores = {}
    for name, points in aligned.items():
        scores[f"{name}_mpjpe_mm"], scores[f"{name}_auc"] = keypoint_scores(points, truth)
    return scores


def mesh_scores(prediction: Points, truth: Points) -> dict[str, float]:
    """Return errors and F-scores of meshes with the same vertices, also after Procrustes alignment."""
    scores = {}
    for name, points in (("mesh", prediction), ("pa_mesh", procrustes_aligned(prediction, truth))):
        scores[f"{name}_mm"], scores[f"{name}_auc"] = keypoint_scores(points, truth)
        for threshold in F_THRESHOLDS_MM:
            each = [f_score(a, b, threshold) for a, b in zip(points, truth, strict=True)]
            scores[f"{name}_f_{threshold:.0f}"] = float(np.mean(each))
    return scores
