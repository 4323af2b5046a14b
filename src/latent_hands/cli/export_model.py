"""The command export-model."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from latent_hands.cli.options import Run, unset


def export_model(
    run: Run,
    out: Annotated[Path, Positional, arg(metavar="OUT", help="A new folder.")],
    half: bool = False,
    web: Annotated[Path | None, unset("none", "DIR")] = None,
) -> None:
    """Export a run as ONNX files, which need no torch.

    $ latent-hands export-model estimation runs/onnx
    $ latent-hands export-model runs/mine models/mine --half
    $ latent-hands export-model estimation page --web package/dist

    Output: a folder with model.json (networks, conventions and rules), one .onnx file for each encoder and
    decoder, and detector.onnx if the run predicts hands from images. `python -m latent_hands.lite` and any
    ONNX runtime read them (docs/onnx.md).

    Each file is compared with torch when it is written. It needs the extra onnx.

    Args:
        half: Store weights in float16, which halves the files. All computation stays in float32.
        web: Also write index.html, a page that finds hands in a browser. DIR is the folder dist of the npm
            package onnxruntime-web, whose runtime is copied.
    """
    from latent_hands.portable import export_model as write

    folder = write(run, out, half=half, web=web)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {size / 1e6:.1f} MB")
