"""Hands as JSON: a list of the hands of an image, and JSON Lines with the hands of each frame."""

import json
from io import FileIO
from pathlib import Path
from typing import Any

from latent_hands.data.formats.json_file import load_json
from latent_hands.errors import HandsError
from latent_hands.files import give_name, naming, new_temporary, write_text
from latent_hands.interrupt import uninterrupted
from latent_hands.predictions.image_hands import ImageHands
from latent_hands.predictor import Hand


def hands_json(image: ImageHands, indent: int | None = None) -> list[str]:
    """Return the JSON of each hand (`Hand.to_json`), preceded by "image", "hand" (its number), and its time.

    The numbers of hands count from 0.
    """
    about: dict[str, Any] = {"image": image.name}
    return [hand.to_json(indent, **about, hand=number) for number, hand in enumerate(image.hands)]


def write_json(path: Path, image: ImageHands) -> Path:
    """Write the list of hands. It is empty for an image without hands."""
    hands = ",\n".join(hands_json(image, indent=1))
    return write_text(path, f"[{hands}]\n")


def frame_line(image: ImageHands) -> str:
    """Return one line of JSON: "frame", "seconds" and the list "hands"."""
    fields = {"frame": image.frame, "seconds": None if image.seconds is None else round(image.seconds, 6)}
    hands = [json.loads(text) for text in hands_json(image)]
    return json.dumps({**fields, "hands": hands})


class LineWriter:
    """A context in which the lines of frames are added to a file of JSON Lines.

    The file is written under a temporary name. It gets its name at the end of the context, also if an error,
    a full disk or Ctrl-C ends it: all whole lines until then are kept. Without lines there is no file.

    Args:
        path: the file.
    """

    def __init__(self, path: Path):
        self.path = path
        self.part: Path | None = None
        self.file: FileIO | None = None
        self.size = 0

    def __enter__(self) -> "LineWriter":
        """Return the writer."""
        return self

    def add(self, image: ImageHands) -> None:
        """Add the line of a frame."""
        with naming(self.path):
            if self.file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with uninterrupted:
                    self.part = new_temporary(self.path)
                self.file = FileIO(self.part, "w")
            line = (frame_line(image) + "\n").encode()
            while line:  # a file without buffer may take a part
                line = line[self.file.write(line) :]
            self.size = self.file.tell()

    def __exit__(self, *error: object) -> None:
        """Close the file and give it its name. A line that a full disk cut is removed."""
        if self.part is None:
            return
        with uninterrupted, naming(self.path):
            if self.file is not None and self.size:
                self.file.truncate(self.size)
                self.file.close()
                give_name(self.part, self.path)
            else:
                self.part.unlink(missing_ok=True)


def read_json(path: str | Path) -> list[Hand]:
    """Read the hands of a file that `write_json` or `Hand.to_json` wrote.

    Raises HandsError for a missing file and for other JSON.
    """
    path = Path(path)
    if not path.is_file():
        raise HandsError(f"no file {path}; give the JSON of hands that `latent-hands estimate` wrote")
    content = load_json(path)
    hands = content if isinstance(content, list) else [content]
    if isinstance(content, dict) and "hands" in content:
        raise HandsError(f"{path} has the hands of a frame: name it .jsonl, with one line for each frame")
    for number, each in enumerate(hands):
        if not isinstance(each, dict):
            kind = type(each).__name__
            raise HandsError(f"{path}: hand {number} is a {kind}, not an object that `estimate` wrote")
    try:
        return [Hand.from_json(json.dumps(each)) for each in hands]
    except HandsError as error:
        raise HandsError(f"{path}: {error}") from error
