"""The command export-model."""

import json
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from latent_hands.cli.options import Run, unset


def export_model(
    run: Run,
    out: Annotated[Path, Positional, arg(metavar="OUT", help="A new folder.")],
    half: bool = False,
    int8: Annotated[Path | None, unset("none", "IMAGES")] = None,
    web: Annotated[Path | None, unset("none", "DIR")] = None,
) -> None:
    """Export a run as ONNX files, which need no torch.

    $ latent-hands export-model estimation runs/onnx
    $ latent-hands export-model runs/mine models/mine --half
    $ latent-hands export-model estimation runs/small --int8 photographs
    $ latent-hands export-model estimation page --web package/dist

    Output: a folder with model.json (networks, conventions and rules), one .onnx file for each encoder and
    decoder, and detector.onnx if the run predicts hands from images. `python -m latent_hands.lite` and any
    ONNX runtime read them (docs/onnx.md).

    Each file is compared with torch when it is written. It needs the extra onnx.

    Args:
        half: Store weights in float16, which halves the files. All computation stays in float32.
        int8: Compute detector and encoders in 8-bit integers, which halves the time. IMAGES is a folder with
            about 100 images of hands; the ranges of the integers are measured on them.
        web: Also write index.html, a page that finds hands in a browser. DIR is the folder dist of the npm
            package onnxruntime-web, whose runtime is copied.
    """
    from latent_hands.portable import export_model as write

    folder = write(run, out, half=half, int8=int8, web=web, progress=True)
    if int8 is not None:
        found = json.loads((folder / "model.json").read_text())["int8"]
        print(
            f"8-bit integers: {found['same']} of {found['hands']} hands in {found['images']} images stay the "
            f"same; their joints move by {found['moved']:.2%} of the box (median)"
        )
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {size / 1e6:.1f} MB")
