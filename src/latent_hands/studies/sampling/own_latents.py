"""The mixtures that a run holds: the distribution of its latents over the images that it learned from.

    latents.safetensors    for "pose" and "content": weights, means and Cholesky factors, in half precision

They take the place of the prior N(0, I) wherever latents are drawn and no images are given (ex-post density
estimation, Ghosh et al., ICLR 2020).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.data.sample import Sample, listed
from latent_hands.errors import HandsError
from latent_hands.paper.latent import Posterior
from latent_hands.predictor import Model
from latent_hands.predictor.saved import saved_run
from latent_hands.runs.folder import LATENTS, find_run, weights_checksum
from latent_hands.runs.hub import check_own
from latent_hands.runs.tensors import is_finite, read_tensors, write_tensors
from latent_hands.studies.assess.subject import Subject
from latent_hands.studies.sampling.encoded import encode
from latent_hands.studies.sampling.gaussian import LatentGaussian
from latent_hands.studies.sampling.mixture import MOST_COMPONENTS, MOST_NUMBERS, LatentMixture, shared

Mixtures = dict[str, LatentMixture]
"""A mixture for each role, "pose" and "content"."""
TENSORS = ("weights", "mean", "factor")


def fit_latents(run: Model | str | Path, samples: Sequence[Sample]) -> Mixtures:
    """Fit mixtures to the latents of a run for these images, write them into the run, and return them.

    Poses are inferred from labels where there are labels, contents from tags where there are tags.
    An earlier file is replaced.

    `run` is a saved model, or its folder.
    Raises HandsError for a shipped run and one on the Hub, for a model that is not saved, without a decoder
    of images, and without samples.

    >>> folder = synthesis.save("runs/own")
    >>> sorted(lh.fit_latents("runs/own", samples))
    ['content', 'pose']
    """
    run = saved_run(run)
    check_own(run)
    if not (samples := listed(samples)):
        raise HandsError("no images are given; mixtures are fitted to at least one")
    model = Model.load(run)
    given = encode(model, samples)
    roles = roles_of(model)
    mixtures = {role: LatentMixture.fit(given.of(sizes)) for role, sizes in roles.items()}
    tensors = {f"{role}/{k}": t for role, each in mixtures.items() for k, t in to_tensors(each).items()}
    about = {"weights": weights_checksum(run), "images": str(len(samples))}
    write_tensors(find_run(run) / LATENTS, tensors, about)
    return mixtures


def roles_of(model: Model) -> dict[str, dict[str, int]]:
    """Return the factors of the pose, and those of the content if there are any, with their sizes."""
    subject = Subject(model.vae, model.device)
    groups = {"pose": subject.pose, "content": subject.content}
    return {role: {f: model.vae.latent[f] for f in group} for role, group in groups.items() if group}


def own_latents(model: Model) -> tuple[Mixtures, int]:
    """Return the mixtures that a run holds, and the number of images that they were fitted to.

    Returns none and 0 if the run holds none, or was not loaded from a folder.
    Raises HandsError for a file that is damaged, or that was fitted to other weights.
    """
    if model.folder is None or not (file := model.folder / LATENTS).is_file():
        return {}, 0
    tensors, about = read_tensors(file)
    if about.get("weights") != weights_checksum(model.folder):
        raise HandsError(
            f"{file} was fitted to other weights: fit it again with `latent-hands runs fit-latents`, or "
            "remove it"
        )
    roles = roles_of(model)
    expected = {f"{role}/{name}" for role in roles for name in TENSORS}
    if tensors.keys() != expected:
        raise HandsError(f"{file} holds {', '.join(sorted(tensors))}; legal: {', '.join(sorted(expected))}")
    if not re.fullmatch("[0-9]{1,12}", about.get("images", "")):
        raise HandsError(f"{file} does not state the number of images that it was fitted to")
    parts = {role: {name: tensors[f"{role}/{name}"] for name in TENSORS} for role in roles}
    mixtures = {role: from_tensors(parts[role], sizes, file) for role, sizes in roles.items()}
    return mixtures, int(about["images"])


def find_mixtures(
    model: Model, given: Mapping[str, Posterior], fitted: bool | None = None
) -> tuple[Mixtures, int]:
    """Return fitted mixtures, and the number of their images; none and 0 for latents of the prior.

    Args:
        model: a run.
        given: posteriors of given images for each role. If there are none, the run's own mixtures are used.
        fitted: False for the prior. None is the prior, too, if there are no mixtures.

    Raises HandsError if `fitted` is True, but nothing is given and the run holds no mixtures.
    """
    if fitted is False:
        return {}, 0
    if given:
        count = len(next(iter(next(iter(given.values())).values())).mean)
        return {role: LatentMixture.fit(posterior) for role, posterior in given.items()}, count
    mixtures, count = own_latents(model)
    if fitted and not mixtures:
        raise HandsError(
            "the run holds no mixtures of latents: give a data set, whose latents are fitted, or write the "
            "mixtures once with `latent-hands runs fit-latents`"
        )
    return mixtures, count


def to_tensors(mixture: LatentMixture) -> dict[str, Tensor]:
    """Return weights (k,), means (k, d), and Cholesky factors, packed into (k, d (d + 1) / 2).

    A covariance that all components share is there once.
    """
    covariances = torch.stack([each.covariance for each in mixture.components])
    factors = torch.linalg.cholesky(covariances[:1] if shared(covariances) else covariances)
    row, column = torch.tril_indices(*factors.shape[1:])
    return {
        "weights": mixture.weights.float(),
        "mean": torch.stack([each.mean for each in mixture.components]).half(),
        "factor": factors[:, row, column].half(),
    }


def from_tensors(tensors: Mapping[str, Tensor], sizes: dict[str, int], file: Path) -> LatentMixture:
    """Return the mixture over factors of these sizes. Raises HandsError if the tensors are none of it."""
    weights, mean, packed = (tensors[name] for name in TENSORS)
    k, d = len(weights.flatten()), sum(sizes.values())
    shapes = [tuple(each.shape) for each in (weights, mean, packed)]
    factors = 1 if d > MOST_NUMBERS else k
    if shapes != [(k,), (k, d), (factors, d * (d + 1) // 2)] or not 1 <= k <= MOST_COMPONENTS:
        raise HandsError(f"{file}: mixtures of {d} numbers cannot have tensors of the shapes {shapes}")
    if not all(each.is_floating_point() and is_finite(each) for each in (weights, mean, packed)):
        raise HandsError(f"{file}: a number is not finite")
    factor = unpacked(packed.double(), d).expand(k, d, d)
    if weights.min() < 0 or weights.sum() <= 0 or factor.diagonal(dim1=1, dim2=2).min() <= 0:
        raise HandsError(f"{file}: a weight is negative, or a variance is not positive")
    gaussians = [LatentGaussian(sizes, m, L @ L.T) for m, L in zip(mean.double(), factor, strict=True)]
    return LatentMixture(weights.double() / weights.double().sum(), tuple(gaussians))


def unpacked(packed: Float[Tensor, "k n"], d: int) -> Float[Tensor, "k d d"]:
    """Return lower triangular matrices from their rows, one after the other."""
    row, column = torch.tril_indices(d, d)
    factor = packed.new_zeros(len(packed), d, d)
    factor[:, row, column] = packed
    return factor
