"""A process with limits of memory and processor time, which reads files that want more."""

import json
import subprocess
import sys
from pathlib import Path

MEMORY_BYTES, SECONDS = 700 * 2**20, 5
"""What reading one file may take, beyond the process as it was before."""
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
from latent_hands.configuration import load_experiment
from latent_hands.data import read_rgb
from latent_hands.data.formats import timed_file
from latent_hands.data.formats.json_file import load_json
from latent_hands.data.formats.mat_file import load_mat
from latent_hands.data.formats.safe_pickle import load_pickle
from latent_hands.errors import HandsError
from latent_hands.predictions import read_npz
from latent_hands.runs.tensors import read_tensors

READERS = {".toml": load_experiment, ".json": load_json, ".pickle": load_pickle}
READERS |= {".mat": lambda path: load_mat(path, {"a": (1,)}), ".npz": read_npz, ".safetensors": read_tensors}
memory_bytes, seconds, timed_file.MAX_SECONDS = map(int, sys.argv[1:])
pages = int(Path("/proc/self/statm").read_text().split()[0])
whole = pages * resource.getpagesize() + memory_bytes
resource.setrlimit(resource.RLIMIT_AS, (whole, whole))
for line in sys.stdin:
    path = Path(json.loads(line))
    begin = time.process_time()
    resource.setrlimit(resource.RLIMIT_CPU, (int(begin) + 1 + seconds, resource.RLIM_INFINITY))
    try:
        READERS.get(path.suffix, read_rgb)(path)
        answer = "read"
    except HandsError as error:
        answer = f"refused: {error}"
    except BaseException as error:
        answer = f"{type(error).__name__}: {error}"
    print(json.dumps([answer, time.process_time() - begin]), flush=True)
"""


def read_limited(files: list[Path], image_seconds: int = 1) -> dict[str, tuple[str, float]]:
    """Read files in a process with limits, by the reader of their ending; others are images.

    Returns, by the name of the file, "read", "refused: MESSAGE" of a HandsError, or another error, and the
    seconds of processor time. A file that ends the process is answered by its exit code.
    `image_seconds` is the time limit of images.
    """
    command = [sys.executable, "-c", PROGRAM, *map(str, (MEMORY_BYTES, SECONDS, image_seconds))]
    lines = "".join(json.dumps(str(file)) + "\n" for file in files)
    result = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    answers = [tuple(json.loads(line)) for line in result.stdout.splitlines()]
    answers += [(f"ended by {result.returncode}: {result.stderr[-300:]}", 0.0)] * (len(files) - len(answers))
    return {file.name: answer for file, answer in zip(files, answers, strict=True)}
