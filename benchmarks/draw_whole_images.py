"""Draw a contact sheet of hands that a run finds in whole images, chosen at random, failures included.

    python benchmarks/draw_whole_images.py estimation sheet.png --rendered SET --per-set 24
    python benchmarks/draw_whole_images.py estimation sheet.png --rhd RHD --ge2019 GE --photographs PHOTOS

Labelled boxes are white, found hands have the colour of their side. `--seed` chooses the images.
Look at the licence of each set, and for faces, before you show a sheet to others.
"""

import argparse
import random
from pathlib import Path

import numpy as np
from compare_whole_images import chosen_sets, load_model
from PIL import Image, ImageDraw
from whole_image_sets import WholeImage

from latent_hands.data.formats.image import read_rgb
from latent_hands.draw import SIDES, Mark, grid, whole_image
from latent_hands.predictor import Model

COLUMNS = 8
COLOURS = 256
"""Colours of the PNG file: few keep it small."""


def drawn(model: Model, image: WholeImage, rotations: int, cell_px: int) -> np.ndarray:
    """Return an image with its labelled boxes and the hands that the run finds."""
    rgb = read_rgb(image.file)
    marks = [
        Mark(
            hand.in_order("rhd").uv_px,
            hand.box_px,
            SIDES[hand.handedness],
            f"{hand.handedness} {hand.score or 0:.2f}",
        )
        for hand in model.find(rgb, rotations=rotations)
    ]
    zoom = cell_px / max(rgb.shape)
    size = round(zoom * rgb.shape[1]), round(zoom * rgb.shape[0])
    sheet = Image.fromarray(whole_image(rgb, marks, size))
    lines = ImageDraw.Draw(sheet)
    for hand in image.hands:
        x, y, width, height = (zoom * value for value in hand.box)
        lines.rectangle([x, y, x + width, y + height], outline="white" if hand.counts else "grey")
    return np.asarray(sheet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="a run folder or the name of a shipped run")
    parser.add_argument("out", type=Path, help="the PNG file of the sheet")
    for name in ("rhd", "ge2019", "photographs", "rendered", "empty", "sides"):
        parser.add_argument(f"--{name}", type=Path, help=f"as in compare_whole_images.py: {name}")
    parser.add_argument("--per-set", type=int, default=8, help="number of images of each set")
    parser.add_argument("--detector", help="the folder of a detector; by default the shipped one")
    parser.add_argument("--rotations", type=int, default=1, help="rotated crops averaged by the run")
    parser.add_argument("--cell-px", type=int, default=240, help="side of the cell of an image")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model, rng = load_model(options.run, options.detector), random.Random(options.seed)
    cells = [
        drawn(model, image, options.rotations, options.cell_px)
        for images in chosen_sets(options).values()
        for image in rng.sample(images, min(options.per_set, len(images)))
    ]
    rows = [cells[i : i + COLUMNS] for i in range(0, len(cells), COLUMNS)]
    sheet = Image.fromarray(grid(rows, cell_px=options.cell_px))
    sheet.quantize(COLOURS).save(options.out, optimize=True)


if __name__ == "__main__":
    main()
