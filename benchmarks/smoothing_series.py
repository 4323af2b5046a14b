"""Series of hands over the frames of rendered sequences: ground truth, and what programs find."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from latent_hands.data import Sample, open_data, read_rgb
from latent_hands.data.palm import palm_uv_px, palm_xyz_mm
from latent_hands.predictor import Hand, Model, crop_of_sample
from latent_hands.predictor.cameras import ImageCamera
from latent_hands.predictor.convention import in_convention
from latent_hands.predictor.follow_settings import Settings
from latent_hands.predictor.follower import DRAWS, Follower
from latent_hands.predictor.reading import read
from latent_hands.predictor.tracks import Step, Track, hand_of_step, smoothed


@dataclass(frozen=True)
class Sequence_:
    """One rendered sequence.

    Attributes:
        samples: one for each frame.
        xyz_mm: (frames, 21, 3) true joints relative to the palm, camera frame.
        uv_px: (frames, 21, 2) true joints in the image.
        bone_mm: the true bone.
        still: (frames,) whether the hand rests, and rested in the frame before.
    """

    samples: list[Sample]
    xyz_mm: np.ndarray
    uv_px: np.ndarray
    bone_mm: float
    still: np.ndarray

    @property
    def fps(self) -> float:
        """Frames per second."""
        return 1 / (self.samples[1].seconds - self.samples[0].seconds)


def sequences(root: Path, split: str) -> list[Sequence_]:
    """Return the sequences of a rendered set of moving hands."""
    found = []
    for _, group in groupby(open_data("rendered", root, split), key=lambda sample: sample.block):
        samples = list(group)
        xyz_mm = np.stack([palm_xyz_mm(sample).numpy() for sample in samples])
        still = np.array([sample.factors["still"] for sample in samples])
        found.append(
            Sequence_(
                samples,
                xyz_mm - xyz_mm[:, :1],
                np.stack([palm_uv_px(sample).numpy() for sample in samples]),
                float(np.linalg.norm(xyz_mm[0, 11] - xyz_mm[0, 12])),
                still & np.append(False, still[:-1]),
            )
        )
    return found


@dataclass(frozen=True)
class Series:
    """The hands that a program finds in the frames of a sequence; NaN where it finds no hand.

    Attributes:
        xyz_mm: (frames, 21, 3) joints relative to the palm, camera frame, with the true bone.
        uv_px: (frames, 21, 2) joints in the image.
    """

    xyz_mm: np.ndarray
    uv_px: np.ndarray


def series(hands: Sequence[Sequence[Hand]], truth: Sequence_) -> Series:
    """Return the hand of each frame that is nearest to the true one, in the convention of the labels."""
    xyz_mm, uv_px = np.full_like(truth.xyz_mm, np.nan), np.full_like(truth.uv_px, np.nan)
    for i, found in enumerate(hands):
        if found:
            best = min(found, key=lambda hand: np.linalg.norm(hand.uv_px - truth.uv_px[i]))
            best = in_convention(best, truth.samples[0].convention or best.convention, truth.bone_mm)
            xyz_mm[i], uv_px[i] = best.xyz_mm - best.xyz_mm[:1], best.uv_px
    return Series(xyz_mm, uv_px)


def frame_by_frame(model: Model, truth: Sequence_) -> list[list[Hand]]:
    """Find the hand in every frame for itself."""
    given = {"handedness": truth.samples[0].handedness, "bone_mm": truth.bone_mm, "K": truth.samples[0].K}
    return [model.find(read_rgb(sample.image), max_hands=2, **given) for sample in truth.samples]


def followed(model: Model, truth: Sequence_) -> list[list[Step]]:
    """Follow the hand, and return the steps, from which all ways of smoothing are computed."""
    first = truth.samples[0]
    settings = Settings(
        handedness=first.handedness, bone_mm=truth.bone_mm, K=first.K, smooth="none", fps=truth.fps
    )
    follower = Follower(model, model.detector, settings)
    return [
        [step.without_image() for step in follower.step(read_rgb(sample.image), sample.seconds)]
        for sample in truth.samples
    ]


def read_in_true_crops(model: Model, truth: Sequence_, seed: int) -> list[list[Step]]:
    """Read the hand in crops of the ground truth, shifted by 1.5 % and scaled by 2 % at random, and filter.

    This needs neither a detector nor a model that measures joints in the image.
    """
    rng, number = np.random.default_rng(seed), Track(1, 0.0, None)
    steps = []
    for sample in truth.samples:
        photo = crop_of_sample(sample)
        x, y, width, height = photo.box_px
        side = max(width, height)
        centre = np.array([x + width / 2, y + height / 2]) + rng.normal(0, 0.015 * side, 2)
        side *= float(np.exp(rng.normal(0, 0.02)))
        corner = centre - side / 2
        photo = replace(photo, box_px=(float(corner[0]), float(corner[1]), side, side), bone_mm=truth.bone_mm)
        (reading,) = read(model, [photo], draws=DRAWS)
        assert sample.K is not None
        step = number.add(reading, sample.seconds or 0.0, ImageCamera(sample.K, "given"))
        steps.append([step.without_image()])
    return steps


def hands_of(model: Model, frames: Sequence[Sequence[Step]], smooth: str) -> list[list[Hand]]:
    """Return the hands of followed frames: "none", "online" or "offline"."""
    if smooth != "offline":
        online = smooth == "online"
        return [[hand_of_step(model, step, step.belief if online else None) for step in f] for f in frames]
    parts: dict[tuple[int, int], list[Step]] = {}
    for step in (step for frame in frames for step in frame):
        parts.setdefault((step.track, step.part), []).append(step)
    beliefs = {}
    for steps in parts.values():
        beliefs |= dict(zip(map(id, steps), smoothed(steps), strict=True))
    return [[hand_of_step(model, step, beliefs[id(step)]) for step in frame] for frame in frames]


def refiltered(frames: Sequence[Sequence[Step]]) -> list[list[Step]]:
    """Return the same steps filtered with the constants that `predictor.tracks` has now."""
    known: dict[int, Track] = {}
    return [
        [
            replace(
                known.setdefault(step.track, Track(step.track, 0.0, step.score)).add(
                    step.reading, step.seconds, step.camera
                ),
                part=step.part,
            )
            for step in frame
        ]
        for frame in frames
    ]
