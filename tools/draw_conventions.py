"""The joint conventions over one rendered hand, open and half closed, with their mean bone lengths.

python tools/draw_conventions.py [docs/pictures/conventions.png]
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from latent_hands.draw.sheets import save_image
from latent_hands.draw.skeletons import INK, PALETTE
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.poses import gestures
from latent_hands.hand.rig.proportions import of_model
from latent_hands.hand.skeleton import FINGERS
from latent_hands.rendering.placed_hand import place_hand
from latent_hands.rendering.scene import Scene, sample_scene
from latent_hands.rendering.sets.shots import render_hand

SIZE_PX, SCENE = 640, 12
TITLES = {
    "rhd": "RHD",
    "stb": "STB",
    "ge2019": "Ge 2019",
    "mediapipe": "MediaPipe",
    "anatomical": "anatomical",
}
ORDER = ("anatomical", "rhd", "stb", "ge2019", "mediapipe")
HEADINGS = ("wrist to MCP", "MCP to PIP", "PIP to DIP", "DIP to tip")
PAPER = 250


def scene_of_the_mean_hand() -> Scene:
    """A left hand of mean shape before a camera on its axis, under an even sensor."""
    drawn = sample_scene(0, "training", SCENE, SIZE_PX)
    sensor = replace(
        drawn.look.sensor, stops=0.3, blur_px=0.0, motion_px=0.0, noise=0.0, vignette=0.0, quality=101
    )
    skin = replace(drawn.look.skin, melanin=0.45, varnish=0.0, freckles=0.0)
    middle = (SIZE_PX - 1) / 2
    K = np.array([[2.4 * SIZE_PX, 0, middle], [0, 2.4 * SIZE_PX, middle], [0, 0, 1.0]])
    look = replace(drawn.look, sleeve=None, sensor=sensor, skin=skin)
    return replace(
        drawn, side="left", identity=np.zeros(12), K=K, palm_m=np.array([0, 0.03, 0.62]), look=look
    )


def turned(yaw_deg: float) -> np.ndarray:
    """The rotation that shows the palm, fingers up, turned about the arm by an angle; left form."""
    sine, cosine = np.sin(np.radians(yaw_deg)), np.cos(np.radians(yaw_deg))
    return np.diag([1.0, -1, -1]) @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


def views() -> dict[str, tuple[Articulation, np.ndarray]]:
    """The poses that are shown, and from where."""
    known = gestures()
    half = replace(known["fist"], fingers=known["fist"].fingers * 0.7, thumb=known["open"].thumb)
    return {"open": (known["open"], turned(0)), "closing": (half, turned(62))}


def rendered(scene: Scene, pose: Articulation, rotation: np.ndarray) -> np.ndarray:
    """The hand on paper, pale, so that lines stand out."""
    image = render_hand(scene, place_hand(scene, pose, rotation))
    pale = PAPER - 0.62 * (PAPER - image.rgb.astype(float))
    pale[image.part == 0] = PAPER
    return np.array(
        Image.fromarray(pale.astype(np.uint8)).resize((SIZE_PX // 2,) * 2, Image.Resampling.LANCZOS)
    )


def draw_skeleton(axis: Axes, uv_px: np.ndarray, colours: dict[str, str], width: float, dots: float) -> None:
    """Bones and joints; the wrist in ink."""
    for finger, chain in FINGERS.items():
        for a, b in pairwise((0, *chain)):
            axis.plot(*uv_px[[a, b]].T, color=colours[finger], lw=width, solid_capstyle="round")
        if dots:
            axis.plot(*uv_px[list(chain)].T, "o", color=colours[finger], ms=dots, mec="white", mew=0.8)
    if dots:
        axis.plot(*uv_px[0], "o", color=INK, ms=dots + 1, mec="white", mew=0.8)


def lengths(name: str) -> Sequence[str]:
    """Mean bone lengths of four fingers, then of the thumb, in middle bones."""
    bones = of_model(CONVENTIONS[name].weights()).bones.reshape(5, 4)
    return [f"{length:.2f}" for length in (*bones[1:].mean(0), *bones[0])]


def page() -> Figure:
    """Images by convention, and under each its numbers."""
    scene, shown = scene_of_the_mean_hand(), views()
    figure = Figure(figsize=(11.5, 7.6), facecolor="white")
    axes = figure.subplots(
        2, len(ORDER), gridspec_kw={"left": 0.13, "right": 0.995, "top": 0.95, "bottom": 0.27}
    )
    figure.subplots_adjust(wspace=0.03, hspace=0.03)
    for row, (pose, rotation) in zip(axes, shown.values(), strict=True):
        paper = rendered(scene, pose, rotation)
        ghost = place_hand(replace(scene, convention="anatomical"), pose, rotation).label_px / 2
        for axis, name in zip(row, ORDER, strict=True):
            axis.imshow(paper, interpolation="lanczos")
            if name != "anatomical":
                draw_skeleton(axis, ghost, dict.fromkeys(FINGERS, "#8a8f98"), 1.0, 0)
            hand = place_hand(replace(scene, convention=name), pose, rotation)
            draw_skeleton(axis, hand.label_px / 2, PALETTE, 2.0, 4.5)
            axis.set_xlim(SIZE_PX * 0.07, SIZE_PX * 0.43)
            axis.set_ylim(SIZE_PX * 0.46, SIZE_PX * 0.02)
            axis.set_axis_off()
    thumb = ("wrist to CMC", "CMC to MCP", "MCP to IP", "IP to tip")
    rows = [*(f"fingers: {each}" for each in HEADINGS), *(f"thumb: {each}" for each in thumb)]
    heading = (
        "mean bone lengths of the mean hand, in lengths of the bone from the middle finger's MCP to its PIP"
    )
    figure.text(0.005, 0.245, heading, color=INK, fontsize=9, weight="bold", va="center")
    for i, text in enumerate(rows):
        y = 0.215 - i * 0.0265
        figure.text(0.005, y, text, color=INK, fontsize=9, va="center")
        for axis, name in zip(axes[0], ORDER, strict=True):
            box = axis.get_position()
            style = {"color": INK, "fontsize": 9, "ha": "center", "va": "center"}
            figure.text((box.x0 + box.x1) / 2, y, lengths(name)[i], **style)
    for axis, name in zip(axes[0], ORDER, strict=True):
        axis.set_title(TITLES[name], fontsize=12, color=INK)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("docs/pictures/conventions.png"))
    options = parser.parse_args()
    figure = page()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    save_image(np.array(pixels.quantize(160).convert("RGB")), options.out)


if __name__ == "__main__":
    main()
