"""List the faces of photographs with MediaPipe, for `train_portraits.py --faces`.

    MEDIAPIPE/bin/python benchmarks/list_faces.py PHOTOGRAPHS faces.json

Needs an environment with `pip install "mediapipe==0.10.21"`. The file maps the name of each image in the
folder to the boxes (x, y, width, height) of its faces, in pixels.
"""

import argparse
import json
from pathlib import Path

import mediapipe
import numpy as np
from PIL import Image, ImageOps

NEAR, FAR = 0, 1
"""MediaPipe's models for faces within two and within five metres."""


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--threshold", type=float, default=0.3, help="least score of a face")
    chosen = parser.parse_args()
    finders = [
        mediapipe.solutions.face_detection.FaceDetection(chosen.threshold, model) for model in (NEAR, FAR)
    ]
    files = sorted(chosen.photographs.glob("*.jpg"))
    found = {file.name: [box for finder in finders for box in boxes(finder, file)] for file in files}
    chosen.out.write_text(json.dumps(found))
    print(f"{sum(map(bool, found.values()))} of {len(files)} photographs have a face")


def boxes(finder, file: Path) -> list[tuple[float, float, float, float]]:
    """Return the boxes of the faces that a finder finds in an image."""
    rgb = np.asarray(ImageOps.exif_transpose(Image.open(file)).convert("RGB"))
    height, width = rgb.shape[:2]
    relative = [each.location_data.relative_bounding_box for each in finder.process(rgb).detections or ()]
    return [(b.xmin * width, b.ymin * height, b.width * width, b.height * height) for b in relative]


if __name__ == "__main__":
    main()
