"""Find hands with MediaPipe Hands, in a process of its own, because MediaPipe needs other packages than ours.

    pip install "mediapipe==0.10.21"    (in an environment of its own; later versions lack `solutions`)
    python mediapipe_worker.py [--threshold 0.5] [--most 2]

Reads a request per line from the standard input and writes an answer per line to the standard output, both
as JSON. A request has "file", and it may have "mirror" (read the image mirrored left to right), "turns" (read
it after so many quarter turns counter-clockwise), "enlarge" (a factor) and "pad" (a border that repeats the
edge, as a share of the larger side). The answer has "hands", "width", "height", "seconds" and
"processor_seconds": the time of MediaPipe alone, and that of all its threads.

A hand has "handedness", "score", "uv_px" (21, 2) and "world_mm" (21, 3), joints from the wrist to the tip of
the little finger. All of them belong to the image of the file: not mirrored, turned, enlarged or padded.
Pixel centres are at integers. The axes of world_mm point right, down and forward.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

OPPOSITE = {"left": "right", "right": "left"}
MM_PER_METRE = 1000


def read(request: dict) -> tuple[np.ndarray, int]:
    """Return the image that MediaPipe reads, uint8 (height, width, 3), and the border's width in pixels."""
    image = ImageOps.exif_transpose(Image.open(request["file"])).convert("RGB")
    if request.get("mirror"):
        image = ImageOps.mirror(image)
    if turns := request.get("turns", 0):
        image = Image.fromarray(np.rot90(np.asarray(image), turns))
    if (factor := request.get("enlarge", 1)) != 1:
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.BICUBIC)
    border = round(request.get("pad", 0) * max(image.size))
    return np.pad(np.asarray(image), ((border, border), (border, border), (0, 0)), "edge"), border


def turned_back(
    points: np.ndarray, world: np.ndarray, turns: int, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return 2D and 3D points of an image that was turned, before that, and the width of the image then.

    `size` is (width, height) of the turned image. 2D points are measured from its upper left corner.
    """
    for _ in range(turns):
        points = np.column_stack([size[1] - points[:, 1], points[:, 0]])
        world = np.column_stack([-world[:, 1], world[:, 0], world[:, 2]])
        size = size[1], size[0]
    return points, world, size[0]


def hands_of(result, shape: tuple[int, ...], border: int, request: dict) -> list[dict]:
    """Return the hands of a result of MediaPipe in the frame of the request's image."""
    height, width = shape[:2]
    mirror, factor = request.get("mirror", False), request.get("enlarge", 1)
    found = zip(
        result.multi_hand_landmarks or (),
        result.multi_hand_world_landmarks or (),
        result.multi_handedness or (),
        strict=True,
    )
    hands = []
    for landmarks, world, sides in found:
        corner = np.array([[point.x * width, point.y * height] for point in landmarks.landmark]) - border
        world_mm = np.array([[point.x, point.y, point.z] for point in world.landmark]) * MM_PER_METRE
        size = width - 2 * border, height - 2 * border
        corner, world_mm, across = turned_back(corner, world_mm, request.get("turns", 0), size)
        if mirror:
            corner[:, 0] = across - corner[:, 0]
            world_mm[:, 0] *= -1
        seen = OPPOSITE[sides.classification[0].label.lower()]  # MediaPipe expects mirrored images
        hands.append(
            {
                "handedness": OPPOSITE[seen] if mirror else seen,
                "score": float(sides.classification[0].score),
                "uv_px": (corner / factor - 0.5).round(3).tolist(),
                "world_mm": world_mm.round(3).tolist(),
            }
        )
    return hands


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threshold", type=float, default=0.5, help="least score of a detected hand")
    parser.add_argument("--most", type=int, default=2, help="most hands of an image")
    options = parser.parse_args()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # MediaPipe's own messages go to the standard error
    from mediapipe.python.solutions.hands import Hands

    with Hands(
        static_image_mode=True, max_num_hands=options.most, min_detection_confidence=options.threshold
    ) as detector:
        for line in sys.stdin:
            request = json.loads(line)
            pixels, border = read(request)
            start, processor = time.perf_counter(), time.process_time()
            result = detector.process(pixels)
            spent = {
                "seconds": time.perf_counter() - start,
                "processor_seconds": time.process_time() - processor,
            }
            hands = hands_of(result, pixels.shape, border, request)
            size = Image.open(Path(request["file"])).size
            json.dump({"hands": hands, "width": size[0], "height": size[1], **spent}, answers)
            answers.write("\n")
            answers.flush()


if __name__ == "__main__":
    main()
