"""Stages that run once: the results of each stage are kept with its settings, and a second call skips it."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from latent_hands.errors import BROKEN, HandsError
from latent_hands.files import write_text
from latent_hands.progress import messages, say

Results = dict[str, Any]


class Stages:
    """The stages of a demo in one folder. Its file demo.json has the settings and results of finished stages.

    A stage runs again if its settings or an earlier stage changed, or if one of its files is missing. Raises
    HandsError if demo.json is broken.
    """

    def __init__(self, folder: Path, count: int):
        self.folder, self.count = folder, count
        self.console = messages()
        self.path = folder / "demo.json"
        self.number = 0
        self.before: dict[str, float] = {}
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self.known: dict[str, Any] = json.loads(self.path.read_text()) if self.path.exists() else {}
        except BROKEN as error:
            raise HandsError(f"{self.path} is broken ({error}); remove it to run all stages again") from error

    def run(self, name: str, settings: Results, files: list[str], work: Callable[[], Results]) -> Results:
        """Return the results of `work`, or its kept results if nothing changed."""
        self.number += 1
        current = {"settings": settings, "before": list(self.before.values())}
        kept = self.known.get(name, {})
        unchanged = {key: kept.get(key) for key in current} == current
        done = unchanged and all((self.folder / file).exists() for file in files)
        heading = f"{self.number}/{self.count} {name}"
        if done:
            say(self.console, f"{heading}: already done", "bold")
        else:
            say(self.console, heading, "bold")
            started = time.time()
            results = work()
            seconds = time.time() - started
            kept = current | {"results": results, "seconds": seconds, "at": started}
            self.known[name] = kept
            write_text(self.path, json.dumps(self.known, indent=1))
            say(self.console, f"    {seconds:.0f} s")
        self.before[name] = kept["at"]
        return kept["results"]

    def seconds(self) -> float:
        """Return the time in seconds that all stages took when they ran."""
        return sum(self.known[name]["seconds"] for name in self.before)
