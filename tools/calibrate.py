"""How much wider than q(z | image) must hands be drawn, that they spread as far as their mean errs?

    python tools/calibrate.py RUN --data rendered --root HANDS [--split evaluation] [--limit N] [--write]

Finds [sampling] temperature on one half of the scenes and tells, for both halves, error over spread (1:
calibrated; docs/assess.md) before and after. `--write` puts it into the run's experiment.toml. Choose hands
like those that the run will see, but none that it learnt from.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int64
from rich.console import Console
from rich.table import Table
from torch import Tensor

from latent_hands import synthesis
from latent_hands.data import open_data
from latent_hands.data.batches import Batches
from latent_hands.data.windows import Windows
from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import evaluation_windows
from latent_hands.experiment import write_experiment
from latent_hands.files import write_text
from latent_hands.hand.translation import translate
from latent_hands.paper.latent import Posterior, sample
from latent_hands.predictor import Model
from latent_hands.runs.folder import EXPERIMENT, find_run
from latent_hands.studies.assess.calibration import calibration

SAMPLES, BATCH, ROUNDS = 16, 64, 4


@dataclass(frozen=True)
class Seen:
    """What a model infers of hands, beside the truth; palm form, without the palm."""

    model: Model
    posteriors: list[tuple[Posterior, Tensor | None]]
    truth_mm: Float[Tensor, "n 20 3"]
    bone_mm: Float[Tensor, " n"]
    visible: Bool[Tensor, "n 20"]
    block: Int64[Tensor, " n"]
    labels: str | None

    @torch.inference_mode()
    def draws_mm(self, temperature: float) -> Float[Tensor, "samples n 20 3"]:
        """3DPoses from so wide a posterior, in the labels' joint convention."""
        own, generator = self.model.experiment.data.convention, torch.Generator().manual_seed(0)

        def pose(q: Posterior, right: Tensor | None) -> Tensor:
            wide = {factor: each.widened(temperature) for factor, each in q.items()}
            drawn = synthesis.decode(self.model.vae, sample(wide, generator), right)["pose"].float()
            return drawn if self.labels in (None, own) else translate(drawn, own, self.labels, right)

        rows = [torch.cat([pose(*seen) for seen in self.posteriors]) for _ in range(SAMPLES)]
        return torch.stack(rows)[:, :, 1:] * self.bone_mm[:, None, None]

    def error_over_spread(self, temperature: float, hands: Bool[Tensor, " n"]) -> float:
        """Of some of the hands."""
        drawn = self.draws_mm(temperature)[:, hands]
        return calibration(drawn, self.truth_mm[hands], self.visible[hands], self.block[hands])[
            "error_over_spread"
        ]


@torch.inference_mode()
def look(model: Model, windows: Windows) -> Seen:
    """The posteriors of all windows."""
    batches = Batches(windows, model.crop_px, BATCH, frame=model.experiment.data.frame, shuffle=False)
    kept, factors = [], model.experiment.decoders["pose"].factors
    told = model.experiment.data.side == "condition"
    found = []
    for batch in batches.epoch(0, {"rgb", "pose", "bone_mm", "visible", "index", *(["right"] * told)}):
        found.append((synthesis.posterior(model.vae, factors, batch), batch.get("right")))
        kept.append(batch)
    pose, bone_mm, visible, index = (
        torch.cat([batch[key] for batch in kept]) for key in ("pose", "bone_mm", "visible", "index")
    )
    block = torch.arange(len(windows)) if windows.block is None else windows.block
    truth_mm = pose[:, 1:] * bone_mm[:, None, None]
    return Seen(model, found, truth_mm, bone_mm, visible[:, 1:].bool(), block[index], windows.convention)


def halves(block: Int64[Tensor, " n"]) -> tuple[Tensor, Tensor]:
    """Two halves of the blocks."""
    _, number = block.unique(return_inverse=True)
    chosen = torch.randperm(int(number.max()) + 1, generator=torch.Generator().manual_seed(0)) % 2 == 0
    return chosen[number], ~chosen[number]


def calibrate(seen: Seen) -> tuple[float, Table]:
    """The temperature of one half, and what it does to both."""
    one, other = halves(seen.block)
    temperature = 1.0
    for _ in range(ROUNDS):
        temperature *= seen.error_over_spread(temperature, one)
    table = Table("error over spread", "found on", "the other half")
    for name, t in (("temperature 1", 1.0), (f"temperature {temperature:.2f}", temperature)):
        table.add_row(name, *(f"{seen.error_over_spread(t, half):.2f}" for half in (one, other)))
    return round(temperature, 2), table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--data", default="rendered")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--split", default="evaluation")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    try:
        model = Model.load(options.run, "cpu")
        samples = open_data(options.data, options.root, options.split, options.limit)
        temperature, table = calibrate(look(model, evaluation_windows(model, samples)))
        Console().print(table)
        if options.write:
            sampling = replace(model.experiment.sampling, temperature=temperature)
            text = write_experiment(replace(model.experiment, sampling=sampling))
            print(write_text(find_run(options.run) / EXPERIMENT, text))
    except HandsError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
