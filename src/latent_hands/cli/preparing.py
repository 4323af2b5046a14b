"""The commands that take what others need from a data set: prepare, retarget."""

import json as json_format
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from tyro.conf import Positional, arg

from latent_hands.cli.options import Json, Split
from latent_hands.data import READERS
from latent_hands.errors import HandsError


def prepare(
    name: Annotated[str, Positional, arg(metavar="NAME", help=f"The data set: {', '.join(READERS)}.")],
    root: Annotated[Path, Positional, arg(metavar="ROOT", help="Its folder.")],
    out: Annotated[Path, Positional, arg(metavar="OUT")],
    crop: Literal["box", "scene"] = "box",
    crop_px: Annotated[int, arg(metavar="PX")] = 128,
    margin: float = 1.75,
    window_px: Annotated[int, arg(metavar="PX")] = 192,
    side: Literal["mirror", "condition"] = "mirror",
    tags: bool = False,
    split: tuple[Literal["training", "evaluation"], ...] = ("training", "evaluation"),
    workers: Annotated[int | None, arg(metavar="N")] = None,
    verify: bool = False,
    json: Json = False,
) -> None:
    """Pack a data set for training: its windows cut once, on disk as training reads them.

    $ latent-hands prepare rendered hands packed
    $ latent-hands prepare rendered hands scenes --crop scene --crop-px 64 --margin 1 --window-px 64 --tags
    $ latent-hands prepare rhd RHD_published_v2 packed --split training --workers 8
    $ latent-hands train estimation --data.root packed

    The options are those of an experiment's [data]. Training windows have the margin; evaluation windows are
    the crops themselves. A packing that was stopped goes on where it was; one that is repeated checks every
    checksum and cuts again what is damaged.

    Args:
        out: A new folder, or a store of the same settings.
        crop: Around the hand's keypoints, or the same for every pose of a scene.
        crop_px: Side of the crops that networks see.
        margin: Side of training windows in crops; 1 without [augmentation].
        window_px: Side of training windows in pixels; crop_px without [augmentation].
        side: Mirror right hands to left ones, or keep both.
        tags: Also pack tag pictures.
        split: Which parts.
        workers: Threads [all cores].
        verify: Only read OUT and check every checksum.
    """
    from latent_hands.cli.tables import store_table
    from latent_hands.data.prepare import prepare as pack
    from latent_hands.data.store import Cut, read_manifest
    from latent_hands.data.store import verify as verify_store

    started = time.monotonic()
    if verify:
        verify_store(out)
    else:
        sizes = {"training": (margin, window_px), "evaluation": (1.0, crop_px)}
        cuts = {each: Cut(name, crop, side, *sizes[each], tags) for each in split}
        with _bars() as advance:
            pack(root, out, cuts, workers or os.cpu_count() or 1, advance)
    splits = read_manifest(out).splits
    if json:
        numbers = {
            each: {
                "samples": s.samples,
                "shards": len(s.shards),
                "bytes": s.bytes,
                "source_bytes": s.source_bytes,
            }
            for each, s in splits.items()
        }
        seconds = round(time.monotonic() - started, 3)
        print(json_format.dumps({"out": str(out), "seconds": seconds, "splits": numbers}, indent=2))
    else:
        store_table(splits, f"{out}: every checksum is right" if verify else f"{out}")


def retarget(
    name: Annotated[str, Positional, arg(metavar="NAME", help=f"The data set: {', '.join(READERS)}.")],
    root: Annotated[Path, Positional, arg(metavar="ROOT", help="Its folder.")],
    out: Annotated[Path, Positional, arg(metavar="OUT.safetensors")],
    split: Split = "training",
    limit: Annotated[int | None, arg(metavar="N")] = None,
    json: Json = False,
) -> None:
    """Take the poses of a labelled data set for the renderer: joint angles of its hand, without the person.

    $ latent-hands retarget stb-poses STB poses.safetensors
    $ latent-hands render hands --count 20000 --poses poses.safetensors

    The set's hands are measured together for their proportions; then each hand's angles are found by inverse
    kinematics. Where fingers enter one another they are opened, as little as it takes.

    Args:
        out: The file to write.
        limit: Only the first so many hands.
    """
    from latent_hands.cli.tables import fit_table
    from latent_hands.data import open_data
    from latent_hands.render.pose_file import write_poses
    from latent_hands.retarget import retarget as fit_hands

    hands = fit_hands(open_data(name, root, split, limit), progress=True)
    kept, summary = hands.kept, hands.summary()
    if not kept.any():
        raise HandsError(f"no hand of {split} of {root} fits; look at the order and unit of its joints")
    write_poses(out, hands.angles_deg[kept].numpy(), hands.final_mm[kept].numpy(), name)
    if json:
        print(json_format.dumps({"out": str(out)} | summary, indent=2))
    else:
        fit_table(summary, f"{out}: poses of {split} of {name}")


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """A function that moves the bar of its name, with time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars, tasks = Progress(*columns, console=Console(stderr=True)), dict[str, TaskID]()

    def advance(what: str, done: int, count: int) -> None:
        if what not in tasks:
            bars.start()
            tasks[what] = bars.add_task(what, total=count, completed=done)
        bars.update(tasks[what], completed=done)

    try:
        yield advance
    finally:
        if tasks:
            bars.stop()
