"""The page that runs an exported model in a browser: its files, and those of onnxruntime-web."""

from importlib.resources import files
from pathlib import Path

from latent_hands.errors import HandsError
from latent_hands.files import write_bytes

RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""The files of onnxruntime-web that the page loads."""
PAGE = ("index.html", "page.js", "hands.js", "images.js", "numbers.js")


def check_runtime(folder: Path) -> None:
    """Raise HandsError if a folder is not the folder `dist` of the npm package onnxruntime-web."""
    missing = [name for name in RUNTIME if not (folder / name).is_file()]
    if missing:
        raise HandsError(
            f"{folder} has no {missing[0]}; give the folder dist of the npm package onnxruntime-web: "
            "npm pack onnxruntime-web, then unpack the archive"
        )


def write_page(out: Path, runtime: Path) -> None:
    """Write the page and the runtime beside the models."""
    page = files("latent_hands.portable") / "page"
    for name in PAGE:
        write_bytes(out / name, (page / name).read_bytes())
    for name in RUNTIME:
        write_bytes(out / name, (runtime / name).read_bytes())
