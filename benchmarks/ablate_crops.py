"""Ablate the second crop of a hand in whole images: how far it moves, and how much wider it is.

    python benchmarks/ablate_crops.py estimation --rendered SCENES --limit 200
    python benchmarks/ablate_crops.py RUN --rendered SCENES --farther 0 5

Only hands count that the detector finds (IoU 0.5). Side, bone and camera are given. The first crop is that of
the detector's box. The second crop moves by the measured shift s of the middle knuckle, in sides of the crop,
times 1 + FARTHER s, and at most twice as far; its side is ROOM times that of the protocol's crop of the
measured joints. STEP is the share of the whole change that is made. "true centre" and "true size" take the
centre and the size from the labelled joints. The error of a row against the first is given with its standard
error, over hands.
"""

import argparse
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from explain_whole_images import Case, cases
from rich.console import Console
from rich.progress import track
from whole_image_sets import rendered

from latent_hands.hand import geometry
from latent_hands.hand.boxes import ROOM, Box, crop_of_box, crop_of_joints
from latent_hands.predictor import HandCrop, Model
from latent_hands.predictor.crop import MOST_CHANGE
from latent_hands.predictor.reading import glance, read

FARTHEST = 2.0


def second_crop(first: Box, measured: Box, farther: float) -> Box:
    """Return the crop of measured joints, moved farther than measured, with its change of size limited."""
    side = min(max(measured[2], first[2] / MOST_CHANGE), first[2] * MOST_CHANGE)
    (u, v), (x, y) = ((box[0] + box[2] / 2, box[1] + box[2] / 2) for box in (first, measured))
    factor = min(1 + farther * math.hypot(x - u, y - v) / first[2], FARTHEST)
    return u + factor * (x - u) - side / 2, v + factor * (y - v) - side / 2, side, side


def errors(
    model: Model, case: Case, farther: list[float], rooms: list[float], steps: list[float]
) -> dict[str, float]:
    """Return the EPE of a hand in mm for each way to choose its second crop."""
    sample = case.hand.sample
    assert sample is not None
    assert sample.uv_px is not None
    first = crop_of_box(case.detection.box_px)
    side = "right" if sample.handedness == "right" else "left"
    photo = HandCrop(case.rgb, side, first, sample.K)
    uv_px, size = glance(model, [photo]).readings[0].uv_px, case.rgb.shape[:2]
    palm = geometry.to_palm(torch.from_numpy(sample.uv_px)).numpy()
    true, measured = crop_of_joints(palm, size), crop_of_joints(uv_px, size, ROOM)
    crops = {f"farther {each:g}": second_crop(first, measured, each) for each in farther}
    for room in rooms:
        crops[f"room {room:g}"] = second_crop(first, crop_of_joints(uv_px, size, room), 0.0)
    for step in steps:
        near = tuple(
            a + step * (b - a) for a, b in zip(first, second_crop(first, measured, 0.0), strict=True)
        )
        crops[f"step {step:g}"] = around((near[0] + near[2] / 2, near[1] + near[2] / 2), near[2])
    plain, centre = second_crop(first, measured, 0.0), (true[0] + true[2] / 2, true[1] + true[2] / 2)
    crops["true centre"] = around(centre, plain[2])
    crops["true size"] = around((plain[0] + plain[2] / 2, plain[1] + plain[2] / 2), true[2])
    crops["both"] = true
    readings = read(model, [replace(photo, box_px=crop) for crop in crops.values()])
    truth, bone_mm = geometry.normalise(geometry.to_palm(torch.from_numpy(np.asarray(sample.xyz_mm))))
    poses = [reading.outputs["pose"] for reading in readings]
    epe = [float((pose - truth).norm(dim=-1).mean() * bone_mm) for pose in poses]
    return dict(zip(crops, epe, strict=True))


def around(centre: tuple[float, float], side: float) -> Box:
    return centre[0] - side / 2, centre[1] - side / 2, side, side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="a run folder or the name of a shipped run")
    parser.add_argument("--rendered", type=Path, required=True, help="a set of rendered whole images")
    parser.add_argument("--limit", type=int, help="number of images")
    parser.add_argument("--farther", type=float, nargs="+", default=[0.0, 5.0])
    parser.add_argument("--room", type=float, nargs="+", default=[1.0, 1.1, 1.3])
    parser.add_argument("--step", type=float, nargs="+", default=[0.5, 0.75])
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load(options.run, "cpu")
    images = rendered(options.rendered)[: options.limit]
    chosen = cases(model, list(track(images, "images", console=Console(stderr=True))))
    rows = [errors(model, case, options.farther, options.room, options.step) for case in chosen]
    first = np.array([next(iter(row.values())) for row in rows])
    print(f"{len(rows)} hands\n\n| second crop | EPE | against the first |\n|---|---|---|")
    for name in rows[0]:
        epe = np.array([row[name] for row in rows])
        change, error = (epe - first).mean(), (epe - first).std() / math.sqrt(len(epe))
        print(f"| {name} | {epe.mean():.1f} mm | {change:+.1f} &plusmn; {error:.1f} |")


if __name__ == "__main__":
    main()
