"""The tables that the command assess prints."""

from collections.abc import Mapping
from typing import Any

from latent_hands.cli.tables import Rows, print_table

METHODS = {
    "true_image": "true image",
    "pose_from_labels": "transfer, pose from labels",
    "pose_from_image": "transfer, pose from image",
    "own_reconstruction": "own reconstruction",
    "tag_copied": "tag copied",
    "scene_copied": "scene copied",
    "mean_image": "mean image",
}
"""Row of the numbers -> its name."""
READERS = {"own": "own decoder", "judge": "judge", "estimator": "estimator"}
"""Reader of poses -> its name."""
REGIONS = ("whole", "inside", "outside")
Numbers = Mapping[str, Any]
Lines = tuple[list[str], Rows]
"""Headings and rows of a table."""


def print_assessment(numbers: Numbers, title: str) -> None:
    """Print the numbers of `assess_run`. ± is half the width of the 95 % interval; JSON has its ends."""
    rows, counts = numbers["rows"], f"{numbers['transfers']} transfers of {numbers['crop_px']} px"
    calibration = numbers["calibration"]
    tables = {
        f"{title}: {counts}, content from the {numbers['content_from']}": _pixels(rows),
        "Poses in the images: EPE in mm, and its ratio to the EPE of true images": _poses(rows),
    }
    floor = rows["true_image"].get("features", {}).get("kid_floor")
    chance = "" if floor is None else f" (two true sets: {1000 * floor:.1f})"
    tables[f"Sharpness over that of the truth; KID times 1000{chance}; diversity"] = _sharpness(rows)
    if any("content" in row for row in rows.values()):
        tables["Content read by the judge: rank correlation with that of the scene"] = _contents(rows)
    leakage, swaps = numbers["leakage"], numbers["swap_consistency"]
    tables |= {
        "Leakage: change if the row's factor changes, relative to a change to the donor": _matrix(leakage),
        "Swap of the row's factor: error of the factors read from the image": _matrix(swaps),
        "Latent factors by encoder": _latent(numbers["latent"]),
        "Poses that a small probe reads from single factors, mm": _probes(numbers["probes"]),
        "Standard scores of disentanglement": _standard(numbers["standard"]),
        "Share of a property's variance that a probe reads from one factor": _shares(numbers["standard"]),
        f"{calibration['draws']} draws from the posterior for each image": _calibration(calibration),
    }
    if "free" in numbers:
        tables[f"z_u: {', '.join(numbers['free']['factors'])}"] = _free(numbers["free"])
    for name, (headings, lines) in tables.items():
        print_table(headings, lines, name)


def _cell(numbers: Numbers, key: str, digits: int, interval: bool = True, scale: float = 1) -> str:
    """Return a number times `scale` with its interval; empty without the key, "-" without a value."""
    if key not in numbers:
        return ""
    value, (low, high) = numbers[key], numbers[f"{key}_interval"]
    if value is None:
        return "-"
    known = interval and low is not None and high is not None
    return f"{scale * value:.{digits}f}" + (f" ±{scale * (high - low) / 2:.{digits}f}" if known else "")


def _pixels(rows: Numbers) -> Lines:
    headings = ["compared with the truth", "PSNR dB", "inside", "outside", "SSIM", "inside", "outside"]
    lines = []
    for name, row in ((name, rows[name]) for name in METHODS if "whole" in rows[name]):
        cells = [_cell(row[region], "psnr_db", 1) for region in REGIONS]
        cells += [_cell(row[region], "ssim", 2, interval=False) for region in REGIONS]
        lines.append([METHODS[name], *cells, _cell(row.get("inside_over_tag", {}), "gain_db", 1)])
    return [*headings, "over the tag"], lines


def _sharpness(rows: Numbers) -> Lines:
    """Return the gradient energy by region, the power by octaves, and the scores of features if present."""
    shown = {n: rows[n] for n in METHODS if "power" in rows[n]}
    octaves = [o for row in [*shown.values()][:1] for o in row["power"] if not o.endswith("_interval")]
    seen = any("features" in row for row in shown.values())
    lines = []
    for name, row in shown.items():
        cells = [_cell(row[region], "energy_ratio", 2) for region in REGIONS]
        cells += [_cell(row["power"], octave, 2, interval=False) for octave in octaves]
        if seen:
            cells += [_cell(row["features"], "kid", 1, scale=1000.0), _cell(row["features"], "diversity", 2)]
        lines.append([METHODS[name], *cells])
    readings = ["KID", "diversity"] if seen else []
    return ["", "gradient energy", "inside", "outside", *(f"{o} cycles" for o in octaves), *readings], lines


def _poses(rows: Numbers) -> Lines:
    readers = [reader for reader in READERS if f"{reader}_epe_mm" in rows["true_image"]]
    headings = ["", *(heading for reader in readers for heading in (READERS[reader], "ratio"))]
    keys = [key for reader in readers for key in ((f"{reader}_epe_mm", 1), (f"{reader}_ratio", 2))]
    return headings, [[METHODS[n], *(_cell(rows[n], key, digits) for key, digits in keys)] for n in METHODS]


def _contents(rows: Numbers) -> Lines:
    factors = [key for key in rows["true_image"]["content"] if not key.endswith("_interval")]
    lines = [[METHODS[n], *(_cell(rows[n]["content"], factor, 2) for factor in factors)] for n in METHODS]
    return ["", *factors], lines


def _matrix(matrix: Mapping[str, Mapping[str, Numbers]]) -> Lines:
    factors = list(next(iter(matrix.values())))
    return ["", *factors], [[n, *(_cell(row[f], "ratio", 2) for f in factors)] for n, row in matrix.items()]


def _latent(encoders: Mapping[str, Mapping[str, Numbers]]) -> Lines:
    lines = [
        [f"{encoder} -> {factor}", f"{each['active_units']} of {each['units']}", _cell(each, "kl_nats", 1)]
        for encoder, factors in encoders.items()
        for factor, each in factors.items()
    ]
    return ["", "active units", "KL nats"], lines


def _probes(rows: Mapping[str, Numbers]) -> Lines:
    lines = [[n, _cell(row, "cpose_epe_mm", 1), _cell(row, "epe_mm", 1)] for n, row in rows.items()]
    return ["", "CPose", "3DPose"], lines


def _standard(scores: Numbers) -> Lines:
    names = {
        "disentanglement": "DCI disentanglement",
        "completeness": "DCI completeness",
        "informativeness": "DCI informativeness",
        "sap": "SAP",
        "mig": "MIG",
    }
    of_factors, of_dimensions = scores["by_factor"], scores["by_dimension"]
    lines = [
        [title, _cell(of_factors, name, 2), _number(of_dimensions[name]) if name in of_dimensions else ""]
        for name, title in names.items()
    ]
    return ["", "factors of z", "dimensions of z"], lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _shares(scores: Numbers) -> Lines:
    factors = list(next(iter(scores["r2"].values())))
    lines = [[name, *(_cell(row[f], "r2", 2) for f in factors)] for name, row in scores["r2"].items()]
    return ["", *factors], lines


def _calibration(numbers: Numbers) -> Lines:
    names = {
        "error_over_spread": ("error over spread (1: calibrated)", 2),
        "correlation": ("correlation of spread and error", 2),
        "mean_epe_20_mm": ("EPE of the mean draw, mm", 1),
        "best_epe_20_mm": ("EPE of the best draw, mm", 1),
    }
    lines = [[name, _cell(numbers, key, digits)] for key, (name, digits) in names.items()]
    lines.append(["calibration error, mm", f"{numbers['calibration_error_mm']:.1f}"])
    tenths = [f"{line['spread_mm']:.0f}:{line['error_mm']:.0f}" for line in numbers["table"]]
    return ["", ""], [*lines, ["spread:error by tenths, mm", " ".join(tenths)]]


def _free(numbers: Numbers) -> Lines:
    return ["", ""], [
        ["active units", f"{numbers['active_units']} of {numbers['units']}"],
        ["change of the decoded pose when swapped, mm", _cell(numbers, "pose_moves_mm", 1)],
        ["gain in background PSNR over another image, dB", _cell(numbers, "background_gain_db", 1)],
    ]
