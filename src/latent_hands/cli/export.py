"""The command export."""

import os
from typing import Annotated, Literal

from tyro.conf import arg

from latent_hands.cli.options import Data, Json, Limit, NewData, Root, Workers, unset
from latent_hands.cli.tables import print_json
from latent_hands.progress import progress_bars


def export(
    out: NewData,
    data: Data,
    root: Root,
    layout: Annotated[str, arg(metavar="{rhd,freihand,coco,yolo}")],
    split: Annotated[
        tuple[Literal["training", "evaluation"], ...],
        unset("all", "{training,evaluation} ...", "One or both splits of the data set."),
    ] = (),
    limit: Limit = None,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Write a data set in another published layout, for other projects.

    $ latent-hands export hands_coco --data rendered --root hands --layout coco
    $ latent-hands export stb_freihand --data stb --root STB --layout freihand --split evaluation
    $ latent-hands export ge_rhd --data ge2019 --root GE --layout rhd --limit 100

    Output: the data set in OUT. Notes about changed or lost labels are printed, and kept in OUT/export.json.
    docs/export.md lists what each layout can hold.

    Run the same command again to continue an interrupted export.

    Args:
        layout: rhd: PNG, 2D and 3D joints. freihand: right hands, JPEG of 224 x 224 pixels, 3D joints.
            coco: COCO keypoints. yolo: YOLO pose. Extensions may add layouts.
    """
    from latent_hands.data.export import export_data

    threads = (os.cpu_count() or 1) if workers is None else workers
    with progress_bars() as progress:
        exported = export_data(data, root, out, layout, split or None, limit, threads, progress)
    hands = {each: len(names) for each, names in exported.names.items()}
    if json:
        print_json({"out": str(out), "layout": layout, "hands": hands, "notes": exported.notes})
        return
    print(f"{out}: {' + '.join(f'{count:,} of {each}' for each, count in hands.items())}")
    for note in exported.notes:
        print(f"- {note}")
