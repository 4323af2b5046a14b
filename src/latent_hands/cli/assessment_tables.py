"""What the command assess prints for people."""

from collections.abc import Mapping
from typing import Any

from latent_hands.cli.tables import Lines, show

ROWS = {
    "true_image": "true image",
    "pose_from_labels": "transfer by labels",
    "pose_from_image": "... by image",
    "own_reconstruction": "own reconstruction",
    "tag_copied": "tag copied",
    "scene_copied": "scene copied",
    "mean_image": "mean image",
}
"""Row of the numbers -> what it is called."""
READERS = {"own": "own decoder", "judge": "judge", "estimator": "estimator"}
"""Who reads poses -> what it is called."""
Numbers = Mapping[str, Any]


def assessment_tables(numbers: Numbers, title: str) -> None:
    """The numbers of `assess_run`; ± is half the width of the 95 % interval, whose ends the JSON holds."""
    rows, counts = numbers["rows"], f"{numbers['transfers']} transfers of {numbers['crop_px']} px"
    show(f"{title}: {counts}, content from the {numbers['content_from']}", _pixels(rows))
    show("Pose that the images show: EPE mm, and its ratio to that of true images", _poses(rows))
    if any("content" in row for row in rows.values()):
        show("Content that the judge reads: rank correlation with the scene's", _contents(rows))
    show("Leakage: the move when the row's factor changes, of that to the donor", _matrix(numbers["leakage"]))
    show("Swap of the row's factor: what is read again misses by", _matrix(numbers["swap_consistency"]))
    show("Latent factors by encoder", _latent(numbers["latent"]))
    show("Poses that a small probe reads from single factors, mm", _probes(numbers["probes"]))
    show(
        f"{numbers['calibration']['samples']} posterior samples an image",
        _calibration(numbers["calibration"]),
    )
    if "free" in numbers:
        show(f"z_u: {', '.join(numbers['free']['factors'])}", _free(numbers["free"]))


def _told(numbers: Numbers, key: str, digits: int, interval: bool = True) -> str:
    if key not in numbers:
        return ""
    value, (low, high) = numbers[key], numbers[f"{key}_interval"]
    if value is None:
        return "-"
    around = interval and low is not None and high is not None
    return f"{value:.{digits}f}" + (f" ±{(high - low) / 2:.{digits}f}" if around else "")


def _pixels(rows: Numbers) -> Lines:
    headings = [
        "against the truth",
        "PSNR dB",
        "inside",
        "outside",
        "SSIM",
        "inside",
        "outside",
        "over the tag",
    ]
    shown = []
    for name, row in ((name, rows[name]) for name in ROWS if "whole" in rows[name]):
        cells = [_told(row[region], "psnr_db", 1) for region in ("whole", "inside", "outside")]
        cells += [_told(row[region], "ssim", 2, False) for region in ("whole", "inside", "outside")]
        shown.append([ROWS[name], *cells, _told(row.get("inside_over_tag", {}), "gain_db", 1)])
    return headings, shown


def _poses(rows: Numbers) -> Lines:
    readers = [reader for reader in READERS if f"{reader}_epe_mm" in rows["true_image"]]
    headings = ["", *(heading for reader in readers for heading in (READERS[reader], "ratio"))]
    keys = [key for reader in readers for key in ((f"{reader}_epe_mm", 1), (f"{reader}_ratio", 2))]
    return headings, [[ROWS[n], *(_told(rows[n], key, digits) for key, digits in keys)] for n in ROWS]


def _contents(rows: Numbers) -> Lines:
    factors = [key for key in rows["true_image"]["content"] if not key.endswith("_interval")]
    return ["", *factors], [[ROWS[n], *(_told(rows[n]["content"], f, 2) for f in factors)] for n in ROWS]


def _matrix(matrix: Mapping[str, Mapping[str, Numbers]]) -> Lines:
    factors = list(next(iter(matrix.values())))
    return ["", *factors], [[n, *(_told(row[f], "ratio", 2) for f in factors)] for n, row in matrix.items()]


def _latent(arrows: Mapping[str, Mapping[str, Numbers]]) -> Lines:
    shown = [
        [f"{arrow} -> {factor}", f"{each['active_units']} of {each['units']}", _told(each, "kl_nats", 1)]
        for arrow, factors in arrows.items()
        for factor, each in factors.items()
    ]
    return ["", "active units", "KL nats"], shown


def _probes(rows: Mapping[str, Numbers]) -> Lines:
    headings = ["", "CPose", "3DPose"]
    shown = [[n, _told(row, "cpose_epe_mm", 1), _told(row, "epe_mm", 1)] for n, row in rows.items()]
    return headings, shown


def _calibration(numbers: Numbers) -> Lines:
    names = {
        "error_over_spread": ("error over spread (1: calibrated)", 2),
        "correlation": ("correlation of spread and error", 2),
        "mean_epe_20_mm": ("EPE of their mean, mm", 1),
        "best_epe_20_mm": ("EPE of the best of them, mm", 1),
    }
    shown = [[title, _told(numbers, key, digits)] for key, (title, digits) in names.items()]
    shown.append(["calibration error, mm", f"{numbers['calibration_error_mm']:.1f}"])
    tenths = [f"{line['spread_mm']:.0f}:{line['error_mm']:.0f}" for line in numbers["table"]]
    return ["", ""], [*shown, ["spread:error by tenths, mm", " ".join(tenths)]]


def _free(numbers: Numbers) -> Lines:
    return ["", ""], [
        ["active units", f"{numbers['active_units']} of {numbers['units']}"],
        ["decoded pose moves when swapped, mm", _told(numbers, "pose_moves_mm", 1)],
        ["background PSNR over another image's, dB", _told(numbers, "background_gain_db", 1)],
    ]
