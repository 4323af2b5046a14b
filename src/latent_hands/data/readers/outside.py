"""Joints outside their image, which labels must not call visible."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from latent_hands.data.formats.image import open_image, shown_size
from latent_hands.data.label_places import LEAST_INSIDE, inside, inside_share
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError

_LOG = logging.getLogger(__name__)


def hide_outside(samples: Sequence[Sample], path: Path) -> list[Sample]:
    """Return the samples; visible joints outside their image become invisible, and a warning counts them.

    If most joints lie outside, nothing changes: the labels are for other images, and `check_places` refuses
    them. `path` names the label file.
    """
    placed = [sample for sample in samples if sample.uv_px is not None and sample.visible is not None]
    if not placed:
        return list(samples)
    uv_px = np.stack([sample.uv_px for sample in placed if sample.uv_px is not None])
    visible = np.stack([sample.visible_or_all for sample in placed])
    size_px = np.array([sample.size_px or _size_of(sample.image) for sample in placed], float)
    kept = visible & inside(uv_px, size_px)
    if (kept == visible).all() or inside_share(uv_px, visible, size_px).mean() < LEAST_INSIDE:
        return list(samples)
    _LOG.warning(
        "%s: %s of %s visible joints lie outside their images; they count as invisible",
        *(path, f"{(visible & ~kept).sum():,}", f"{visible.sum():,}"),
    )
    changed = {id(sample): replace(sample, visible=row) for sample, row in zip(placed, kept, strict=True)}
    return [changed.get(id(sample), sample) for sample in samples]


def _size_of(image: Path) -> tuple[float, float]:
    """Return width and height of an image; infinity for a broken file, whose error is raised later."""
    try:
        with open_image(image) as opened:
            width, height = shown_size(opened)
            return float(width), float(height)
    except HandsError:
        return np.inf, np.inf
