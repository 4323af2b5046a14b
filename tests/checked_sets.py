"""Clean sets of three layouts."""

from dataclasses import replace

import numpy as np
from posed_hands import (
    posed_hands,
    write_freihand,
    write_freihand_labels,
    write_ge2019,
    write_ge2019_labels,
    write_rhd,
    write_rhd_labels,
)

from latent_hands.data.sample import project

FREIHAND_K = np.array([[400.0, 0, 111.5], [0, 400, 111.5], [0, 0, 1]], np.float32)
GE_K = np.array([[500.0, 0, 340], [0, 500, 90], [0, 0, 1]], np.float32)
COUNT = 12


def crops(samples):
    """Move hands to the centre of 256x256 pixels of a camera whose axis is far off."""
    moved = []
    for sample in samples:
        towards = [*((127.5 - GE_K[:2, 2]) / GE_K[0, 0] * 550), 550]
        xyz_mm = (sample.xyz_mm - sample.xyz_mm.mean(axis=0) + np.array(towards)).astype(np.float32)
        moved.append(replace(sample, xyz_mm=xyz_mm, uv_px=project(xyz_mm, GE_K), K=GE_K))
    return moved


SETS = {
    "rhd": (lambda: posed_hands(COUNT), write_rhd, write_rhd_labels),
    "freihand": (lambda: posed_hands(60, 1, "r", FREIHAND_K), write_freihand, write_freihand_labels),
    "ge2019": (lambda: crops(posed_hands(40, 2, "l")), write_ge2019, write_ge2019_labels),
}


def write_clean(folder, names=tuple(SETS)):
    """Return samples and folder of each set; tests must not change them."""
    made = {}
    for name in names:
        hands, write, _ = SETS[name]
        samples = hands()
        made[name] = samples, write(folder / name, samples)
    return made
