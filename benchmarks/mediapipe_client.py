"""Run `mediapipe_worker.py` with another Python and ask it for the hands of image files."""

import json
import subprocess
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("mediapipe_worker.py")


class MediaPipe:
    """MediaPipe Hands in a process of its own.

    Args:
        python: the Python interpreter that has MediaPipe.
        threshold: the least score of a detected hand.
        most: the most hands of an image.

    Raises RuntimeError if the process ends early, for example because MediaPipe is missing.
    """

    def __init__(self, python: Path, threshold: float, most: int) -> None:
        command = [str(python), str(WORKER), "--threshold", str(threshold), "--most", str(most)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, text=True, **pipes)

    def read(self, file: Path, **options: Any) -> dict[str, Any]:
        """Return the worker's answer to a request, as `mediapipe_worker` describes it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"file": str(file), **options}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{' '.join(map(str, self.process.args))} ended while it read {file}")
        return json.loads(answer)

    def __enter__(self) -> "MediaPipe":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
