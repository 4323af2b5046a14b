"""Ablate the rule of presence: what it weighs, and how many detected hands it keeps.

    python benchmarks/ablate_presence.py estimation --rendered SCENES --limit 400

A rule is fitted to one half of the images and measured on the other, in both directions: the share of the
detected hands that it keeps at the threshold at which 1 % of the images without hands have a hand. Detections
with a crop below `--least-px` do not count. The set must have images without hands (`render --whole-images`).

It also prints the recall of the detector, and whether the detector, and the model from both readings, name
the side.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from whole_image_sets import ENDINGS, TrueHand, rendered

from latent_hands.data.formats.image import read_rgb
from latent_hands.detection import Detection, Detector
from latent_hands.evaluation.logistic import fit_logistic, sigmoid
from latent_hands.evaluation.rules import FALSE_SHARE, LEAST_SCORE
from latent_hands.hand.boxes import crop_of_box, iou
from latent_hands.predictor import HandCrop, Model
from latent_hands.predictor.cameras import camera_of_image
from latent_hands.predictor.hand import HANDEDNESS
from latent_hands.predictor.judging import presence_features, right_probability
from latent_hands.predictor.reading import Reading, read_twice

SAME_IOU, RECALL_IOU = 0.3, 0.5
DRAWS, RIDGE, POSTERIOR_RIDGE = 16, 0.1, 10.0
DETECTOR = ("bias", "score", "spread", "disagreement", "overlap", "side_px")


@dataclass
class Half:
    """What was seen in the images of one half.

    rows, hands, images: features of each detection, whether it is a hand, and the number of its image.
    empty: the numbers of the images without hands.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    hands: list[bool] = field(default_factory=list)
    images: list[int] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)


@dataclass
class Shares:
    """Whether each labelled hand is detected, and whether its side is right by detector and model."""

    found: list[bool] = field(default_factory=list)
    detector: list[bool] = field(default_factory=list)
    model: list[bool] = field(default_factory=list)


def observe(
    model: Model, number: int, file: Path, hands: Sequence[TrueHand], seen: Half, sides: Shares
) -> None:
    """Read the detections of an image, and add them."""
    rgb = read_rgb(file)
    camera = camera_of_image(rgb, rgb.shape[:2])
    detections = list(model.detector.detect(rgb))
    if not hands:
        seen.empty.append(number)
    photos = [HandCrop(rgb, s, crop_of_box(each.box_px), camera.K) for each in detections for s in HANDEDNESS]
    readings = read_twice(model, photos, draws=DRAWS)
    for each, left, right in zip(detections, readings[::2], readings[1::2], strict=True):
        overlap = [iou(each.box_px, hand.box) for hand in hands]
        by_side: dict[Handedness, Reading] = {"left": left, "right": right}
        found = right_probability(model.experiment.handedness, by_side, each.right) > 0.5
        reading = right if found else left
        is_hand = max(overlap, default=0.0) >= SAME_IOU
        if is_hand:
            side = hands[int(np.argmax(overlap))].handedness
            sides.detector.append((each.right > 0.5) == (side == "right"))
            sides.model.append(found == (side == "right"))
        seen.rows.append(features(model, reading, each))
        seen.hands.append(is_hand)
        seen.images.append(number)
    sides.found += [
        any(iou(each.box_px, hand.box) >= RECALL_IOU for each in detections) for hand in hands if hand.counts
    ]


def features(model: Model, reading: Reading, detection: Detection) -> dict[str, float]:
    """Return the features of the rule, the numbers of the posterior, and the side of the crop."""
    found = presence_features(reading, detection.box_px, detection.score, model.crop_px)
    latent, variance = reading.outputs["latent"], reading.outputs["latent_variance"].clamp(min=1e-6).log()
    numbers = {f"posterior_{i}": float(x) for i, x in enumerate(torch.cat([latent, variance]))}
    return found | numbers | {"px": reading.crop.side_px}


def kept(names: Sequence[str], fitted: Half, other: Half, least_px: float) -> float:
    """Return the share of the other half's hands that a rule keeps which is fitted to one half."""
    X, Y = (np.array([[row[name] for name in names] for row in half.rows]) for half in (fitted, other))
    counts, tested = (np.array([row["px"] >= least_px for row in half.rows]) for half in (fitted, other))
    ridge = np.array([POSTERIOR_RIDGE if name.startswith("posterior_") else RIDGE for name in names])
    weights = fit_logistic(X[counts], np.array(fitted.hands, float)[counts], ridge, np.zeros(len(names)))
    probability, images = sigmoid(Y @ weights) * tested, np.array(other.images)
    highest = [probability[images == number].max(initial=0.0) for number in other.empty]
    threshold = np.quantile(highest, 1 - FALSE_SHARE, method="higher")
    return float((probability > threshold)[np.array(other.hands) & tested].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="a run folder or the name of a shipped run, with draws and presence")
    parser.add_argument("--rendered", type=Path, required=True, help="a set of rendered whole images")
    parser.add_argument("--limit", type=int, help="number of images")
    parser.add_argument("--least-px", type=float, default=0.0, help="smallest side of a crop that counts")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load(options.run, "cpu")
    model.detector = Detector.load(device=model.device).with_least_score(LEAST_SCORE)
    labelled = {image.file: image.hands for image in rendered(options.rendered)}
    files = sorted(f for f in (options.rendered / "evaluation" / "color").iterdir() if f.suffix in ENDINGS)
    halves, sides = (Half(), Half()), Shares()
    for number, file in enumerate(track(files[: options.limit], "images", console=Console(stderr=True))):
        half = halves[crc32(file.name.encode()) % 2]
        observe(model, number, file, labelled.get(file, ()), half, sides)
    posterior = [name for name in halves[0].rows[0] if name.startswith("posterior_")]
    hands, empty = (
        sum(counts) for counts in zip(*((sum(h.hands), len(h.empty)) for h in halves), strict=True)
    )
    print(f"{hands} detected hands, {empty} images without hands\n\n| weighed | kept |\n|---|---|")
    for label, names in {
        "detector, spread, disagreement, overlap, size": DETECTOR,
        "the same and the numbers of the posterior": (*DETECTOR, *posterior),
        "the same and the decoded log-odds": (*DETECTOR, "decoded"),
        "all of them": (*DETECTOR, *posterior, "decoded"),
    }.items():
        shares = [kept(names, halves[i], halves[1 - i], options.least_px) for i in range(2)]
        print(f"| {label} | {' / '.join(f'{share:.2f}' for share in shares)} |")
    for label, values in vars(sides).items():
        print(f"{label}: {np.mean(values):.3f} of {len(values)}")


if __name__ == "__main__":
    main()
