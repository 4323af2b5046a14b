"""How many hands does a search in enlarged parts of images find, how many false ones, and in which time?

    python benchmarks/measure_zoom.py estimation --rendered SCENES --empty PLACES --limit 200

Rows are images as they are, and mosaics: 2 x 2 or 4 x 4 images side by side, in which hands are smaller
relative to the image. A hand is found if the box of its predicted joints has an IoU (intersection over union)
of at least 0.5 with its labelled box.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from whole_image_sets import empty, photographs, rendered, rhd

import latent_hands as lh
from latent_hands.data.formats.image import read_rgb
from latent_hands.hand.boxes import iou
from latent_hands.predictor import Model

FOUND_IOU, TOUCHING = 0.5, 0.1
MOST_HANDS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--rendered", type=Path, help="rendered whole images")
    parser.add_argument("--rhd", type=Path, help="folder of RHD")
    parser.add_argument("--photographs", type=Path, help="folder of photographs.json, for its `subhih`")
    parser.add_argument("--empty", type=Path, help="folder of images without hands")
    parser.add_argument("--limit", type=int, default=160, help="number of images of each kind")
    parser.add_argument("--zooms", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--picture", type=Path, help="draw the hands of a 4 x 4 mosaic, and measure nothing")
    chosen = parser.parse_args()
    model = lh.load(chosen.model)
    if chosen.picture:
        images = [(read_rgb(each.file), each.hands) for each in rendered(chosen.rendered)[:16]]
        draw(model, mosaics(images, 4)[0][0], chosen.picture)
        return
    table = Table("images", "zoom", "hands", "found", "hands too many", "with a hand too many", "ms an image")
    sets = {
        "rendered": chosen.rendered and rendered(chosen.rendered),
        "RHD": chosen.rhd and rhd(chosen.rhd),
        "photographs": chosen.photographs and photographs(chosen.photographs, "subhih", False, {}),
        "no hands": chosen.empty and empty(chosen.empty),
    }
    for name, images in sets.items():
        images = [(read_rgb(each.file), each.hands) for each in (images or [])[: chosen.limit]]
        for across in (1, 2, 4) if images else ():
            pictures = mosaics(images, across)
            for zoom in chosen.zooms:
                row = measured(model, pictures, zoom)
                table.add_row(f"{name}, {across} x {across}", str(zoom), *row)
    Console(width=140).print(table)


def mosaics(images: Sequence[tuple[np.ndarray, Sequence]], across: int) -> list[tuple[np.ndarray, list]]:
    """Return pictures of `across` x `across` images of the same size, with their labelled hands."""
    number, found = across * across, []
    side = max(max(rgb.shape[:2]) for rgb, _ in images)
    for start in range(0, len(images) - number + 1, number):
        picture, hands = np.full((across * side, across * side, 3), 128, np.uint8), []
        for i, (rgb, of) in enumerate(images[start : start + number]):
            top, left = side * (i // across), side * (i % across)
            picture[top : top + rgb.shape[0], left : left + rgb.shape[1]] = rgb
            hands += [replace(hand, box=moved(hand.box, left, top)) for hand in of]
        found.append((picture, hands))
    return found


def draw(model: Model, picture: np.ndarray, file: Path) -> None:
    """Write the hands that are found without and with the largest zoom, side by side."""
    both = [lh.draw_hands(picture, model.find(picture, zoom=zoom, max_hands=MOST_HANDS)) for zoom in (1, 4)]
    Image.fromarray(np.hstack(both)).resize((1600, 800), Image.Resampling.LANCZOS).save(file, quality=82)


def moved(box: Sequence[float], left: int, top: int) -> tuple[float, ...]:
    return box[0] + left, box[1] + top, box[2], box[3]


def measured(model: Model, pictures: Sequence[tuple[np.ndarray, list]], zoom: int) -> list[str]:
    """Return a row of the table."""
    found, too_many, with_one, milliseconds = [], 0, 0, []
    for picture, hands in track(pictures, f"zoom {zoom}", console=Console(stderr=True)):
        started = time.process_time()
        boxes = [hand.box_px for hand in model.find(picture, zoom=zoom, max_hands=MOST_HANDS)]
        milliseconds.append(1000 * (time.process_time() - started))
        overlap = np.array([[iou(hand.box, box) for box in boxes] for hand in hands]).reshape(
            len(hands), len(boxes)
        )
        best = overlap.max(axis=1, initial=0.0)
        found += [b >= FOUND_IOU for b, hand in zip(best, hands, strict=True) if hand.counts]
        extra = int((overlap < TOUCHING).all(axis=0).sum()) if hands else len(boxes)
        too_many, with_one = too_many + extra, with_one + (extra > 0)
    share = f"{np.mean(found):.3f}" if found else "-"
    return [
        str(len(found)),
        share,
        str(too_many),
        f"{with_one / len(pictures):.3f}",
        f"{np.median(milliseconds):.0f}",
    ]


if __name__ == "__main__":
    main()
