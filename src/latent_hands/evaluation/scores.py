"""The types of the results of `lh.evaluate`."""

from typing import TypedDict


class ImageScores(TypedDict):
    """Scores of the joints in the image. Each number has its 95 % interval under its name with `_interval`.

    Attributes:
        error: mean distance of the joints over the larger side of the box around the labelled joints.
        error_px: mean distance in pixels of the image.
        pck_10, pck_20: share of joints within 10 and 20 % of that side (PCK, percentage of correct
            keypoints).
        auc_0_20: area under the curve of that share from 0 to 20 %; 1 is best.
        samples, split: the number of scored hands, and their split.
    """

    error: float
    error_interval: list[float]
    error_px: float
    error_px_interval: list[float]
    pck_10: float
    pck_10_interval: list[float]
    pck_20: float
    pck_20_interval: list[float]
    auc_0_20: float
    auc_0_20_interval: list[float]
    samples: int
    split: str


class ConstantPart(TypedDict):
    """What one offset of each joint, the same for all hands, explains of the error: a diagnosis, not a score.

    Attributes:
        offset_mm: the mean offset (x, y, z) of each joint, by name, in the canonical frame of left hands.
        epe_mm: EPE without these offsets.
    """

    offset_mm: dict[str, list[float]]
    epe_mm: float


class PckCurve(TypedDict):
    """The share of joints whose error is at most a threshold, for thresholds in millimetres."""

    thresholds_mm: list[float]
    shares: list[float]


class Scores(TypedDict):
    """The scores of a run on labelled hands, as `lh.evaluate` returns them: a dict.

    EPE (end-point error) is the mean distance of the predicted joints from the labelled ones, relative to
    the palm. Each score has its 95 % interval [low, high] under its name with `_interval`.
    A key is absent if the run does not predict what it scores, or the data do not label it: of data without
    3D joints only `in_image` is scored.

    Attributes:
        epe_mm, median_epe_mm: EPE over the 21 joints, of which joint 0 is the palm: mean, and median over
            hands.
        epe_20_mm, epe_wrist_mm: EPE without the palm, and with the wrist in its place.
        pa_epe_mm: EPE after Procrustes alignment (PA) of each hand.
        epe_bone_aligned_mm: EPE with the mean bone lengths of the labels.
        auc_20_50, auc_0_50: area under the curve of the share of correct joints, for thresholds from 20 or
            0 mm to 50 mm; 1 is best.
        epe_composed_mm: EPE of the canonical pose, rotated by the viewpoint.
        cpose_epe_mm: EPE of the canonical pose.
        viewpoint_deg: mean angle between predicted and true viewpoint.
        mean_pose: the scores of the mean of the labels as the prediction for every hand.
        in_image: the scores of the joints in the image.
        translated: the scores of predictions moved into the joint convention of the labels, if it differs.
        without_camera: the scores without the camera, of a run that reads it.
        constant: the mean offset of each joint, and the EPE without it.
        pck: the curve of the share of correct joints.
        samples, blocks: the number of hands, and of groups of similar hands, which the intervals resample.
        split, rotations: as given to `lh.evaluate`.
        frame: the frame in which the run predicts, "camera" or "ray".
        convention, labels_convention: where the run and the labels place the joints; the latter is None if
            it is not known.
    """

    epe_mm: float
    epe_mm_interval: list[float]
    median_epe_mm: float
    median_epe_mm_interval: list[float]
    epe_20_mm: float
    epe_20_mm_interval: list[float]
    epe_wrist_mm: float
    epe_wrist_mm_interval: list[float]
    pa_epe_mm: float
    pa_epe_mm_interval: list[float]
    epe_bone_aligned_mm: float
    epe_bone_aligned_mm_interval: list[float]
    auc_20_50: float
    auc_20_50_interval: list[float]
    auc_0_50: float
    auc_0_50_interval: list[float]
    epe_composed_mm: float
    epe_composed_mm_interval: list[float]
    cpose_epe_mm: float
    cpose_epe_mm_interval: list[float]
    viewpoint_deg: float
    viewpoint_deg_interval: list[float]
    mean_pose: "Scores"
    in_image: ImageScores
    translated: "Scores"
    without_camera: "Scores"
    constant: ConstantPart
    pck: PckCurve
    samples: int
    blocks: int
    split: str
    rotations: int
    frame: str
    convention: str
    labels_convention: str | None
