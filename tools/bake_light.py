"""Bake the light that the package ships, from the CC0 panoramas of npm's @pmndrs/assets 1.7.0.

    pip install OpenEXR numpy pillow safetensors
    npm pack @pmndrs/assets@1.7.0
    python tools/bake_light.py pmndrs-assets-1.7.0.tgz src/latent_hands/rendering/assets

Writes `light.safetensors` (linear radiance, 32 x 64, half floats: what lights the hand) and `light_NAME.jpg`
(512 x 256, display-referred: what the camera sees behind the hand).
"""

import base64
import re
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image
from safetensors.numpy import save_file

NAMES = [
    "apartment",
    "bridge",
    "city",
    "dawn",
    "esplanade",
    "forest",
    "hall",
    "lab",
    "lobby",
    "night",
    "park",
    "sky",
    "studio",
    "sunrise",
    "sunset",
    "venice",
    "warehouse",
    "workshop",
]
MAP_SHAPE = (32, 64)
SUN_LIMIT = 4000.0  # of the panorama's median: a real sun stays a sun, a broken one cannot swamp everything
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def read_panorama(archive, name):
    script = archive.extractfile(f"package/hdri/{name}.exr.js").read().decode()
    with tempfile.NamedTemporaryFile(suffix=".exr") as file:
        file.write(base64.b64decode(re.search(r"base64,([^'\"]+)", script).group(1)))
        file.flush()
        return OpenEXR.File(file.name).channels()["RGB"].pixels.astype(np.float32)


def solid_angles(height, width):
    rows = np.sin((np.arange(height) + 0.5) * np.pi / height) * np.pi / height * 2 * np.pi / width
    return np.repeat(rows[:, None], width, 1).astype(np.float32)


def shifted(array, reach):
    steps = range(-reach, reach + 1)
    return np.stack([np.roll(array, (dy, dx), (0, 1)) for dy in steps for dx in steps])


def near(mask, reach):
    return shifted(mask, reach).any(0)


def inpaint(radiance, wrong):
    """Fill wrong pixels with the median of the right ones around them."""
    right = np.where(wrong[..., None], np.nan, radiance)
    rows, columns = np.nonzero(wrong)
    width = wrong.shape[1]
    filled = radiance.copy()
    for y, x in zip(rows, columns, strict=True):
        block = right[max(0, y - 6) : y + 7, np.arange(x - 6, x + 7) % width].reshape(-1, 3)
        filled[y, x] = np.nanmedian(block, 0) if np.isfinite(block).any() else 0
    return filled


def mend_sun(radiance):
    """Some suns were broken by the lossy coding: a block saturated in one channel, with undershoot around it.

    The block takes the colour around it, plus a warm sun as strong as the sky.
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


def light_map(radiance):
    """Area-weighted 32 x 64 reduction: keeps the energy of every lamp."""
    height, width = MAP_SHAPE
    weight = solid_angles(*radiance.shape[:2])[..., None]
    blocks = (radiance * weight).reshape(height, radiance.shape[0] // height, width, -1, 3).sum((1, 3))
    areas = weight.reshape(height, radiance.shape[0] // height, width, -1, 1).sum((1, 3))
    return blocks / areas


def display(radiance):
    """Exposed for the middle of the panorama, with a soft shoulder, gamma coded."""
    horizon = radiance[radiance.shape[0] // 4 : -radiance.shape[0] // 4] @ LUMINANCE
    key = np.exp(np.log(horizon + 1e-4).mean())
    exposed = 1 - np.exp(-0.30 * radiance / key)
    return (255 * np.clip(exposed, 0, 1) ** (1 / 2.2) + 0.5).astype(np.uint8)


def main(package, out):
    maps = {}
    with tarfile.open(package) as archive:
        for name in NAMES:
            radiance = mend_sun(read_panorama(archive, name))
            small = light_map(radiance)
            maps[name] = (small / (small @ LUMINANCE * solid_angles(*MAP_SHAPE)).sum() * 4 * np.pi).astype(
                np.float16
            )
            Image.fromarray(display(radiance)).save(out / f"light_{name}.jpg", quality=90, subsampling=0)
    save_file(maps, out / "light.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
