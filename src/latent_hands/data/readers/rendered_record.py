"""The record rendered.json of a set that `latent-hands render` wrote."""

from dataclasses import dataclass
from pathlib import Path

from latent_hands.data.formats.json_file import load_json
from latent_hands.errors import BROKEN, HandsError
from latent_hands.hand.conventions import EARLIER, RHD, read_recorded

RECORD = "rendered.json"
REFITTED = ("stb", "ge2019", "mediapipe")
"""Conventions whose tables were fitted anew, and whose earlier tables no version has under another name."""


@dataclass(frozen=True)
class RenderedRecord:
    """What readers need of rendered.json.

    convention: the joint convention of the labels.
    size_px: width and height of the images; None if the record does not name them.
    whole: whether the images show any number of hands.
    """

    convention: str
    size_px: tuple[int, int] | None
    whole: bool = False

    @staticmethod
    def read(root: str | Path) -> "RenderedRecord":
        """Read the record of a set; a set without one has the labels of the earliest version.

        Raises HandsError if the record is broken, or if another table of its convention placed the joints.
        """
        path = Path(root) / RECORD
        if not path.is_file():
            return RenderedRecord(EARLIER[RHD], None)
        try:
            settings = load_json(path)
            side_px = settings.get("size_px", settings.get("size"))  # "size" in earlier versions
            size_px = None if side_px is None else (int(side_px), int(side_px))
            text = str(settings["joints"])
        except HandsError:
            raise
        except BROKEN as error:
            raise HandsError(f"{path} does not name the convention of its joints: {error!r}") from error
        if text in REFITTED:
            raise HandsError(
                f'{path}: an earlier table of the convention "{text}" placed the joints; '
                f"write new labels: latent-hands conventions relabel {root} NEW --convention {text}"
            )
        return RenderedRecord(read_recorded(text, path), size_px, settings.get("kind") == "whole images")
