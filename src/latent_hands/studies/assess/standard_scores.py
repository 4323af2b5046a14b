"""Standard scores of disentanglement: DCI, SAP and MIG, of whole factors and of single dimensions of z.

DCI is of Eastwood & Williams (2018), SAP of Kumar et al. (2018), MIG of Chen et al. (2018). There, each
dimension of z is to have one meaning. The factors of a disentangled VAE are vectors, so DCI and SAP are also
measured with each factor as one unit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from latent_hands.evaluation.metrics import resampled_counts
from latent_hands.hand.geometry import canonicalise
from latent_hands.studies.assess.benchmark import Benchmark
from latent_hands.studies.assess.content import GROUPS
from latent_hands.studies.assess.intervals import Blocks, finite, stated
from latent_hands.studies.assess.probe import ProbeImages, train_probe
from latent_hands.studies.assess.subject import Subject

BINS = 20
"""Bins of equal width of MIG, as in its paper."""
COMPONENTS = {"cpose": 5, "viewpoint": 3}
"""Number of principal components of these properties where single numbers are needed."""
DCI = ("disentanglement", "completeness")
Properties = Mapping[str, Float[Tensor, "n _"]]
"""The numbers of each property of images. Parts "A/B" of a property A count as one in DCI and SAP."""


def measure_standard(
    subject: Subject, benchmark: Benchmark, images: ProbeImages | None = None
) -> dict[str, Any]:
    """Return the `standard_scores` of the posterior means of a benchmark's images.

    Probes learn from `images`. Without them, each half of the benchmark's blocks reads the other half.
    """
    latent = subject.encode_images(benchmark.rgb, benchmark.right)
    properties = properties_of(benchmark.pose, benchmark.right, benchmark.content)
    known = None
    if images is not None and images.content is not None:
        learnt = properties_of(images.pose, images.right, images.content)
        known = subject.encode_images(images.rgb, images.right), learnt
    return standard_scores(latent, properties, benchmark.block, known)


def standard_scores(
    latent: Mapping[str, Float[Tensor, "n _"]],
    properties: Properties,
    blocks: Blocks,
    known: tuple[Mapping[str, Tensor], Mapping[str, Tensor]] | None = None,
) -> dict[str, Any]:
    """Return DCI, SAP and MIG of a latent.

    Args:
        latent: the values of each factor of z.
        properties: the numbers of each property of the images, such as "cpose" or "content/skin".
        blocks: the block of each image, for intervals.
        known: latent and properties of other images, which probes learn from. Without them, each half of the
            blocks reads the other half.

    Returns:
        r2: {property: {factor: share of its variance that a probe reads from the factor}}.
        by_factor: disentanglement, completeness and informativeness (DCI), and SAP, with intervals.
        by_dimension: disentanglement, completeness, SAP and MIG.
    """
    z, weights = _joined(latent), resampled_counts(blocks)
    parts = list(_parts(z, properties, blocks, known and (_joined(known[0]), _joined(known[1]))))
    factors, dimensions = _columns([each.shape[1] for each in latent.values()]), _columns([1] * z.shape[1])

    def means(values: Float[Tensor, "n units p"]) -> Float[Tensor, "rows units p"]:
        return torch.tensordot(weights.double(), values.double(), 1) / weights.sum(dim=1).view(-1, 1, 1)

    spread = means(_by_row(parts, lambda part: part.squares(part.targets)[:, None]))
    r2 = (1 - means(_by_row(parts, lambda part: _read_alone(part, factors))) / spread).clamp(min=0)
    shuffled = means(_by_row(parts, lambda part: _read_shuffled(part, [*factors, *dimensions])))
    whole = of_kinds(1 - shuffled[:, :1] / spread, list(properties))
    importance = of_kinds((shuffled[:, 1:] - shuffled[:, :1]).clamp(min=0) / spread, list(properties))
    named = dict(zip(DCI, dci(importance[:, : len(factors)]), strict=True))
    named |= {"informativeness": whole.mean(dim=(1, 2)), "sap": gap(of_kinds(r2, list(properties)))}
    of_dimensions = dict(zip(DCI, dci(importance[0, len(factors) :]), strict=True))
    numbers = single_numbers(properties)
    of_dimensions |= {"sap": gap(squared_correlations(z, numbers)), "mig": information_gap(z, numbers)}
    by_factor = [stated(name, rows) for name, rows in named.items()]
    return {
        "r2": {
            name: {factor: stated("r2", r2[:, u, p]) for u, factor in enumerate(latent)}
            for p, name in enumerate(properties)
        },
        "by_factor": {key: value for each in by_factor for key, value in each.items()},
        "by_dimension": {name: finite(float(value)) for name, value in of_dimensions.items()},
    }


def properties_of(
    pose: Float[Tensor, "n 21 3"], right: Tensor | None, content: Float[Tensor, "n 19"]
) -> Properties:
    """Return the numbers of canonical pose, viewpoint and content (`content_of`) of each image."""
    cpose, viewpoint = canonicalise(pose, right)
    parts = {f"content/{name}": content[:, part] for name, part in GROUPS.items()}
    return {"cpose": cpose.flatten(1), "viewpoint": viewpoint.flatten(1), **parts}


def of_kinds(
    values: Float[Tensor, "rows units properties"], names: Sequence[str]
) -> Float[Tensor, "rows units kinds"]:
    """Return the mean over the parts of each property."""
    kinds = [name.partition("/")[0] for name in names]
    chosen = [[i for i, each in enumerate(kinds) if each == kind] for kind in dict.fromkeys(kinds)]
    return torch.stack([values[..., columns].mean(dim=-1) for columns in chosen], dim=-1)


def single_numbers(properties: Properties) -> Float[Tensor, "n k"]:
    """Return the first principal components of the properties in `COMPONENTS`, and all other numbers."""
    found = []
    for name, values in properties.items():
        centred = values - values.mean(dim=0)
        if name in COMPONENTS:
            _, _, axes = torch.linalg.svd(centred, full_matrices=False)
            centred = centred @ axes[: COMPONENTS[name]].mT
        found.append(centred)
    return torch.cat(found, dim=1)


def dci(
    importance: Float[Tensor, "*rows units properties"],
) -> tuple[Float[Tensor, "*rows"], Float[Tensor, "*rows"]]:
    """Return disentanglement and completeness (Eastwood & Williams 2018) of importances, 0 or more.

    Disentanglement is 1 if each unit matters for one property only; units count by their importance.
    Completeness is 1 if each property is read from one unit only; one that no unit helps to read has 0.
    """
    of_unit = importance.sum(dim=-1)
    weights = of_unit / of_unit.sum(dim=-1, keepdim=True)
    disentanglement = (weights * (1 - _entropy(importance))).sum(dim=-1)
    read = importance.sum(dim=-2) > 0
    return disentanglement, ((1 - _entropy(importance.mT)) * read).mean(dim=-1)


def gap(scores: Float[Tensor, "*rows units properties"]) -> Float[Tensor, "*rows"]:
    """Return the mean difference of the best unit and the next one (SAP, Kumar et al. 2018)."""
    padded = torch.nn.functional.pad(scores, (0, 0, 0, 1))
    best, second = padded.topk(2, dim=-2).values.unbind(dim=-2)
    return (best - second).mean(dim=-1)


def squared_correlations(z: Float[Tensor, "n d"], numbers: Float[Tensor, "n k"]) -> Float[Tensor, "d k"]:
    """Return the squared correlation of each dimension and number (R² of a line); it is 0 for constants."""
    a, b = ((x - x.mean(dim=0)) / x.std(dim=0).clamp(min=1e-6) for x in (z, numbers))
    return (a.mT @ b / (len(z) - 1)).square()


def information_gap(
    z: Float[Tensor, "n d"], numbers: Float[Tensor, "n k"], bins: int = BINS
) -> Float[Tensor, ""]:
    """Return MIG (Chen et al. 2018): the mean gap of mutual information over the entropy of a number."""
    codes, values = _binned(z, bins), _binned(numbers, bins)
    shares = torch.einsum("ndb,nkc->dkbc", codes, values) / len(z)
    entropies = [torch.special.entr(shares.sum(dim=dim)).sum(dim=-1) for dim in (3, 2)]
    information = sum(entropies) - torch.special.entr(shares).sum(dim=(2, 3))
    return gap(information / entropies[1].clamp(min=1e-6))


@dataclass(frozen=True)
class _Part:
    """Latents and targets that probes learn from, and those of the rows of the benchmark that they read.

    Targets are in standard deviations of the learnt ones, from their mean.
    """

    learnt_z: Float[Tensor, "m d"]
    learnt: Float[Tensor, "m k"]
    targets: Float[Tensor, "n k"]
    z: Float[Tensor, "n d"]
    rows: Int64[Tensor, " n"]
    sizes: Sequence[int]

    def probes(self, unit: slice) -> list[nn.Module]:
        """Return a probe for each property, which has learnt to read it from some dimensions of z."""
        return [train_probe(self.learnt_z[:, unit], each) for each in self.learnt.split(list(self.sizes), 1)]

    def squares(self, errors: Float[Tensor, "n k"]) -> Float[Tensor, "n properties"]:
        """Return the mean square over the numbers of each property."""
        return torch.stack([each.square().mean(dim=1) for each in errors.split(list(self.sizes), 1)], dim=1)


def _parts(
    z: Tensor, properties: Properties, blocks: Blocks, known: tuple[Tensor, Tensor] | None
) -> Iterator[_Part]:
    """Return what the probes learn from and read: `known` and all rows, or each half of the blocks."""
    targets, sizes = _joined(properties), [each.shape[1] for each in properties.values()]
    if known is None:
        half = blocks.unique(return_inverse=True)[1] % 2
        pairs = [((half != h).nonzero()[:, 0], (half == h).nonzero()[:, 0]) for h in (0, 1)]
        found = [(z[learnt], targets[learnt], rows) for learnt, rows in pairs]
    else:
        found = [(*known, torch.arange(len(z)))]
    for learnt_z, learnt, rows in found:
        mean, spread = learnt.mean(dim=0), learnt.std(dim=0).clamp(min=1e-6)
        own, read = ((each - mean) / spread for each in (learnt, targets[rows]))
        yield _Part(learnt_z, own, read, z[rows], rows, sizes)


def _by_row(
    parts: Sequence[_Part], measure: Callable[[_Part], Tensor]
) -> Float[Tensor, "n units properties"]:
    """Return the measures of all parts, in the order of the rows of the benchmark."""
    order = torch.cat([part.rows for part in parts]).argsort()
    return torch.cat([measure(part) for part in parts])[order]


def _read_alone(part: _Part, units: Sequence[slice]) -> Float[Tensor, "n units p"]:
    """Return the squared errors of probes that read one unit alone."""
    return torch.stack([_errors(part, part.probes(unit), part.z[:, unit]) for unit in units], dim=1)


def _read_shuffled(part: _Part, units: Sequence[slice]) -> Float[Tensor, "n tries p"]:
    """Return the squared errors of probes of all of z: first as it is, then with each unit shuffled."""
    probes = part.probes(slice(None))
    order = torch.randperm(len(part.z), generator=torch.Generator().manual_seed(0))
    found = [_errors(part, probes, part.z)]
    for unit in units:
        shuffled = part.z.clone()
        shuffled[:, unit] = part.z[order, unit]
        found.append(_errors(part, probes, shuffled))
    return torch.stack(found, dim=1)


def _errors(part: _Part, probes: Sequence[nn.Module], z: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
    return part.squares(torch.cat([probe(z) for probe in probes], dim=1) - part.targets)


def _columns(sizes: Sequence[int]) -> list[slice]:
    ends = torch.tensor(sizes).cumsum(0).tolist()
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def _joined(named: Mapping[str, Tensor]) -> Tensor:
    return torch.cat(list(named.values()), dim=1)


def _entropy(weights: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows"]:
    """Return the entropy of each row over that of equal weights, from 0 to 1; 0 for a row of one weight."""
    shares = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-12)
    largest = torch.tensor(float(max(shares.shape[-1], 2)), dtype=shares.dtype).log()
    return torch.special.entr(shares).sum(dim=-1) / largest


def _binned(values: Float[Tensor, "n d"], bins: int) -> Float[Tensor, "n d bins"]:
    """Return which of the bins of equal width each value is in, as 0 and 1."""
    low, high = values.min(dim=0).values, values.max(dim=0).values
    number = ((values - low) / (high - low).clamp(min=1e-12) * bins).long().clamp(max=bins - 1)
    return torch.nn.functional.one_hot(number, bins).float()
