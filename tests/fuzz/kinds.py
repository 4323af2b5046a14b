"""Count how kinds of input are answered: right, refused or announced, or wrong.

    python tests/fuzz/kinds.py [ROUNDS]

prints the table of docs/results/reliability.md. Labels are those of painted hands with one mistake, drawn
anew in each round, and are used as training uses them. Images are one picture in many forms. Files are
damaged at random.
"""

import logging
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from label_mistakes import LEGAL, MISTAKES
from posed_hands import SIZE_PX, posed_hands
from test_damaged_files import FILES, damaged

from latent_hands.data import read_rgb
from latent_hands.data.checks import check_labels
from latent_hands.data.crops import build_windows
from latent_hands.errors import HandsError

HANDS = 16


class Announcements(logging.Handler):
    """The warnings of the package."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


def answer(use: Callable[[], object], legal: bool) -> str:
    """Return what happens: "right", "refused" (or announced), or "wrong"."""
    handler, log = Announcements(), logging.getLogger("latent_hands")
    log.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            good = use()
    except HandsError:
        return "wrong" if legal else "refused"
    except Exception:
        return "wrong"
    finally:
        log.removeHandler(handler)
    if handler.count:
        return "refused"
    return "right" if legal and good is not False else "wrong"


def answers_of_labels(folder: Path, rounds: int) -> Iterator[tuple[str, str]]:
    """Yield (kind, answer) for sets of labels with a mistake."""
    image = folder / "image.png"
    Image.new("RGB", SIZE_PX, (120, 90, 80)).save(image)
    for kind, change in (LEGAL | MISTAKES).items():
        for round_ in range(rounds):
            share = (round_ + 0.5) / rounds
            hands = [replace(each, image=image) for each in posed_hands(HANDS, seed=round_)]

            def use(hands=hands, share=share, change=change) -> None:
                check_labels(build_windows([change(each, share) for each in hands], window_px=16))

            yield kind, answer(use, kind in LEGAL)


def forms(rgb: Image.Image, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield (kind, file) for the same picture in many forms."""
    for ending in ("png", "bmp", "tif", "tga", "ppm", "webp", "jp2", "jpg", "gif", "avif"):
        path = folder / f"plain.{ending}"
        rgb.save(path, **({"lossless": True} if ending == "webp" else {"quality": 95}))
        yield "formats of images", path
    upside = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    for ending in ("png", "jpg", "tif", "webp"):
        for number, way in upside.items():
            exif = Image.Exif()
            exif[0x0112] = number
            path = folder / f"turned{number}.{ending}"
            stored = rgb if way is None else rgb.transpose(Image.Transpose(way))
            stored.save(path, exif=exif, quality=95)
            yield "EXIF orientations", path
    hidden = np.asarray(rgb).copy()
    for ending, seed in (("png", 0), ("tif", 1), ("tga", 2), ("webp", 3)):
        noise = np.random.default_rng(seed).integers(0, 256, (*hidden.shape[:2], 4)).astype(np.uint8)
        noise[..., 3] = 255
        noise[..., :3] = hidden
        noise[:4, :, 3] = 0
        noise[:4, :, :3] = seed * 60
        path = folder / f"clear.{ending}"
        Image.fromarray(noise).save(path, **({"lossless": True, "exact": True} if ending == "webp" else {}))
        yield "transparent images", path
    yield "16 bits a channel", _grey_16(folder / "deep.png")
    yield "16 bits a channel", _grey_16(folder / "deep.tif")


def _grey_16(path: Path) -> Path:
    grey = np.tile(np.arange(0, 256, 8, dtype=np.uint16), (32, 1)) * 257
    Image.fromarray(grey).save(path)
    return path


def expected(kind: str, rgb: Image.Image) -> np.ndarray:
    """Return the pixels of a form."""
    pixels = np.asarray(rgb).copy()
    if kind == "transparent images":
        pixels[:4] = 128
    if kind == "16 bits a channel":
        pixels = np.repeat(np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1))[..., None], 3, axis=2)
    return pixels


def answers_of_images(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (kind, answer) for the forms of one smooth picture; colours may differ by 8 levels on average."""
    x, y = np.meshgrid(np.arange(48), np.arange(32))
    rgb = Image.fromarray(np.stack([x * 5, y * 7, x + y], axis=-1).astype(np.uint8))
    for kind, path in forms(rgb, folder):
        wanted = expected(kind, rgb)

        def use(path=path, wanted=wanted) -> bool:
            found = read_rgb(path)
            return found.shape == wanted.shape and bool(np.abs(found - wanted.astype(float)).mean() < 8)

        yield kind, answer(use, legal=True)


def answers_of_damage(folder: Path, rounds: int) -> Iterator[tuple[str, str]]:
    """Yield (kind, answer) for damaged files. One that can still be read counts as right."""
    for name, (make, read) in FILES.items():
        rng, good, path = np.random.default_rng(list(name.encode())), make(), folder / name
        for _ in range(rounds):
            path.write_bytes(damaged(good, rng))
            found = answer(lambda path=path, read=read: read(path), legal=False)
            readable = found == "wrong" and _can_be_read(path, read)
            yield f"damaged {name}", "right" if readable else found


def _can_be_read(path: Path, read: Callable[[Path], object]) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
    except Exception:
        return False
    return True


def count(rounds: int) -> dict[str, Counter[str]]:
    """Return the number of answers of each kind of input."""
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, found in (
            *answers_of_labels(folder, rounds),
            *answers_of_images(folder),
            *answers_of_damage(folder, 10 * rounds),
        ):
            counts.setdefault(kind, Counter())[found] += 1
    return counts


if __name__ == "__main__":
    logging.getLogger("latent_hands").propagate = False
    print("| kind of input | tried | right | refused or announced | wrong |\n|---|---|---|---|---|")
    for kind, answers in count(int(sys.argv[1]) if len(sys.argv) > 1 else 10).items():
        numbers = (answers.total(), answers["right"], answers["refused"], answers["wrong"])
        print(f"| {kind} | {' | '.join(map(str, numbers))} |")
