"""Cut images without hands, on which a detector must find nothing: faces, places, textures, rendered scenes.

    python benchmarks/cut_images_without_hands.py PHOTOS OUT --textures FOLDER --rendered SET
        (in the environment that has MediaPipe: its face detector finds the faces)

PHOTOS has `photographs.json` with the boxes of all hands. Crops come from held-out photographs and keep away
from every box. --textures is a folder of images without hands. --rendered is a set written by `latent-hands
render`, whose images without hands are copied. Boxes can be incomplete, so look at the result.
"""

import argparse
import json
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

Box = tuple[float, float, float, float]
HELD_OUT = 5
LEAST_SIDE_PX = 64
MARGIN = 0.15
"""Distance of a crop to a box, as a share of the larger side of the box."""
TIGHT, WIDE = 1.5, 3.5
"""Sides of the crops of a face over the side of its box; the wide one shrinks until no hand is in it."""


def held_out(photo: dict, by_file: list[str]) -> bool:
    """Return whether a photograph is held out: a fifth of the groups, or of the files of some groups."""
    key = photo["file"] if photo["group"] in by_file else photo["group"]
    return zlib.crc32(key.encode()) % HELD_OUT == 0


def touches(square: tuple[float, float, float], boxes: list[Box]) -> bool:
    """Return whether a square (left, top, side) comes near one of the boxes."""
    left, top, side = square
    for x, y, width, height in boxes:
        margin = MARGIN * max(width, height)
        inside_x = left < x + width + margin and x - margin < left + side
        if inside_x and top < y + height + margin and y - margin < top + side:
            return True
    return False


def face_squares(image: Image.Image, boxes: list[Box], detector) -> Iterator[tuple[float, float, float]]:
    """Yield a tight and a wide square (left, top, side) around each face, without hands."""
    for found in detector.process(np.asarray(image)).detections or ():
        face = found.location_data.relative_bounding_box
        x, y = (face.xmin + face.width / 2) * image.width, (face.ymin + face.height / 2) * image.height
        size = face.width * image.width
        for factor in (TIGHT, WIDE):
            for side in np.arange(factor, 1.2, -0.1) * size:
                square = (x - side / 2, y - side / 2, side)
                if not touches(square, boxes):
                    yield square
                    break


def random_square(
    size: tuple[int, int], boxes: list[Box], rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """Return a random square inside an image that touches no box, None if 50 draws find none."""
    for _ in range(50):
        side = float(rng.uniform(LEAST_SIDE_PX, max(min(size), LEAST_SIDE_PX + 1)))
        left, top = (float(rng.uniform(0, max(edge - side, 0))) for edge in size)
        if not touches((left, top, side), boxes):
            return left, top, side
    return None


def save(image: Image.Image, square: tuple[float, float, float], file: Path) -> None:
    """Write the part of a square that lies in the image, if it is large enough."""
    left, top, side = square
    corners = (max(left, 0), max(top, 0), min(left + side, image.width), min(top + side, image.height))
    crop = image.crop(tuple(round(corner) for corner in corners))
    if min(crop.size) >= LEAST_SIDE_PX // 2:
        crop.save(file)


def cut_photographs(options: argparse.Namespace, rng: np.random.Generator) -> None:
    """Write faces and places of the held-out photographs that have boxes."""
    from mediapipe.python.solutions.face_detection import FaceDetection

    listed = json.loads((options.photos / "photographs.json").read_text())
    photos = [
        each
        for each in listed
        if each["boxes"] is not None and held_out(each, options.by_file) != options.development
    ]
    with FaceDetection(model_selection=1, min_detection_confidence=0.3) as detector:
        for photo in photos:
            image = Image.open(options.photos / photo["file"]).convert("RGB")
            name = photo["file"].replace("/", "_").rsplit(".", 1)[0]
            for k, square in enumerate(face_squares(image, photo["boxes"], detector)):
                save(image, square, options.out / f"face_{name}_{k}.png")
            square = random_square(image.size, photo["boxes"], rng)
            if square is not None:
                save(image, square, options.out / f"place_{name}.png")


def cut_textures(options: argparse.Namespace, rng: np.random.Generator) -> None:
    """Write random squares of the images of a folder."""
    for file in sorted(options.textures.iterdir()):
        image = Image.open(file).convert("RGB")
        for k in range(options.cuts):
            square = random_square(image.size, [], rng)
            if square is not None:
                save(image, square, options.out / f"texture_{file.stem}_{k}.png")


def copy_rendered(options: argparse.Namespace) -> None:
    """Copy the images without hands of the evaluation split of rendered sets."""
    for root in options.rendered:
        folder = root / "evaluation"
        records = map(json.loads, (folder / "factors_evaluation.jsonl").read_text().splitlines())
        kinds = {record["name"]: record["kind"] for record in records if record["kind"].startswith("no hand")}
        for name, kind in kinds.items():
            label = kind.removeprefix("no hand: ").replace(" ", "_")
            shutil.copyfile(
                folder / "color" / f"{name}.png", options.out / f"rendered_{root.name}_{label}_{name}.png"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--by-file", nargs="*", default=[], help="groups whose photographs are split by file")
    parser.add_argument("--textures", type=Path, help="a folder of images without hands")
    parser.add_argument("--cuts", type=int, default=10, help="number of cuts of each texture")
    parser.add_argument("--rendered", type=Path, nargs="*", default=[], help="rendered sets")
    parser.add_argument(
        "--development", action="store_true", help="cut the other photographs, to choose thresholds with"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(options.seed)
    cut_photographs(options, rng)
    if options.textures is not None:
        cut_textures(options, rng)
    copy_rendered(options)
    print(json.dumps({"images": len(list(options.out.glob("*.png")))}))


if __name__ == "__main__":
    main()
