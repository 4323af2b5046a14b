"""Reader of sets written by `latent-hands render --counterfactual`: each swap of factors has a true image.

The reader `rendered` reads the same sets as plain lists of samples.
"""

from dataclasses import dataclass
from pathlib import Path

from latent_hands.data.readers.reading import check_limit
from latent_hands.data.readers.recognising import with_suggestion
from latent_hands.data.readers.rendered import read_rendered
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError, as_path

FACTORS = ("pose", "viewpoint", "identity", "skin", "light", "background")


@dataclass(frozen=True)
class Group:
    """Images that differ only in known factors. They share camera, scene box, sleeve and sensor.

    `donor` differs from `anchor` in all of FACTORS. `changed[factor]` is the anchor with that factor of the
    donor: the ground truth of a model's swap of this factor.
    """

    number: int
    anchor: Sample
    donor: Sample
    changed: dict[str, Sample]


@dataclass(frozen=True)
class Transfer:
    """Images that give pose and viewpoint, and the scene, and the ground truth of their transfer."""

    pose: Sample
    scene: Sample
    truth: Sample


@dataclass(frozen=True)
class Grid:
    """A grid of images: `cells[i][j]` has pose and viewpoint i in scene j. All hands have the same side."""

    number: int
    cells: tuple[tuple[Sample, ...], ...]

    def transfers(self) -> list[Transfer]:
        """Return one transfer for each cell, which is the ground truth.

        The next cell of the row gives the pose, and the next cell of the column gives the scene and its tag.
        The first cell follows the last one.
        """
        rows, columns = len(self.cells), len(self.cells[0])
        return [
            Transfer(
                pose=self.cells[row][(column + 1) % columns],
                scene=self.cells[(row + 1) % rows][column],
                truth=self.cells[row][column],
            )
            for row in range(rows)
            for column in range(columns)
        ]


@dataclass(frozen=True)
class Counterfactuals:
    """One split of a counterfactual set.

    Attributes:
        groups: images in which one factor changes at a time; each has an `anchor`, a `donor`, and by factor
            the `changed` anchor.
        grids: images of every pose in every scene; `grid.transfers()` pairs each with its sources.
    """

    groups: list[Group]
    grids: list[Grid]

    def __repr__(self) -> str:
        """Return one line: the numbers of groups and grids."""
        return f"Counterfactuals({len(self.groups)} groups, {len(self.grids)} grids)"


def read_counterfactual(root: str | Path, split: str, limit: int | None = None) -> Counterfactuals:
    """Read one split of a counterfactual set: its groups and grids (docs/counterfactual.md).

    Args:
        root: the folder of the set, which `lh.render_counterfactual` wrote.
        split: "training" or "evaluation".
        limit: number of groups and of grids to keep, from the first; all by default.

    Raises HandsError as `read_rendered` does, and if the set is not counterfactual, or a group or a grid is
    not complete.

    >>> folder = lh.render_counterfactual("benchmark", evaluation_count=24)                  # doctest: +SKIP
    >>> groups = lh.read_counterfactual(folder, "evaluation").groups                         # doctest: +SKIP
    """
    check_limit(limit)
    root = as_path(root, "root")
    groups: dict[int, dict[str, Sample]] = {}
    grids: dict[int, dict[tuple[int, int], Sample]] = {}
    with with_suggestion("rendered", root):
        samples = read_rendered(root, split)
    for sample in samples:
        match (sample.factors or {}).get("counterfactual"):
            case {"group": int(number), "role": str(role)}:
                groups.setdefault(number, {})[role] = sample
            case {"grid": int(number), "row": int(row), "column": int(column)}:
                grids.setdefault(number, {})[row, column] = sample
            case part:
                raise HandsError(
                    f"image {sample.name} of {root / split} belongs to no group or grid ({part}); "
                    "the set must be written by latent-hands render --counterfactual"
                )
    where = f"of {root / split}"
    return Counterfactuals(
        groups=[_group(number, groups[number], where) for number in sorted(groups)[:limit]],
        grids=[_grid(number, grids[number], where) for number in sorted(grids)[:limit]],
    )


def _group(number: int, roles: dict[str, Sample], where: str) -> Group:
    for role in ("anchor", "donor", *FACTORS):
        if role not in roles:
            raise HandsError(f"group {number} {where} has no image {role}; render the whole set")
    return Group(number, roles["anchor"], roles["donor"], {factor: roles[factor] for factor in FACTORS})


def _grid(number: int, cells: dict[tuple[int, int], Sample], where: str) -> Grid:
    rows, columns = sorted({row for row, _ in cells}), sorted({column for _, column in cells})
    for row in rows:
        for column in columns:
            if (row, column) not in cells:
                raise HandsError(
                    f"grid {number} {where} has no image in row {row}, column {column}; render the whole set"
                )
    return Grid(number, tuple(tuple(cells[row, column] for column in columns) for row in rows))
