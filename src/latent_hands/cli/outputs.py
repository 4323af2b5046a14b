"""The places that commands write to. All of them are checked before a command starts its work."""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any

from latent_hands.files import check_file, check_folder, check_outside

FILES = {
    "animate": "out",
    "benchmark": "out",
    "check": "sheet",
    "conventions draw": "out",
    "live": "record",
    "retarget": "out",
    "runs calibrate": "picture",
    "synthesise": "out",
    "transfer": "out",
}
"""Command -> its option that names a file to write."""
FOLDERS = {
    **dict.fromkeys(("assess", "demo", "detector train", "estimate", "export", "export-model"), "out"),
    **dict.fromkeys(("fine-tune", "label", "render", "reproduce", "sample", "synthesise-set"), "out"),
    **dict.fromkeys(("conventions relabel", "runs average", "runs join", "runs shrink", "train"), "out"),
    "publish": "dry_run",
}
"""Command -> its option that names a folder to write."""
OTHERS = {"prepare": "out", "walk": "out"}
"""Options that neither must be: a store may be verified where nothing can be written, and `walk` adds endings
to its path. These commands check their places themselves."""

INPUTS = {
    **dict.fromkeys(("prepare", "export", "synthesise-set", "sample"), "root"),
    **dict.fromkeys(("runs average", "runs join"), "runs"),
    **dict.fromkeys(("runs shrink", "export-model", "publish"), "run"),
    "conventions relabel": "root",
    "label": "images",
}
"""Command -> its option that names input folders, or runs, in which its output folder must not be."""


def with_places_checked(name: str, command: Callable[..., Any]) -> Callable[..., Any]:
    """Return the command; before its work it raises HandsError if its outputs cannot be written.

    A part of the place is a file, the folder is read-only, the disk is full, or the place is in an input
    folder.
    """
    checks = [
        (table[name], check)
        for table, check in ((FILES, check_file), (FOLDERS, check_folder))
        if name in table
    ]

    @wraps(command)
    def checked(*arguments: Any, **options: Any) -> Any:
        given = signature(command).bind(*arguments, **options).arguments
        for option, check in checks:
            if isinstance(place := given.get(option), Path):
                check(place)
        _check_inputs(name, given)
        return command(*arguments, **options)

    return checked


def _check_inputs(name: str, given: Mapping[str, Any]) -> None:
    """Raise HandsError if the output folder of a command is in one of its input folders."""
    out = given.get(FOLDERS.get(name) or OTHERS.get(name, ""))
    inputs = given.get(INPUTS.get(name, ""))
    if not isinstance(out, Path) or given.get("verify"):
        return
    for each in inputs if isinstance(inputs, tuple) else (inputs,):
        if each is not None:
            check_outside(out, Path(each))
