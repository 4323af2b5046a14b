"""Follow hands through composed videos with the shipped detector, and count what goes wrong.

    python benchmarks/track_hands.py estimation --root runs/moving --count 4 --split evaluation

Rendered hands with their arms are cut out by their depth (compare_smoothing.py renders them), and laid over
rendered rooms along horizontal paths. Nothing is given but the frames.

* alone: one hand.
* passing: two hands of random sides pass each other; the second one is in front.
* returning: one hand leaves the image and returns.

* found: share of the visible hands with a followed hand on them; false: followed hands on none, per frame.
* switches: changes of the number of a hand while it is visible, over all videos; lost: frames without the
  hand between two that have it; wrong side: share of the found hands; flips: changes of a track's side.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from scipy.optimize import linear_sum_assignment
from smoothing_film import drawn, write
from smoothing_series import Sequence_, sequences

from latent_hands.data import read_rgb
from latent_hands.data.formats.rhd_files import read_depth_mm
from latent_hands.predictor import Hand, Model
from latent_hands.rendering.looks.sensor import film, to_bytes
from latent_hands.rendering.whole.rooms import room

SIZE_PX = (192, 384)
"""(height, width); the height is that of the sequences, so that arms end at the same borders."""
FAR_MM = 4990
"""The background is farther."""
VISIBLE = 0.4
"""Least share of a hand's pixels that are in the image and not covered."""
NEAR = 0.4
"""A followed hand is on a true one if their joints are nearer on average, relative to its box."""
KINDS = ("alone", "passing", "returning")


@dataclass(frozen=True)
class Actor:
    """A sequence and the corner of its frames in every frame of the video, in pixels (x, y)."""

    sequence: Sequence_
    corners: np.ndarray


@dataclass
class Count:
    """What was counted in the videos of one kind."""

    visible: int = 0
    found: int = 0
    false: int = 0
    frames: int = 0
    switches: int = 0
    lost: int = 0
    wrong_side: int = 0
    flips: int = 0
    tracks: int = 0
    hands: int = 0

    def row(self) -> list[str]:
        """Return the cells of the table."""
        return [
            str(self.hands),
            f"{self.found / max(self.visible, 1):.3f}",
            f"{self.false / max(self.frames, 1):.3f}",
            *(str(n) for n in (self.tracks, self.switches, self.lost)),
            f"{self.wrong_side / max(self.found, 1):.3f}",
            str(self.flips),
        ]


HEADINGS = ("hands", "found", "false", "tracks", "switches", "lost", "wrong side", "flips")


def actors(kind: str, found: list[Sequence_], number: int) -> list[Actor]:
    """Return the hands of a video."""
    count = len(found[number].samples)
    at = np.linspace(0, 1, count)[:, None]

    def path(sequence: Sequence_, xs: np.ndarray) -> Actor:
        return Actor(sequence, np.round(np.hstack([xs - sequence.uv_px[..., 0].mean(), 0 * xs])))

    width = SIZE_PX[1]
    first, second = found[number], found[(number + 1) % len(found)]
    if kind == "alone":
        return [path(first, np.full_like(at, width / 2))]
    if kind == "passing":
        ways = 0.22 * width + 0.56 * width * at
        return [path(first, ways), path(second, width - ways)]
    away = np.clip(3.2 * (1 - np.abs(2 * at - 1)) - 1.2, 0, 1)
    return [path(first, width * (0.4 + 0.95 * away))]


def video(cast: list[Actor], seed: int) -> Iterator[tuple[np.ndarray, list[bool]]]:
    """Yield each frame, and whether each hand is visible in it."""
    height, width = SIZE_PX
    rng = np.random.default_rng(seed)
    behind = to_bytes(film(room(rng, max(SIZE_PX))))[:height, :width]
    for i in range(len(cast[0].corners)):
        frame, owner = Image.fromarray(behind), np.zeros(SIZE_PX, int)
        pixels = []
        for number, actor in enumerate(cast, 1):
            sample, corner = actor.sequence.samples[i], tuple(actor.corners[i].astype(int).tolist())
            assert sample.mask is not None
            assert sample.depth is not None
            part, near = np.asarray(Image.open(sample.mask)), read_depth_mm(sample.depth) < FAR_MM
            alpha = Image.fromarray(np.uint8(255) * near).filter(ImageFilter.GaussianBlur(0.7))
            frame.paste(Image.fromarray(read_rgb(sample.image)), corner, alpha)
            layer = Image.new("L", (width, height))
            layer.paste(Image.fromarray(np.where(part > 1, 2, near).astype(np.uint8)), corner)
            here = np.asarray(layer)
            owner[here > 0] = 0
            owner[here > 1] = number
            pixels.append((part > 1).sum())
        yield (
            np.array(frame),
            [(owner == n).sum() > VISIBLE * all_ for n, all_ in enumerate(pixels, 1)],
        )


def watch(
    kind: str, cast: list[Actor], visible: list[list[bool]], hands: list[list[Hand]], to: Count
) -> None:
    """Count what happens in a video."""
    last: dict[int, tuple[int, int]] = {}
    sides: dict[int, str] = {}
    to.hands, to.frames = to.hands + len(cast), to.frames + len(hands)
    for i, (seen, found) in enumerate(zip(visible, hands, strict=True)):
        true = [actor.sequence.uv_px[i] + actor.corners[i] for actor in cast]
        cost = np.array(
            [
                [np.linalg.norm(hand.uv_px - uv, axis=1).mean() / np.ptp(uv, axis=0).max() for hand in found]
                for uv in true
            ]
        ).reshape(len(true), len(found))
        pairs = [(a, b) for a, b in zip(*linear_sum_assignment(cost), strict=True) if cost[a, b] < NEAR]
        to.visible += sum(seen)
        to.false += len(found) - len(pairs)
        for a, b in pairs:
            number, before = found[b].track, last.get(a)
            assert number is not None
            to.found += seen[a]
            to.wrong_side += seen[a] and found[b].handedness != cast[a].sequence.samples[0].handedness
            if before is not None and all(frame[a] for frame in visible[before[0] : i]):
                to.switches += number != before[1]
                to.lost += i - before[0] - 1
            last[a] = i, number
        for hand in found:
            assert hand.track is not None
            to.flips += sides.get(hand.track, hand.handedness) != hand.handedness
            sides[hand.track] = hand.handedness
    to.tracks += len(sides)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="a run folder or the name of a shipped run")
    parser.add_argument("--root", type=Path, required=True, help="the folder of compare_smoothing.py")
    parser.add_argument("--split", choices=("training", "evaluation"), default="evaluation")
    parser.add_argument("--count", type=int, default=4, help="videos of each kind")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--films", type=Path, help="also write the videos with the followed hands here")
    options = parser.parse_args()
    model, found = Model.load(options.run), sequences(options.root, options.split)
    print(f"| {options.split} | {' | '.join(HEADINGS)} |\n|{'---|' * (len(HEADINGS) + 1)}")
    for kind in options.kinds:
        count = Count()
        for number in range(options.count):
            cast = actors(kind, found, number)
            frames, visible = zip(*video(cast, number), strict=True)
            hands = list(model.follow(frames, fps=cast[0].sequence.fps))
            watch(kind, cast, list(visible), hands, count)
            if options.films:
                options.films.mkdir(parents=True, exist_ok=True)
                images = [drawn(*pair) for pair in zip(frames, hands, strict=True)]
                write(images, options.films / f"{kind}-{number}.webp", 30)
        print("|", " | ".join([kind, *count.row()]), "|", flush=True)


if __name__ == "__main__":
    main()
