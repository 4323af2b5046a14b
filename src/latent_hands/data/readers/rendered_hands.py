"""Reader of all hands of rendered sets: a sample for each hand, any number of hands an image.

Ordinary sets of `latent-hands render` label one hand an image. In sets of whole images, each line of
`factors_SPLIT.jsonl` has a list "hands", which is empty for an image without hands.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from latent_hands.data.formats.numerals import array_of
from latent_hands.data.readers.reading import MM_PER_METRE, OnBroken, raise_error
from latent_hands.data.readers.rendered_record import RenderedRecord
from latent_hands.data.readers.rhd import split_folder
from latent_hands.data.sample import Sample
from latent_hands.errors import BROKEN, HandsError

_LABELS = ("xyz_m", "uv_px", "visible")


def read_rendered_hands(
    root: str | Path, split: str, limit: int | None = None, *, on_broken: OnBroken = raise_error
) -> list[Sample]:
    """Read one split of a rendered set: every labelled hand of every image, in the order of the images.

    Names are `NAME-left` and `NAME-right`; a further hand of the same side has a number, `NAME-left-2`. An
    image without hands gives no sample; `data.whole_images` lists it. `factors` are those of hand and image.

    Raises HandsError if the split is unknown, the folder is in another layout or has no factors. `on_broken`
    receives the errors of broken lines and of missing images.
    """
    samples: list[Sample] = []
    of_the_set = RenderedRecord.read(root)
    for record in read_records(root, split, on_broken):
        if limit is not None and len(samples) >= limit:
            break
        try:
            samples += hands_of(split_folder(root, split), record, of_the_set)
        except HandsError as error:
            on_broken(error)
        except BROKEN as error:
            on_broken(HandsError(f"image {record.get('name')} of {root} has broken labels: {error!r}"))
    return samples[:limit]


def read_records(root: str | Path, split: str, on_broken: OnBroken = raise_error) -> Iterator[dict[str, Any]]:
    """Iterate over the lines of `factors_SPLIT.jsonl`; `on_broken` receives the errors of broken lines."""
    path = split_folder(root, split) / f"factors_{split}.jsonl"
    if not path.is_file():
        raise HandsError(
            f"no generating factors at {path}; for a set without them use the data set rhd-hands"
        )
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
            except BROKEN as error:
                on_broken(HandsError(f"line {number} of {path} is broken: {error!r}"))
                continue
            if isinstance(record, dict):
                yield record
            else:
                on_broken(HandsError(f"line {number} of {path} is broken: it must be a table"))


def hands_of(folder: Path, record: dict[str, Any], of_the_set: RenderedRecord) -> list[Sample]:
    """Return a sample for each hand of a record. Raises HandsError if the image is missing."""
    name = str(record["name"])
    image, mask, depth = (folder / kind / f"{name}.png" for kind in ("color", "mask", "depth"))
    if not image.is_file():
        raise HandsError(f"image {name} of {folder} has labels but no image: {image} is missing")
    shared = {key: value for key, value in record.items() if key not in (*_LABELS, "hands")}
    samples: list[Sample] = []
    for hand in record.get("hands", [record]):
        side = hand["side"]
        same = sum(other.handedness == side for other in samples)
        cx, cy, side_px = map(float, hand["window"])
        samples.append(
            Sample(
                name=f"{name}-{side}" + (f"-{same + 1}" if same else ""),
                image=image,
                handedness=side,
                xyz_mm=array_of(hand["xyz_m"]).astype(np.float32) * np.float32(MM_PER_METRE),
                uv_px=array_of(hand["uv_px"]).astype(np.float32),
                visible=np.array(hand["visible"], bool),
                K=array_of(record["K"]).astype(np.float32),
                mask=mask if mask.is_file() else None,
                depth=depth if depth.is_file() else None,
                scene_box=(cx, cy, side_px),
                factors=shared | {key: value for key, value in hand.items() if key not in _LABELS},
                convention=of_the_set.convention,
                size_px=of_the_set.size_px,
                block=name if "hands" in record else f"{record['scene']:05d}",
            )
        )
    return samples
