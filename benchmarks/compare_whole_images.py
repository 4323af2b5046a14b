"""Compare a run with MediaPipe Hands on whole images: which hands do they find, of which side, and where?

    pip install "mediapipe==0.10.21"    (in an environment of its own, whose Python is MEDIAPIPE)
    python benchmarks/compare_whole_images.py estimation --mediapipe-python MEDIAPIPE/bin/python \\
        --rhd RHD --ge2019 GE --photographs PHOTOS --empty FOLDER --out scores.json

Neither program is given anything except the image. MediaPipe reads single images, finds at most two hands,
and keeps its default threshold of 0.5. The programs take turns, image by image, so that their times compare.

A hand is found if the box of its predicted joints and its labelled box have an IoU of at least 0.5.
The 2D error is the mean distance of the visible joints over the larger side of the labelled box.
On RHD and Ge 2019 the 3D poses are scored, too; the true bone length is the only thing given.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mediapipe_client import MediaPipe
from rich.console import Console
from rich.progress import track
from whole_image_poses import depth_errors, everything_given, pose_scores
from whole_image_programs import CONVENTION, Spent, mediapipe_hands, our_hands
from whole_image_scores import Found, false_alarms, joint_errors, match, mean_interval, score
from whole_image_sets import TrueHand, WholeImage, empty, ge2019, photographs, rendered, rhd

from latent_hands import lite
from latent_hands.predictor import Model

Find = Callable[[Path], tuple[list[Found], Spent]]
MEDIAPIPE_THRESHOLD, MOST_HANDS = 0.5, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help='a run folder, the name of a shipped run, or "none" for MediaPipe alone')
    parser.add_argument("--mediapipe-python", type=Path, required=True, help="the Python that has MediaPipe")
    for name in ("rhd", "ge2019", "photographs", "rendered", "empty"):
        parser.add_argument(f"--{name}", type=Path, help=f"folder of the images: {name}")
    parser.add_argument(
        "--sides", type=Path, help="JSON of the handedness of each box: {file: [side or null]}"
    )
    parser.add_argument("--detector", help="the folder of a detector; by default the shipped one")
    parser.add_argument(
        "--lite", type=Path, help="an exported model, which runs without torch beside the run"
    )
    parser.add_argument("--rotations", type=int, default=1, help="rotated crops averaged by the run")
    parser.add_argument("--limit", type=int, help="number of images of each set")
    parser.add_argument("--threads", type=int, default=2, help="threads of the run")
    parser.add_argument(
        "--out", type=Path, help="JSON file of the scores, also written to the standard output"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = None if options.run == "none" else load_model(options.run, options.detector)
    with MediaPipe(options.mediapipe_python, MEDIAPIPE_THRESHOLD, MOST_HANDS) as mediapipe:
        programs: dict[str, Find] = {"mediapipe": lambda file: mediapipe_hands(mediapipe, file)}
        if model is not None:
            programs["ours"] = lambda file: our_hands(model, file, rotations=options.rotations)
        if options.lite is not None:
            light = lite.load(options.lite, options.threads)
            programs["lite"] = lambda file: our_hands(light, file)
        report: dict[str, Any] = {}
        for name, images in chosen_sets(options).items():
            report[name] = compare(images[: options.limit], programs, model, options.rotations, name)
            if options.out is not None:
                options.out.write_text(json.dumps(report, indent=2))
    print(json.dumps(report, indent=2))


def load_model(run: str, detector: str | None) -> Model:
    """Return a run on the CPU, with another detector if one is given."""
    model = Model.load(run, "cpu")
    if detector is not None:
        model.detector = model.load_detector(detector)
    return model


def chosen_sets(options: argparse.Namespace) -> dict[str, list[WholeImage]]:
    """Return the images of the sets whose folders are given."""
    sets: dict[str, list[WholeImage]] = {}
    if options.rhd is not None:
        sets["rhd"] = rhd(options.rhd)
    if options.photographs is not None:
        sides = {} if options.sides is None else json.loads(options.sides.read_text())
        sets["subhih"] = photographs(options.photographs, "subhih", False, sides)
        sets["lebanese"] = photographs(options.photographs, "lebanese", True, sides)
    if options.ge2019 is not None:
        sets["ge2019"] = ge2019(options.ge2019)
    if options.rendered is not None:
        sets["rendered"] = rendered(options.rendered)
    if options.empty is not None:
        sets["empty"] = empty(options.empty)
    return sets


def compare(
    images: Sequence[WholeImage], programs: dict[str, Find], model: Model | None, rotations: int, name: str
) -> dict[str, Any]:
    """Return the scores of each program on the images of a set."""
    found: dict[str, list[list[Found]]] = {program: [] for program in programs}
    spent: dict[str, list[Spent]] = {program: [] for program in programs}
    for image in track(images, name, console=Console(stderr=True)):
        for program, find in programs.items():
            hands, time = find(image.file)
            found[program].append(hands)
            spent[program].append(time)
    if not any(image.hands for image in images):
        report: dict[str, Any] = {program: false_alarms(images, found[program]) for program in programs}
    else:
        report = {program: score(images, found[program]) for program in programs}
        if any(hand.sample for image in images for hand in image.hands):
            add_joint_scores(report, images, found)
            add_poses(report, images, found, model, rotations, depth=name == "rhd")
    for program, times in spent.items():
        report[program] |= {
            "median_ms": 1000 * float(np.median([each.wall for each in times])),
            "median_processor_ms": 1000 * float(np.median([each.processor for each in times])),
        }
    return report


def add_joint_scores(
    report: dict[str, Any], images: Sequence[WholeImage], found: dict[str, list[list[Found]]]
) -> None:
    """Add the 2D errors on the hands that all programs find."""
    errors = {program: joint_errors(images, each) for program, each in found.items()}
    both = np.isfinite(np.stack(list(errors.values()))).all(axis=0)
    for program, each in errors.items():
        report[program]["error_where_all_find"] = mean_interval(each[both])


def add_poses(
    report: dict[str, Any],
    images: Sequence[WholeImage],
    found: dict[str, list[list[Found]]],
    model: Model | None,
    rotations: int,
    depth: bool,
) -> None:
    """Add the 3D scores of each program on the hands that it finds, and on those that all find."""
    partners: dict[str, list[Found | None]] = {
        program: [
            hand for image, hands in zip(images, each, strict=True) for hand in match(image.hands, hands)
        ]
        for program, each in found.items()
    }
    truths = [hand for image in images for hand in image.hands]
    for program, each in partners.items():
        own = [i for i, hand in enumerate(each) if hand is not None and truths[i].counts]
        shared = [i for i in own if all(others[i] is not None for others in partners.values())]
        for key, indices in (("poses", own), ("poses_where_all_find", shared)):
            hands, others = select(truths, each, indices)
            report[program][key] = (
                pose_scores(hands, others, CONVENTION[program]) if hands else {"samples": 0}
            )
    if model is not None and any(partners["ours"]):
        own = [i for i, hand in enumerate(partners["ours"]) if hand is not None and truths[i].counts]
        hands, others = select(truths, partners["ours"], own)
        report["ours"]["everything_given"] = everything_given(model, hands, rotations)
        report["ours"]["depth, bone given"] = depths(hands, others)
        if depth:
            report["ours"]["depth, bone and camera given"] = depths(*with_cameras(model, images, rotations))


def select(
    hands: Sequence[TrueHand], found: Sequence[Found | None], indices: Sequence[int]
) -> tuple[list[TrueHand], list[Found]]:
    """Return these labelled hands and their found ones."""
    pairs = [(hands[i], each) for i in indices if (each := found[i]) is not None]
    return [hand for hand, _ in pairs], [each for _, each in pairs]


def with_cameras(
    model: Model, images: Sequence[WholeImage], rotations: int
) -> tuple[list[TrueHand], list[Found]]:
    """Return the labelled hands that count, and the found ones, if the cameras of the images are given."""
    truths, partners = [], []
    for image in images:
        K = next((hand.sample.K for hand in image.hands if hand.sample is not None), None)
        found, _ = our_hands(model, image.file, K=K, rotations=rotations)
        truths += image.hands
        partners += match(image.hands, found)
    return select(truths, partners, [i for i, hand in enumerate(truths) if hand.counts])


def depths(hands: Sequence[TrueHand], found: Sequence[Found]) -> dict[str, Any]:
    """Return quantiles of the relative errors of the palms' depths, if the true bone is given."""
    errors = depth_errors(hands, found)
    errors = errors[np.isfinite(errors)]
    if not len(errors):
        return {"hands": 0}
    return {"hands": len(errors), "median": float(np.median(errors)), "90 %": float(np.quantile(errors, 0.9))}


if __name__ == "__main__":
    main()
