"""Joint conventions measured on labels and drawn over one hand: what `latent-hands conventions` runs."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from latent_hands.data import open_data, read_stb
from latent_hands.data.palm import palm_xyz_mm
from latent_hands.draw.sheets import check_image_file, save_image
from latent_hands.draw.skeletons import INK, PALETTE
from latent_hands.errors import BROKEN, HandsError
from latent_hands.hand.bending import side_by_fingers
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.hand.fitting import misfits
from latent_hands.hand.geometry import mirror, to_wrist
from latent_hands.hand.listing import is_no_hand, other_listing
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.poses import gestures
from latent_hands.hand.rig.proportions import of_model
from latent_hands.hand.skeleton import FINGERS, ORDERS, WRIST, reorder
from latent_hands.rendering.placed_hand import place_hand
from latent_hands.rendering.scene import Scene, sample_scene
from latent_hands.rendering.sets.shots import render_hand

_LOG = logging.getLogger(__name__)
SIZE_PX = 640
_SCENE = 12
_TELLING = 2.0
"""How many times better the palms of one side must match. It is 3.5 or more for hands of RHD, of Ge 2019 and
of rendered sets. Palms of STB lie in a plane: 1."""
_OWN = "anatomical"
_PAPER = 250
_GREY = "#8a8f98"
_LENGTHS = (
    *(f"fingers: {bone}" for bone in ("wrist to MCP", "MCP to PIP", "PIP to DIP", "DIP to tip")),
    *(f"thumb: {bone}" for bone in ("wrist to CMC", "CMC to MCP", "MCP to IP", "IP to tip")),
)


def labelled_left_hands(
    name: str, root: Path, split: str = "training", order: str | None = None
) -> Float[Tensor, "n 21 3"]:
    """Read all 3D labels of a data set as left hands in RHD's order, with the wrist as joint 0.

    `root` is the folder of the data set `name`, or a .npy file of left hands (n, 21, 3), wrist first, whose
    joints are in `order`, by default "mediapipe". The result is input for `hand.fitting.fit_convention`.
    Raises HandsError for an unknown order, and one that is given with a folder, for another file, for a hand
    without a side, right hands in a file, and if no hand is labelled.
    """
    if root.suffix == ".npy":
        return _points_of(root, order or "mediapipe")
    if order is not None:
        ORDERS.find(order)
        raise HandsError(f"order is {order}, but readers of data sets know the order: leave it out")
    if name.startswith("stb"):
        samples = read_stb(root, split, views=("left",), images=False)
    else:
        samples = open_data(name, root, split)
    hands = []
    for sample in samples:
        if (xyz_mm := palm_xyz_mm(sample)) is not None:
            if sample.handedness is None:
                raise HandsError(f'{sample.where} has no "handedness"; right hands are to be mirrored')
            hands.append(to_wrist(mirror(xyz_mm) if sample.handedness == "right" else xyz_mm))
    if not hands:
        raise HandsError(f'no hand of "{name}" at {root} has 3D labels in the split "{split}"')
    return torch.stack(hands)


def _points_of(file: Path, order: str) -> Float[Tensor, "n 21 3"]:
    """Return the hands of a .npy file in RHD's order. Raises HandsError as `labelled_left_hands` does."""
    ORDERS.find(order)
    try:
        points = np.load(file, allow_pickle=False)
    except (OSError, *BROKEN) as error:
        raise HandsError(f"{file} is not a readable .npy file: {error}") from error
    if points.ndim != 3 or points.shape[1:] != (21, 3) or not len(points) or points.dtype.kind != "f":
        raise HandsError(f"{file} holds {points.dtype} {points.shape}, but must hold floats (n, 21, 3)")
    if not np.isfinite(points).all():
        hand = int(np.argwhere(~np.isfinite(points))[0, 0])
        raise HandsError(f"hand {hand} of {file} has joints that are not finite; leave it out")
    joints = reorder(points, order, "rhd")
    if other_listing(joints) is not None or is_no_hand(joints):
        raise HandsError(
            f'the points of {file}, read in the order "{order}", have not the proportions of hands: give '
            f"their order with --order, one of {', '.join(ORDERS)}"
        )
    _check_left(joints, file)
    return torch.from_numpy(joints)


def _check_left(joints: Float[np.ndarray, "n 21 3"], file: Path) -> None:
    """Raise HandsError if most bent fingers are those of right hands; announce fewer.

    Without bent fingers, the palms decide: knuckles and thumb base do not lie in one plane.
    """
    side = side_by_fingers(joints)
    right, bent = int((side < 0).sum()), int((side != 0).sum())
    if not bent:
        _check_left_palms(joints, file)
    text = f"{right} of {bent} hands of {file} with bent fingers bend like right hands"
    if right > bent / 2:
        raise HandsError(f"{text}; it must hold left hands: change the sign of x of right hands")
    if right:
        _LOG.warning("%s; a convention is fitted to left hands: change the sign of x of right hands", text)


def _check_left_palms(joints: Float[np.ndarray, "n 21 3"], file: Path) -> None:
    """Raise HandsError if the palms are those of right hands; announce palms that do not tell."""
    hands = torch.from_numpy(joints)
    as_left, as_right = (
        min(misfit.palm for misfit in misfits(each).values()) for each in (hands, mirror(hands))
    )
    text = f"the hands of {file} have straight fingers, which do not tell their side"
    if _TELLING * as_right < as_left:
        raise HandsError(
            f"{text}, and the palms of right hands ({as_right:.2f} off the nearest known convention, "
            f"{as_left:.2f} as left hands); it must hold left hands: change the sign of x of right hands"
        )
    if as_right < _TELLING * as_left:
        _LOG.warning("%s; nor do their palms: make sure that they are left hands", text)


def draw_conventions(path: Path) -> None:
    """Write an image of all conventions over one rendered hand, open and half closed, with bone lengths.

    Each convention is a column; the hand model's own joints are drawn in grey under the others. Needs the
    extra `render`. Raises HandsError, before it renders, if no image can be written to `path`.
    """
    check_image_file(path)
    canvas = FigureCanvasAgg(_page())
    canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    save_image(np.array(pixels.quantize(160).convert("RGB")), path)


def _page() -> Figure:
    names, scene = list(CONVENTIONS), _scene()
    figure = Figure(figsize=(1.5 + 2 * len(names), 7.6), facecolor="white")
    axes = figure.subplots(
        2, len(names), gridspec_kw={"left": 0.13, "right": 0.995, "top": 0.95, "bottom": 0.27}
    )
    figure.subplots_adjust(wspace=0.03, hspace=0.03)
    for row, (pose, rotation) in zip(axes, _views(), strict=True):
        image = _rendered(scene, pose, rotation)
        for axis, name in zip(row, names, strict=True):
            axis.imshow(image, interpolation="lanczos")
            for each, colours, width, dots in (
                (_OWN, dict.fromkeys(FINGERS, _GREY), 1.0, 0.0),
                (name, PALETTE, 2.0, 4.5),
            ):
                hand = place_hand(replace(scene, convention=each), pose, rotation)
                _draw_skeleton(axis, hand.label_px / 2, colours, width, dots)
            axis.set_xlim(SIZE_PX * 0.07, SIZE_PX * 0.43)
            axis.set_ylim(SIZE_PX * 0.46, SIZE_PX * 0.02)
            axis.set_axis_off()
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(name, fontsize=12, color=INK)
    _write_lengths(figure, list(axes[0]), names)
    return figure


def _scene() -> Scene:
    """Return a scene with a left hand of mean shape, in front of a noiseless camera, on its axis."""
    drawn = sample_scene(0, "training", _SCENE, SIZE_PX)
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


def _views() -> list[tuple[Articulation, Float[np.ndarray, "3 3"]]]:
    """Return the articulations to draw, each with its rotation."""
    table = gestures()
    half = replace(table["fist"], fingers=table["fist"].fingers * 0.7, thumb=table["open"].thumb)
    return [(table["open"], _palm_view(0.0)), (half, _palm_view(62.0))]


def _palm_view(yaw_deg: float) -> Float[np.ndarray, "3 3"]:
    """Return the rotation of a left hand that shows its palm, fingers up, turned about the arm."""
    sine, cosine = np.sin(np.radians(yaw_deg)), np.cos(np.radians(yaw_deg))
    return np.diag([1.0, -1, -1]) @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


def _rendered(scene: Scene, pose: Articulation, rotation: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    """Return the hand at half size on a light background, pale, so that lines stand out."""
    image = render_hand(scene, place_hand(scene, pose, rotation))
    pale = _PAPER - 0.62 * (_PAPER - image.rgb.astype(float))
    pale[image.part == 0] = _PAPER
    half = (SIZE_PX // 2, SIZE_PX // 2)
    return np.array(Image.fromarray(pale.astype(np.uint8)).resize(half, Image.Resampling.LANCZOS))


def _draw_skeleton(axis: Axes, uv_px: np.ndarray, colours: dict[str, str], width: float, dots: float) -> None:
    """Draw bones, and joints if `dots` (their size) is not 0."""
    for finger, chain in FINGERS.items():
        for ends in pairwise((WRIST, *chain)):
            axis.plot(*uv_px[list(ends)].T, color=colours[finger], lw=width, solid_capstyle="round")
        if dots:
            axis.plot(*uv_px[list(chain)].T, "o", color=colours[finger], ms=dots, mec="white", mew=0.8)
    if dots:
        axis.plot(*uv_px[WRIST], "o", color=INK, ms=dots + 1, mec="white", mew=0.8)


def _write_lengths(figure: Figure, columns: Sequence[Axes], names: Sequence[str]) -> None:
    """Write a table of mean bone lengths below the columns."""
    heading = "mean bone lengths of the mean hand, in lengths of the middle finger's MCP-PIP bone"
    figure.text(0.005, 0.245, heading, color=INK, fontsize=9, weight="bold", va="center")
    style = {"color": INK, "fontsize": 9, "va": "center"}
    heights = [0.215 - row * 0.0265 for row in range(len(_LENGTHS))]
    for y, text in zip(heights, _LENGTHS, strict=True):
        figure.text(0.005, y, text, **style)
    for axis, name in zip(columns, names, strict=True):
        box = axis.get_position()
        bones = of_model(CONVENTIONS[name].weights()).bones.reshape(5, 4)
        for y, length in zip(heights, (*bones[1:].mean(0), *bones[0]), strict=True):
            figure.text((box.x0 + box.x1) / 2, y, f"{length:.2f}", ha="center", **style)
