"""Sets written by ``latent-hands render``: RHD's layout with tag images and generating factors beside it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from latent_hands.data.rhd import read_rhd, split_folder
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError


def read_rendered(root: str | Path, split: str, limit: int | None = None) -> list[Sample]:
    """Read one split of a rendered set: RHD's labels and each picture's ``tag``, ``window`` and ``factors``.

    Raises HandsError as ``read_rhd`` does, and for a folder without factors or a picture that lacks them.
    """
    folder = split_folder(root, split)
    factors = _read_factors(folder / f"factors_{split}.jsonl")
    samples = []
    for sample in read_rhd(root, split, limit=limit):
        known = factors.get(sample.name)
        if known is None:
            raise HandsError(f"picture {sample.name} of {folder} has no line in factors_{split}.jsonl")
        cx, cy, side = known["window"]
        tag = folder / "tag" / f"{known['scene']:05d}.png"
        samples.append(dataclasses.replace(sample, tag=tag, window=(cx, cy, side), factors=known))
    return samples


def _read_factors(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        raise HandsError(f"no generating factors at {path}; for a set without them use the data name rhd")
    factors = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            known = json.loads(line)
            name, _, _ = known["name"], known["scene"], known["window"]
            factors[name] = known
        except (ValueError, KeyError, TypeError) as error:
            raise HandsError(f"line {number} of {path} is broken: {error!r}") from error
    return factors
