"""Explain the errors of poses in whole images: give box, side and camera, each alone and together.

    python benchmarks/explain_whole_images.py estimation --rendered SCENES --limit 200

Only hands count that the detector finds (IoU 0.5 of its box with the labelled one). All rows are of the same
hands, and the bone is given in all of them.

* box: the labelled box of the joints instead of the detector's. The hand is read twice, as always.
* crop: the crop of the protocol, which is cut from the labelled joints. The hand is read once.
* EPE: mean error of the joints relative to the palm, in mm; its median over the hands; the same after
  Procrustes alignment; the share of hands of the wrong side; and the median error of the palm's depth.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from scipy.optimize import linear_sum_assignment
from whole_image_poses import depth_errors, pose_scores
from whole_image_programs import CONVENTION
from whole_image_scores import Found
from whole_image_sets import TrueHand, WholeImage, rendered

from latent_hands.data.formats.image import read_rgb
from latent_hands.detection import Detection
from latent_hands.hand.boxes import iou
from latent_hands.predictor import Hand, Model
from latent_hands.predictor.cameras import camera_of_image
from latent_hands.predictor.candidates import Candidate, plausible
from latent_hands.predictor.checks import Rgb
from latent_hands.predictor.find import find_hands
from latent_hands.predictor.hand import check_handedness

GIVEN = ("box", "side", "camera")
LEAST_IOU = 0.5
DRAWS = 16


@dataclass(frozen=True)
class Case:
    """A labelled hand of an image, and its detection."""

    rgb: Rgb
    hand: TrueHand
    detection: Detection


def cases(model: Model, images: Sequence[WholeImage]) -> Iterator[Case]:
    """Yield the hands that count and that the detector finds."""
    for image in images:
        rgb, hands = read_rgb(image.file), [hand for hand in image.hands if hand.counts]
        found = list(model.detector.detect(rgb))
        overlap = np.array([[iou(hand.box, each.box_px) for each in found] for hand in hands])
        if overlap.size:
            for i, j in zip(*linear_sum_assignment(-overlap), strict=True):
                if overlap[i, j] >= LEAST_IOU:
                    yield Case(rgb, hands[i], found[j])


def estimated(model: Model, case: Case, given: frozenset[str]) -> Hand:
    """Return the hand with some of the labels given."""
    sample, found = case.hand.sample, case.detection
    assert sample is not None
    if "crop" in given:
        return model.estimate(sample, draws=DRAWS)
    camera = camera_of_image(case.rgb, case.rgb.shape[:2], sample.K if "camera" in given else None)
    sides = (check_handedness(sample.handedness),) if "side" in given else plausible(found.right)
    box = case.hand.box if "box" in given else found.box_px
    (hand,) = find_hands(model, case.rgb, camera, [Candidate(box, sides, found.right)], None, 1, DRAWS)
    return hand


def row(name: str, hands: Sequence[TrueHand], found: Sequence[Hand]) -> list[str]:
    """Return a row of the table."""
    poses = [
        Found(
            each.handedness,
            np.asarray(each.in_order("rhd").uv_px),
            np.asarray(each.pose),
            float("nan") if each.palm_mm is None else float(each.palm_mm[2]) / each.bone_mm,
        )
        for each in found
    ]
    scores: dict[str, Any] = pose_scores(hands, poses, CONVENTION["ours"])
    wrong = np.mean([a.handedness != b.handedness for a, b in zip(hands, found, strict=True)])
    numbers = [f"{scores[key]:.1f}" for key in ("epe_mm", "median_epe_mm", "pa_epe_mm")]
    depth = np.median(depth_errors(hands, poses))
    return [name, *numbers, f"{100 * wrong:.1f} %", f"{100 * depth:.1f} %"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="a run folder or the name of a shipped run")
    parser.add_argument("--rendered", type=Path, required=True, help="a set of rendered whole images")
    parser.add_argument("--limit", type=int, help="number of images")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load(options.run, "cpu")
    settings = [
        frozenset(name for name, is_given in zip(GIVEN, chosen, strict=True) if is_given)
        for chosen in product((False, True), repeat=len(GIVEN))
    ]
    settings.append(frozenset({"crop", "side", "camera"}))
    images = rendered(options.rendered)[: options.limit]
    hands: list[TrueHand] = []
    found: dict[frozenset[str], list[Hand]] = {given: [] for given in settings}
    for case in cases(model, list(track(images, "images", console=Console(stderr=True)))):
        hands.append(case.hand)
        for given in settings:
            found[given].append(estimated(model, case, given))
    print(
        f"{len(hands)} hands\n\n| given | EPE | median | aligned | wrong side | depth |\n" + "|---" * 6 + "|"
    )
    for given in sorted(settings, key=len):
        name = " + ".join(each for each in ("crop", *GIVEN) if each in given) or "nothing"
        print(f"| {' | '.join(row(name, hands, found[given]))} |")


if __name__ == "__main__":
    main()
