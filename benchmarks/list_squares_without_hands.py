"""List squares without a hand, for the modality `presence`: what a detector takes for a hand, and any others.

    python benchmarks/list_squares_without_hands.py squares.json --rendered scenes scenes_b \\
        --boxes photographs/boxes.json --images places

Every detection of score 0.02 and more that overlaps no labelled hand is listed, and a random square of every
other image. `--rendered` are sets of `render --whole-images`, `--boxes` files of the boxes of all hands, as
`latent-hands detector train` reads them, and `--images` folders of images without hands.
`train_estimation.py --without-hands` reads the file.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from latent_hands.data import open_data
from latent_hands.data.whole_images import hands_by_image, images_of
from latent_hands.detection import Detector
from latent_hands.files import write_text
from latent_hands.hand.boxes import Box, box_of_joints, crop_of_box

LEAST_SCORE, MOST_SHARED = 0.02, 0.1
"""Detections of this score are listed if they share at most so much of each hand's box, or of their own."""
SIDES = (0.1, 0.6)
"""Range of the side of a random square over the image's shorter side."""


def main() -> None:
    """List the squares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    for name in ("rendered", "boxes", "images"):
        parser.add_argument(f"--{name}", nargs="+", type=Path, default=[])
    parser.add_argument("--detector", default="detection")
    parser.add_argument("--each", type=int, default=1, help="use every n-th image")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    detector = Detector.load(chosen.detector).with_least_score(LEAST_SCORE)
    generator = np.random.default_rng(chosen.seed)
    images = [*rendered(chosen.rendered), *boxed(chosen.boxes), *empty(chosen.images)][:: chosen.each]
    found = []
    for done, (path, hands) in enumerate(images, 1):
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB"))
        boxes = [each.box_px for each in detector.detect(rgb)]
        if generator.random() < 0.5 or not boxes:
            boxes.append(random_square(generator, rgb.shape[:2]))
        squares = [crop_of_box(each) for each in boxes if not touches(each, hands)]
        found += [{"image": str(path), "square": [round(float(x), 1) for x in each[:3]]} for each in squares]
        if done % 200 == 0:
            print(f"{done:,} of {len(images):,} images, {len(found):,} squares", flush=True)
    write_text(chosen.out, json.dumps(found))
    print(f"{chosen.out}: {len(found):,} squares of {len(images):,} images")


def rendered(roots: Sequence[Path]) -> Iterator[tuple[Path, list[Box]]]:
    """Yield the training images of rendered sets with the boxes of their hands."""
    for root in roots:
        images = images_of(root, "training")
        hands = hands_by_image(open_data("rendered-hands", root, "training"), images)
        yield from (
            (path, [box_of_joints(hand.uv_px) for hand in hands[path] if hand.uv_px is not None])
            for path in images
        )


def boxed(files: Sequence[Path]) -> Iterator[tuple[Path, list[Box]]]:
    """Yield the images of files of boxes."""
    for file in files:
        for each in json.loads(file.read_text()):
            yield file.parent / each["file"], [tuple(box) for box in each["boxes"]]


def empty(folders: Sequence[Path]) -> Iterator[tuple[Path, list[Box]]]:
    """Yield the images of folders without hands."""
    for folder in folders:
        yield from ((path, []) for path in sorted(folder.iterdir()) if path.suffix in (".png", ".jpg"))


def random_square(generator: np.random.Generator, size_px: tuple[int, int]) -> Box:
    """Return a square inside an image of (height, width)."""
    side = generator.uniform(*SIDES) * min(size_px)
    y, x = (generator.uniform(0, length - side) for length in size_px)
    return x, y, side, side


def touches(box: Box, hands: Sequence[Box]) -> bool:
    """Return whether a box shares more than `MOST_SHARED` of itself, or of a hand's box, with that."""
    x, y, width, height = box
    for u, v, w, h in hands:
        across, down = min(x + width, u + w) - max(x, u), min(y + height, v + h) - max(y, v)
        if max(across, 0) * max(down, 0) > MOST_SHARED * min(width * height, w * h):
            return True
    return False


if __name__ == "__main__":
    main()
