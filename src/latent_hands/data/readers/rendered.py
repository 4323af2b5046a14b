"""Reader of sets written by `latent-hands render`: RHD's layout with tag images and generating factors."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from latent_hands.data.formats.rhd_files import FACTOR_TAGS, TAG
from latent_hands.data.readers.reading import OnBroken, raise_error, read_each
from latent_hands.data.readers.rendered_record import RenderedRecord
from latent_hands.data.readers.rhd import read_rhd, split_folder
from latent_hands.data.sample import FAR_PX, Sample
from latent_hands.errors import BROKEN, HandsError

_LABELS = ("xyz_m", "uv_px", "visible")
_OF_THE_IMAGE = ("name", "index")
_OF_THE_IMAGE_IN_SOME_SETS = (
    *("articulation", "rotation", "palm_m", "viewpoint", "counterfactual", "source_pose", "seconds", "still"),
    *("reread_mm", "dropped"),
)


def read_rendered(
    root: str | Path, split: str, limit: int | None = None, *, on_broken: OnBroken = raise_error
) -> list[Sample]:
    """Read one split of a rendered set: RHD's labels, and `tag`, `scene_box` and `factors` of every image.

    Tags are None in a set without them. The joint convention is the value
    `joints` of rendered.json.

    Raises HandsError as `read_rhd` does, if the folder has no factors, and for whole images. `on_broken`
    receives the errors of broken lines of factors and of images without a line.
    """
    folder, record = split_folder(root, split), RenderedRecord.read(root)
    if record.whole:
        raise HandsError(
            f"{root} holds whole images with any number of hands: use the data set "
            "rendered-hands (--data rendered-hands)"
        )
    samples = read_rhd(root, split, limit, on_broken=on_broken)
    names = {sample.name for sample in samples}
    factors_of = _read_factors(folder / f"factors_{split}.jsonl", names, on_broken)

    def complete(sample: Sample) -> Sample:
        factors = factors_of.get(sample.name)
        if factors is None:
            raise HandsError(f"image {sample.name} of {folder} has no line in factors_{split}.jsonl")
        cx, cy, side_px = map(float, factors["window"])
        scene = f"{factors['scene']:05d}.png"
        tag = folder / TAG / scene
        factor_tags = {kind: folder / kind / scene for kind in FACTOR_TAGS}
        return dataclasses.replace(
            sample,
            tag=tag if tag.is_file() else None,
            scene_box=(cx, cy, side_px),
            factors=factors,
            convention=record.convention,
            size_px=record.size_px or sample.size_px,
            block=scene,
            seconds=factors.get("seconds"),
            **{kind: file for kind, file in factor_tags.items() if file.is_file()},
        )

    return list(read_each(complete, samples, on_broken))


def _read_factors(path: Path, names: set[str], on_broken: OnBroken) -> dict[str, dict[str, Any]]:
    """Return the factors of these images. All images of a scene share one copy of the scene's factors."""
    if not path.is_file():
        raise HandsError(f"no generating factors at {path}; for a set without them use the data set rhd")
    scenes: dict[int, dict[str, Any]] = {}
    factors = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if len(factors) == len(names):
                break
            try:
                record = json.loads(line)
                _check_scene(record)
                own = (*_OF_THE_IMAGE, *(key for key in _OF_THE_IMAGE_IN_SOME_SETS if key in record))
                shared = {key: record[key] for key in record if key not in (*own, *_LABELS)}
                shared = scenes.setdefault(record["scene"], shared)
                if (name := record["name"]) in names:
                    factors[name] = shared | {key: record[key] for key in own}
            except BROKEN as error:
                on_broken(HandsError(f"line {number} of {path} is broken: {error!r}"))
    return factors


def _check_scene(record: dict[str, Any]) -> None:
    """Raise ValueError, KeyError or TypeError if the scene's number or box (the key "window") is illegal."""
    scene, box = record["scene"], record["window"]
    if type(scene) is not int or scene < 0:
        raise ValueError(f"scene is {scene!r}; it must be a whole number of at least 0")
    if len(box) != 3 or not all(type(each) in (int, float) and abs(each) < FAR_PX for each in box):
        raise ValueError(f"window is {box!r}; it must be (cx, cy, side) in pixels")
