"""Stages that are done once: what each found is kept beside its settings, and a second run skips it."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from latent_hands.errors import HandsError
from latent_hands.files import write_text

Found = dict[str, Any]


class Stages:
    """The stages of a demo in one folder, in order; demo.json there says which are done, and what they found.

    A stage is done anew if its settings or any stage before it have changed, or if a file of it is missing.
    """

    def __init__(self, folder: Path, count: int):
        self.folder, self.count = folder, count
        self.console = Console(stderr=True)
        self.path = folder / "demo.json"
        self.number = 0
        self.before: list[float] = []
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self.known: dict[str, Any] = json.loads(self.path.read_text()) if self.path.exists() else {}
        except ValueError as error:
            raise HandsError(f"{self.path} is broken ({error}); remove it to start again") from error

    def run(self, name: str, settings: Found, files: list[str], work: Callable[[], Found]) -> Found:
        """What `work` finds, or what it found when it ran under the same circumstances."""
        self.number += 1
        wanted = {"settings": settings, "before": list(self.before)}
        kept = self.known.get(name, {})
        fresh = {key: kept.get(key) for key in wanted} == wanted
        done = fresh and all((self.folder / file).exists() for file in files)
        heading = f"[bold]{self.number}/{self.count}[/] {name}"
        if done:
            self.console.print(f"{heading}: done before, kept")
        else:
            self.console.print(heading)
            started = time.time()
            found = work()
            seconds = time.time() - started
            kept = wanted | {"found": found, "seconds": seconds, "at": started}
            self.known[name] = kept
            write_text(self.path, json.dumps(self.known, indent=1))
            self.console.print(f"    {seconds:.0f} s", highlight=False)
        self.before.append(kept["at"])
        return kept["found"]

    def seconds(self) -> float:
        """How long all stages took when they ran."""
        return sum(stage["seconds"] for stage in self.known.values())
