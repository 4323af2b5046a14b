"""The command prepare."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from latent_hands.cli.options import Data, Json, LabelledHandedness, Root, Shard, Splits, Workers, unset
from latent_hands.cli.tables import print_json, print_table
from latent_hands.progress import progress_bars

if TYPE_CHECKING:
    from latent_hands.data.store import Split


def prepare(
    out: Annotated[
        Path, Positional, arg(metavar="OUT", help="A new folder, or a store to continue or check.")
    ],
    data: Data,
    root: Root,
    crop: Literal["box", "scene"] = "box",
    crop_px: Annotated[int, arg(metavar="PX")] = 128,
    margin: Annotated[float, arg(metavar="FACTOR")] = 1.75,
    window_px: Annotated[int, arg(metavar="PX")] = 192,
    right_hands: Literal["mirror", "condition"] = "mirror",
    images: Annotated[tuple[str, ...], unset("none", "KEY ...")] = (),
    handedness: LabelledHandedness = None,
    split: Splits = ("training", "evaluation"),
    workers: Workers = None,
    shard: Shard = None,
    verify: bool = False,
    json: Json = False,
) -> None:
    """Pack a data set for training: cut windows around its hands once, and store them.

    $ latent-hands prepare packed --data rendered --root hands
    $ latent-hands prepare packed --data rhd --root RHD_published_v2 --split training --workers 8
    $ latent-hands prepare depths --data rendered --root hands --images depth
    $ latent-hands train estimation --data.root packed

    Output: a packed store in OUT, which `train` and `evaluate` accept as the folder of the data set.

    The options have the meaning of the keys of [data] in an experiment; training with other values is an
    error. Training windows include the margin, which augmentation needs. Evaluation windows are the crops.

    With --shard I/N, the command cuts portion I of N (docs/many_machines.md).

    Run the same command again to continue an interrupted packing. It also verifies all checksums and
    replaces damaged files.

    Args:
        crop: box: a square around the keypoints. scene: a square around the palm, equal for all poses.
        crop_px: Side of the crops that networks read, in pixels.
        margin: Side of the training windows over the side of the crops. Use 1 without [augmentation].
        window_px: Side of the training windows, in pixels. Use --crop-px without [augmentation].
        right_hands: mirror: turn right hands into left hands. condition: keep both.
        images: Further images to pack: tag, depth, identity_tag, background_tag.
        verify: Only read OUT and verify all checksums.
    """
    from latent_hands.data.prepare import prepare as pack
    from latent_hands.data.store import Cut, read_manifest
    from latent_hands.data.store import verify as verify_store

    started = time.monotonic()
    if verify:
        verify_store(out)
        manifest = read_manifest(out)
    else:
        sizes = {"training": (margin, window_px), "evaluation": (1.0, crop_px)}
        cuts = {each: Cut(data, crop, right_hands, *sizes[each], images) for each in split}
        with progress_bars() as progress:
            threads = (os.cpu_count() or 1) if workers is None else workers
            manifest = pack(root, out, cuts, threads, progress, handedness, shard)
    splits = manifest.splits
    if json:
        seconds = round(time.monotonic() - started, 3)
        print_json({"out": str(out), "seconds": seconds, "splits": summary(splits)})
    else:
        print_store(splits, f"{out}: all checksums are correct" if verify else f"{out}")


def summary(splits: Mapping[str, "Split"]) -> dict[str, dict[str, int]]:
    """Return the sizes of a packed store by split."""
    return {
        name: {
            "samples": split.written,
            "shards": len(split.shards),
            "bytes": split.bytes,
            "source_bytes": split.source_bytes,
        }
        for name, split in splits.items()
    }


def print_store(splits: Mapping[str, "Split"], title: str) -> None:
    """Print the content of a packed store, and the size of the images that it was cut from."""
    rows = []
    for name, split in splits.items():
        sizes = (f"{size / 1e6:.1f}" for size in (split.bytes, split.source_bytes))
        rows.append([name, f"{split.written}", f"{split.cut.window_px} px", f"{len(split.shards)}", *sizes])
    print_table(["split", "hands", "window", "shards", "store MB", "images MB"], rows, title)
