"""Measure what a stream costs: processor time a frame, and frames a second and latency as it plays.

$ python benchmarks/measure_live.py clip.mp4

Processor time does not depend on what else the machine does; frames a second and latency do.
"""

import argparse
import time
from itertools import islice
from pathlib import Path

import latent_hands as lh
from latent_hands.data.formats.video import read_video
from latent_hands.streaming.page import to_jpeg


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--frames", type=int, default=90)
    given = parser.parse_args()
    model = lh.load("estimation", "cpu")
    frames = list(islice(read_video(given.video), given.frames))
    list(model.follow([frames[0].rgb] * 2))
    began = time.process_time()
    followed = list(model.follow([f.rgb for f in frames], seconds=[f.seconds for f in frames]))
    follow_s = time.process_time() - began
    began = time.process_time()
    drawn = [lh.draw_hands(f.rgb, hands) for f, hands in zip(frames, followed, strict=True)]
    draw_s = time.process_time() - began
    began = time.process_time()
    for image in drawn:
        to_jpeg(image)
    jpeg_s = time.process_time() - began
    each = 1000 / len(frames)
    hands = sum(map(len, followed)) / len(frames)
    print(f"{len(frames)} frames, {hands:.1f} hands each; processor time a frame:")
    print(f"follow {follow_s * each:.1f} ms, draw {draw_s * each:.1f} ms, JPEG {jpeg_s * each:.1f} ms")
    with lh.live(given.video, model) as stream:
        for _ in islice(stream, given.frames):
            pass
    rates = stream.rates
    print(f"as it plays: {rates.fps:.1f} frames/s, latency {1000 * rates.latency_s:.0f} ms, ", end="")
    print(f"{rates.frames} frames, {rates.dropped} dropped")


if __name__ == "__main__":
    main()
