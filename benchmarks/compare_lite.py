"""Compare the hands of an exported model with those of torch in float32: the largest distance of a joint.

    latent-hands export-model estimation runs/onnx
    python benchmarks/compare_lite.py runs/onnx IMAGE ...

Both read each image whole. Then both read the boxes and sides that torch found. FOLDER is an export of --run.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from latent_hands import lite
from latent_hands.hand.boxes import iou
from latent_hands.predictor import Hand, Model

SAME_HAND = 0.5
"""Least IoU of the boxes of one hand in both results."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--run", default="estimation")
    options = parser.parse_args()
    torch.cpu.get_capabilities = dict  # torch then computes in float32 on every processor
    model, light = Model.load(options.run, "cpu"), lite.load(options.folder)
    whole, boxed, hands = [], [], 0
    for image in track(options.images, transient=True):
        truth = model.find(image)
        hands += len(truth)
        whole += distances(truth, light.find(image))
        boxes, sides = [hand.box_px for hand in truth], [hand.handedness for hand in truth]
        if truth:
            given = [each.find(image, boxes=boxes, handedness=sides) for each in (model, light)]
            boxed += [apart_mm(*pair) for pair in zip(*given, strict=True)]
    print(f"images {len(options.images)}, hands {hands}, found by both with the same side {len(whole)}")
    for name, values in (("the same box given", boxed), ("whole image", whole)):
        print(f"{name}: largest {max(values, default=0):.3f} mm, median {np.median(values or 0):.3f} mm")


def distances(truth: list[Hand], found: list[Hand]) -> list[float]:
    """Return the distance of each hand from the hand of the same side with the same box, in millimetres."""
    rest, apart = list(found), []
    for hand in truth:
        for other in rest:
            if other.handedness == hand.handedness and iou(hand.box_px, other.box_px) >= SAME_HAND:
                apart.append(apart_mm(hand, other))
                rest.remove(other)
                break
    return apart


def apart_mm(one: Hand, other: Hand) -> float:
    """Return the largest distance between the joints of two hands, each relative to its palm."""
    return float(np.linalg.norm(one.xyz_mm - other.xyz_mm, axis=1).max())


if __name__ == "__main__":
    main()
