"""Options that mean the same in every command."""

from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional, arg

from latent_hands.data import READERS


def unset(default: str, metavar: str | None = None, help: str | None = None) -> Any:
    """Return the settings of an option that is None if it is not given; `default` says what then happens."""
    return arg(metavar=metavar, help=help, help_behavior_hint=f"(default: {default})")


RUN_HELP = "A run folder, the name of a shipped model, or hf-hub:OWNER/NAME@REVISION."
Run = Annotated[str, Positional, arg(metavar="RUN", help=RUN_HELP)]
Runs = Annotated[
    tuple[str, ...],
    Positional,
    arg(metavar="RUN ...", help="Run folders, names of shipped models, or hf-hub:OWNER/NAME@REVISION."),
]

_DATA_HELP = f"The data set: {', '.join(READERS)}."
_ROOT_HELP = "The folder of the data set."
Data = Annotated[str, arg(metavar="NAME", help=_DATA_HELP)]
Root = Annotated[Path, arg(metavar="DIR", help=_ROOT_HELP)]
OptionalData = Annotated[str | None, unset("none", "NAME", _DATA_HELP)]
OptionalRoot = Annotated[Path | None, unset("none", "DIR", _ROOT_HELP)]
Split = Annotated[Literal["training", "evaluation"], arg(help="The part of the data set to use.")]
Splits = Annotated[
    tuple[Literal["training", "evaluation"], ...],
    arg(metavar="{training,evaluation} ...", help="The parts of the data set to use."),
]
Ids = Annotated[
    tuple[str, ...],
    unset("the first 8", "ID ...", "Images of the data set by number, or by name if they have names (STB)."),
]
Limit = Annotated[int | None, unset("all", "N", "Use only the first N samples of each part.")]

NewData = Annotated[
    Path,
    Positional,
    arg(metavar="OUT", help="A new folder, or an unfinished one with the same settings."),
]
Workers = Annotated[int | None, unset("one for each core", "N", "Number of parallel workers.")]
Shard = Annotated[
    str | None,
    unset("everything", "I/N", "Do the I-th of N portions, from 1; all together give what one call gives."),
]

Handedness = Annotated[Literal["left", "right"], arg(help="The hand that the images show.")]
OptionalHandedness = Annotated[
    str | None,
    unset("found in the image", "{left,right}", "The side of all hands in the images."),
]
LabelledHandedness = Annotated[
    Literal["left", "right"] | None,
    unset("none", "{left,right}", "The side of hands whose labels name none."),
]
BoneMm = Annotated[
    float | None,
    unset(
        "40, assumed",
        "MM",
        "Length of the bone from the knuckle (MCP) of the middle finger to its next joint (PIP), 15 to 80.",
    ),
]
FocalPx = Annotated[
    float | None,
    unset(
        "from EXIF data, or assumed",
        "PX",
        "Focal length of the camera in pixels of the whole image; the optical axis must be at its centre. "
        "Otherwise it is taken from the EXIF data of the image, or a usual field of view is assumed.",
    ),
]
Rotations = Annotated[
    int, arg(metavar="N", help="Average the predictions for N rotated crops (test-time augmentation).")
]
ContentReads = Annotated[
    Literal["rgb", "tag"] | None,
    unset(
        "tag if the data set has tags and the run reads them, otherwise rgb",
        "{rgb,tag}",
        "The kind of the images that give the content: images of hands, or content tags.",
    ),
]
Json = Annotated[bool, arg(help="Print JSON instead of a table.")]

CONFIG = (tyro.conf.FlagCreatePairsOff, tyro.conf.HelptextFromCommentsOff)
"""Settings of tyro for every command."""
