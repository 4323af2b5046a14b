"""Options that mean the same in every command."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional, arg
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from latent_hands.data import READERS
from latent_hands.data.formats.numerals import number_of, typed_integer


def unset(
    default: str, metavar: str | None = None, help: str | None = None, aliases: tuple[str, ...] | None = None
) -> Any:
    """Return the settings of an option that is None if it is not given; `default` says what then happens."""
    return arg(metavar=metavar, help=help, help_behavior_hint=f"(default: {default})", aliases=aliases)


RUN_HELP = "A run folder, the name of a shipped model, or hf-hub:OWNER/NAME@REVISION."
Run = Annotated[str, Positional, arg(metavar="RUN", help=RUN_HELP)]
RUNS_HELP = "Run folders, names of shipped models, or hf-hub:OWNER/NAME@REVISION."
Runs = Annotated[
    tuple[str, ...], Positional, arg(metavar="RUN ...", help=RUNS_HELP, help_behavior_hint="(one or more)")
]

_DATA_HELP = f"The data set: {', '.join(READERS)}."
_ROOT_HELP = "The folder of the data set."
Data = Annotated[str, arg(metavar="NAME", help=_DATA_HELP)]
Root = Annotated[Path, arg(metavar="DIR", help=_ROOT_HELP)]
OptionalData = Annotated[str | None, unset("none", "NAME", _DATA_HELP)]
OptionalRoot = Annotated[Path | None, unset("none", "DIR", _ROOT_HELP)]
Split = Annotated[Literal["training", "evaluation"], arg(help="The split of the data set.")]
DataSplit = Annotated[
    Literal["training", "evaluation"] | None,
    unset("evaluation, with --data", "{training,evaluation}", "The split of the data set."),
]
TrainingSplit = Annotated[
    Literal["training", "evaluation"] | None,
    unset("training, with --data", "{training,evaluation}", "The split of the data set."),
]
Splits = Annotated[
    tuple[Literal["training", "evaluation"], ...],
    arg(metavar="{training,evaluation} ...", help="One or both splits of the data set."),
]
Ids = Annotated[
    tuple[str, ...],
    unset("the first 8", "ID ...", "Images of the data set by number, or by name if they have names (STB)."),
]
Limit = Annotated[int | None, unset("all", "N", "Use only the first N samples of each split.")]
LimitedData = Annotated[
    int | None, unset("2000, with --data", "N", "Use only the first N samples of the data set.")
]

NewData = Annotated[
    Path,
    Positional,
    arg(metavar="OUT", help="A new folder, or an unfinished one with the same settings."),
]
Workers = Annotated[int | None, unset("one for each core", "N", "Number of parallel workers.")]
Shard = Annotated[
    str | None,
    unset("all portions", "I/N", "Process portion I of N, counted from 1 (docs/many_machines.md)."),
]

Cropped = Annotated[
    bool, arg(help="Image files are crops of one hand: read them as they are, without a search for the hand.")
]
OptionalHandedness = Annotated[
    str | None,
    unset("the model decides", "{left,right}", "The side of all hands in the images."),
]
LabelledHandedness = Annotated[
    Literal["left", "right"] | None,
    unset("none", "{left,right}", "The side of hands whose labels state no side."),
]
BoneMm = Annotated[
    float | None,
    unset(
        "40 mm, assumed",
        "MM",
        "Length of the middle finger's bone from the knuckle (MCP) to the next joint (PIP) in mm, 15 to 80.",
    ),
]
FocalPx = Annotated[
    float | None,
    unset(
        "from the EXIF data of the image, or assumed",
        "PX",
        "Focal length of the camera in pixels of the whole image. The optical axis must be at its centre.",
        aliases=("--focal",),
    ),
]
MaxHands = Annotated[
    int | None,
    unset(
        "8 in an image, 2 at a time in a video",
        "N",
        "Largest number of hands that are detected, those of the highest scores.",
    ),
]
Zoom = Annotated[
    Literal[1, 2, 4],
    arg(metavar="{1,2,4}", help="Also search in enlarged parts of the images, for small hands; slower."),
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

NUMBERS = ConstructorRegistry()
"""How tyro reads numbers: as the readers of files do, so that 1_0 is not 10."""
_READ: dict[Any, Callable[[str], float]] = {int: typed_integer, float: number_of}


@NUMBERS.primitive_rule
def _number(option: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Return how an option of numbers is read; None for other options."""
    if option.type not in _READ:
        return None
    read = _READ[option.type]
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=option.type.__name__.upper(),
        instance_from_str=lambda texts: read(texts[0]),
        is_instance=lambda value: isinstance(value, int | float),
        str_from_instance=lambda value: [str(value)],
    )


CONFIG = (tyro.conf.FlagCreatePairsOff, tyro.conf.HelptextFromCommentsOff)
"""Settings of tyro for every command."""
