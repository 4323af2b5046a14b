"""Train the shipped estimator on, with rendered hands, hands of whole rendered images, and photographs.

    python benchmarks/train_estimation.py OUT --start RUN --minutes 75 --seed 14 \\
        --hands hands --scenes scenes scenes_b --photographs PHOTOS LAID --without-hands squares.json

`hands` is a set of `latent-hands render`, `scenes` are sets of `render --whole-images`. PHOTOS is the COCO
set that `label_photographs.py` wrote, and LAID the one of `cut_out_hands.py`. Photographs of hands before
plain paper (their names contain "digits") are drawn once an epoch, other photographs twice.
squares.json is of `list_squares_without_hands.py`. With it the graph has the factor `presence`, and the last
of each 20 squares is validated on.

RUN has the graph of the experiment `placement`, or a part of it. Its latent learns on for some minutes from
labels alone, so that new factors and a new joint convention find their place; with `--keep-latent` only what
RUN lacks learns then. Next the encoder of images learns (Eq. 8). A training that was stopped continues if it
is started again with the same arguments.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from latent_hands.build import Hands
from latent_hands.configuration import Experiment, load_experiment
from latent_hands.data import open_data
from latent_hands.data.crops import build_windows
from latent_hands.data.sample import Sample
from latent_hands.data.windows import Windows
from latent_hands.runs.folder import load_run
from latent_hands.training import train

LEAST_PX, LEAST_VISIBLE, LEAST_INSIDE = 36, 12, 17
"""Hands of whole images and photographs have at least this size, and so many joints visible and inside."""
MARGIN = 2.0
PLAIN = "digits"
SQUARES = 20
"""One in so many squares without a hand is held out."""
HELD_OUT_PLAIN = 60
"""Number of held-out photographs before plain paper that count for validation; there are many of them."""


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", required=True, help="the run whose latent and encoders are continued")
    parser.add_argument("--minutes", type=float, required=True, help="duration of the training")
    parser.add_argument("--latent-minutes", type=float, default=4.0, help="duration of the latent's part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    for name, text in (("hands", "rendered hands"), ("scenes", "whole rendered images")):
        parser.add_argument(f"--{name}", nargs="+", required=True, help=f"folders of {text}")
    parser.add_argument(
        "--photographs", nargs="+", required=True, help="COCO sets; the first is validated on"
    )
    parser.add_argument("--shift", type=float, default=0.2, help="largest shift of a crop, in sides")
    parser.add_argument("--scale", type=float, nargs=2, default=[0.75, 1.3], help="range of its size")
    parser.add_argument("--keep-latent", action="store_true", help="the arrows of RUN's latent do not learn")
    parser.add_argument("--without-hands", type=Path, help="squares without a hand")
    chosen = parser.parse_args()
    experiment = load_experiment("placement", settings(chosen))
    if chosen.keep_latent:
        experiment = with_latent_of(chosen.start, experiment)
    data = experiment.data
    photographs = [
        each for root in chosen.photographs for each in inside(open_data("coco", root, "training"))
    ]
    samples = [each for root in chosen.hands for each in open_data("rendered", root, "training")]
    samples += [
        each for root in chosen.scenes for each in inside(open_data("rendered-hands", root, "training"))
    ]
    samples += photographs + [each for each in photographs if PLAIN not in each.name]
    squares = without_hands(chosen.without_hands) if chosen.without_hands else []
    samples += [each for i, each in enumerate(squares, 1) if i % SQUARES]
    order = np.random.default_rng(chosen.seed).permutation(len(samples))
    held_out = open_data("coco", chosen.photographs[0], "evaluation")
    plain = [each for each in held_out if PLAIN in each.name][:HELD_OUT_PLAIN] + squares[
        SQUARES - 1 :: SQUARES
    ]
    hands = Hands(
        windows([samples[i] for i in order], data.margin, data.window_px, data.right_hands),
        windows([e for e in held_out if PLAIN not in e.name] + plain, 1.0, data.crop_px, data.right_hands),
    )
    train(experiment, chosen.out, hands=hands, resume=chosen.out.exists())


def settings(chosen: argparse.Namespace) -> list[str]:
    """Return the settings that differ from the experiment `placement`."""
    factors = ["cpose", "viewpoint", "place", "side"]
    presence = [
        "--latent.presence=4",
        *(f"--{arrows}.presence.factors=['presence']" for arrows in ("encoders", "decoders")),
        "--encoders.presence.reads=presence", "--decoders.presence.writes=presence",
        "--encoders.presence.hidden=64", "--decoders.presence.hidden=64",
        f"--encoders.rgb.factors={[*factors, 'presence']}", f"--algorithm.encode={[*factors, 'presence']}",
    ]  # fmt: skip
    return (presence if chosen.without_hands else []) + [
        f"--training.start={chosen.start}", f"--training.seed={chosen.seed}", "--training.warmup=50",
        "--training.weight_decay=0.01", "--training.validate_every=1500",
        "--encoders.place.hidden=128", "--decoders.place.hidden=128", "--networks.width=64",
        "--encoders.side.hidden=64", "--decoders.side.hidden=64",
        "--networks.image_encoder=efficientnet_lite0", "--networks.stem=conv",
        f"--data.margin={MARGIN}", "--data.window_px=216",
        f"--augmentation.scale={chosen.scale}", f"--augmentation.shift={chosen.shift}",
        "--augmentation.grey=0.1",
        "--augmentation.jpeg=0.3", "--augmentation.occluders=0.15",
        "--objectives.agreement={cpose=0.05,viewpoint=0.05}",
        "--phases.disentangle.epochs=10000", f"--phases.disentangle.minutes={chosen.latent_minutes}",
        "--phases.disentangle.batch_size=256",
        "--phases.embed_pose.epochs=10000", f"--phases.embed_pose.minutes={chosen.latent_minutes / 3}",
        "--phases.embed_rgb.epochs=10000",
        f"--phases.embed_rgb.minutes={chosen.minutes}", "--phases.embed_rgb.batch_size=64",
        f"--phases.embed_rgb.learning_rate={chosen.learning_rate}",
        "--phases.embed_rgb.lam={uv=40,place=40,side=2" + (",presence=4}" if chosen.without_hands else "}"),
    ]  # fmt: skip


def with_latent_of(run: str, experiment: Experiment) -> Experiment:
    """Return the experiment in which no arrow of a run learns but its encoder of images."""
    vae, _ = load_run(run)
    kept = [f"encoders.{name}" for name in vae.encoders if name != "rgb"]
    kept += [f"decoders.{name}" for name in vae.decoders]
    return replace(experiment, training=replace(experiment.training, frozen=tuple(kept)))


def inside(samples: Sequence[Sample]) -> list[Sample]:
    """Return the hands that are large, visible, and inside the image."""
    return [each for each in samples if _is_inside(each)]


def _is_inside(sample: Sample) -> bool:
    uv_px = sample.uv_px
    if uv_px is None or sample.visible_or_all.sum() < LEAST_VISIBLE or np.ptp(uv_px, axis=0).max() < LEAST_PX:
        return False
    with Image.open(sample.image) as image:
        within = ((uv_px >= 0) & (uv_px < image.size)).all(axis=1)
    return int(within.sum()) >= LEAST_INSIDE


def without_hands(file: Path) -> list[Sample]:
    """Return the squares without a hand. Their sides have no meaning; both are among them."""
    squares = []
    for i, each in enumerate(json.loads(file.read_text())):
        x, y, side = each["square"]
        box = (x + side / 2, y + side / 2, side)
        name, hand = f"without_hand_{i}", ("left", "right")[i % 2]
        squares.append(Sample(name, Path(each["image"]), hand, scene_box=box, present=False))
    return squares


def windows(samples: Sequence[Sample], margin: float, window_px: int, right_hands: str) -> Windows:
    """Return the windows of hands, with nothing that only synthesis needs."""
    plain = [replace(each, block=None, mask=None, depth=None, tag=None, factors=None) for each in samples]
    return build_windows(plain, "box", margin, window_px, right_hands)


if __name__ == "__main__":
    main()
