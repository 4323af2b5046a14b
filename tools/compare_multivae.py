"""How far do the joint VAEs of the package multivae get with our data, networks and budget? Trains one.

    python -m pip install 'latent-hands[baselines]'
    python tools/compare_multivae.py jmvae runs/jmvae --data.root hands [--alpha 0.1] [--warmup 10]
    python tools/compare_multivae.py telbo runs/telbo --data.root hands [--corrected] [--warmup EPOCHS]

All but the bound is that of `latent-hands train cross_modal`, whose options it takes: data, windows,
augmentation, networks, weights, schedule, seed, and epochs, whose updates are the budget. To weigh the pose
up as docs/results.md does, add --algorithm.lam.pose 1e6. The modalities are those that the experiment's
decoders write, rgb and pose; a TOML file with more decoders (--experiment) gives more. OUT becomes a run
folder that every command reads. At last it is scored, 3DPose from the mean of q(z | rgb), and the numbers of
`latent-hands evaluate --json` are printed.

JMVAE (Suzuki et al. 2016) learns all at once, its KLs weighed up during the first `--warmup` epochs. TELBO
(Vedantam et al. 2018) learns the joint VAE for `--warmup` epochs [half], then, with that frozen, q(z | m) of
each modality; both count, and each has the whole schedule of learning rates. `--corrected`: joint_vaes.py.
multivae's trainers want a data set of ready samples; ours are augmented batch by batch, so the loop is here
and the losses are its models'.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import torch
from rich.console import Console
from rich.progress import track
from torch import nn

from latent_hands import cli
from latent_hands.build import build_batches, build_hands, build_phases, build_vae
from latent_hands.data.batches import Batches
from latent_hands.errors import HandsError
from latent_hands.experiment import EncoderArrow, Experiment, Training, load_experiment
from latent_hands.files import write_text
from latent_hands.paper.algorithms import Phase
from latent_hands.paper.bound import Bound
from latent_hands.paper.modality import modality
from latent_hands.runs.folder import WEIGHTS, Place, append_metrics, start_run, write_tensors
from latent_hands.training.loop import check_data
from latent_hands.training.schedule import learning_rate

JMVAE_ALPHA, JMVAE_WARMUP = 0.1, 10
"""The package's own."""


def import_joint_vaes() -> ModuleType:
    """The module that needs multivae; HandsError without it. Another torchvision raises a RuntimeError."""
    try:
        import joint_vaes
    except (ImportError, RuntimeError) as error:
        raise HandsError(
            f"multivae cannot be imported ({error}); pip install 'latent-hands[baselines]', and torchvision, "
            "which it needs, of the same build (CPU or CUDA) as torch"
        ) from error
    return joint_vaes


def with_encoders(experiment: Experiment) -> Experiment:
    """The experiment with an encoder for every modality that its decoders write, by the modality's name.

    Raises HandsError for what a joint VAE of multivae does not have.
    """
    decoders = experiment.decoders.values()
    modalities = {d.writes for d in decoders}
    plain = len(experiment.latent) == 1 and experiment.algorithm.name == "cross_modal"
    plain &= len(modalities) == len(decoders) and not any(d.over for d in decoders)
    if not plain or experiment.data.side != "mirror":
        raise HandsError(
            "multivae's joint VAEs know one z and no side; legal: an experiment of one factor, algorithm "
            '"cross_modal", side "mirror", one decoder a modality, none over another'
        )
    factors = tuple(experiment.latent)
    return replace(experiment, encoders={d.writes: EncoderArrow(d.writes, factors) for d in decoders})


def noise_scales(bound: Bound, written: dict[str, str]) -> dict[str, float]:
    """The standard deviation of every modality's Gaussian: sqrt(beta / lam) in its unit, in network values.

    The log-likelihood is then lam / beta times ours and a constant, and the KL weighs 1. `written` is
    {decoder: modality}. Raises HandsError for weights of 0.
    """
    for arrow, lam in bound.decoders.items():
        if lam * bound.beta <= 0:
            raise HandsError(f'lam of "{arrow}" is {lam}, beta {bound.beta}; legal here: both above 0')
    return {
        written[arrow]: math.sqrt(bound.beta / lam) / modality(written[arrow]).unit
        for arrow, lam in bound.decoders.items()
    }


def stages(method: str, phase: Phase, warmup: int) -> list[Phase]:
    """The phase, for TELBO in two. Raises HandsError if it counts minutes or the warm-up does not fit."""
    if phase.minutes is not None:
        raise HandsError(f"minutes of the phase is {phase.minutes}; legal here: epochs alone")
    if not 1 <= warmup < phase.epochs:
        raise HandsError(f"warmup is {warmup} of {phase.epochs} epochs; legal: 1 .. one less than all")
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
    """One stage with an optimiser of its own, from a place on; tells the mean loss of every epoch."""
    device, names = batches.windows.rgb.device, list(model.decoders)
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
    """Train into a run folder, whose multivae.json says by what."""
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
    start_run(options.out, experiment)
    windows = hands.training.to(device)
    batches, place = build_batches(experiment, windows, phase, experiment.training.seed), Place()
    model.to(device).train()
    for stage in planned:
        for line in learn(joint_vaes, model, stage, batches, experiment.training, place):
            append_metrics(options.out, line)
    write_tensors(options.out / WEIGHTS, vae.state_dict(), {"update": str(place.update)})
    told = {"method": method, "multivae": version("multivae"), "corrected": options.corrected}
    told |= {"alpha": options.alpha} if method == "jmvae" else {}
    told |= {"warmup": warmup, "updates": place.update, "seconds": round(time.monotonic() - began)}
    write_text(options.out / "multivae.json", json.dumps(told | {"noise": scales}, indent=2) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("method", choices=("jmvae", "telbo"))
    parser.add_argument("out", type=Path, help="the run folder")
    parser.add_argument("--experiment", default="cross_modal", help="a TOML file or a packaged experiment")
    parser.add_argument("--warmup", type=int, help="epochs [jmvae 10, telbo half of them]")
    parser.add_argument("--alpha", type=float, default=JMVAE_ALPHA, help="weight of JMVAE's KLs to q(z | m)")
    parser.add_argument("--corrected", action="store_true", help="TELBO with the KLs of its bounds")
    options, overrides = parser.parse_known_args()
    try:
        if options.corrected and options.method == "jmvae":
            raise HandsError("--corrected goes with telbo, not jmvae: JMVAE's KLs are right")
        experiment = load_experiment(options.experiment, overrides)
        train(experiment, options)
    except HandsError as error:
        print(error, file=sys.stderr)
        return cli.FAILED
    data = experiment.data
    return cli.main(["evaluate", str(options.out), "--data", data.name, "--root", data.root, "--json"])


if __name__ == "__main__":
    sys.exit(main())
