"""The printed output of the command estimate: a table, or JSON, and one line for each problem."""

import sys
from collections.abc import Sequence

from latent_hands.cli.estimate_images import Estimated
from latent_hands.cli.estimate_outputs import ALL, Outputs
from latent_hands.cli.estimate_videos import Recorded, found_any
from latent_hands.cli.tables import complaint, print_table
from latent_hands.errors import HandsError
from latent_hands.predictions import hands_json
from latent_hands.predictor import Hand

LINES = 20
"""The largest number of lines about images without hands."""


def report(
    done: Sequence[Estimated],
    recorded: Sequence[Recorded],
    outputs: Outputs,
    broken: Sequence[HandsError],
    json: bool,
    hint: str = "",
) -> bool:
    """Print the hands, and return whether every image and every video has one and none was broken.

    `hint` is printed where no hand was found.

    Raises the first error if nothing could be read.
    """
    if not done and not recorded:
        raise broken[0] if broken else HandsError("no image and no frame was read")
    if json:
        frames = [frame for each in recorded for frame in each.frames]
        hands = [text for image in [*(each.image for each in done), *frames] for text in hands_json(image)]
        print("[" + ",\n".join(hands) + "]")
    else:
        if done:
            print_hands(done)
        if recorded:
            print_videos(recorded)
        print(_written(done, recorded, outputs))
    empty = [each.image.name for each in done if not each.image.hands]
    empty += [each.video.name for each in recorded if not found_any(each)]
    for name in empty[:LINES]:
        print(f"latent-hands: no hand found in {name}", file=sys.stderr)
    if len(empty) > LINES:
        print(f"latent-hands: no hand found in {len(empty) - LINES} more images", file=sys.stderr)
    if empty and hint:
        print(hint, file=sys.stderr)
    for error in broken:
        print(complaint(error), file=sys.stderr)
    return not broken and not empty


def _written(done: Sequence[Estimated], recorded: Sequence[Recorded], outputs: Outputs) -> str:
    """Return which files were written."""
    files = []
    if done:
        files += [f"{len(done)} x JSON"] if "json" in outputs.formats else []
        files += [f"{len(done)} x image"] if outputs.overlays else []
        files += [f"{ALL}.{each}" for each in ("csv", "npz") if each in outputs.formats]
        files += ["coco/"] if "coco" in outputs.formats else []
    for each in recorded:
        endings = ["jsonl", "npz", *["csv"] * ("csv" in outputs.formats), *["mp4"] * outputs.overlays]
        files.append(f"{each.video.name}.{{{','.join(endings)}}}")
    return f"{outputs.out}: {', '.join(files) or 'no files'}"


def print_hands(done: Sequence[Estimated]) -> None:
    """Print one line for each hand, and one for each image without hands. Unknown columns are left out."""
    rows = []
    for each in done:
        hands = zip(each.image.hands, each.errors_mm, strict=True)
        rows += [{"image": each.image.name, **_cells(hand, error)} for hand, error in hands]
        rows += [] if each.image.hands else [{"image": each.image.name, "hand": "no hand found"}]
    headings = list(dict.fromkeys(key for row in rows for key, text in row.items() if text))
    print_table(headings, [[row.get(key, "") for key in headings] for row in rows], left=("image",))


def _cells(hand: Hand, error_mm: float | None) -> dict[str, str]:
    spread_mm = hand.spread_mm
    return {
        "hand": hand.handedness,
        "score": _text(hand.score, 2),
        "confidence": _text(hand.confidence, 2),
        "box": ",".join(f"{number:.0f}" for number in hand.box_px),
        "bone mm": f"{hand.bone_mm:.1f}" + (" (assumed)" if hand.bone_mm_assumed else ""),
        "distance mm": _distance(hand),
        "spread mm": "" if spread_mm is None else f"{float(spread_mm.mean()):.1f}",
        "error mm": _text(error_mm, 1),
    }


def _distance(hand: Hand) -> str:
    """Return the distance of the palm with its standard deviation, which an assumed bone or camera widens."""
    if hand.palm_mm is None:
        return ""
    spread = "" if hand.palm_spread_mm is None else f" ± {float(hand.palm_spread_mm[2]):.0f}"
    return f"{float(hand.palm_mm[2]):.0f}{spread}"


def print_videos(recorded: Sequence[Recorded]) -> None:
    """Print one line for each video."""
    rows = []
    for each in recorded:
        hands = [hand for frame in each.frames for hand in frame.hands]
        tracks = {hand.track for hand in hands} - {None}
        times = [frame.seconds for frame in each.frames if frame.seconds is not None]
        rows.append(
            {
                "video": each.video.name,
                "frames": str(len(each.frames)),
                "seconds": f"{times[-1]:.2f}" if times else "",
                "with hands": str(sum(bool(frame.hands) for frame in each.frames)),
                "left": str(sum(hand.handedness == "left" for hand in hands)),
                "right": str(sum(hand.handedness == "right" for hand in hands)),
                "tracks": str(len(tracks)) if tracks else "",
            }
        )
    headings = [key for key in rows[0] if any(row[key] for row in rows)]
    print_table(headings, [[row[key] for key in headings] for row in rows])


def _text(number: float | None, digits: int) -> str:
    return "" if number is None else f"{number:.{digits}f}"
