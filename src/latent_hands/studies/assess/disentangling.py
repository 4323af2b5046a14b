"""Does each latent factor hold its own and nothing else? Leakage, and swaps that are read again."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from latent_hands import synthesis
from latent_hands.paper.latent import Latent
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.intervals import Blocks, ratio_of
from latent_hands.studies.assess.subject import Subject

Matrix = dict[str, dict[str, dict[str, Any]]]
"""{row: {latent factor: {"ratio", "ratio_interval"}}}; None where a factor never moves."""
NOTHING = "nothing"


def apart(first: Latent, second: Latent) -> dict[str, Float[Tensor, " n"]]:
    """How far two posterior means lie from one another, by factor."""
    return {factor: (z - second[factor]).norm(dim=1) for factor, z in first.items()}


def leakage(anchor: Latent, donor: Latent, changed: Mapping[str, Latent], blocks: Blocks) -> Matrix:
    """How far each latent factor moves when one factor of the image changes.

    In units of how far it moves when all of them change: 0 if it does not see the change, 1 if it sees
    nothing else. A ratio of means over groups.
    """
    most = apart(anchor, donor)
    return {
        name: {f: ratio_of(moved, most[f], blocks) for f, moved in apart(anchor, latent).items()}
        for name, latent in changed.items()
    }


def swap_consistency(subject: Subject, anchor: Latent, donor: Latent, right: Any, blocks: Blocks) -> Matrix:
    """How far each latent factor lies from what was put in, once the image of a swap is read again.

    A row for every factor that the anchor takes from the donor, and one where it takes nothing; in units of
    how far the two hands lie apart: 0 if everything comes back, 1 if something no nearer than a stranger.
    """
    most = apart(anchor, donor)
    rows = {NOTHING: (), **{factor: (factor,) for factor in anchor}}
    matrix = {}
    for name, factors in rows.items():
        put_in = synthesis.swap(anchor, donor, factors)
        came_back = subject.read(subject.decode("rgb", put_in, right), right)
        missed = apart(put_in, came_back)
        matrix[name] = {f: ratio_of(missed[f], most[f], blocks) for f in missed}
    return matrix


def measure_groups(subject: Subject, benchmark: Benchmark) -> dict[str, Matrix]:
    """Both matrices on the groups of a benchmark."""
    groups = benchmark.groups
    blocks = benchmark.block[groups.anchor]
    every = subject.read(benchmark.rgb, benchmark.right)

    def of(index: Tensor) -> Latent:
        return {factor: z[index] for factor, z in every.items()}

    anchor, donor = of(groups.anchor), of(groups.donor)
    changed = {factor: of(index) for factor, index in groups.changed.items()}
    return {
        "leakage": leakage(anchor, donor, changed, blocks),
        "swap_consistency": swap_consistency(subject, anchor, donor, benchmark.side(groups.anchor), blocks),
    }
