"""Comparison with the joint VAEs of the package multivae, JMVAE and TELBO: train one and score it.

    python -m pip install 'latent-hands[baselines]'
    python -m latent_hands.studies.compare_multivae jmvae runs/jmvae --data.root hands [--alpha 0.1]
    python -m latent_hands.studies.compare_multivae telbo runs/telbo --data.root hands [--corrected]

Only the bound differs from `latent-hands train cross_modal`. This command takes the same options. It uses the
same data, augmentation, networks, weights, schedule, seed and number of updates. Add --algorithm.lam.pose 1e6
to weigh the pose as docs/results.md does. The modalities are those that the decoders of the experiment write:
rgb and pose. A TOML file with more decoders (--experiment) has more. OUT becomes a run folder that every
command reads. At the end the run is scored by the mean of q(z | rgb), and the scores are printed as JSON.

* JMVAE (Suzuki et al. 2016) trains everything at once. The weight of its KL terms rises during the first
  `--warmup` epochs.
* TELBO (Vedantam et al. 2018) trains the joint VAE for `--warmup` epochs (default: half of them). Then it
  freezes the joint VAE and trains q(z | m) of each modality. Each stage has the whole schedule of learning
  rates. `--corrected` uses the corrected KL of `joint_vaes.CorrectedTELBO`.

The loop is here, because the trainers of multivae need a fixed data set. This one augments every batch.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from rich.console import Console
from rich.progress import track
from torch import nn

from latent_hands.build import build_batches, build_hands, build_phases, build_vae
from latent_hands.configuration import EncoderArrow, Experiment, Training, load_experiment
from latent_hands.data import open_data
from latent_hands.data.batches import Batches
from latent_hands.data.labels import modality
from latent_hands.data.store import is_store
from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import score_run, stored_windows
from latent_hands.files import write_text
from latent_hands.lock import one_writer
from latent_hands.paper.algorithms import Phase
from latent_hands.paper.bound import Bound
from latent_hands.paper.modality import UnitGaussian
from latent_hands.predictor import Model
from latent_hands.runs.folder import WEIGHTS, Place, check_new, start_run
from latent_hands.runs.metrics import append_metrics, cut_metrics
from latent_hands.runs.tensors import write_tensors
from latent_hands.training.feeds import check_data
from latent_hands.training.schedule import learning_rate

JMVAE_ALPHA, JMVAE_WARMUP = 0.1, 10
"""The defaults of multivae."""


def import_joint_vaes() -> ModuleType:
    """Return the module `joint_vaes`. Raises HandsError if multivae or torchvision cannot be imported."""
    try:
        return import_module("latent_hands.studies.joint_vaes")
    except (ImportError, RuntimeError) as error:  # torchvision of another build raises a RuntimeError
        raise HandsError(
            f"multivae cannot be imported ({error}); run pip install 'latent-hands[baselines]', and install "
            "torchvision of the same build (CPU or CUDA) as torch"
        ) from error


def with_encoders(experiment: Experiment) -> Experiment:
    """Return the experiment with one encoder for every modality that its decoders write.

    Raises HandsError for an experiment that multivae's joint VAEs cannot represent.
    """
    decoders = experiment.decoders.values()
    modalities = {d.writes for d in decoders}
    plain = len(experiment.latent) == 1 and experiment.algorithm.name == "cross_modal"
    plain &= len(modalities) == len(decoders) and not any(d.over for d in decoders)
    if not plain or experiment.data.right_hands != "mirror":
        raise HandsError(
            "multivae's joint VAEs have one z and no handedness; the experiment must have one factor, "
            'algorithm "cross_modal", right_hands "mirror", one decoder per modality, and no `over`'
        )
    factors = tuple(experiment.latent)
    return replace(experiment, encoders={d.writes: EncoderArrow(d.writes, factors) for d in decoders})


def unit_of(name: str) -> float:
    """Return the unit of a modality's Gaussian. Raises HandsError for another likelihood."""
    likelihood = modality(name).likelihood
    if not isinstance(likelihood, UnitGaussian):
        raise HandsError(f"multivae's joint VAEs have Gaussian likelihoods; {name} has another one")
    return likelihood.unit


def noise_scales(bound: Bound, written: dict[str, str]) -> dict[str, float]:
    """Return the standard deviation of every modality's Gaussian, sqrt(beta / lam), in network units.

    The log-likelihood is then lam / beta times that of this package plus a constant, and the weight of the KL
    is 1. `written` maps each decoder to its modality. Raises HandsError for a weight that is not above 0.
    """
    for arrow, lam in bound.decoders.items():
        if lam * bound.beta <= 0:
            raise HandsError(f'lam of "{arrow}" is {lam} and beta is {bound.beta}; both must be above 0')
    return {
        written[arrow]: math.sqrt(bound.beta / lam) / unit_of(written[arrow])
        for arrow, lam in bound.decoders.items()
    }


def stages(method: str, phase: Phase, warmup: int) -> list[Phase]:
    """Return the phase, in two parts for TELBO.

    Raises HandsError for a phase that is limited by minutes, or for a warm-up that does not fit into it.
    """
    if phase.minutes is not None:
        raise HandsError(f"minutes of the phase is {phase.minutes}; remove it and set epochs instead")
    if not 1 <= warmup < phase.epochs:
        raise HandsError(
            f"warmup is {warmup} of {phase.epochs} epochs; it must be from 1 to {phase.epochs - 1}"
        )
    if method == "jmvae":
        return [phase]
    return [replace(phase, epochs=warmup), replace(phase, epochs=phase.epochs - warmup)]


def learn(
    joint_vaes: ModuleType,
    model: nn.Module,
    stage: Phase,
    batches: Batches,
    training: Training,
    place: Place,
) -> Iterator[dict[str, float]]:
    """Train one stage from `place` on, with its own optimiser. Yield the mean loss of every epoch."""
    device, names = batches.windows.rgb.device, list(cast(nn.ModuleDict, model.decoders))
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=training.weight_decay)
    place.phase_update = 0
    first = place.update // len(batches)
    epochs = range(first, first + stage.epochs)
    for epoch in track(epochs, f"from epoch {first}", console=Console(stderr=True)):
        losses = []
        for batch in batches.epoch(epoch, names):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(training, stage, place, len(batches))
            loss = joint_vaes.loss(model, {name: batch[name].to(device) for name in names}, epoch)
            if not loss.isfinite():
                raise HandsError(f"update {place.update}: the loss is {loss.item()}; nothing was saved")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
            place.advance()
        yield {"update": place.update, "epoch": epoch + 1, "loss": sum(losses) / len(losses)}


def train(experiment: Experiment, options: argparse.Namespace) -> None:
    """Train into a run folder. Its file multivae.json describes the method and the cost."""
    joint_vaes, began = import_joint_vaes(), time.monotonic()
    experiment, method = with_encoders(experiment), options.method
    torch.manual_seed(experiment.training.seed)
    vae = build_vae(experiment)
    (phase,) = phases = build_phases(experiment, vae)
    default = JMVAE_WARMUP if method == "jmvae" else phase.epochs // 2
    warmup = default if options.warmup is None else options.warmup
    planned = stages(method, phase, warmup)
    scales = noise_scales(phase.steps[0].bound, {name: d.writes for name, d in experiment.decoders.items()})
    model = joint_vaes.joint_vae(method, vae, scales, warmup, options.alpha, options.corrected)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    hands = build_hands(experiment, vae, phases)
    check_data(experiment, vae, phases, hands)
    check_new(options.out)
    windows = hands.training.to(device)
    batches, place = build_batches(experiment, windows, phase, experiment.training.seed), Place()
    model.to(device).train()
    about = {"method": method, "multivae": version("multivae"), "corrected": options.corrected}
    about |= {"alpha": options.alpha} if method == "jmvae" else {}
    with one_writer(options.out):
        cut_metrics(options.out, -1)
        for stage in planned:
            for line in learn(joint_vaes, model, stage, batches, experiment.training, place):
                append_metrics(options.out, line)
        write_tensors(options.out / WEIGHTS, vae.state_dict(), {"update": str(place.update)})
        about |= {"warmup": warmup, "updates": place.update, "seconds": round(time.monotonic() - began)}
        write_text(options.out / "multivae.json", json.dumps(about | {"noise": scales}, indent=2) + "\n")
        start_run(options.out, experiment)  # last: a stopped training leaves no run


def scores(run: Path, experiment: Experiment) -> dict[str, Any]:
    """Score a run on the evaluation split of its own data set, as `latent-hands evaluate` does."""
    model, name, root = Model.load(run), experiment.data.name, Path(experiment.data.root)
    hands = (
        stored_windows(model, name, root, "evaluation")
        if is_store(root)
        else open_data(name, root, "evaluation")
    )
    return score_run(model, hands, "evaluation")


def main() -> None:
    """Train one method and print its scores as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("method", choices=("jmvae", "telbo"))
    parser.add_argument("out", type=Path, help="the run folder")
    parser.add_argument("--experiment", default="cross_modal", help="a TOML file or a packaged experiment")
    parser.add_argument("--warmup", type=int, help="epochs (default: 10 for jmvae, half of them for telbo)")
    parser.add_argument("--alpha", type=float, default=JMVAE_ALPHA, help="weight of JMVAE's KLs to q(z | m)")
    parser.add_argument("--corrected", action="store_true", help="TELBO with the KL of its bound")
    options, overrides = parser.parse_known_args()
    try:
        if options.corrected and options.method == "jmvae":
            raise HandsError("--corrected needs telbo, not jmvae: the KL terms of JMVAE are correct")
        experiment = load_experiment(options.experiment, overrides)
        train(experiment, options)
        print(json.dumps(scores(options.out, experiment), indent=2))
    except HandsError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
