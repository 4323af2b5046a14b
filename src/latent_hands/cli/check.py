"""The command check."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from latent_hands.cli.options import Data, Json, Limit, Root, Splits, unset
from latent_hands.cli.tables import print_json, print_table
from latent_hands.progress import progress_bars

if TYPE_CHECKING:
    from latent_hands.doctor import Problem, Report, Verdict

PRINTED = 20
"""Problems of one kind that are printed; JSON has all."""
KINDS = {
    "convention": "wrong conventions",
    "file": "missing or broken files",
    "frame": "images that may not be those that were labelled",
    "label": "labels without a hand",
    "outlier": "hands that differ from all others",
    "copy": "copies",
}
"""Kind of problem -> heading."""


def check(
    data: Data,
    root: Root,
    split: Splits = ("training", "evaluation"),
    limit: Limit = None,
    sheet: Annotated[Path | None, unset("none", "FILE.png")] = None,
    json: Json = False,
) -> bool:
    """Examine a data set: conventions of the labels, broken files, outliers, copies.

    $ latent-hands check --data rhd --root RHD_published_v2
    $ latent-hands check --data freihand --root FreiHAND --limit 2000 --sheet freihand.png
    $ latent-hands check --data rendered --root hands --json

    Output: the conventions that the labels follow (unit, joint order, handedness, root, axes, camera) with
    the measured numbers, and a list of problems. A convention is WRONG if the labels do not follow it.

    The check continues after errors, to the end of the set. Splits that do not exist are skipped.
    The exit code is 0 without problems, 1 with problems, and 2 if there is no such data set.

    Args:
        sheet: Also write this image of some samples with their labels, problems first.
    """
    from latent_hands.doctor import check_set

    with progress_bars() as progress:
        report = check_set(data, root, split, limit, progress)
    if json:
        print_json({"name": data, "root": str(root), **report.to_json()})
    else:
        print_report(report, f"{data} in {root}")
    if sheet is not None:  # after the report is printed: the disk may be full now
        from latent_hands.doctor.sheet import draw_sheet
        from latent_hands.draw import save_image

        save_image(draw_sheet(report.inspected, [problem.where for problem in report.problems]), sheet)
    return not report.problems


def print_report(report: "Report", title: str) -> None:
    """Print the counts, conventions, problems and notes of a report."""
    print_counts(report.counts, title)
    print_conventions(report.verdicts)
    for kind, heading in KINDS.items():
        print_problems(heading, [problem for problem in report.problems if problem.kind == kind])
    for note in report.notes:
        print(f"\nnote: {note}")
    print(f"\n{conclusion(report)}")


def print_counts(counts: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """Print what each part of a data set contains."""
    rows = []
    for split, each in counts.items():
        sizes = list(each["sizes_px"])
        numbers = (f"{each[key]}" for key in ("samples", "labelled", "left", "right"))
        visible = f"{each['visible_joints']} of {each['joints']}"
        more = f" and {len(sizes) - 2} more" if len(sizes) > 2 else ""
        rows.append([split, *numbers, visible, ", ".join(sizes[:2]) + more])
    headings = ["split", "samples", "with 3D joints", "left", "right", "visible joints", "images px"]
    print_table(headings, rows, title, left=headings[-1:])


def print_conventions(verdicts: Sequence["Verdict"]) -> None:
    """Print the conventions that labels follow, with evidence."""
    headings = ["convention", "found", "evidence", ""]
    rows = [[each.topic, each.found, each.evidence, "WRONG" if each.wrong else ""] for each in verdicts]
    if rows:
        print_table(headings, rows, left=headings)


def print_problems(heading: str, problems: Sequence["Problem"]) -> None:
    """Print the first problems of one kind."""
    if not problems:
        return
    print(f"\n{len(problems)} {heading}:")
    for problem in problems[:PRINTED]:
        where = "" if problem.where in problem.message else f"{problem.where}: "
        print(f"  {where}{problem.message}")
    if len(problems) > PRINTED:
        print(f"  and {len(problems) - PRINTED} more (--json lists all)")


def conclusion(report: "Report") -> str:
    """Return the result in one sentence."""
    if number := len(report.problems):
        return f"{number} problem{'s' if number > 1 else ''}"
    if not any(count["labelled"] for count in report.counts.values()):
        return "no broken files; the set has no 3D labels to check"
    return "no problems"
