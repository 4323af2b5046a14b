"""Measure an exported model against torch: start with one image, memory, time an image, and the joints.

    python benchmarks/measure_lite.py FOLDER IMAGE ...

FOLDER is the exported run "estimation". The two take turns, three times each, in processes of one thread.
It needs Linux. The peak memory is VmHWM after all images.
"""

import json
import os
import subprocess
import sys
import time
from statistics import median

ROUNDS, REPEATS = 3, 1
TORCH = (
    "import torch; torch.set_num_threads(1); import latent_hands as lh; model = lh.load('estimation', 'cpu')"
)
LITE = "from latent_hands import lite; model = lite.load({folder!r})"
WORK = r"""
import json, re, sys, time
from pathlib import Path
{load}
model.find({images!r}[0])
first = time.process_time()
for image in {images!r}: model.find(image)
begin = time.process_time()
for _ in range({repeats}):
    hands = [model.find(image) for image in {images!r}]
each = 1000 * (time.process_time() - begin) / {repeats} / len(hands)
peak = int(re.search(r'VmHWM:\s+(\d+)', Path('/proc/self/status').read_text())[1]) / 1024
xyz = [[[hand.handedness, hand.xyz_mm.tolist()] for hand in of] for of in hands]
print(json.dumps(dict(cpu_s=first, peak_mb=peak, cpu_ms_an_image=each, hands=xyz)))
"""


def measured(load: str, images: list[str]) -> dict:
    code = WORK.format(load=load, images=images, repeats=REPEATS)
    only = f"{load}\nmodel.find({images[0]!r})"
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", only], check=True)
    wall_s = time.perf_counter() - begin
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return json.loads(done.stdout) | {"wall_s": wall_s}


def main(folder: str, images: list[str]) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    runs: dict[str, list[dict]] = {"torch": [], "lite": []}
    for _ in range(ROUNDS):
        runs["torch"].append(measured(TORCH, images))
        runs["lite"].append(measured(LITE.format(folder=folder), images))
    for key in ("wall_s", "cpu_s", "peak_mb", "cpu_ms_an_image"):
        torch, lite = (median(each[key] for each in runs[name]) for name in runs)
        print(f"{key}: torch {torch:.2f}, lite {lite:.2f}, ratio {torch / lite:.2f}")
    counts = [[len(of) for of in runs[name][0]["hands"]] for name in runs]
    print(f"images {len(images)}, hands {sum(counts[0])} and {sum(counts[1])}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
