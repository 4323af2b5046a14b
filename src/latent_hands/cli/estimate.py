"""The command estimate."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from latent_hands.cli.options import (
    BoneMm,
    Box,
    FocalPx,
    Ids,
    Json,
    OptionalData,
    OptionalHandedness,
    OptionalRoot,
    Rotations,
    Run,
    Split,
)
from latent_hands.cli.tables import print_table
from latent_hands.errors import HandsError

if TYPE_CHECKING:
    from latent_hands.cli.estimation import Estimate


def estimate(
    run: Run,
    images: Annotated[tuple[Path, ...], Positional, arg(metavar="IMAGE ...", help_behavior_hint="")] = (),
    handedness: OptionalHandedness = None,
    bone_mm: BoneMm = None,
    box: Box = None,
    focal: FocalPx = None,
    rotations: Rotations = 1,
    draws: Annotated[int, arg(metavar="N")] = 0,
    out: Annotated[Path, arg(metavar="DIR")] = Path("runs/estimates"),
    overlays: Annotated[bool, arg(help_behavior_hint="")] = True,
    json: Json = False,
    data: OptionalData = None,
    root: OptionalRoot = None,
    split: Split = "evaluation",
    ids: Ids = (),
) -> bool:
    """Estimate the 3D hands in images: JSON in millimetres, and overlays.

    $ latent-hands estimate estimation hand.jpg --handedness left --box 40,25,128,128
    $ latent-hands estimate runs/mine photos/ --handedness right --bone-mm 44 --rotations 8
    $ latent-hands estimate estimation clip.mp4 --handedness right --focal 1100 --no-overlays
    $ latent-hands estimate estimation --data rhd --root RHD_published_v2 --ids 0 1 2

    Output: NAME.json and NAME.png for each image in the folder of --out, and a table. In the table, "reach
    mm" is the distance of the farthest joint from the palm (about 3.5 times the bone for an open hand), and
    "spread mm" is the mean spread of the joints over the draws.

    With --data, the labels give handedness, bone length and box, and the table shows the error.

    A wrong handedness or box gives a wrong pose without any warning. The table marks assumed values. The
    model predicts the pose, not the place of the hand: the box places the overlay.

    A broken image is skipped and named; the exit code is then 1.

    Args:
        images: Images of one hand each, folders of images, or videos.
        draws: Also draw N hands from the posterior, and print their spread. For the shipped `estimation`,
            errors are as large as this spread on rendered hands, and 1.6 times as large on photographs.
        out: The folder of NAME.json and NAME.png.
        overlays: Do not write NAME.png, which is faster.
    """
    from latent_hands.cli.estimation import TypedLabels, estimate_all, inputs_of_images, inputs_of_samples
    from latent_hands.cli.sources import check_outputs, find_samples
    from latent_hands.predictor import Model

    if bool(images) == (data is not None):
        raise HandsError("give either images or --data NAME --root DIR --ids ID ...")
    labels, broken = TypedLabels(handedness, box, bone_mm, focal), list[HandsError]()
    if data is None:
        inputs = inputs_of_images(images, labels, broken.append)
    else:
        labels.refuse()
        inputs = inputs_of_samples(find_samples(data, root, split, ids, limit=8))
    outputs = [out / f"{each.name}.{ending}" for each in inputs for ending in ("json", "png")]
    check_outputs((each.image for each in inputs), (each.sample for each in inputs if each.sample), outputs)
    predict = partial(Model.load(run).estimate, rotations=rotations, draws=draws)
    estimates = estimate_all(inputs, predict, out, overlays, broken.append)
    if not estimates:
        raise broken[0]
    if json:
        print("[" + ",\n".join(each.to_json() for each in estimates) + "]")
    else:
        print_hands(estimates)
        print(f"{out}: {len(estimates)} x JSON{' and image' if overlays else ''}")
    for error in broken:
        print(f"latent-hands: skipped: {' '.join(str(error).split())}", file=sys.stderr)
    return not broken


def print_hands(estimates: "Sequence[Estimate]") -> None:
    """Print one line for each image: the labels that were used or assumed, and the error if it is known."""
    spread = any(each.hand.spread is not None for each in estimates)
    error = any(each.error_mm is not None for each in estimates)
    headings = ["image", "hand", "box", "bone mm", "reach mm", *["spread mm"] * spread, *["error mm"] * error]
    rows = [[*_labels(each), *_numbers(each, spread, error)] for each in estimates]
    print_table(headings, rows, left=("image", "box"))


def _labels(estimate: "Estimate") -> list[str]:
    hand, given = estimate.hand, estimate.input
    handedness = hand.handedness + (" (assumed)" if given.handedness_assumed else "")
    box = ",".join(f"{number:.0f}" for number in hand.crop_px)
    if given.box_assumed:
        box = "whole image" + (" (no --box)" if given.sample is None else "")
    return [given.name, handedness, box]


def _numbers(estimate: "Estimate", spread: bool, error: bool) -> list[str]:
    hand = estimate.hand
    bone = f"{hand.bone_mm:.1f}" + (" (assumed)" if hand.bone_mm_assumed else "")
    reach = f"{(hand.xyz_mm**2).sum(axis=1).max() ** 0.5:.0f}"
    spread_mm = "" if hand.spread_mm is None else f"{hand.spread_mm.mean():.2f}"
    error_mm = "" if estimate.error_mm is None else f"{estimate.error_mm:.1f}"
    return [bone, reach, *[spread_mm] * spread, *[error_mm] * error]
