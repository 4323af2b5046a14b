"""Spellings of earlier versions: each gives an error that names the new spelling."""

from collections.abc import Sequence

from latent_hands.errors import HandsError

_IMAGES = {"--hand": "--handedness", "--reads": "--content-reads"}

OLD_OPTIONS: dict[str, dict[str, str]] = {
    "render": {"--size": "--size-px", "--evaluation": "--evaluation-count", "--window": "--scene-size"},
    "prepare": {"--side": "--right-hands", "--pictures": "--images"},
    "assess": {"--samples": "--draws"},
    "estimate": {
        "--hand": "--handedness",
        "--samples": "--draws",
        "--no-pictures": "--no-overlays",
        "--most": "--max-hands",
    },
    "live": {"--most": "--max-hands"},
    "animate": {"--most": "--max-hands", "--least": "--min-frames"},
    "synthesise-set": {"--most-mm": "--max-reread-mm"},
    "evaluate": {"--exact": "--exact-auc"},
    "synthesise": _IMAGES,
    "transfer": _IMAGES,
    "walk": {"--hand": "--handedness", "--from": "--start", "--to": "--end"},
    "reproduce": {"--data": "--rendered", "--hands": "--count"},
}
"""Command -> old option -> new option."""

OLD_NAMES: dict[str, dict[str, str]] = {
    "reproduce": {"joint": "simultaneous"},
    "train": {"joint": "simultaneous", "study_joint": "study_simultaneous"},
}
"""Command -> old first argument -> new one."""

OLD_POSITIONALS = ("check", "prepare", "export", "retarget")
"""Commands that took the data set as two positional arguments NAME ROOT."""


def refuse_old(command: str, arguments: Sequence[str]) -> None:
    """Raise HandsError, naming the new spelling, if a command line uses an old one."""
    options = [argument.partition("=")[0].replace("_", "-") for argument in arguments]
    renamed = [(old, OLD_OPTIONS.get(command, {}).get(old)) for old in options]
    renamed += [(old, OLD_NAMES.get(command, {}).get(old)) for old in arguments[:1]]
    for old, new in renamed:
        if new:
            raise HandsError(f"{old} was renamed: use {new}")
    positional = [argument for argument in arguments[:2] if not argument.startswith("-")]
    if command in OLD_POSITIONALS and len(positional) == 2:
        name, root = positional
        raise HandsError(f"the positional arguments NAME ROOT were renamed: use --data {name} --root {root}")
