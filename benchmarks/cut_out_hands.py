"""Cut hands out of photographs before a plain background, and lay them on other images, with their labels.

    python benchmarks/cut_out_hands.py PHOTOS BACKGROUNDS OUT --only digits --copies 2

PHOTOS is a COCO set that `label_photographs.py write` wrote; BACKGROUNDS a folder of images without hands.
OUT becomes a COCO set with one split, "training".
A hand is cut out by GrabCut (Rother et al. 2004), whose certain foreground is the labelled skeleton.
Each copy is enlarged or reduced and shifted, without a rotation, so that the 3D joints stay as they are and
the intrinsics become A K with the same similarity A that moves the pixels.
Where the forearm ends inside the new image, a sleeve of one colour covers the end.

It needs OpenCV, which is not a dependency of the package: `pip install opencv-python-headless numpy`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

FIRST = (1, 5, 9, 13, 17)
BONES = [(0, each) for each in FIRST] + [(5, 9), (9, 13), (13, 17)]
BONES += [(each + step, each + step + 1) for each in FIRST for step in range(3)]
"""Pairs of COCO's keypoints: the wrist, then four of each finger from the thumb on."""
CANVAS_PX = 256
HAND_PX = (34.0, 230.0)
"""Range of the larger side of a pasted hand; its logarithm is uniform."""
ENLARGED = 3
"""Photographs are cut out at this multiple of their size."""
HALF = (ENLARGED - 1) / 2
"""The centre of pixel 0 in pixels of the enlarged photograph; centres have whole numbers in both."""
LEAST_SHARE, MOST_SHARE = 0.06, 0.7
"""Shares of a photograph that a plausible hand covers."""
PAPER_LIGHT, PAPER_COLOUR = 25.0, 7.0
"""Largest differences from the background's lightness and colour (CIELAB, 0..255) of paper."""


def hand_alpha(rgb: NDArray[Any], uv_px: NDArray[Any]) -> NDArray[Any] | None:
    """Return the opacity (0..1) of the hand, None if the cut-out is implausible."""
    height, width = rgb.shape[:2]
    box = float(np.ptp(uv_px, axis=0).max())
    hand = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    for a, b in BONES:
        _line(hand, uv_px[a], uv_px[b], cv2.GC_PR_FGD, 0.22 * box)
    for a, b in BONES:
        _line(hand, uv_px[a], uv_px[b], cv2.GC_FGD, 0.04 * box)
    reach = np.zeros_like(hand)
    for a, b in BONES:
        _line(reach, uv_px[a], uv_px[b], 1, 0.5 * box)
    below = int(np.clip(uv_px[0, 1], 0, height - 1))
    hand[(reach == 0) & (np.arange(height)[:, None] < below)] = cv2.GC_BGD
    hand[paper(rgb, reach == 0) & (hand != cv2.GC_FGD)] = cv2.GC_BGD
    cv2.grabCut(rgb, hand, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    inside = ((hand == cv2.GC_FGD) | (hand == cv2.GC_PR_FGD)).astype(np.uint8)
    count, parts = cv2.connectedComponents(inside)
    if count < 2:
        return None
    sizes = np.bincount(parts.ravel())[1:]
    inside = (parts == 1 + sizes.argmax()).astype(np.uint8)
    seen = inside[tuple(np.clip(uv_px, 0, [width - 1, height - 1]).astype(int).T[::-1])]
    if not LEAST_SHARE < inside.mean() < MOST_SHARE or seen.mean() < 0.9:
        return None
    inside = cv2.erode(inside, np.ones((3, 3), np.uint8))
    return cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 0.35 * ENLARGED)


def paper(rgb: NDArray[Any], outside: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels that look like the background, whose colour is a quadratic function of place."""
    y, x = np.mgrid[-1 : 1 : rgb.shape[0] * 1j, -1 : 1 : rgb.shape[1] * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    lab = cv2.cvtColor(rgb, cv2.COLOR_BGR2LAB).astype(np.float64)
    factors, *_ = np.linalg.lstsq(terms[outside], lab[outside], rcond=None)
    light, *colour = np.moveaxis(np.abs(lab - terms @ factors), -1, 0)
    return (light < PAPER_LIGHT) & (np.maximum(*colour) < PAPER_COLOUR)


def _line(image: NDArray[Any], a: NDArray[Any], b: NDArray[Any], value: int, thickness: float) -> None:
    ends = [(round(float(x)), round(float(y))) for x, y in (a, b)]
    cv2.line(image, ends[0], ends[1], int(value), max(1, round(thickness)))


def paste(
    rgb: NDArray[Any], alpha: NDArray[Any], uv_px: NDArray[Any], back: NDArray[Any], rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a new image with the hand, and the similarity (3, 3) from the photograph's pixels to its own.

    `uv_px` and the similarity refer to the photograph's own size, `rgb` and `alpha` to the enlarged one.
    """
    side = float(np.ptp(uv_px, axis=0).max())
    scale = np.exp(rng.uniform(*np.log(HAND_PX))) / side
    low, high = uv_px.min(0) * scale, uv_px.max(0) * scale
    slack = 0.15 * side * scale
    place = rng.uniform(-low - slack, np.maximum(CANVAS_PX - high + slack, -low))
    at_edge = rng.random() < 0.4
    if at_edge:  # the end of the forearm is the edge of the image, as in the photograph
        place[1] = CANVAS_PX - len(rgb) / ENLARGED * scale
    A = np.array([[scale, 0, place[0]], [0, scale, place[1]], [0, 0, 1.0]])
    back_to_small = np.array([[1, 0, -HALF], [0, 1, -HALF], [0, 0, ENLARGED]]) / ENLARGED
    M = (A @ back_to_small)[:2]
    size, how = (CANVAS_PX, CANVAS_PX), cv2.INTER_AREA if scale < ENLARGED else cv2.INTER_LINEAR
    if scale < ENLARGED:
        sigma = 0.4 * ENLARGED / scale
        rgb, alpha = cv2.GaussianBlur(rgb, (0, 0), sigma), cv2.GaussianBlur(alpha, (0, 0), sigma)
    hand = cv2.warpAffine(rgb, M, size, flags=how, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    cover = cv2.warpAffine(alpha, M, size, flags=cv2.INTER_LINEAR)[..., None]
    out = back.astype(np.float32)
    gain = np.exp(rng.uniform(-0.25, 0.1)) * np.exp(rng.normal(0, 0.04, 3))
    out += cover * (np.clip(hand * gain, 0, 255) - out)
    if not at_edge:
        _sleeve(out, alpha, M, rng)
    return np.clip(out, 0, 255).round().astype(np.uint8), A


def _sleeve(out: NDArray[Any], alpha: NDArray[Any], M: NDArray[Any], rng: np.random.Generator) -> None:
    """Cover the lower end of the forearm with a trapezoid of one colour."""
    columns = np.flatnonzero(alpha[-3:].max(0) > 0.5)
    if not len(columns):
        return
    left, right, bottom = columns[0], columns[-1], len(alpha)
    wide, up = 0.15 * (right - left + 8), rng.uniform(0.02, 0.08) * bottom
    lean = rng.uniform(-0.5, 0.5) * bottom
    corners = np.array(
        [
            [left - wide, bottom - up],
            [right + wide, bottom - up],
            [right + 3 * wide + lean, 2 * bottom],
            [left - 3 * wide + lean, 2 * bottom],
        ]
    )
    corners = corners @ M[:, :2].T + M[:, 2]
    colour = rng.uniform(20, 230, 3)
    cover = np.zeros(out.shape[:2], np.uint8)
    cv2.fillPoly(cover, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    shade = 1 + 0.1 * cv2.GaussianBlur(rng.normal(0, 4, out.shape[:2]).astype(np.float32), (0, 0), 4)
    out += cover[..., None] / 255.0 * (colour * shade[..., None] - out)


def background(files: list[Path], rng: np.random.Generator) -> NDArray[Any]:
    """Return a random square of a random image."""
    image = cv2.imread(str(files[rng.integers(len(files))]))
    assert image is not None
    side = int(min(image.shape[:2]) * rng.uniform(0.6, 1.0))
    y, x = (int(rng.integers(0, length - side + 1)) for length in image.shape[:2])
    part = image[y : y + side, x : x + side]
    part = part[:, ::-1] if rng.random() < 0.5 else part
    return cv2.resize(part, (CANVAS_PX, CANVAS_PX), interpolation=cv2.INTER_AREA)


def main() -> None:
    """Write the set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="part of the names of the photographs to cut out")
    parser.add_argument("--copies", type=int, default=2, help="images of a hand")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    coco = json.loads((options.photos / "annotations" / "training.json").read_text())
    names = {each["id"]: each["file_name"] for each in coco["images"]}
    files = sorted(each for each in options.backgrounds.iterdir() if each.suffix in (".png", ".jpg"))
    images, annotations, refused = [], [], 0
    (options.out / "training").mkdir(parents=True)
    (options.out / "annotations").mkdir()
    for each in coco["annotations"]:
        name = names[each["image_id"]]
        if options.only not in name:
            continue
        photo = cv2.imread(str(options.photos / "training" / name))
        assert photo is not None
        photo = cv2.resize(photo, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
        uv_px = np.array(each["keypoints"]).reshape(21, 3)[:, :2]
        alpha = hand_alpha(photo, uv_px * ENLARGED + HALF)
        if alpha is None:
            refused += 1
            continue
        for copy in range(options.copies):
            image, A = paste(photo, alpha, uv_px, background(files, rng), rng)
            number = len(images)
            file = f"{Path(name).stem}_on_{copy}.png"
            cv2.imwrite(str(options.out / "training" / file), image)
            images.append({"id": number, "file_name": file, "width": CANVAS_PX, "height": CANVAS_PX})
            annotations.append(moved(each, A, number))
    content = {**coco, "images": images, "annotations": annotations}
    (options.out / "annotations" / "training.json").write_text(json.dumps(content))
    print(f"{len(images)} images; {refused} hands could not be cut out")


def moved(annotation: dict[str, Any], A: NDArray[Any], number: int) -> dict[str, Any]:
    """Return the annotation in the new image: keypoints, box, area and intrinsics by the similarity."""
    keypoints = np.array(annotation["keypoints"], float).reshape(21, 3)
    keypoints[:, :2] = keypoints[:, :2] * A[0, 0] + A[:2, 2]
    low, high = keypoints[:, :2].min(0), keypoints[:, :2].max(0)
    out = {**annotation, "id": number, "image_id": number, "keypoints": keypoints.round(3).ravel().tolist()}
    out["bbox"] = [*low.round(3).tolist(), *(high - low).round(3).tolist()]
    out["K"] = (A @ np.array(annotation["K"])).tolist()
    out["area"] = float(np.prod(high - low))
    return out


if __name__ == "__main__":
    main()
