"""The command demo."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from latent_hands.cli.options import unset


def demo(
    out: Annotated[Path, arg(metavar="DIR")] = Path("runs/demo"),
    count: Annotated[int, arg(metavar="N", help="Number of training images to render.")] = 1600,
    rhd: Annotated[Path | None, unset("no evaluation on RHD", "DIR", "Also evaluate on RHD in DIR.")] = None,
) -> None:
    """Run the whole path in minutes: render, train, evaluate, estimate, transfer.

    $ latent-hands demo
    $ latent-hands demo --out runs/small --count 400
    $ latent-hands demo --rhd RHD_published_v2

    Output: report.html in the folder of --out, with all images and numbers. Open it in a browser. Rendered
    hands, trained runs and logs are in the same folder.

    Finished stages are kept. Run the same command again to continue an interrupted demo.

    Args:
        out: The folder of all results.
    """
    from latent_hands.studies.demo import run_demo

    run_demo(out, count, rhd)
