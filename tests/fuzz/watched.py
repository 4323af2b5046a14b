"""What a process does to the files of a folder: counted, recorded, and stopped at a chosen change."""

import hashlib
import json
import os
import re
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.numpy import load

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")
CLOCK = ("samples_per_s", "seconds", "at", "before")
TORN_BYTES = 7
"""A torn write ends after so many bytes."""


@dataclass(frozen=True)
class Stop:
    """When and how work is stopped: before change number `at`, or after `seconds`.

    `how` is the number of a signal, "torn" (a kill in the middle of the next file), or "full" (no file can
    grow any more).
    """

    how: int | str
    at: int | None = None
    seconds: float = 0.0


def contents(folder: Path) -> dict[str, Any]:
    """Return what all files contain, without clock times; what a training prints has rates everywhere."""
    return {
        str(path.relative_to(folder)): content(path, path.name)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".log" and not is_temporary(path.relative_to(folder))
    }


def temporary(folder: Path) -> list[str]:
    """Return the temporary files and folders in a folder."""
    paths = (path.relative_to(folder) for path in folder.rglob("*"))
    return [str(path) for path in paths if is_temporary(path)]


def is_temporary(path: Path) -> bool:
    """Return whether a file is temporary, or in a hidden folder that the next call removes."""
    return any(name.startswith(".part-") or Path(name).match(".*.new") for name in path.parts)


def content(path: Path, name: str) -> Any:
    """Return what a file of this name contains, without clock times."""
    data = path.read_bytes()
    if name.endswith(".safetensors"):
        return sorted([key, digest(array.tobytes())] for key, array in load(data).items())
    if name.endswith(".jsonl"):
        return [without_clock(line) for line in data.splitlines(keepends=True)]
    if name in ("finished.json", "demo.json"):
        return without_clock(data)
    return digest(re.sub(rb"[\d.]+ min\b", b"", data) if name == "report.html" else data)


def without_clock(data: bytes) -> Any:
    """Return a JSON table without rates and times at any depth; a damaged line as text."""
    try:
        return json.loads(data, object_hook=lambda table: {k: v for k, v in table.items() if k not in CLOCK})
    except ValueError:
        return data.decode()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Watch:
    """Counts changes in a folder, records what is renamed, and stops the process at the chosen change."""

    def __init__(self, folder: Path, stop: Stop | None, record: bool):
        self.folder, self.stop, self.record = folder, stop, record
        self.changes, self.versions = 0, dict[str, list[Any]]()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Receive an audit event."""
        if event not in CHANGES and not (event == "open" and writes(arguments)):
            return
        paths = [Path(os.fsdecode(each)).absolute() for each in arguments[: 2 if event == "os.rename" else 1]]
        if not paths[0].is_relative_to(self.folder):
            return
        self.changes += 1
        if self.stop and self.stop.at == self.changes - 1:
            self.end(self.stop, paths[0])
        if self.record and event == "os.rename":
            self.note(*paths)

    def end(self, stop: Stop, path: Path) -> None:
        """Stop this process, or let its next write stop it."""
        if isinstance(stop.how, int):
            os.kill(os.getpid(), stop.how)
            return
        size = path.stat().st_size if path.is_file() else 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + TORN_BYTES, resource.RLIM_INFINITY))

    def note(self, source: Path, target: Path) -> None:
        """Record the content of a file that is renamed, or of all files of a folder."""
        files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
        for path in files:
            name = (target / path.relative_to(source)).relative_to(self.folder)
            self.versions.setdefault(str(name), []).append(content(path, name.name))


def writes(arguments: tuple[Any, ...]) -> bool:
    """Return whether a file is opened to write."""
    path, mode, flags = arguments
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    return bool(flags & (os.O_WRONLY | os.O_RDWR)) if mode is None else bool({*"wax+"} & {*mode})
