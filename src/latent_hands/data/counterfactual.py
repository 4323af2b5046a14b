"""Sets written by ``latent-hands render --counterfactual``: images with the truth of every swap of factors.

As a flat list of samples such a set is read by the data name ``rendered``, like any other.
"""

from dataclasses import dataclass
from pathlib import Path

from latent_hands.data.rendered import read_rendered
from latent_hands.data.sample import Sample, check_limit
from latent_hands.errors import HandsError

FACTORS = ("pose", "viewpoint", "identity", "skin", "light", "background")


@dataclass(frozen=True)
class Group:
    """Images that differ in known factors alone, all of one camera, window, sleeve and sensor.

    ``donor`` differs from ``anchor`` in all of FACTORS; ``changed[factor]`` is the anchor with that factor
    taken from the donor, which is the truth of a model's swap of it.
    """

    number: int
    anchor: Sample
    donor: Sample
    changed: dict[str, Sample]


@dataclass(frozen=True)
class Transfer:
    """The pose and viewpoint of one image in the scene of another, and the true image of that."""

    pose: Sample
    scene: Sample
    truth: Sample


@dataclass(frozen=True)
class Grid:
    """``cells[i][j]`` shows pose (and viewpoint) i in scene j; all hands are of one side."""

    number: int
    cells: tuple[tuple[Sample, ...], ...]

    def transfers(self) -> list[Transfer]:
        """One transfer a cell: its pose from the next image of its row, its scene from that of its column.

        The last image is followed by the first. ``scene`` also brings the scene's tag image.
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
    """One split of a counterfactual set."""

    groups: list[Group]
    grids: list[Grid]


def read_counterfactual(root: str | Path, split: str, limit: int | None = None) -> Counterfactuals:
    """Read one split; ``limit`` keeps the first so many groups and grids.

    Raises HandsError as ``read_rendered`` does, for a set that is not counterfactual, and for a group or a
    grid that is not complete.
    """
    check_limit(limit)
    groups: dict[int, dict[str, Sample]] = {}
    grids: dict[int, dict[tuple[int, int], Sample]] = {}
    for sample in read_rendered(root, split):
        match (sample.factors or {}).get("counterfactual"):
            case {"group": int(number), "role": str(role)}:
                groups.setdefault(number, {})[role] = sample
            case {"grid": int(number), "row": int(row), "column": int(column)}:
                grids.setdefault(number, {})[row, column] = sample
            case part:
                raise HandsError(
                    f"image {sample.name} of {Path(root) / split} is of no group or grid ({part}); "
                    "legal: a set written by latent-hands render --counterfactual"
                )
    where = f"of {Path(root) / split}"
    return Counterfactuals(
        groups=[_group(number, groups[number], where) for number in sorted(groups)[:limit]],
        grids=[_grid(number, grids[number], where) for number in sorted(grids)[:limit]],
    )


def _group(number: int, roles: dict[str, Sample], where: str) -> Group:
    for role in ("anchor", "donor", *FACTORS):
        if role not in roles:
            raise HandsError(f"group {number} {where} lacks its image {role}; render the set to its end")
    return Group(number, roles["anchor"], roles["donor"], {factor: roles[factor] for factor in FACTORS})


def _grid(number: int, cells: dict[tuple[int, int], Sample], where: str) -> Grid:
    rows, columns = sorted({row for row, _ in cells}), sorted({column for _, column in cells})
    for row in rows:
        for column in columns:
            if (row, column) not in cells:
                raise HandsError(
                    f"grid {number} {where} lacks row {row}, column {column}; render it to its end"
                )
    return Grid(number, tuple(tuple(cells[row, column] for column in columns) for row in rows))
