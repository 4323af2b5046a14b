"""The command fine-tune."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from latent_hands.cli.options import Data, Json, LabelledHandedness, Limit, Root, Run, Split, unset

NAMES = {"learnt": "learnt from", "held_out": "held out", "control": "control"}


def fine_tune(
    run: Run,
    data: Data,
    root: Root,
    out: Annotated[Path, arg(metavar="DIR", help="The new run folder.")] = Path("runs/tuned"),
    groups: Annotated[Path | None, unset("by names", "FILE")] = None,
    handedness: LabelledHandedness = None,
    convention: Annotated[str | None, unset("that of the data set", "NAME")] = None,
    held_out: Annotated[float, arg(metavar="SHARE")] = 0.3,
    updates: Annotated[int, arg(metavar="N")] = 300,
    learning_rate: Annotated[float, arg(metavar="RATE")] = 1e-4,
    control: Annotated[str | None, unset("none", "NAME=DIR")] = None,
    rehearsal: Annotated[str | None, unset("none", "NAME=DIR")] = None,
    split: Split = "training",
    limit: Limit = None,
    seed: Annotated[int, arg(metavar="N")] = 0,
    json: Json = False,
) -> bool:
    """Fine-tune a run on a few labelled hands, and measure the gain on other hands.

    $ latent-hands fine-tune estimation --data table --root mine
    $ latent-hands fine-tune estimation --data coco --root mine --groups persons.csv
    $ latent-hands fine-tune estimation --data coco --root mine --control rendered=hands

    Output: a run folder, and the scores before and after on the training hands, the held-out hands and the
    control. Only the encoder of images learns.

    Whole groups (people or places) are held out, because frames of one person resemble each other. Without
    --groups, the group of a hand is its block, or its name without the number at its end. With a single
    group, images are held out, and a warning says so. A warning also says if the model only learned its
    people.

    Labels are 3D joints, 2D joints, or both. Scores of 2D joints are shares of the larger side of the box. 3D
    labels in another joint convention are translated into that of the run. 2D labels cannot be translated.

    The exit code is 1 if there is a warning.

    Args:
        groups: A CSV file with the columns name,group: the person or place of each hand.
        held_out: Share of the hands to hold out, from 0.1 to 0.9.
        updates: Number of updates of 16 hands each.
        learning_rate: Learning rate of Adam at the beginning; it falls to zero.
        convention: The joint convention of the labels: rhd, mediapipe and more (docs/joint_conventions.md).
        control: A labelled data set of other people, whose evaluation split is scored before and after.
        rehearsal: Further labelled hands to train on, such as rendered ones, three for each of yours, so that
            the model does not forget.
        seed: Seed of the order and the augmentation.
    """
    from dataclasses import replace

    from latent_hands.cli.sources import parse_set
    from latent_hands.cli.tables import print_json
    from latent_hands.data import open_data
    from latent_hands.data.sample import with_handedness
    from latent_hands.studies import fine_tuning

    samples = with_handedness(open_data(data, root, split, limit), handedness)
    if convention is not None:
        samples = [replace(sample, convention=convention) for sample in samples]
    others = [] if control is None else open_data(*parse_set(control, "--control"), "evaluation", limit)
    most = fine_tuning.REHEARSED * len(samples)
    rehearsed = [] if rehearsal is None else open_data(*parse_set(rehearsal, "--rehearsal"), "training", most)
    found = fine_tuning.fine_tune(
        run,
        samples,
        out,
        groups=None if groups is None else read_groups(groups),
        held_out=held_out,
        updates=updates,
        learning_rate=learning_rate,
        seed=seed,
        control=others,
        rehearsal=rehearsed,
    )
    if json:
        print_json(found)
    else:
        print_gain(found)
    return not found["warnings"]


def read_groups(path: Path) -> dict[str, str]:
    """Return the group of each name in a CSV file.

    Raises HandsError for other columns, a line without name or group, and a name in two groups.
    """
    from latent_hands.data.formats.csv_file import load_csv
    from latent_hands.errors import HandsError

    table, groups = load_csv(path), dict[str, str]()
    if not {"name", "group"} <= {*table.columns}:
        raise HandsError(
            f'{path} must be a CSV file with the columns name,group; its first line is "{table.first[:80]}"'
        )
    for line, row in table.rows:
        name, group = row["name"], row["group"]
        if not name or not group:
            raise HandsError(f"{path}, line {line} has no {'group' if name else 'name'}")
        if groups.setdefault(name, group) != group:
            raise HandsError(
                f'{path}, line {line}: "{name}" is in two groups, "{groups[name]}" and "{group}"'
            )
    return groups


def print_gain(found: Mapping[str, Any]) -> None:
    """Print the scores before and after."""
    from latent_hands.cli.evaluate import IN_IMAGE, SCORES
    from latent_hands.cli.tables import print_table

    rows = []
    for part, name in NAMES.items():
        for key, before in found.get(part, {}).get("before", {}).items():
            after, (title, unit, digits) = found[part]["after"][key], (SCORES | IN_IMAGE)[key]
            scale = 100 if unit.startswith("%") else 1
            cells = [f"{scale * value:.{digits}f} {unit}" for value in (before, after, after - before)]
            rows.append([f"{name}, {found[part]['samples']} hands: {title}", *cells])
    notes = [f"split by {found['split_by']}", *found["notes"]]
    notes += [f"warning: {text}" for text in found["warnings"]]
    title = f"{found['run']} -> {found['out']}"
    print_table(["", "before", "after", "change"], rows, title, "\n".join(notes))
