"""Option types that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

from latent_hands.data import READERS

Run = Annotated[str, Positional, arg(metavar="RUN", help="A run folder, or a shipped one by name.")]
Name = Annotated[str, Positional, arg(metavar="NAME", help=f"The data set: {', '.join(READERS)}.")]
Folder = Annotated[Path, Positional, arg(metavar="ROOT", help="Its folder.")]
Splits = tuple[Literal["training", "evaluation"], ...]
Number = Annotated[int | None, arg(metavar="N")]
HandSide = Annotated[Literal["left", "right"], arg(help="Which hand the images show.")]
ToldSide = Annotated[
    Literal["left", "right"] | None,
    arg(metavar="{left,right}", help="Which hand the images show [left is assumed]."),
]
BoneMm = Annotated[
    float | None,
    arg(
        metavar="MM",
        help="Length of the bone between the middle finger's knuckles MCP and PIP, 15 to 80 [40 is assumed].",
    ),
]
BoxText = Annotated[
    str | None,
    arg(
        metavar="X,Y,W,H",
        help="Where the hand is, pixels: a square about 1.2 times the hand's box, centred on it "
        "[the whole image].",
    ),
]
DataName = Annotated[
    str | None, arg(metavar="NAME", help=f"Take images of a data set: {', '.join(READERS)}.")
]
Root = Annotated[Path | None, arg(metavar="DIR", help="The data set's folder.")]
Split = Annotated[Literal["training", "evaluation"], arg(help="Which part of the data set.")]
Ids = Annotated[
    tuple[str, ...],
    arg(metavar="N ...", help="Images of the data set, by number, or by name where they have names (STB)."),
]
Reads = Annotated[
    Literal["rgb", "tag"] | None,
    arg(
        metavar="{rgb,tag}",
        help="What contents are taken for: images of hands, or tags [tags where set and run know them].",
    ),
]
Json = Annotated[bool, arg(help="Print JSON instead of a table.")]
CONFIG = (tyro.conf.FlagCreatePairsOff, tyro.conf.HelptextFromCommentsOff)
