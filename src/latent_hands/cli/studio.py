"""The command studio."""

import time
from typing import Annotated

from tyro.conf import Positional, arg

from latent_hands.cli.options import RUNS_HELP, DataSplit, Limit, OptionalData, OptionalRoot


def studio(
    runs: Annotated[
        tuple[str, ...],
        Positional,
        arg(metavar="[RUN ...]", help=f"{RUNS_HELP} The first one is shown first."),
    ] = ("synthesis",),
    port: Annotated[int, arg(metavar="N")] = 8080,
    data: OptionalData = None,
    root: OptionalRoot = None,
    split: DataSplit = None,
    limit: Limit = None,
    host: Annotated[str, arg(metavar="ADDRESS")] = "127.0.0.1",
) -> None:
    """Move a hand and its factors in the browser, and see the decoded image.

    $ latent-hands studio
    $ latent-hands studio runs/mine synthesis --port 9000
    $ latent-hands studio --data rendered --root hands

    Output: the address of the page. Ctrl-C ends the studio.

    Drag fingertips and wrist of a 3D hand, move the factors along their principal directions, load the hands
    of photographs and of a data set, swap factors, walk along them, draw them from their posteriors, and
    save the state.

    The command needs the extra `studio`, and no internet. docs/studio.md explains the page.

    Args:
        host: The address to listen on. By default only this machine reaches the page. With 0.0.0.0 all
            machines of the network do, without a password.
        port: The port, or the next free one.
    """
    from latent_hands.cli.sources import check_unnamed, find_samples
    from latent_hands.studio.data_set import DataSet
    from latent_hands.studio.page.serving import Studio

    check_unnamed(data, root=root, split=split, limit=limit)
    split = split or "evaluation"
    samples = find_samples(data, root, split, (), limit) if data else []
    shown = DataSet(samples, f"{split} of {root}") if data else None
    running = Studio(runs or ("synthesis",), host, port, shown)
    print(f"studio at {running.url}  (Ctrl-C ends it)", flush=True)
    try:
        while True:
            time.sleep(3600)
    finally:
        running.close()
