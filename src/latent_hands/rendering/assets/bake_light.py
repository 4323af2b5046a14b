# pyright: reportMissingImports=false
"""Bake the CC0 panoramas of npm's @pmndrs/assets 1.7.0 into the light files beside this file.

Run it once, by its path. Nothing else in the package needs OpenEXR.

    pip install OpenEXR
    npm pack @pmndrs/assets@1.7.0
    python src/latent_hands/rendering/assets/bake_light.py pmndrs-assets-1.7.0.tgz

It writes `light.safetensors` (linear radiance, 32 x 64, half floats), which lights the hand, and
`light_NAME.jpg` (512 x 256, display-referred), which is the background.
"""

import base64
import re
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import OpenEXR
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray
from PIL import Image
from safetensors.numpy import save_file

from latent_hands.rendering.looks.light import EVALUATION_PLACES, LUMINANCE, SHAPE, TRAINING_PLACES

OUT = Path(__file__).parent
SUN_LIMIT = 4000.0
"""Greatest luminance, in medians of the panorama. A real sun is below it; a broken one is cut."""
EXPOSURE = 0.30

Panorama = Float32[ndarray, "h w 3"]
Mask = Bool[ndarray, "h w"]


def main(package: Path) -> None:
    """Write the maps and the images of all places in the npm package."""
    maps = {}
    with tarfile.open(package) as archive:
        for name in sorted((*TRAINING_PLACES, *EVALUATION_PLACES)):
            radiance = mend_sun(read_panorama(archive, name))
            small = light_map(radiance)
            total = (small @ LUMINANCE * solid_angles(*SHAPE)).sum()
            maps[name] = (small / total * 4 * np.pi).astype(np.float16)
            Image.fromarray(display(radiance)).save(OUT / f"light_{name}.jpg", quality=90, subsampling=0)
    save_file(maps, OUT / "light.safetensors")


def read_panorama(archive: tarfile.TarFile, name: str) -> Panorama:
    """Return the radiance of a place; the package holds an OpenEXR file as base64 text in a script."""
    script = archive.extractfile(f"package/hdri/{name}.exr.js")
    found = script and re.search(r"base64,([^'\"]+)", script.read().decode())
    if not found:
        raise SystemExit(f"error: the package has no panorama {name}")
    with tempfile.NamedTemporaryFile(suffix=".exr") as file:
        file.write(base64.b64decode(found.group(1)))
        file.flush()
        return OpenEXR.File(file.name).channels()["RGB"].pixels.astype(np.float32)


def mend_sun(radiance: Panorama) -> Panorama:
    """Repair a sun that the lossy coding broke into a block of one colour with negative pixels around it.

    The block gets the colour of its surroundings and a warm sun of 0.6 times the power of the sky.
    """
    level = np.median(radiance @ LUMINANCE)
    strongest, second = radiance.max(-1), np.sort(radiance, -1)[..., 1]
    broken = (strongest > 200 * level) & (strongest > 20 * second)
    wrong = near(broken, 3) | near(radiance.min(-1) < -0.3 * level, 1)
    radiance = inpaint(np.maximum(radiance, 0), wrong)
    if broken.any():
        weight = solid_angles(*broken.shape)
        sky = (radiance * weight[..., None]).sum((0, 1)) @ LUMINANCE
        warm = np.array([1.0, 0.82, 0.6], np.float32)
        radiance[broken] += 0.6 * sky * warm / (warm @ LUMINANCE) / weight[broken].sum()
    luminance = radiance @ LUMINANCE
    return radiance * np.minimum(1, SUN_LIMIT * level / np.maximum(luminance, 1e-6))[..., None]


def near(mask: Mask, reach: int) -> Mask:
    """Return the pixels within `reach` of a mask."""
    steps = range(-reach, reach + 1)
    return np.any([np.roll(mask, (dy, dx), (0, 1)) for dy in steps for dx in steps], axis=0)


def inpaint(radiance: Panorama, wrong: Mask) -> Panorama:
    """Replace wrong pixels by the median of the right pixels around them."""
    right = np.where(wrong[..., None], np.nan, radiance)
    width = wrong.shape[1]
    filled = radiance.copy()
    for y, x in zip(*np.nonzero(wrong), strict=True):
        block = right[max(0, y - 6) : y + 7, np.arange(x - 6, x + 7) % width].reshape(-1, 3)
        filled[y, x] = np.nanmedian(block, 0) if np.isfinite(block).any() else 0
    return filled


def light_map(radiance: Panorama) -> Panorama:
    """Reduce a panorama to SHAPE, weighted by area, so that each lamp keeps its power."""
    height, width = SHAPE
    weight = solid_angles(*radiance.shape[:2])[..., None]
    blocks = (radiance * weight).reshape(height, radiance.shape[0] // height, width, -1, 3).sum((1, 3))
    areas = weight.reshape(height, radiance.shape[0] // height, width, -1, 1).sum((1, 3))
    return blocks / areas


def display(radiance: Panorama) -> UInt8[ndarray, "h w 3"]:
    """Return the gamma-coded image of a panorama, exposed for its middle rows, with a soft shoulder."""
    horizon = radiance[radiance.shape[0] // 4 : -radiance.shape[0] // 4] @ LUMINANCE
    key = np.exp(np.log(horizon + 1e-4).mean())
    exposed = 1 - np.exp(-EXPOSURE * radiance / key)
    return (255 * np.clip(exposed, 0, 1) ** (1 / 2.2) + 0.5).astype(np.uint8)


def solid_angles(height: int, width: int) -> Float32[ndarray, "h w"]:
    """Return the solid angle of each pixel of a panorama."""
    rows = np.sin((np.arange(height) + 0.5) * np.pi / height) * np.pi / height * 2 * np.pi / width
    return np.repeat(rows[:, None], width, 1).astype(np.float32)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
