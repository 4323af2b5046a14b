"""The commands that turn a data set into something else: prepare, export, retarget."""

import json as json_format
import os
import time
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from latent_hands.cli.options import Folder, Json, Name, Number, Split, Splits
from latent_hands.errors import HandsError
from latent_hands.progress import progress_bars


def prepare(
    name: Name,
    root: Folder,
    out: Annotated[Path, Positional, arg(metavar="OUT")],
    crop: Literal["box", "scene"] = "box",
    crop_px: Annotated[int, arg(metavar="PX")] = 128,
    margin: float = 1.75,
    window_px: Annotated[int, arg(metavar="PX")] = 192,
    side: Literal["mirror", "condition"] = "mirror",
    images: Annotated[tuple[str, ...], arg(metavar="KEY")] = (),
    split: Splits = ("training", "evaluation"),
    workers: Number = None,
    verify: bool = False,
    json: Json = False,
) -> None:
    """Pack a data set for training: its windows cut once, on disk as training reads them.

    $ latent-hands prepare rendered hands packed
    $ latent-hands prepare rendered hands depths --images depth
    $ latent-hands prepare rhd RHD_published_v2 packed --split training --workers 8
    $ latent-hands train estimation --data.root packed

    The options are those of an experiment's [data]. Training windows have the margin; evaluation windows are
    the crops themselves. A packing that was stopped goes on where it was; one that is repeated checks every
    checksum and cuts again what is damaged.

    Args:
        out: A new folder, or a store of the same settings.
        crop: Around the hand's keypoints, or about the palm, the same for every pose.
        crop_px: Side of the crops that networks see.
        margin: Side of training windows in crops; 1 without [augmentation].
        window_px: Side of training windows in pixels; crop_px without [augmentation].
        side: Mirror right hands to left ones, or keep both.
        images: Also pack these: tag, depth, identity_tag, background_tag.
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
        cuts = {each: Cut(name, crop, side, *sizes[each], images) for each in split}
        with progress_bars() as advance:
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


def export(
    name: Name,
    root: Folder,
    out: Annotated[Path, Positional, arg(metavar="OUT")],
    layout: Literal["rhd", "freihand", "coco"],
    split: Splits = (),
    limit: Number = None,
    workers: Number = None,
    json: Json = False,
) -> None:
    """Write a data set in another published layout, for other people's trainers.

    $ latent-hands export rendered hands hands_coco --layout coco
    $ latent-hands export stb STB stb_freihand --layout freihand --split evaluation
    $ latent-hands export ge2019 GE ge_rhd --layout rhd --limit 100

    What a layout keeps and loses is in docs/data.md; what became of this set is printed, and kept in
    OUT/export.json. An export that was stopped goes on where it was.

    Args:
        out: A new folder.
        layout: RHD (PNG, 3D and 2D joints), FreiHAND (right hands, 224x224 JPEG, 3D joints), COCO keypoints.
        split: Which parts [those that there are].
        limit: Only the first so many images of each.
        workers: Threads [all cores].
    """
    from latent_hands.data.export import export as write

    with progress_bars() as advance:
        exported = write(
            name, root, out, layout, split or None, limit, workers or os.cpu_count() or 1, advance
        )
    hands = {each: len(names) for each, names in exported.names.items()}
    if json:
        told = {"out": str(out), "layout": layout, "hands": hands, "notes": exported.notes}
        print(json_format.dumps(told, indent=2))
        return
    print(f"{' + '.join(f'{count:,} of {each}' for each, count in hands.items())} are in {out}")
    for note in exported.notes:
        print(f"- {note}")


def retarget(
    name: Name,
    root: Folder,
    out: Annotated[Path, Positional, arg(metavar="OUT.safetensors")],
    split: Split = "training",
    limit: Number = None,
    json: Json = False,
) -> None:
    """Take the poses of a labelled data set for the renderer: joint angles of its hand, without the person.

    $ latent-hands retarget stb-poses STB poses.safetensors
    $ latent-hands render hands --count 20000 --poses poses.safetensors

    The set's hands are measured together for their proportions; then each hand's angles are found by inverse
    kinematics. Where fingers enter one another they are opened, as little as it takes.

    Args:
        out: A new file.
        limit: Only the first so many hands.
    """
    from latent_hands.cli.tables import fit_table
    from latent_hands.data import open_data
    from latent_hands.rendering.pose_file import write_poses
    from latent_hands.rendering.retarget import retarget as fit_hands

    if out.exists():
        raise HandsError(f"{out} exists; legal: a new file")
    if out.parent.exists() and not out.parent.is_dir():
        raise HandsError(f"{out.parent} is a file; legal: a folder for {out.name}")
    hands = fit_hands(open_data(name, root, split, limit), progress=True)
    kept, summary = hands.kept, hands.summary()
    if not kept.any():
        raise HandsError(f"no hand of {split} of {root} fits; look at the order and unit of its joints")
    write_poses(out, hands.angles_deg[kept].numpy(), hands.final_mm[kept].numpy(), name)
    if json:
        print(json_format.dumps({"out": str(out)} | summary, indent=2))
    else:
        fit_table(summary, f"{out}: poses of {split} of {name}")
