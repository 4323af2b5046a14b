"""The places that commands write to. All of them are checked before a command starts its work."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any

from latent_hands.files import check_file, check_folder

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


def with_places_checked(name: str, command: Callable[..., Any]) -> Callable[..., Any]:
    """Return the command; before its work it raises HandsError if its outputs cannot be written.

    A part of the place is a file, the folder is read-only, or the disk is full.
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
        return command(*arguments, **options)

    return checked
