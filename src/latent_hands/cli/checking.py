"""The command that examines a data set: check."""

import json as json_format
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from latent_hands.cli.options import Folder, Json, Name, Number, Splits
from latent_hands.doctor import Report, check_data
from latent_hands.progress import progress_bars

_SHOWN = 20
_KINDS = {
    "convention": "read as what it is not",
    "file": "missing or broken",
    "label": "labels of nothing",
    "outlier": "single hands unlike any other",
    "copy": "there twice",
}


def check(
    name: Name,
    root: Folder,
    split: Splits = ("training", "evaluation"),
    limit: Number = None,
    sheet: Annotated[Path | None, arg(metavar="FILE.png")] = None,
    json: Json = False,
) -> bool:
    """Examine a data set: units, joint order, sides, root, axes, camera, broken files, odd hands, copies.

    $ latent-hands check rhd RHD_published_v2
    $ latent-hands check freihand FreiHAND --limit 2000 --sheet freihand.png
    $ latent-hands check rendered hands --json

    Says which conventions the labels follow, with the numbers that show it, and what is wrong if the set is
    read with others. Goes on to the end whatever it meets. The exit code is 0 if nothing is wrong, 1 if there
    are problems, 2 if there is no such data set.

    Args:
        split: Which parts; those that are not there are passed over.
        limit: Only the first so many samples of each part.
        sheet: Also write an image of some samples with their labels, problems first.
    """
    with progress_bars() as advance:
        report = check_data(name, root, split, limit, advance)
    if sheet is not None:
        from latent_hands.doctor.sheet import check_sheet
        from latent_hands.draw import save_image

        save_image(check_sheet(report.looked, [problem.where for problem in report.problems]), sheet)
    if json:
        print(json_format.dumps({"name": name, "root": str(root), **report.to_json()}, indent=2))
    else:
        _print(report, f"{name} in {root}")
    return not report.problems


def _print(report: Report, title: str) -> None:
    from rich.console import Console

    from latent_hands.cli.tables import conventions_table, counts_table

    console = Console()
    counts_table(report.counts, title)
    conventions_table(report.verdicts)
    for kind, meaning in _KINDS.items():
        found = [problem for problem in report.problems if problem.kind == kind]
        if not found:
            continue
        console.print(f"\n{len(found)} {meaning}:", style="bold red", highlight=False)
        for problem in found[:_SHOWN]:
            where = "" if problem.where in problem.told else f"{problem.where}: "
            console.print(f"  {where}{problem.told}", markup=False, highlight=False, soft_wrap=True)
        if len(found) > _SHOWN:
            console.print(f"  and {len(found) - _SHOWN} more, which --json lists", highlight=False)
    for note in report.notes:
        console.print(f"\nnote: {note}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"\n{_verdict(report)}", style="bold", highlight=False)


def _verdict(report: Report) -> str:
    if report.problems:
        return f"{len(report.problems)} problems"
    if not any(count["labelled"] for count in report.counts.values()):
        return "the files are whole, but there are no 3D labels to check"
    return "nothing is wrong"
