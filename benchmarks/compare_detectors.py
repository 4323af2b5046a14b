"""Compare detectors, or one detector at several sizes of its images: how many hands, for how many false ones?

    python benchmarks/compare_detectors.py detection@256 detection@320 --rendered SCENES --empty PLACES

NAME@SIZE is the name or folder of a detector, and the longer side of the images that it reads, in pixels.
A detector returns all its detections. Every row has another threshold:

* false: detections an image of SCENES that overlap no hand (IoU, intersection over union, below 0.1);
* without hands: share of the images of PLACES in which something is detected;
* found: share of the hands that count for which a detection has an IoU of at least 0.5, or 0.3.

"side" is the share of correct sides among the hands that are found at any threshold.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from whole_image_sets import WholeImage, empty, rendered

from latent_hands.data.formats.image import read_rgb
from latent_hands.detection import Detector
from latent_hands.hand.boxes import iou

ALL, TOUCHING = 1e-3, 0.1
LEAST_IOUS = (0.5, 0.3)
FALSE = (0.05, 0.1, 0.2, 0.4)
"""False detections an image."""
EMPTY = (0.01, 0.03, 0.1)
"""Shares of images without hands."""


@dataclass(frozen=True)
class Outcome:
    """The scores of detections.

    best: highest score at each of LEAST_IOUS of every hand that counts, 0 for none; (hands, 2).
    false: scores of detections that overlap no hand, the highest first.
    empty: highest score in each image without hands, the highest first.
    right_sides: whether the best box of each found hand has the right side.
    """

    best: np.ndarray
    false: np.ndarray
    empty: np.ndarray
    right_sides: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("detectors", nargs="+", metavar="NAME@SIZE")
    parser.add_argument("--rendered", type=Path, required=True, help="rendered whole images")
    parser.add_argument("--empty", type=Path, required=True, help="folder of images without hands")
    parser.add_argument("--limit", type=int, help="number of images of each kind")
    chosen = parser.parse_args()
    images = rendered(chosen.rendered)[: chosen.limit], empty(chosen.empty)[: chosen.limit]
    table = Table(
        "detector", "side", *[f"false {each}" for each in FALSE], *[f"empty {each}" for each in EMPTY]
    )
    for each in chosen.detectors:
        name, _, size = each.rpartition("@")
        detector = Detector.load(name)
        detector = detector.with_settings(replace(detector.settings, size_px=int(size)))
        result = outcome(detector.with_least_score(ALL), *images, each)
        least = [threshold(result.false, share * len(images[0])) for share in FALSE]
        least += [threshold(result.empty, share * len(images[1])) for share in EMPTY]
        found = [
            " / ".join(f"{share:.3f}" for share in (result.best > score).mean(axis=0)) for score in least
        ]
        table.add_row(each, f"{result.right_sides.mean():.3f}", *found)
    Console(width=160).print(table)


def threshold(scores: np.ndarray, count: float) -> float:
    """Return the threshold that so many of the scores, the highest first, exceed; 0 if there are fewer."""
    return float(scores[int(count)]) if count < len(scores) else 0.0


def outcome(
    detector: Detector, images: Sequence[WholeImage], places: Sequence[WholeImage], name: str
) -> Outcome:
    """Return the scores of a detector on images with and without hands."""
    best, false, right = [], [], []
    for image in track(images, name, console=Console(stderr=True)):
        found = detector.detect(read_rgb(image.file))
        overlap = np.array([[iou(hand.box, each.box_px) for each in found] for hand in image.hands])
        overlap = overlap.reshape(len(image.hands), len(found))
        scores = np.array([each.score for each in found])
        false += scores[(overlap < TOUCHING).all(axis=0)].tolist()
        for hand, shared in zip(image.hands, overlap, strict=True):
            if hand.counts:
                best.append([np.max(scores[shared >= least], initial=0.0) for least in LEAST_IOUS])
                if shared.size and shared.max() >= LEAST_IOUS[0]:
                    right.append(found[int(shared.argmax())].handedness == hand.handedness)
    nothing = [max((d.score for d in detector.detect(read_rgb(each.file))), default=0.0) for each in places]
    return Outcome(np.array(best), np.sort(false)[::-1], np.sort(nothing)[::-1], np.array(right))


if __name__ == "__main__":
    main()
