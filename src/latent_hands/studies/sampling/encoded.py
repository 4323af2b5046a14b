"""Labelled images, cut and encoded as a model was trained."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.data.sample import Sample
from latent_hands.data.translated import translated_sample
from latent_hands.data.windows import Windows, available
from latent_hands.paper.latent import Gaussian, Posterior
from latent_hands.paper.modality import Batch
from latent_hands.predictor import Model
from latent_hands.studies.assess.subject import PART, Subject


@dataclass(frozen=True)
class Encoded:
    """Given images and their posteriors, in the order of the samples.

    rgb: the crops of the model, in bytes.
    block: the number of the scene of each image.
    names: the names of the samples.
    posterior: q of every factor. Poses are inferred from labels where there are labels, contents from tags
        where there are tags.
    pose: the labelled 3DPoses in bone lengths, as the model reads them; None without labels.
    """

    rgb: Float[Tensor, "n 3 px px"]
    block: Int64[Tensor, " n"]
    names: tuple[str, ...]
    posterior: Posterior
    pose: Float[Tensor, "n 21 3"] | None

    def of(self, factors: Iterable[str]) -> Posterior:
        """Return q of some factors."""
        return {factor: self.posterior[factor] for factor in factors}


def encode(model: Model, samples: Sequence[Sample], tags: bool = True) -> Encoded:
    """Encode samples, a part at a time.

    Without `tags`, contents are inferred from images alone. Labels in another joint convention are
    translated. Raises HandsError for images that cannot be cut, and if a factor cannot be inferred from them.
    """
    subject = Subject(model.vae, model.device)
    windows = _cut(model, samples, subject.tags() if tags else ())
    keys = set(model.vae.reads) & set(available(windows))
    data = model.experiment.data
    batches = Batches(windows, data.crop_px, PART, frame=data.frame, shuffle=False)
    labelled = "pose" in available(windows)
    parts, rgb, poses = list[Posterior](), list[Tensor](), list[Tensor]()
    for index in range(len(batches)):
        batch = batches.batch(0, index, keys | {"rgb"} | ({"pose"} if labelled else set()))
        part = slice(index * PART, (index + 1) * PART)
        parts.append(_infer(subject, {key: batch[key] for key in keys}, _right(windows, part)))
        rgb.append(batch["rgb"].cpu())
        poses += [batch["pose"].cpu()] if labelled else []
    block = windows.labels.get("block", torch.arange(len(windows)))
    joined = {f: _joined([part[f] for part in parts]) for f in parts[0]}
    return Encoded(torch.cat(rgb), block, windows.names, joined, torch.cat(poses) if labelled else None)


def _cut(model: Model, samples: Sequence[Sample], tags: Sequence[str]) -> Windows:
    data = model.experiment.data
    kinds = [kind for kind in tags if all(getattr(sample, kind) for sample in samples)]
    known = [
        translated_sample(sample, data.convention)
        if sample.convention and sample.xyz_mm is not None
        else sample
        for sample in samples
    ]
    return build_windows(known, data.crop, 1.0, data.crop_px, data.right_hands, kinds)


def _right(windows: Windows, part: slice) -> Bool[Tensor, " n"] | None:
    return None if windows.handed is None else windows.handed[part]


def _infer(subject: Subject, batch: Batch, right: Bool[Tensor, " n"] | None) -> Posterior:
    """Return q of the pose, and q of the content, each by the encoders with the fewest factors."""
    batch = batch if right is None else batch | {"right": right}
    return subject.posterior(subject.pose, batch) | subject.posterior(subject.content, batch)


def _joined(parts: Sequence[Gaussian]) -> Gaussian:
    return Gaussian(torch.cat([q.mean for q in parts]), torch.cat([q.log_var for q in parts]))
