"""Add the factor `keypoints` to a run: heat maps that locate the joints in the image.

    python benchmarks/train_keypoints.py OUT --start RUN --minutes 60 --hands hands --scenes scenes \\
        --photographs photos laid --also cpose viewpoint place

The sets are those of `train_estimation.py`. RUN has an encoder `efficientnet_lite0`. OUT has an encoder
`efficientnet_lite0_keypoints` with the same weights, which stay as they are: only the heat maps, the outputs
of the factor `keypoints`, and the decoder of `keypoints` learn. With `--also`, the outputs of other factors
learn a correction from the located joints, too. A training that was stopped continues if it is started again
with the same arguments.
"""

import argparse
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from train_estimation import inside, windows

from latent_hands.beyond import Agreement
from latent_hands.build import build_batches, build_vae
from latent_hands.configuration import DecoderArrow, EncoderArrow, Experiment
from latent_hands.data import open_data
from latent_hands.networks import KeypointEfficientNet
from latent_hands.networks.efficientnet import FEATURES
from latent_hands.networks.fusion import fused
from latent_hands.networks.keypoints import NUMBERS as PER_JOINT
from latent_hands.networks.packing import packed
from latent_hands.paper.algorithms import Phase, embed_only
from latent_hands.paper.bound import Bound, total
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch
from latent_hands.runs.folder import load_run, write_run
from latent_hands.runs.moments import moments_of, restore_moments
from latent_hands.runs.tensors import read_tensors, write_tensors

NAME, NUMBERS = "keypoints", 42
LAM, LAM_ALSO = {NAME: 40.0}, {"cpose": 1.0, "viewpoint": 1.0, "place": 40.0, "pose": 1.0, "uv": 40.0}
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
    for name in ("hands", "scenes", "photographs"):
        parser.add_argument(f"--{name}", nargs="*", default=[], help="sets, as for train_estimation.py")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    run, experiment = load_run(chosen.start)
    experiment = with_keypoints(experiment)
    vae = extended(run, experiment)
    samples = [e for root in chosen.hands for e in open_data("rendered", root, "training")]
    samples += [e for root in chosen.scenes for e in inside(open_data("rendered-hands", root, "training"))]
    samples += [e for root in chosen.photographs for e in inside(open_data("coco", root, "training"))]
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


def with_keypoints(experiment: Experiment) -> Experiment:
    """Return the experiment with the factor `keypoints`, its encoders and its decoder."""
    rgb = experiment.encoders["rgb"]
    encoders = experiment.encoders | {
        NAME: EncoderArrow("uv", (NAME,), network="affine"),
        "rgb": replace(rgb, factors=(*rgb.factors, NAME)),
    }
    reads = ("cpose", "viewpoint", "place", NAME)
    decoder = DecoderArrow("uv", reads, network="residual_mlp", hidden=128)
    objectives = {n: dict(weights) for n, weights in experiment.objectives.items()}
    objectives["agreement"] = objectives.get("agreement", {}) | {NAME: 0.05}
    algorithm = replace(experiment.algorithm, encode=(*experiment.algorithm.encode, NAME))
    return replace(
        experiment,
        latent=experiment.latent | {NAME: NUMBERS},
        encoders=encoders,
        decoders=experiment.decoders | {NAME: decoder},
        networks=replace(experiment.networks, image_encoder="efficientnet_lite0_keypoints"),
        algorithm=algorithm,
        objectives=objectives,
    )


def extended(run: DisentangledVAE, experiment: Experiment) -> DisentangledVAE:
    """Return the graph with the weights of a run; keypoints are the means of the heat maps at first."""
    vae = build_vae(experiment).requires_grad_(False).eval()
    own = vae.state_dict()
    given = run.state_dict()
    own |= {name: tensor for name, tensor in given.items() if name in own}
    vae.load_state_dict(own)
    rgb, read = vae.encoder("rgb").network, sum(run.encoder("rgb").sizes.values())
    assert isinstance(rgb, KeypointEfficientNet)
    linear, pooled = rgb.head.linear.layers[0], FEATURES
    zero(linear)
    old = torch.arange(2 * read)
    rows = old + NUMBERS * (old >= read)
    linear.weight[rows, :pooled] = given["encoders.rgb.network.head.weight"]
    linear.bias[rows] = given["encoders.rgb.network.head.bias"]
    located = torch.arange(NUMBERS)
    linear.weight[read + located, pooled + PER_JOINT * (located // 2) + located % 2] = 1.0
    linear.bias[2 * read + NUMBERS + located] = 2 * math.log(0.05)
    encoder, decoder = vae.encoder(NAME).network.layers[0], vae.decoder(NAME).network.linear.layers[0]
    for layer in (encoder, decoder):
        zero(layer)
    encoder.weight[located, located] = 1.0
    encoder.bias[NUMBERS + located] = 2 * math.log(0.02)
    decoder.weight[located, decoder.in_features - NUMBERS + located] = 1.0
    return vae


def zero(layer: nn.Linear) -> None:
    layer.weight.zero_()
    layer.bias.zero_()


class FrozenBackbone(nn.Module):
    """The encoder of images with a backbone that does not learn, in its fastest form."""

    def __init__(self, network: KeypointEfficientNet):
        super().__init__()
        quick = fused(network)
        for part in quick.convolutions:
            part.bfloat16()
        quick.precision = "float32"  # the weights already have the type of the computation
        self.quick, self.learning = packed(quick), network
        self.joints = torch.empty(0)

    def forward(self, image: Tensor, side: Tensor | None = None) -> Tensor:
        """Return the outputs of the encoder, and keep the joints of the heat maps."""
        with torch.no_grad():
            pooled, maps = self.quick.backbone(image.bfloat16())
        self.joints = self.learning.locate(maps)
        return self.learning.head(torch.cat([pooled, self.joints.flatten(1)], dim=1), side)


def train(
    vae: DisentangledVAE,
    bound: Bound,
    batches: Callable[[int], Iterator[Batch]],
    chosen: argparse.Namespace,
) -> None:
    """Train the parts of the factor."""
    network = vae.encoder("rgb").network
    assert isinstance(network, KeypointEfficientNet)
    parameters = learning(vae, network, chosen.also)
    optimiser = torch.optim.AdamW(parameters.values(), lr=chosen.learning_rate, weight_decay=0.0)
    done, spent = resume(chosen.out / STATE, vae, optimiser, parameters)
    frozen = FrozenBackbone(network)
    vae.encoder("rgb").network = frozen
    generator = torch.Generator().manual_seed(chosen.seed + done)
    began, saved, sums = time.monotonic() - spent, spent, Counter()
    for update, batch in enumerate(batches(done), done + 1):
        share = spent / (60 * chosen.minutes)
        if share >= 1:
            break
        rate = chosen.learning_rate * min(1, update / WARMUP) * 0.5 * (1 + math.cos(math.pi * share))
        for group in optimiser.param_groups:
            group["lr"] = rate
        terms = bound.terms(vae, batch, generator)
        heat, depth = joint_errors(frozen.joints, batch)
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


def learning(
    vae: DisentangledVAE, network: KeypointEfficientNet, also: Sequence[str]
) -> dict[str, nn.Parameter]:
    """Return the parameters that learn, by name. Gradients of the outputs of other factors are 0."""
    head, rgb = network.head, vae.encoder("rgb")
    linear, corrected = rows_of(rgb.sizes, [NAME]), rows_of(rgb.sizes, [NAME, *also])
    parts = [network.laterals, network.merged, network.heat, network.depth, head, vae.decoder(NAME)]
    for part in parts:
        part.train().requires_grad_(True)
    for layer, own in ((head.linear.layers[0], linear), (head.residual.layers[-1], corrected)):
        layer.weight.register_hook(lambda gradient, own=own: gradient * own[:, None])
        layer.bias.register_hook(lambda gradient, own=own: gradient * own)
    return {name: p for name, p in vae.named_parameters() if p.requires_grad}


def rows_of(sizes: Mapping[str, int], factors: Sequence[str]) -> Tensor:
    """Return 1 for each output of the encoder, means before log-variances, that belongs to the factors."""
    own = torch.cat([torch.full((size,), float(name in factors)) for name, size in sizes.items()])
    return torch.cat([own, own])


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
    assert isinstance(network, FrozenBackbone)
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
