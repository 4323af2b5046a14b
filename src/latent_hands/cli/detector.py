"""The commands that make detectors."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from latent_hands.cli.options import unset


def train(
    plan: Annotated[Path, Positional, arg(metavar="PLAN")],
    out: Annotated[Path | None, unset("runs/PLAN", "DIR", "The new run folder.")] = None,
    resume: bool = False,
) -> None:
    """Train a detector of hands in whole images, from a TOML file.

    $ latent-hands detector train detector.toml --out runs/detector
    $ latent-hands detector train detector.toml --out runs/detector --resume

    The file names the images to learn from. Every section is optional, except one part of [data]:

        [data]
        scenes = { rendered = "scenes", share = 2 }
        photographs = { boxes = "photographs/boxes.json", share = 1 }
        places = { images = "places", share = 0.2 }

        [training]
        updates = 3000

        [validation]
        photographs = { boxes = "photographs/validation.json" }

    `rendered` is a folder that `latent-hands render` wrote. `boxes` is a file of boxes, CSV or JSON, in the
    folder of its images; an image with an empty list has no hand. `images` is a folder of images without
    hands. The images of [validation] choose the threshold and calibrate the scores.

    Output: DIR/detector, which `estimate --detector` and `Model.load_detector` read, DIR/training.toml with
    all settings, and DIR/metrics.jsonl with the terms of the loss.

    Ctrl-C, SIGTERM and SIGHUP save the training; --resume continues it with the same result, bit for bit.

    Args:
        plan: A TOML file.
        resume: Continue an interrupted run.
    """
    from latent_hands.detection.plan import read_plan
    from latent_hands.detection.training import DETECTOR, train_detector
    from latent_hands.progress import progress_bars

    out = out or Path("runs") / plan.stem
    with progress_bars() as progress:
        scores = train_detector(read_plan(plan), out, resume, progress)
    if not (out / DETECTOR).is_dir():
        raise KeyboardInterrupt
    if scores is not None:
        print(
            f"{out / DETECTOR}: recall {scores.recall:.3f} of {scores.hands} hands, precision "
            f"{scores.precision:.3f}, side {scores.side:.3f}, false detections in {scores.false_share:.3f} "
            f"of {scores.empty} images without hands"
        )
