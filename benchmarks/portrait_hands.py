"""The hands that the synthesis model of 128 px learns from, with their tags.

Rendered hands come from sets of `latent-hands render --scene-size 0.85 1.0`. The tag of a rendered hand is
the tag image of its scene, or the image of another hand in it. Photographs come from COCO sets that
`label_photographs.py` wrote, in the joint convention of the scenes. Those before plain paper (their names
contain "digits"), those whose crop shows a face (`list_faces.py`) and those whose crop is mostly outside the
image are left out. The tag of a photograph is another one of the same place with another pose: one of those
that look most alike outside the hands. The crop of both is the same.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from latent_hands.build import Hands
from latent_hands.configuration import Experiment
from latent_hands.data import open_data
from latent_hands.data.crops import build_windows
from latent_hands.data.formats.image import read_rgb
from latent_hands.data.sample import Sample
from latent_hands.hand.camera import palm_box

PLAIN = "digits"
THUMBNAIL_PX = 24
ALIKE = 6
"""The tag is one of so many photographs that look most alike."""
LARGEST_DIFFERENCE = 15.0
"""Largest mean difference of the places of a photograph and of its tag, in grey levels."""
LEAST_MOVED = 0.07
"""Least mean distance of the joints of a photograph and of its tag, in sides of the crop."""
LEAST_INSIDE = 0.7
"""Least share of a crop that lies inside the photograph."""
OTHER_TAGS = 0.6
"""Share of rendered hands whose tag is the image of another hand of the same scene."""
HELD_OUT = 200
"""Number of rendered hands that are validated on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `open_hands` reads."""
    parser.add_argument("--rendered", nargs="+", required=True, help="folders of rendered scenes")
    parser.add_argument("--photographs", nargs="*", default=[], help="COCO sets")
    parser.add_argument("--faces", nargs="*", default=[], type=Path, help="files of list_faces.py")
    parser.add_argument(
        "--repeat", type=int, default=4, help="how often an epoch has each photograph, with other tags"
    )
    parser.add_argument("--seed", type=int, default=0)


def open_hands(chosen: argparse.Namespace, experiment: Experiment) -> Hands:
    """Return the crops of all hands and their tags, and of rendered hands that are held out."""
    data = experiment.data
    samples = [each for root in chosen.rendered for each in open_data("rendered", root, "training")]
    held_out = samples[-min(HELD_OUT, len(samples) // 10) :]
    samples = with_other_tags(samples[: -len(held_out)], chosen.seed)
    faces = {name: boxes for file in chosen.faces for name, boxes in json.loads(file.read_text()).items()}
    photographs = [
        tagged
        for root in chosen.photographs
        for tagged in with_tags(
            usable(open_data("coco", root, "training"), faces), chosen.repeat, chosen.seed
        )
    ]
    print(f"{len(samples)} rendered hands and {len(photographs)} photographs")
    samples += photographs
    order = np.random.default_rng(chosen.seed).permutation(len(samples))
    tags = ["tag"] if any(each.reads == "tag" for each in experiment.encoders.values()) else []
    return Hands(
        *(
            build_windows(of, data.crop, data.margin, data.window_px, data.right_hands, tags)
            for of in ([samples[i] for i in order], held_out)
        )
    )


def with_other_tags(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Return rendered hands, of which OTHER_TAGS have the image of another hand of their scene as their tag.

    The encoder of tags then reads the content of any image of a hand.
    """
    rng, scenes = np.random.default_rng(seed), dict[Path | None, list[Sample]]()
    for sample in samples:
        scenes.setdefault(sample.tag, []).append(sample)

    def tag(sample: Sample) -> Path | None:
        others = [other.image for other in scenes[sample.tag] if other.image != sample.image]
        return rng.choice(others) if others and rng.random() < OTHER_TAGS else sample.tag

    return [replace(sample, tag=tag(sample)) for sample in samples]


def square_of(sample: Sample) -> tuple[float, float, float]:
    """Return the crop of image synthesis: the x and y of its centre and its side, in pixels."""
    (x, y), side = palm_box(torch.as_tensor(sample.xyz_mm), torch.as_tensor(sample.K))
    return float(x), float(y), float(side)


def usable(samples: Sequence[Sample], faces: Mapping[str, Sequence[Sequence[float]]]) -> list[Sample]:
    """Return the photographs whose crop shows a place, but no face and no border."""
    return [
        each
        for each in samples
        if PLAIN not in each.name
        and inside(each) >= LEAST_INSIDE
        and not any(touches(square_of(each), box) for box in faces[each.image.name])
    ]


def inside(sample: Sample) -> float:
    """Return the share of the crop that lies inside the image."""
    x, y, side = square_of(sample)
    with Image.open(sample.image) as image:
        ends = zip((x, y), image.size, strict=True)
        within = [min(at + side / 2, most) - max(at - side / 2, 0) for at, most in ends]
    return max(within[0], 0) * max(within[1], 0) / side**2


def touches(square: tuple[float, float, float], box: Sequence[float]) -> bool:
    """Return whether a square and a box have a point in common."""
    (cx, cy, side), (x, y, width, height) = square, box
    return abs(cx - x - width / 2) < (side + width) / 2 and abs(cy - y - height / 2) < (side + height) / 2


def with_tags(samples: Sequence[Sample], repeat: int, seed: int) -> list[Sample]:
    """Return the photographs that have tags, other photographs of the same place: each with `repeat` tags."""
    rng = np.random.default_rng(seed)
    thumbnails, places = (np.stack(each) for each in zip(*(thumbnail(s) for s in samples), strict=True))
    tagged = []
    for i, sample in enumerate(samples):
        both = places & places[i]
        difference = (np.abs(thumbnails - thumbnails[i]).mean(axis=3) * both).sum(axis=(1, 2))
        difference /= both.sum(axis=(1, 2)).clip(min=1)
        difference[moved(sample, samples) < LEAST_MOVED] = np.inf
        alike = np.argsort(difference)[:ALIKE]
        alike = alike[difference[alike] < LARGEST_DIFFERENCE]
        if len(alike):
            tagged += [replace(sample, tag=samples[j].image) for j in rng.choice(alike, repeat)]
    return tagged


def moved(sample: Sample, others: Sequence[Sample]) -> np.ndarray:
    """Return the mean distance of a sample's joints from those of others, in sides of its crop."""
    joints = np.stack([each.uv_px for each in others]) - sample.uv_px
    return np.linalg.norm(joints, axis=2).mean(axis=1) / square_of(sample)[2]


def thumbnail(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Return a small copy of the whole image, and which of its pixels are not in the hand's crop."""
    image = Image.fromarray(read_rgb(sample.image))
    x, y, side = (value * THUMBNAIL_PX for value in square_of(sample))
    down, across = np.mgrid[:THUMBNAIL_PX, :THUMBNAIL_PX]
    hand = (abs(across - x / image.width) < side / 3 / image.width) & (
        abs(down - y / image.height) < side / 3 / image.height
    )
    small = image.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    return np.asarray(small, np.float32), ~hand
