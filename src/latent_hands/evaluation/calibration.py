"""Calibration: the width of q(z | image) at which the spread of draws equals the error of their mean."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from latent_hands import synthesis
from latent_hands.data.batches import Batches
from latent_hands.data.sample import Sample, listed
from latent_hands.data.windows import Windows
from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import evaluation_windows
from latent_hands.hand.translation import translate
from latent_hands.paper.latent import Posterior, draw
from latent_hands.predictor import Model
from latent_hands.runs.folder import change_run
from latent_hands.runs.hub import check_own

DRAWS, BATCH, ROUNDS = 16, 64, 4


@dataclass(frozen=True)
class Calibration:
    """A temperature, and error over spread on two halves of the scenes; 1 is calibrated, above 1 too sure.

    Attributes:
        temperature: how many times as wide as q(z | image) hands are drawn.
        before: error over spread at temperature 1, on the half that the temperature is fitted to and on the
            other half.
        after: the same at the fitted temperature.
    """

    temperature: float
    before: tuple[float, float]
    after: tuple[float, float]


def calibrate(run: str | Path, samples: Sequence[Sample], write: bool = False) -> Calibration:
    """Fit [sampling] temperature of a run, at which the spread of draws equals the error of their mean.

    The temperature is fitted to one half of the scenes. The result shows its effect on the other half, too.

    Args:
        run: a run folder or the name of a shipped model.
        samples: labelled hands of the kind that the run will predict, which it did not learn from.
        write: write the temperature into experiment.toml of the run.

    Raises HandsError if the samples have no 3D labels or come from one scene, if the run decodes no pose, if
    it is to be changed and is not the user's own, and as `Model.load` does.
    """
    if write:
        check_own(run)
    model, samples = Model.load(run, "cpu"), listed(samples)
    result = fit_temperature(infer_hands(model, evaluation_windows(model, samples)))
    if write:
        sampling = replace(model.experiment.sampling, temperature=result.temperature)
        change_run(run, sampling=sampling)
    return result


@dataclass(frozen=True)
class InferredHands:
    """The posteriors of hands and their ground truth, relative to the palm and without it.

    `convention` is the joint convention of the ground truth, None if unknown. `block` numbers the scenes.
    """

    model: Model
    posteriors: list[tuple[Posterior, Tensor | None]]
    truth_mm: Float[Tensor, "n 20 3"]
    bone_mm: Float[Tensor, " n"]
    visible: Bool[Tensor, "n 20"]
    block: Int64[Tensor, " n"]
    convention: str | None

    @torch.inference_mode()
    def draws_mm(self, temperature: float) -> Float[Tensor, "draws n 20 3"]:
        """Draw 3D poses from posteriors `temperature` times as wide, in the ground truth's convention."""
        own, generator = self.model.experiment.data.convention, torch.Generator().manual_seed(0)

        def pose(q: Posterior, right: Tensor | None) -> Tensor:
            drawn = synthesis.decode(
                self.model.vae, draw(synthesis.widened(q, temperature), generator), right
            )["pose"].float()
            return drawn if self.convention in (None, own) else translate(drawn, own, self.convention, right)

        rows = [torch.cat([pose(*batch) for batch in self.posteriors]) for _ in range(DRAWS)]
        return torch.stack(rows)[:, :, 1:] * self.bone_mm[:, None, None]

    def error_over_spread(self, temperature: float, selected: Bool[Tensor, " n"]) -> float:
        """Return the root mean square error over the root mean square spread of visible joints."""
        spread, error = spread_and_error(self.draws_mm(temperature)[:, selected], self.truth_mm[selected])
        visible = self.visible[selected]
        return (error[visible].square().mean() / spread[visible].square().mean()).sqrt().item()


def spread_and_error(
    draws_mm: Float[Tensor, "draws n joints 3"], truth_mm: Float[Tensor, "n joints 3"]
) -> tuple[Float[Tensor, "n joints"], Float[Tensor, "n joints"]]:
    """Return the spread of draws about their mean and the error of their mean, for each joint, in mm.

    The spread is scaled such that it equals the error on average, for any number of draws, if the ground
    truth comes from the distribution of the draws. Raises HandsError if there are fewer than 2 draws.
    """
    count = len(draws_mm)
    if count < 2:
        raise HandsError(f"the number of draws is {count}; it must be at least 2")
    mean = draws_mm.double().mean(dim=0)
    variance = (draws_mm.double() - mean).square().sum(dim=(0, -1)) / (count - 1) * (1 + 1 / count)
    return variance.sqrt(), (mean - truth_mm.double()).norm(dim=-1)


@torch.inference_mode()
def infer_hands(model: Model, windows: Windows) -> InferredHands:
    """Infer the posteriors of all windows. Raises HandsError for a run without a decoder of the pose."""
    data, factors = model.experiment.data, model.factors_of("pose")
    sided = ("right",) if data.right_hands == "condition" else ()
    batches = Batches(windows, model.crop_px, BATCH, frame=data.frame, shuffle=False)
    kept = list(batches.epoch(0, {"rgb", "pose", "bone_mm", "visible", "index", *sided}))
    posteriors = [(synthesis.posterior(model.vae, factors, each), each.get("right")) for each in kept]
    pose, bone_mm, visible, index = (
        torch.cat([batch[key] for batch in kept]) for key in ("pose", "bone_mm", "visible", "index")
    )
    block = torch.arange(len(windows)) if windows.block is None else windows.block
    truth_mm = pose[:, 1:] * bone_mm[:, None, None]
    return InferredHands(
        model, posteriors, truth_mm, bone_mm, visible[:, 1:].bool(), block[index], windows.convention
    )


def fit_temperature(hands: InferredHands) -> Calibration:
    """Fit the temperature to one half of the scenes and measure it on both halves."""
    fitted, other = halves(hands.block)
    temperature = 1.0
    for _ in range(ROUNDS):
        temperature *= hands.error_over_spread(temperature, fitted)
    before, after = (
        (hands.error_over_spread(t, fitted), hands.error_over_spread(t, other)) for t in (1.0, temperature)
    )
    return Calibration(round(temperature, 2), before, after)


def halves(block: Int64[Tensor, " n"]) -> tuple[Bool[Tensor, " n"], Bool[Tensor, " n"]]:
    """Divide the hands into two random halves of whole scenes. Raises HandsError for a single scene."""
    _, number = block.unique(return_inverse=True)
    count = int(number.max()) + 1
    if count < 2:
        raise HandsError("the hands come from 1 scene; calibration needs at least 2 scenes")
    selected = torch.randperm(count, generator=torch.Generator().manual_seed(0)) % 2 == 0
    return selected[number], ~selected[number]
