"""Add the factor `keypoints` to a run: heat maps that locate the joints in the image.

    python benchmarks/train_keypoints.py OUT --start RUN --minutes 60 --hands hands --scenes scenes \\
        --photographs photos laid --also cpose viewpoint place

The sets are those of `train_estimation.py`. RUN has an encoder `efficientnet_lite0`. OUT has an encoder
`efficientnet_lite0_keypoints` with the same weights, which stay as they are: only the heat maps, the outputs
of the factor `keypoints`, and the decoder of `keypoints` learn. With `--also`, the outputs of other factors
learn a correction from the located joints, too.

    python benchmarks/train_keypoints.py OUT --start RUN --minutes 60 --hands hands --scenes scenes \\
        --photographs photographs laid --without-hands squares.json --backbone 0.3

With `--backbone` RUN may have the factor already. All outputs of the encoder of images learn, and its
backbone after the map of stride 8, with this share of the learning rate.

A training that was stopped continues if it is started again with the same arguments.
"""

import argparse
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from keypoint_encoder import QuickEncoder, learning, trunk
from keypoint_graph import NAME, extended, with_keypoints
from torch import Tensor, nn
from train_estimation import inside, windows, without_hands

from latent_hands.beyond import Agreement
from latent_hands.build import build_batches
from latent_hands.data import open_data
from latent_hands.networks import KeypointEfficientNet
from latent_hands.paper.algorithms import Phase, embed_only
from latent_hands.paper.bound import Bound, total
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch
from latent_hands.runs.folder import load_run, write_run
from latent_hands.runs.moments import moments_of, restore_moments
from latent_hands.runs.tensors import read_tensors, write_tensors

LAM = {NAME: 40.0}
LAM_ALSO = {"cpose": 1.0, "viewpoint": 1.0, "place": 40.0, "pose": 1.0, "uv": 40.0}
LAM_ALSO |= {"side": 2.0, "presence": 4.0}
AGREEMENT, AGREEMENT_ALSO = 0.2, 0.05
HEAT_WEIGHT, DEPTH_WEIGHT = 60.0, 20.0
"""Weights of the mean distances of the joints inside the crop: in the image, and in depth."""
BATCH, WARMUP, LONGEST_GRADIENT, REPORT_EVERY, SAVE_SECONDS = 64, 100, 500.0, 100, 120.0
STATE = "state.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", required=True, help="the run to which the factor is added")
    parser.add_argument("--minutes", type=float, required=True, help="duration of the training")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--also", nargs="*", default=[], help="other factors whose outputs learn")
    parser.add_argument("--backbone", type=float, default=0.0, help="its share of the learning rate")
    parser.add_argument("--crop-px", type=int, help="side of the crops; that of RUN by default")
    parser.add_argument("--window-px", type=int, help="side of the windows that crops are cut from")
    parser.add_argument("--without-hands", type=Path, help="squares without a hand, for presence")
    for name in ("hands", "scenes", "photographs"):
        parser.add_argument(f"--{name}", nargs="*", default=[], help="sets, as for train_estimation.py")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    run, experiment = load_run(chosen.start)
    sizes = {"crop_px": chosen.crop_px, "window_px": chosen.window_px}
    given = {name: px for name, px in sizes.items() if px is not None}
    experiment = replace(experiment, data=replace(experiment.data, **given))
    if NAME in experiment.latent:
        vae = run.requires_grad_(False).eval()
    else:
        experiment = with_keypoints(experiment)
        vae = extended(run, experiment)
    if chosen.backbone:
        chosen.also = [name for name in vae.encoder("rgb").sizes if name != NAME]
    samples = [e for root in chosen.hands for e in open_data("rendered", root, "training")]
    samples += [e for root in chosen.scenes for e in inside(open_data("rendered-hands", root, "training"))]
    samples += [e for root in chosen.photographs for e in inside(open_data("coco", root, "training"))]
    samples += without_hands(chosen.without_hands) if chosen.without_hands else []
    order = np.random.default_rng(chosen.seed).permutation(len(samples))
    bound = bound_of(vae, chosen.also)
    data, phase = experiment.data, Phase("keypoints", (embed_only(bound),), 1, batch_size=BATCH)
    cut = windows([samples[i] for i in order], data.margin, data.window_px, data.right_hands)
    batches = build_batches(experiment, cut, phase, chosen.seed)
    modalities = {"rgb", "pose", *chosen.also, *(vae.decoder(name).writes for name in bound.decoders)}
    train(vae, bound, lambda start: batches.stream(modalities, start), chosen)
    write_run(chosen.out / "run", experiment, vae.state_dict(), {"start": chosen.start})


def bound_of(vae: DisentangledVAE, also: Sequence[str]) -> Bound:
    """Return the bound of Eq. 8 with every decoder whose factors all learn."""
    learning = {NAME, *also}
    lam = {name: weight for name, weight in LAM_ALSO.items() if learning >= set(vae.decoder(name).factors)}
    agreement = {NAME: AGREEMENT} | dict.fromkeys(also, AGREEMENT_ALSO)
    return Bound(("rgb",), LAM | lam, beta=0.01, drawn=False, extra=(Agreement(agreement),))


def train(
    vae: DisentangledVAE,
    bound: Bound,
    batches: Callable[[int], Iterator[Batch]],
    chosen: argparse.Namespace,
) -> None:
    """Train the parts of the factor."""
    network = vae.encoder("rgb").network
    assert isinstance(network, KeypointEfficientNet)
    backbone = trunk(vae, network) if chosen.backbone else {}
    parameters = learning(vae, network, chosen.also, whole=bool(backbone)) | backbone
    rest = [parameter for name, parameter in parameters.items() if name not in backbone]
    groups = [{"params": rest, "share": 1.0}, {"params": [*backbone.values()], "share": chosen.backbone}]
    optimiser = torch.optim.AdamW([g for g in groups if g["params"]], weight_decay=0.0)
    done, spent = resume(chosen.out / STATE, vae, optimiser, parameters)
    located = QuickEncoder(network, whole=bool(backbone))
    vae.encoder("rgb").network = located
    generator = torch.Generator().manual_seed(chosen.seed + done)
    began, saved, sums = time.monotonic() - spent, spent, Counter()
    for update, batch in enumerate(batches(done), done + 1):
        share = spent / (60 * chosen.minutes)
        if share >= 1:
            break
        rate = chosen.learning_rate * min(1, update / WARMUP) * 0.5 * (1 + math.cos(math.pi * share))
        for group in optimiser.param_groups:
            group["lr"] = rate * group["share"]
        terms = bound.terms(vae, batch, generator)
        heat, depth = joint_errors(located.joints, batch)
        optimiser.zero_grad(set_to_none=True)
        (HEAT_WEIGHT * heat + DEPTH_WEIGHT * depth - total(terms)).backward()
        nn.utils.clip_grad_norm_(parameters.values(), LONGEST_GRADIENT)
        optimiser.step()
        spent = time.monotonic() - began
        sums.update({"heat": heat.item(), "depth": depth.item()})
        sums.update({term.name: term.value.item() for term in terms if not term.name.startswith("kl")})
        if update % REPORT_EVERY == 0:
            text = " ".join(f"{name} {value / REPORT_EVERY:.4f}" for name, value in sums.items())
            print(f"{update} {spent:.0f}s {text}", flush=True)
            sums.clear()
        if spent - saved > SAVE_SECONDS:
            saved = spent
            save(chosen.out / STATE, vae, optimiser, parameters, update, spent)
    vae.encoder("rgb").network = network


def joint_errors(joints: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the mean distances (L1) of the located joints from the labels inside the crop: image, depth."""
    uv, depth = batch["uv"], batch["pose"][..., 2]
    weight = batch.get("weight", torch.ones(len(uv)))[:, None] * (uv.abs() < 1).all(dim=2)  # not NaN
    image = (joints[..., :2] - uv.nan_to_num()).abs().sum(dim=2)
    along = (joints[..., 4] - depth.nan_to_num()).abs()
    return mean(image, weight), mean(along, weight * ~depth.isnan())


def mean(values: Tensor, weight: Tensor) -> Tensor:
    return (weight * values).sum() / weight.sum().clamp(min=1)


def save(
    file: Path,
    vae: DisentangledVAE,
    optimiser: torch.optim.Optimizer,
    parameters: dict[str, nn.Parameter],
    update: int,
    spent: float,
) -> None:
    """Write the state that a stopped training continues from."""
    network = vae.encoder("rgb").network
    assert isinstance(network, QuickEncoder)
    weights = network.learning.state_dict() | vae.decoder(NAME).state_dict(prefix="decoder.")
    state = {f"weights/{name}": tensor for name, tensor in weights.items()}
    state |= moments_of(optimiser, parameters) | {"place": torch.tensor([update, spent])}
    write_tensors(file, state, {})


def resume(
    file: Path, vae: DisentangledVAE, optimiser: torch.optim.Optimizer, parameters: dict[str, nn.Parameter]
) -> tuple[int, float]:
    """Load the state of a stopped training, if there is one; return its updates and seconds."""
    if not file.exists():
        return 0, 0.0
    state, _ = read_tensors(file)
    weights = {n.removeprefix("weights/"): t for n, t in state.items() if n.startswith("weights/")}
    decoder = {n: weights.pop(n) for n in list(weights) if n.startswith("decoder.")}
    vae.encoder("rgb").network.load_state_dict(weights)
    vae.decoder(NAME).load_state_dict({n.removeprefix("decoder."): t for n, t in decoder.items()})
    restore_moments(optimiser, parameters, state)
    update, spent = state["place"].tolist()
    return int(update), spent


if __name__ == "__main__":
    main()
