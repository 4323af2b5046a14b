"""Sets written by ``latent-hands render``: RHD's layout with tag images and generating factors beside it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from latent_hands.data.rhd import read_rhd, split_folder
from latent_hands.data.rhd_files import FACTOR_TAGS
from latent_hands.data.sample import FAR_PX, OnBroken, Sample, sparing, stop, whole
from latent_hands.errors import HandsError

_LABELS = ("xyz_m", "uv_px", "visible")
_OF_THE_IMAGE = ("name", "index", "articulation", "rotation")
_OF_SOME_SETS = ("viewpoint", "counterfactual", "source_pose")


def read_rendered(
    root: str | Path, split: str, limit: int | None = None, on_broken: OnBroken = stop
) -> list[Sample]:
    """Read one split of a rendered set: RHD's labels and each image's ``tag``, ``window`` and ``factors``.

    ``identity_tag`` and ``background_tag`` are None in a set without them.
    The joint convention is what rendered.json calls ``joints``, RHD's where that file is absent.
    Raises HandsError as ``read_rhd`` does, and for a folder without factors; a broken line of them and a
    image without one are told to ``on_broken``.
    """
    folder = split_folder(root, split)
    samples = read_rhd(root, split, limit=limit, on_broken=on_broken)
    convention = _read_convention(Path(root) / "rendered.json")
    factors = _read_factors(folder / f"factors_{split}.jsonl", {sample.name for sample in samples}, on_broken)

    def complete(sample: Sample) -> Sample:
        known = factors.get(sample.name)
        if known is None:
            raise HandsError(f"image {sample.name} of {folder} has no line in factors_{split}.jsonl")
        cx, cy, side = map(float, known["window"])
        scene = f"{known['scene']:05d}.png"
        told = {"window": (cx, cy, side), "factors": known, "convention": convention, "block": scene}
        told |= {kind: folder / kind / scene for kind in FACTOR_TAGS if (folder / kind / scene).is_file()}
        return dataclasses.replace(sample, tag=folder / "tag" / scene, **told)

    return whole(map(sparing(complete, on_broken), samples))


def _read_convention(path: Path) -> str:
    try:
        return str(json.loads(path.read_text())["joints"]) if path.is_file() else "rhd"
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise HandsError(f"{path} does not name the convention of its joints: {error!r}") from error


def _read_factors(path: Path, names: set[str], on_broken: OnBroken) -> dict[str, dict[str, Any]]:
    """Factors of these images; those of a scene are held once for all its images."""
    if not path.is_file():
        raise HandsError(f"no generating factors at {path}; for a set without them use the data name rhd")
    scenes: dict[int, dict[str, Any]] = {}
    factors = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if len(factors) == len(names):
                break
            try:
                known = json.loads(line)
                _check_scene(known)
                own = (*_OF_THE_IMAGE, *(key for key in _OF_SOME_SETS if key in known))
                shared = {key: known[key] for key in known if key not in (*own, *_LABELS)}
                shared = scenes.setdefault(known["scene"], shared)
                if (name := known["name"]) in names:
                    factors[name] = shared | {key: known[key] for key in own}
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                on_broken(HandsError(f"line {number} of {path} is broken: {error!r}"))
    return factors


def _check_scene(known: dict[str, Any]) -> None:
    """Raise ValueError, KeyError or TypeError unless the scene has a number, and its window three."""
    scene, window = known["scene"], known["window"]
    if type(scene) is not int or scene < 0:
        raise ValueError(f"scene is {scene!r}; legal: a number from 0")
    if len(window) != 3 or not all(type(each) in (int, float) and abs(each) < FAR_PX for each in window):
        raise ValueError(f"window is {window!r}; legal: (cx, cy, side) in pixels")
