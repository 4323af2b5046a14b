"""Compare MediaPipe Hands with a run on the same crops of a labelled data set, by the paper's protocol.

    pip install "mediapipe==0.10.21"    (later versions lack the interface `solutions`)
    python benchmarks/compare_mediapipe.py estimation ge2019 ROOT [--split evaluation] [--rotations 8]

MediaPipe gets the ground-truth crop at 256 px. It does not find every hand, so both are scored on the hands
that it finds. Its world landmarks are taken relative to its palm and scaled to the true bone length.
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
from latent_hands.evaluation.scoring import evaluation_windows, translated, truth_of
from latent_hands.hand.geometry import canonicalise, normalise, to_palm
from latent_hands.hand.skeleton import reorder
from latent_hands.predictor import Model
from latent_hands.predictor.rotations import Prediction

CROP_PX = 256
CONFIDENCE = 0.1
"""The least confidence of the detector. Below its default of 0.5 it finds more hands in tight crops."""


def landmarks(images: Windows) -> tuple[Tensor, Tensor]:
    """Return world landmarks (found, 21, 3) in RHD order, wrist form, and which images (n,) have them."""
    from mediapipe import solutions

    options = {"static_image_mode": True, "max_num_hands": 1, "min_detection_confidence": CONFIDENCE}
    with solutions.hands.Hands(**options) as detector:
        points, found = [], []
        for image in track(images.pixels, "MediaPipe", console=Console(stderr=True)):
            detected = detector.process(image.permute(1, 2, 0).numpy()).multi_hand_world_landmarks
            found.append(bool(detected))
            if detected:
                points.append([[p.x, p.y, p.z] for p in detected[0].landmark])
    return reorder(torch.tensor(points), "mediapipe", "rhd"), torch.tensor(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="a run folder or the name of a shipped run")
    parser.add_argument("data", help="the name of the data set")
    parser.add_argument("root", type=Path, help="the folder of the data set")
    parser.add_argument("--split", default="evaluation")
    parser.add_argument("--rotations", type=int, default=1, help="rotated crops averaged by the run")
    options = parser.parse_args()
    samples = open_data(options.data, options.root, options.split)
    model = Model.load(options.run)
    if model.experiment.data.right_hands != "mirror":
        parser.error(f"{options.run} gets the handedness as an input; choose a run of mirrored hands")
    points, found = landmarks(build_windows(samples, "box", 1.0, CROP_PX, "mirror"))
    chosen = [sample for sample, detected in zip(samples, found.tolist(), strict=True) if detected]
    windows = evaluation_windows(model, chosen, options.rotations)
    truth, labels = truth_of(windows), windows.convention or ""
    pose, _ = normalise(to_palm(points))
    cpose, viewpoint = canonicalise(pose)
    predictions = {
        "mediapipe": (Prediction(pose, cpose, viewpoint), "mediapipe"),
        options.run: (model.predict_windows(windows, options.rotations), model.experiment.data.convention),
    }
    report = {"hands": len(samples), "found": len(chosen)}
    for name, (prediction, convention) in predictions.items():
        numbers = protocol.score(prediction, truth, options.split)
        if convention != labels:
            numbers |= translated(prediction, truth, (convention, labels), options.split, exact=False)
        report[name] = numbers
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
