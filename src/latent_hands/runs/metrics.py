"""The file metrics.jsonl of a run folder: one line a report."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latent_hands.errors import BROKEN
from latent_hands.files import append_text, write_text

METRICS = "metrics.jsonl"


def append_metrics(out: Path, line: Mapping[str, Any]) -> None:
    """Add one line to the metrics of a run."""
    append_text(out / METRICS, json.dumps(line) + "\n")


def cut_metrics(out: Path, update: int) -> None:
    """Remove the lines after an update: a resumed run writes them again."""
    path = out / METRICS
    if path.exists():
        kept = [line for line in read_metrics(path) if line["update"] <= update]
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a metrics file, without lines that are incomplete or damaged."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [line for line in map(_parse_line, lines) if line is not None]


def _parse_line(text: bytes) -> dict[str, Any] | None:
    """Return one line of metrics, or None if it is damaged."""
    try:
        line = json.loads(text)
    except BROKEN:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("update"), int) else None
