"""`python -m latent_hands.lite photo.jpg`: the hands of images as JSON."""

import argparse
import json
import sys
from collections.abc import Sequence

from latent_hands.data.formats.numerals import number_of
from latent_hands.detection.zoom import ZOOMS
from latent_hands.errors import HandsError, printable
from latent_hands.interrupt import end_at_signals
from latent_hands.lite.model import load

FOLDER = "runs/onnx"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the hands of images and return the exit code: 1 if an image has none, 2 for an error."""
    options = _parser().parse_args(arguments)
    try:
        model = load(options.model, keep_memory=len(options.images) > 1)
        hands = [_fields(name, options, model) for name in options.images]
    except (HandsError, OSError) as error:
        print(f"latent_hands.lite: {printable(' '.join(str(error).split()))}", file=sys.stderr)
        return 2
    print(json.dumps([each for of in hands for each in of], indent=1))
    return 0 if all(hands) else 1


def _fields(name: str, options: argparse.Namespace, model) -> list[dict]:
    """Return the JSON of the hands of an image, as `latent-hands estimate` writes it."""
    boxes = [_box(text) for text in options.box] or None
    given = {"handedness": options.handedness, "bone_mm": options.bone_mm, "focal_px": options.focal_px}
    given["zoom"] = options.zoom
    found = model.find(name, boxes=boxes, **given)
    return [json.loads(hand.to_json(image=name, hand=number)) for number, hand in enumerate(found)]


def _box(text: str) -> list[float]:
    try:
        return [number_of(number) for number in text.split(",")]
    except ValueError as error:
        raise HandsError(f"--box is {text}; it must be x,y,width,height in pixels") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m latent_hands.lite",
        description="Find the hands in images, estimate them in 3D, and print them as JSON, without torch.",
        epilog="Exit codes: 0 success, 1 an image has no hand, 2 an error.",
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.add_argument(
        "--model", default=FOLDER, metavar="DIR", help=f"folder of `latent-hands export-model` ({FOLDER})"
    )
    parser.add_argument("--handedness", choices=("left", "right"), help="the side of all hands")
    parser.add_argument("--bone-mm", type=number_of, metavar="MM", help="middle MCP-PIP bone (40, assumed)")
    parser.add_argument("--focal-px", "--focal", type=number_of, metavar="PX", help="focal length in pixels")
    parser.add_argument("--box", action="append", default=[], metavar="X,Y,W,H", help="box of a hand")
    parser.add_argument("--zoom", type=int, default=1, choices=ZOOMS, help="search enlarged parts, too (1)")
    return parser


if __name__ == "__main__":
    end_at_signals()
    sys.exit(main())
