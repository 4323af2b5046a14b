"""What commands print for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from latent_hands.cli.estimating import Estimated
from latent_hands.data.store import Split
from latent_hands.doctor import Verdict
from latent_hands.evaluation.scoring import given

SCORES = {
    "epe_mm": ("3DPose EPE, mean", "mm", 1),
    "median_epe_mm": ("3DPose EPE, median", "mm", 1),
    "epe_20_mm": ("... without the palm", "mm", 1),
    "epe_wrist_mm": ("... wrist in place of the palm", "mm", 1),
    "auc_20_50": ("AUC 20-50 mm", "", 3),
    "auc_0_50": ("AUC 0-50 mm", "", 3),
    "pa_epe_mm": ("EPE after Procrustes alignment", "mm", 1),
    "epe_bone_aligned_mm": ("EPE, labels' mean bone lengths", "mm", 1),
    "cpose_epe_mm": ("CPose EPE", "mm", 1),
    "viewpoint_deg": ("viewpoint error", "deg", 1),
    "epe_composed_mm": ("EPE of CPose x viewpoint", "mm", 1),
}
"""Key of a score -> what it is called, its unit, its decimals."""
FEW = 50
"""Of fewer hands their own mean pose says little."""
AGAIN = {
    "without_camera": ("without the camera", ("epe_mm", "auc_20_50", "viewpoint_deg")),
    "translated": ("translated", ("epe_mm", "auc_20_50", "pa_epe_mm")),
}
"""Scores that are told again: of a ray frame without the camera, of joints in the labels' convention."""


Lines = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Headings and rows."""


def show(title: str, lines: Lines) -> None:
    """Print a table whose first column names the rows; headings that are all empty are left out."""
    table = Table(title=title, title_justify="left", title_style="bold", show_header=any(lines[0]))
    for i, heading in enumerate(lines[0]):
        table.add_column(heading, justify="right" if i else "left")
    for row in lines[1]:
        table.add_row(*row)
    Console().print(table)


def scores_table(numbers: Mapping[str, Any], title: str) -> None:
    """A run's numbers with their intervals, beside those of the labels' own mean pose."""
    table = Table(title=title, title_justify="left", title_style="bold", caption_justify="left")
    table.add_column("")
    for heading in ("value", "95 % interval", "labels' own mean pose"):
        table.add_column(heading, justify="right", no_wrap=heading == "95 % interval")
    rows = [(numbers, key, SCORES[key][0]) for key in SCORES if key in numbers]
    for part, (how, keys) in AGAIN.items():
        rows += [(numbers[part], key, f"{SCORES[key][0]}, {how}") for key in keys if part in numbers]
    for scores, key, name in rows:
        _, unit, digits = SCORES[key]
        low, high = scores[f"{key}_interval"]
        mean = numbers["mean_pose"].get(key)
        cells = [f"{low:.{digits}f} .. {high:.{digits}f}", "" if mean is None else f"{mean:.{digits}f}"]
        table.add_row(name, f"{scores[key]:.{digits}f} {unit}".strip(), *cells)
    table.caption = (
        f"{numbers['frame']} frame, {numbers['rotations']} rotation(s); {given(numbers['frame'])} given\n"
        f"joints: model {numbers['convention']}, labels {numbers['labels_convention'] or 'unknown'}"
    )
    if numbers["blocks"] < numbers["samples"]:
        table.caption += f"\nintervals over {numbers['blocks']:,} scenes or sequences of like images"
    if numbers["samples"] < FEW:
        table.caption += (
            f"\nof {numbers['samples']} hands the labels' own mean pose says little: it is fitted on them; "
            f"compare with it from {FEW} on"
        )
    Console().print(table)


def hands_table(found: Sequence[Estimated]) -> None:
    """One line an image: what was told, what was assumed, and the error where the truth is known."""
    errors = any(each.error_mm is not None for each in found)
    spreads = any(each.hand.spread is not None for each in found)
    table = Table()
    for heading in ("image", "hand", "box"):
        table.add_column(heading, no_wrap=heading == "hand")
    for heading in ("bone mm", "reach mm", *["spread mm"] * spreads, *["error mm"] * errors):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found:
        table.add_row(*_cells(each, spreads))
    Console().print(table)


def _cells(each: Estimated, spread: bool) -> list[str]:
    hand, given = each.hand, each.given
    side = hand.handedness + (" (assumed)" if given.hand_assumed else "")
    box = ",".join(f"{number:.0f}" for number in hand.box_px)
    bone = f"{hand.bone_mm:.1f}" + (" (assumed)" if hand.bone_mm_assumed else "")
    reach = f"{(hand.xyz_mm**2).sum(axis=1).max() ** 0.5:.0f}"
    spread_mm = ["" if hand.spread_mm is None else f"{hand.spread_mm.mean():.2f}"] if spread else []
    error = [] if each.error_mm is None else [f"{each.error_mm:.1f}"]
    whole = "whole image" + (" (no --box)" if given.labelled is None else "")
    return [given.name, side, whole if given.box_assumed else box, bone, reach, *spread_mm, *error]


def store_table(splits: Mapping[str, Split], title: str) -> None:
    """What a packed store holds, and what the images it was cut from take."""
    rows = []
    for name, split in splits.items():
        sizes = (f"{size / 1e6:.1f}" for size in (split.bytes, split.source_bytes))
        rows.append([name, f"{split.samples}", f"{split.cut.window_px} px", f"{len(split.shards)}", *sizes])
    show(title, (("split", "hands", "window", "shards", "store MB", "images MB"), rows))


def counts_table(counts: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """What each split of a data set holds."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in ("split", "samples", "labelled", "left", "right", "visible joints", "images px"):
        table.add_column(heading, justify="left" if heading in ("split", "images px") else "right")
    for split, each in counts.items():
        sizes = list(each["sizes_px"])
        numbers = (f"{each[key]}" for key in ("samples", "labelled", "left", "right"))
        visible = f"{each['visible_joints']} of {each['joints']}"
        more = f" and {len(sizes) - 2} more" if len(sizes) > 2 else ""
        table.add_row(split, *numbers, visible, ", ".join(sizes[:2]) + more)
    Console().print(table)


def conventions_table(verdicts: Sequence[Verdict]) -> None:
    """Which conventions labels follow, and the numbers that show it."""
    table = Table()
    for heading in ("convention", "found", "evidence", ""):
        table.add_column(heading)
    for verdict in verdicts:
        table.add_row(verdict.topic, verdict.found, verdict.evidence, "WRONG" if verdict.wrong else "")
    Console().print(table)


def fit_table(summary: Mapping[str, Any], title: str) -> None:
    """How well a hand's articulations fit the labels of a set."""
    worst, worst_mm = max(summary["joints_mm"].items(), key=lambda joint: joint[1])
    rows = {
        "hands": f"{summary['hands']}",
        "fit error, mean": f"{summary['fit_error_mm']:.1f} mm",
        "... median": f"{summary['median_mm']:.1f} mm",
        "... 90 %": f"{summary['percentile_90_mm']:.1f} mm",
        f"... of the worst joint, {worst}": f"{worst_mm:.1f} mm",
        "fingers entered one another": f"{summary['collided']}",
        "mean error once they are opened": f"{summary['freed_error_mm']:.1f} mm",
        "left out": f"{summary['left_out']}",
    }
    show(title, (("", ""), list(rows.items())))
