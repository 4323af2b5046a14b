"""Training of a detector. A resumed training continues bit for bit."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from latent_hands.detection.detector import Detector, Settings, is_detector
from latent_hands.detection.frames import Mixture
from latent_hands.detection.look import varied
from latent_hands.detection.network import DetectionNetwork
from latent_hands.detection.pictures import draw_picture
from latent_hands.detection.plan import Plan, Training, read_plan, write_plan
from latent_hands.detection.scoring import Scores, calibrated
from latent_hands.detection.targets import Losses, Targets, draw_targets, loss, mirrored
from latent_hands.errors import HandsError
from latent_hands.files import write_text
from latent_hands.interrupt import on_interrupt
from latent_hands.lock import one_writer
from latent_hands.networks.fusion import fused, unfuse
from latent_hands.progress import Progress, silent
from latent_hands.runs.metrics import append_metrics, cut_metrics
from latent_hands.runs.moments import moments_of, restore_moments
from latent_hands.runs.tensors import load_weights, read_tensors, write_tensors

PLAN, STATE, DETECTOR = "training.toml", "state.safetensors", "detector"
REPORT_EVERY = 50
UNREPORTED = "unreported"
"""The key of the losses summed since the last report."""
LONGEST_GRADIENT = 10.0
PARTS = 8
"""Images whose appearance changes at once: eight stay in a processor's cache."""


def train_detector(plan: Plan, out: Path, resume: bool = False, progress: Progress = silent) -> Scores | None:
    """Train a detector into the folder `out`; return its scores on the validation frames.

    Ctrl-C, SIGTERM and SIGHUP save the state and return None; `resume` continues it. The finished detector is
    in `out`/detector, with a threshold and a calibration from the validation frames if there are any.

    Raises HandsError if the folder holds a training and `resume` is not set, holds another plan, or is
    written by another process.
    """
    with one_writer(out):
        return _train(plan, out, resume, progress)


def _train(plan: Plan, out: Path, resume: bool, progress: Progress) -> Scores | None:
    """Train in a folder that no other process writes to."""
    _begin(plan, out, resume)
    mixture = plan.mixture()
    torch.manual_seed(plan.training.seed)
    network = DetectionNetwork()
    state = _load_state(out, plan.training)
    _start(network, state, plan.training, mixture)
    optimiser = _optimiser(network, state, plan.training)
    first = int(state.get("update", torch.tensor(0)))
    cut_metrics(out, first if first else -1)
    sums = state.get(UNREPORTED, torch.zeros(len(Losses._fields)))
    done = _run(network, optimiser, mixture, plan.training, out, first, sums, progress)
    return finish(network, plan, out, progress) if done else None


def finish(network: DetectionNetwork, plan: Plan, out: Path, progress: Progress = silent) -> Scores | None:
    """Write the detector of a trained network, calibrated on the validation frames; return its scores."""
    detector, scores = Detector(network, Settings(plan.training.size_px)), None
    frames = plan.validation_frames()
    if frames:
        detector, scores = calibrated(detector, frames, progress)
    detector.save(out / DETECTOR)
    return scores


def _begin(plan: Plan, out: Path, resume: bool) -> None:
    """Create the folder, or check that it holds the same plan."""
    if not (out / PLAN).exists():
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / PLAN, write_plan(plan))
    elif not resume:
        raise HandsError(
            f"{out} already holds a training: continue it with --resume or choose another folder"
        )
    elif read_plan(out / PLAN) != plan:
        raise HandsError(
            f"{out} holds a training with another plan: its {PLAN} has the settings to resume it with"
        )


def _load_state(out: Path, training: Training) -> Mapping[str, Tensor]:
    """Return the saved state, or the weights of another run to start with, or nothing."""
    if (out / STATE).exists():
        return read_tensors(out / STATE)[0]
    if training.start is None or is_detector(training.start):
        return {}
    if not (Path(training.start) / STATE).is_file():
        raise HandsError(
            f'[training] start is "{training.start}": it must be "detection", the folder of a detector, '
            "or the run folder of a training of a detector"
        )
    state, _ = read_tensors(Path(training.start) / STATE)
    return {name: tensor for name, tensor in state.items() if name.startswith("weights/")}


def _start(
    network: DetectionNetwork, state: Mapping[str, Tensor], training: Training, mixture: Mixture
) -> None:
    weights = {n.removeprefix("weights/"): t for n, t in state.items() if n.startswith("weights/")}
    if weights:
        try:
            load_weights(network, weights, "the saved state")
        except HandsError as error:
            raise HandsError(f"the saved state is that of another network: {error}") from error
    elif training.start is None:
        network.pretrained()
    else:
        images, _ = draw_batch(mixture, training, update=0)
        unfuse(network, Detector.load(training.start).network.state_dict(), lambda: network(images))


def _optimiser(
    network: DetectionNetwork, state: Mapping[str, Tensor], training: Training
) -> torch.optim.AdamW:
    """Return AdamW with two groups, EfficientNet and the rest, and its saved moments."""
    trunk = [p for name, p in network.named_parameters() if name.startswith("blocks.")]
    rest = [p for name, p in network.named_parameters() if not name.startswith("blocks.")]
    groups = [{"params": trunk, "part": training.trunk_rate}, {"params": rest, "part": 1.0}]
    optimiser = torch.optim.AdamW(groups, lr=training.learning_rate, weight_decay=training.weight_decay)
    restore_moments(optimiser, dict(network.named_parameters()), state)
    return optimiser


def _run(
    network: DetectionNetwork,
    optimiser: torch.optim.AdamW,
    mixture: Mixture,
    training: Training,
    out: Path,
    first: int,
    sums: Tensor,
    progress: Progress,
) -> bool:
    """Take the remaining steps; return whether all are done."""
    network.train()
    frozen = fused(network.fixed).bfloat16()
    counted = first % REPORT_EVERY
    with on_interrupt() as interrupted:
        for update in range(first, training.updates):
            images, targets = draw_batch(mixture, training, update)
            for group in optimiser.param_groups:
                group["lr"] = group["part"] * learning_rate(training, update)
            with torch.no_grad():
                fixed = frozen(images.bfloat16().contiguous(memory_format=torch.channels_last))
            losses = loss(network.read(fixed), targets)
            _check(losses, update)
            optimiser.zero_grad(set_to_none=True)
            losses.total().backward()
            clip_grad_norm_(network.parameters(), LONGEST_GRADIENT)
            optimiser.step()
            sums, counted = sums + torch.stack(losses).detach(), counted + 1
            done = update + 1
            if done % REPORT_EVERY == 0 or done == training.updates:
                _report(out, done, sums / counted, training, progress)
                sums, counted = torch.zeros_like(sums), 0
            if done % training.save_every == 0 or done == training.updates or interrupted.is_set():
                _save(network, optimiser, done, sums, out)
            if interrupted.is_set() and done < training.updates:
                return False
    return True


def draw_batch(mixture: Mixture, training: Training, update: int) -> tuple[Tensor, Targets]:
    """Return the images (batch, 3, px, px) and targets of a step, a function of seed and step alone.

    The second half are the mirror images of the first. What both have in common says nothing about the side,
    so it cancels in the gradient of the side.
    """
    rng = np.random.default_rng([training.seed, update])
    px = int(rng.choice(training.image_px))
    half = math.ceil(training.batch_size / 2)
    drawn = [draw_picture(mixture, px, rng) for _ in range(half)]
    drawn += [(pixels[:, ::-1], [mirrored(hand, px) for hand in hands]) for pixels, hands in drawn]
    pictures, hands = zip(*drawn[: training.batch_size], strict=True)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    parts = [varied(part.contiguous(), generator) for part in pixels.split(PARTS)]
    return torch.cat(parts), draw_targets(hands, (px, px))


def learning_rate(training: Training, update: int) -> float:
    """Return the learning rate of a step: a linear warm-up, then half a cosine to 0."""
    share = update / training.updates
    warm = min(1.0, (update + 1) / (training.warmup + 1))
    return training.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * share))


def _check(losses: Losses, update: int) -> None:
    for name, value in zip(Losses._fields, losses, strict=True):
        if not value.isfinite():
            raise HandsError(
                f"the loss {name} is {value.item()} at update {update}; the last saved state stays"
            )


def _save(
    network: DetectionNetwork, optimiser: torch.optim.AdamW, update: int, sums: Tensor, out: Path
) -> None:
    state = {f"weights/{name}": tensor for name, tensor in network.state_dict().items()}
    state |= moments_of(optimiser, dict(network.named_parameters()))
    write_tensors(out / STATE, state | {"update": torch.tensor(update), UNREPORTED: sums}, {})


def _report(out: Path, update: int, means: Tensor, training: Training, progress: Progress) -> None:
    values = dict(zip(Losses._fields, means.tolist(), strict=True))
    append_metrics(out, {"update": update} | values)
    text = " ".join(f"{name} {value:.3f}" for name, value in values.items())
    progress("train", update, training.updates, text)
