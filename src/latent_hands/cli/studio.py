"""The command studio."""

import time
from typing import Annotated

from tyro.conf import Positional, arg


def studio(
    runs: Annotated[
        tuple[str, ...],
        Positional,
        arg(metavar="[RUN ...]", help="Run folders, or names of shipped models; the first is shown first."),
    ] = ("synthesis",),
    host: Annotated[str, arg(metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, arg(metavar="N")] = 8080,
) -> None:
    """Move a hand and its factors in the browser, and watch the image.

    $ latent-hands studio
    $ latent-hands studio runs/mine synthesis --port 9000

    Output: the address of the page. Ctrl-C ends the studio.

    Fingertips and wrist of a 3D hand can be dragged. Sliders move the factors along their principal
    directions. Photographs give their hands: the pose is estimated, and the factors are loaded. Factors can
    be swapped, walked along and drawn from their posteriors. The state can be saved.

    The page needs no internet. It needs the extra `studio`. Docs: docs/studio.md.

    Args:
        host: The address to listen on. By default only this machine reaches the page. With 0.0.0.0 all
            machines of the network do, without a password.
        port: The port, or the next free one.
    """
    from latent_hands.studio.page.serving import Studio

    running = Studio(runs or ("synthesis",), host, port)
    print(f"studio at {running.url}  (Ctrl-C ends it)", flush=True)
    try:
        while True:
            time.sleep(3600)
    finally:
        running.close()
