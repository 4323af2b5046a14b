"""Writer of RHD's layout (Zimmermann & Brox 2017), which `readers.rhd` reads.

A left and a right hand of one image share it, if they have the same camera. The labels of a hand that is
absent are 0. Masks and depth images are written if they are known.
Without masks, `read_rhd` takes the labelled hand. Readers that choose the hand by the mask alone, as hand3d
does, need masks.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from latent_hands.data.export.image_copies import copy_file, keep_image
from latent_hands.data.export.layout import Layout, Record
from latent_hands.data.formats.image import read_rgb
from latent_hands.data.formats.rhd_files import encode_annotations
from latent_hands.data.labelled_images import read_labelled
from latent_hands.data.readers.reading import MM_PER_METRE
from latent_hands.data.sample import Sample, with_wrist
from latent_hands.files import write_bytes


def _write_hand(folder: Path, number: int, sample: Sample) -> Record:
    sample = with_wrist(sample)
    assert sample.xyz_mm is not None
    keep_image(_place(folder, "color", number), sample.image, read_labelled(sample))
    for kind, source in (("mask", sample.mask), ("depth", sample.depth)):
        if source is not None:
            read_rgb(source)
            copy_file(_place(folder, kind, number), source)
    return {
        "index": number,
        "side": sample.handedness,
        "xyz_m": sample.xyz_mm / MM_PER_METRE,
        "uv_px": sample.uv_px,
        "visible": sample.visible_or_all,
        "K": sample.K,
    }


def _place(folder: Path, kind: str, number: int) -> Path:
    (folder / kind).mkdir(parents=True, exist_ok=True)
    return folder / kind / f"{number:05d}.png"


def _write_labels(root: Path, split: str, labels: list[Record]) -> None:
    write_bytes(root / split / f"anno_{split}.pickle", encode_annotations(labels))


def _notes(samples: Sequence[Sample]) -> list[str]:
    bare = sum(sample.mask is None for sample in samples)
    consequence = "readers that choose the hand by its mask, as hand3d does, cannot read them"
    return [f"{bare:,} of {len(samples):,} hands have no mask: {consequence}"] if bare else []


def _camera(sample: Sample) -> Float32[np.ndarray, "3 3"]:
    assert sample.K is not None
    return sample.K


RHD = Layout(
    needs=("handedness", "xyz_mm", "uv_px", "K"),
    write_hand=_write_hand,
    write_labels=_write_labels,
    share=lambda first, second: first.handedness != second.handedness
    and np.array_equal(_camera(first), _camera(second)),
    notes=_notes,
)
