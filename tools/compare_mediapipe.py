"""MediaPipe Hands and a run on the same crops of a labelled data set, by the paper's protocol.

    pip install "mediapipe==0.10.21"    (later ones lack its `solutions` interface)
    python tools/compare_mediapipe.py estimation ge2019 ROOT [--split evaluation] [--rotations 8]

MediaPipe is given the ground-truth crop at 256 px and may find nothing there: both are scored on hands that
it finds. Its world landmarks are taken as they are, relative to its palm, times the true bone over its own.
"""

import argparse
import json
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from latent_hands.data import open_data
from latent_hands.data.crops import build_windows
from latent_hands.data.windows import Windows
from latent_hands.evaluation import protocol
from latent_hands.evaluation.scoring import evaluation_windows, predict_windows, translated, truth_of
from latent_hands.hand.geometry import canonicalise, normalise, to_palm
from latent_hands.hand.skeleton import reorder
from latent_hands.predictor import Model
from latent_hands.synthesis import to_images

CROP_PX = 256
SURE = 0.1  # of the detector; below its default of 0.5 it finds more hands in tight crops


def landmarks(images: Windows) -> tuple[Tensor, Tensor]:
    """World landmarks (found, 21, 3) in RHD order, wrist form, and which images (n,) have them."""
    from mediapipe import solutions

    sure = {"min_detection_confidence": SURE}
    with solutions.hands.Hands(static_image_mode=True, max_num_hands=1, **sure) as detector:
        points, found = [], []
        for image in track(images.pixels, "MediaPipe", console=Console(stderr=True)):
            told = detector.process(to_images(image[None] / 127.5 - 1)[0]).multi_hand_world_landmarks
            found.append(bool(told))
            if told:
                points.append([[p.x, p.y, p.z] for p in told[0].landmark])
    return reorder(torch.tensor(points), "snap", "rhd"), torch.tensor(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("data")
    parser.add_argument("root", type=Path)
    parser.add_argument("--split", default="evaluation")
    parser.add_argument("--rotations", type=int, default=1)
    options = parser.parse_args()
    samples = open_data(options.data, options.root, options.split)
    model = Model.load(options.run)
    if model.experiment.data.side != "mirror":
        parser.error(f"{options.run} is told the side; legal here: runs of mirrored hands")
    points, found = landmarks(build_windows(samples, "box", 1.0, CROP_PX, "mirror"))
    chosen = [sample for sample, there in zip(samples, found.tolist(), strict=True) if there]
    windows = evaluation_windows(model, chosen, options.rotations)
    truth, labels = truth_of(windows), windows.convention or ""
    pose, _ = normalise(to_palm(points))
    cpose, viewpoint = canonicalise(pose)
    said = {
        "mediapipe": (protocol.Prediction(pose, cpose, viewpoint), "mediapipe"),
        options.run: (predict_windows(model, windows, options.rotations), model.experiment.data.convention),
    }
    report = {"hands": len(samples), "found": len(chosen)}
    for name, (prediction, convention) in said.items():
        numbers = protocol.score(prediction, truth, options.split)
        if convention != labels:
            numbers |= translated(prediction, truth, (convention, labels), options.split, exact=False)
        report[name] = numbers
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
