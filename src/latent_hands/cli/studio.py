"""The command studio."""

import time
from typing import Annotated

from tyro.conf import Positional, arg

from latent_hands.cli.options import RUNS_HELP


def studio(
    runs: Annotated[
        tuple[str, ...],
        Positional,
        arg(metavar="[RUN ...]", help=f"{RUNS_HELP} The first one is shown first."),
    ] = ("synthesis",),
    host: Annotated[str, arg(metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, arg(metavar="N")] = 8080,
) -> None:
    """Move a hand and its factors in the browser, and see the decoded image.

    $ latent-hands studio
    $ latent-hands studio runs/mine synthesis --port 9000

    Output: the address of the page. Ctrl-C ends the studio.

    Drag fingertips and wrist of a 3D hand, move the factors along their principal directions, load the hands
    of photographs, swap factors, walk along them, draw them from their posteriors, and save the state.

    The command needs the extra `studio`, and no internet. docs/studio.md explains the page.

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
