"""A whole image: drawn from its numbers, rendered, and labelled."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from latent_hands.data.formats.rhd_files import encode_mask
from latent_hands.hand.conventions import RHD
from latent_hands.hand.rig.model import HandModel
from latent_hands.rendering.canvas import Canvas
from latent_hands.rendering.image import exposure, lay_hand
from latent_hands.rendering.looks.background import paint, sample_background
from latent_hands.rendering.looks.light import sample_light
from latent_hands.rendering.looks.sensor import develop, film, sample_sensor
from latent_hands.rendering.looks.skin import sample_skin
from latent_hands.rendering.rays.stage import stage
from latent_hands.rendering.scene import plain, scene_rng
from latent_hands.rendering.whole.any_direction import any_direction
from latent_hands.rendering.whole.arms import Arm
from latent_hands.rendering.whole.drawing import Drawing
from latent_hands.rendering.whole.no_hand import no_hand, objects
from latent_hands.rendering.whole.people import group, own_view, portrait
from latent_hands.rendering.whole.rooms import plain_wall, room
from latent_hands.rendering.whole.surface import SolidSurface

STREAM = (2, 0)
"""Key of the random numbers of whole images."""
KINDS = {"portrait": 0.32, "group": 0.06, "own view": 0.24, "any direction": 0.38}
"""Shares of the kinds of images with hands."""
OCCLUSION_M = 0.03
"""A joint is hidden if its own arm is more than this in front of it."""


@dataclass(frozen=True)
class WholeImage:
    """A rendered whole image.

    Args:
        rgb: The image.
        depth_m: Depth of the nearest surface, 0 for the background.
        mask: RHD's part numbers: 2-17 left hands, 18-33 right hands, 1 for arms and bodies.
        record: Labels and factors, ready for JSON; "hands" has an entry for each hand in the image.
    """

    rgb: UInt8[ndarray, "s s 3"]
    depth_m: Float32[ndarray, "s s"]
    mask: UInt8[ndarray, "s s"]
    record: dict[str, Any]


def whole_image(
    seed: int, split: str, index: int, size_px: int, empty: float, convention: str = RHD
) -> WholeImage:
    """Draw and render a whole image; the same arguments give the same image.

    Args:
        seed: Seed of all random numbers.
        split: "training" or "evaluation".
        index: Number of the image in its split.
        size_px: Side of the square image.
        empty: Share of images without hands.
        convention: Convention of the labels; no pixel depends on it.
    """
    rng = scene_rng(seed, split, index, *STREAM)
    d = _drawing(rng, split, index, size_px, convention)
    if rng.random() < empty:
        kind = no_hand(d)
    else:
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        _DRAWS[kind](d)
        if rng.random() < 0.4:
            objects(d, int(rng.integers(1, 4)), behind=rng.random() < 0.8)
    backdrop = rng.random()
    light = _backdrop(d, rng, backdrop)
    canvas = _rendered(d, light)
    rgb = develop(canvas.light, d.sensor)
    mask = np.zeros(canvas.part.shape, np.uint8)
    mask[canvas.owner == SOLIDS] = 1
    hands = []
    for number, arm in enumerate(d.arms, SOLIDS + 1):
        own = canvas.owner == number
        mask[own] = encode_mask(canvas.part, arm.scene.side)[own]
        pixels = int((own & (canvas.part > 1)).sum())
        if pixels:
            hands.append(_labels(arm, canvas, number) | {"pixels": pixels})
    hands.sort(key=lambda hand: -hand["pixels"])
    record = {
        "name": f"{index:05d}",
        "index": index,
        "scene": index,
        "kind": kind,
        "K": plain(d.K),
        "hands": hands,
        "light": plain(d.light),
        "sensor": plain(d.sensor),
    }
    depth_m = np.where(np.isfinite(canvas.depth_m), canvas.depth_m, 0).astype(np.float32)
    return WholeImage(rgb, depth_m, mask, record)


SOLIDS = 1
"""Owner of the pixels of everything but hands; hands have the next numbers."""
_DRAWS = {"portrait": portrait, "group": group, "own view": own_view, "any direction": any_direction}


def _drawing(rng: np.random.Generator, split: str, index: int, size_px: int, convention: str) -> Drawing:
    """Draw camera, light, background and sensor."""
    light, training = sample_light(rng, split == "training"), split == "training"
    background = sample_background(rng, training, light, sample_skin(rng))
    focal_px = size_px / (2 * np.tan(np.radians(rng.uniform(40, 80)) / 2))
    middle = (size_px - 1) / 2 + rng.normal(0, 0.03, 2) * size_px
    K = np.array([[focal_px, 0, middle[0]], [0, focal_px, middle[1]], [0, 0, 1]])
    return Drawing(rng, split, index, size_px, convention, K, light, background, sample_sensor(rng))


def _backdrop(d: Drawing, rng: np.random.Generator, chance: float) -> Float32[ndarray, "s s 3"]:
    """Paint a place or a pattern, a room, or a wall."""
    if chance < 0.45:
        return np.array(paint(d.background, d.light, d.size_px))
    return room(rng, d.size_px) if chance < 0.8 else plain_wall(rng, d.size_px)


def _rendered(d: Drawing, light: Float32[ndarray, "s s 3"], device: str = "cpu") -> Canvas:
    """Lay the solids, then the hands from far to near."""
    canvas, K = Canvas.over(light), d.K.astype(np.float32)
    gain = exposure(d.light, d.sensor)
    model = HandModel.load()
    scene = stage(model, device)
    if d.solids:
        count = scene.coarse_count
        others = [(arm.vertices_m[:count], model.coarse_faces) for arm in d.arms]
        surface = SolidSurface.of(d.solids, others, device)
        canvas.lay(
            surface.mesh,
            K,
            SOLIDS,
            lambda hits: np.zeros(len(hits.face), np.uint8),
            lambda hits, uv: film(surface.radiance(hits, uv, K, d.light) * gain),
        )
    order = sorted(range(len(d.arms)), key=lambda k: -float(np.median(d.arms[k].hand.xyz_m[:, 2])))
    for k in order:
        arm = d.arms[k]
        look, left = arm.scene.look, arm.scene.side == "left"
        placed = scene.place(arm.vertices_m, left, look.sleeve, look.jewellery, arm.thing_m)
        lay_hand(canvas, scene, placed, K, look, SOLIDS + 1 + k)
    return canvas


def _labels(arm: Arm, canvas: Canvas, number: int) -> dict[str, Any]:
    """Return the labels and factors of a hand, ready for JSON."""
    hand, scene = arm.hand, arm.scene
    low, high = hand.label_px.min(0), hand.label_px.max(0)
    return {
        "side": scene.side,
        "xyz_m": plain(hand.label_m),
        "uv_px": plain(hand.label_px),
        "visible": plain(_visible(arm, canvas, number)),
        "box_px": plain(np.concatenate([low + np.float32(0.5), high - low])),
        "articulation": hand.articulation.to_json(),
        "rotation": plain(hand.rotation),
        "identity": plain(scene.identity),
        "palm_m": plain(scene.palm_m),
        "window": list(scene.box),
        "skin": plain(scene.look.skin),
        "sleeve": plain(scene.look.sleeve),
        "thing": plain(scene.look.thing),
    }


def _visible(arm: Arm, canvas: Canvas, number: int) -> ndarray:
    """Return which joints lie inside the image, and behind no other surface and not far behind the arm."""
    size = len(canvas.part)
    column, row = np.round(arm.hand.label_px).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < size) & (row < size)
    row, column = row.clip(0, size - 1), column.clip(0, size - 1)
    first_m, part, owner = (plane[row, column] for plane in (canvas.depth_m, canvas.part, canvas.owner))
    limit_m = np.select([(owner != number) | (part == 0), part == 1], [0, OCCLUSION_M], np.inf)
    return inside & ~(arm.hand.label_m[:, 2] - first_m > limit_m)
