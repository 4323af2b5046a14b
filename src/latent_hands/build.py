"""From an experiment to its parts: the only place that knows both the settings and what they build."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from latent_hands.algorithms import (
    Feed,
    Phase,
    algorithm_1,
    algorithm_2,
    alternating,
    check,
    cross_modal,
    embedding,
    joint,
    keys,
    regression,
)
from latent_hands.data import open_data
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.data.pictures import KINDS
from latent_hands.data.shard_files import open_windows
from latent_hands.data.store import Cut, is_store
from latent_hands.data.windows import Windows
from latent_hands.elbo import Bound
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.experiment import EMBEDDING, Experiment
from latent_hands.modalities import Modality, modality
from latent_hands.networks.dcgan import DCGANDecoder
from latent_hands.networks.mlp import MLP
from latent_hands.networks.painter import HandPainter
from latent_hands.networks.resnet import ResNet18
from latent_hands.presets import weights
from latent_hands.supervision import with_photos, with_unpaired_labels, with_weak_labels
from latent_hands.vae import Decoder, DisentangledVAE, Encoder, check_factors

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Hands:
    """The windows that a run learns from, those that it is validated on, and pictures without labels."""

    training: Windows
    validation: Windows | None
    photos: Windows | None = None

    def feeds(self, labelled: float) -> dict[Feed, Windows]:
        """What steps learn from; the first share `labelled` of the training hands has all labels."""
        windows = self.training
        count = max(1, round(labelled * len(windows)))
        feeds: dict[Feed, Windows] = {"all": windows, "labelled": windows}
        if count < len(windows):
            feeds["labelled"] = windows.select(range(count))
            feeds["rest"] = windows.select(range(count, len(windows)))
        if self.photos is not None:
            feeds["photos"] = self.photos
        return feeds


def build_vae(experiment: Experiment) -> DisentangledVAE:
    """The graph with freshly initialised networks, the same for the same seed."""
    latent = experiment.latent
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(experiment.training.seed)
        encoders, decoders = {}, {}
        for name, arrow in experiment.encoders.items():
            check_factors("encoder", name, arrow.factors, latent)
            sizes = {factor: latent[factor] for factor in arrow.factors}
            m = modality(arrow.reads)
            sided = experiment.data.side == "condition" and m.is_image
            encoders[name] = Encoder(m.name, sizes, encoder_network(experiment, m, sizes, sided), sided)
        for name, arrow in experiment.decoders.items():
            check_factors("decoder", name, arrow.factors, latent)
            size = sum(latent[factor] for factor in arrow.factors)
            m = modality(arrow.writes)
            sided = experiment.data.side == "condition" and m.name == "pose"
            network = decoder_network(experiment, m, size, sided, arrow.over)
            decoders[name] = Decoder(m.name, arrow.factors, network, sided, arrow.over)
        return DisentangledVAE(latent, encoders, decoders)


def encoder_network(experiment: Experiment, m: Modality, sizes: dict[str, int], sided: bool) -> nn.Module:
    """ResNet-18 for images, six fully connected layers for the rest."""
    n, outputs = experiment.networks, 2 * sum(sizes.values())
    if m.is_image:
        return ResNet18(outputs, n.width, n.stem, m.channels, sided, n.precision)
    return MLP(m.numbers, (outputs,), n.hidden, n.layers, sided)


def decoder_network(
    experiment: Experiment, m: Modality, inputs: int, sided: bool, over: str | None
) -> nn.Module:
    """The DCGAN decoder for images, with a painter where they lie over a pose; six layers for the rest."""
    n, px = experiment.networks, experiment.data.crop_px
    if m.is_image and over is not None:
        return HandPainter(inputs, px, n.decoder_width, n.painter_blocks, m.channels, sided, n.precision)
    if m.is_image:
        return DCGANDecoder(inputs, px, n.decoder_width, m.channels, sided, n.precision)
    return MLP(inputs, m.sizes, n.hidden, n.layers, sided)


def build_phases(experiment: Experiment, vae: DisentangledVAE) -> tuple[Phase, ...]:
    """The algorithm on this graph, with each phase's budget. Raises HandsError for mistakes in the graph."""
    phases = supervise(experiment, vae, algorithm_phases(experiment, vae))
    for name in experiment.phases:
        if name not in {phase.name for phase in phases}:
            raise HandsError(
                f'[phases]: unknown phase "{name}"; {did_you_mean(name, [p.name for p in phases])}'
            )
    phases = tuple(budget(experiment, phase) for phase in phases)
    check(vae, phases)
    return phases


def algorithm_phases(experiment: Experiment, vae: DisentangledVAE) -> tuple[Phase, ...]:
    """The phases of the algorithm of that name."""
    algorithm, epochs = experiment.algorithm, experiment.training.epochs
    name, encode = algorithm.name, algorithm.encode
    if name == "alternating":
        return alternating([bound(experiment, vae, (arrow,), name) for arrow in encode], epochs)
    if name not in EMBEDDING:
        baseline = cross_modal if name == "cross_modal" else regression
        return baseline(bound(experiment, vae, encode, name), epochs)
    both = name if name == "joint" else None
    embed = [bound(experiment, vae, (arrow,), both or f"embed_{arrow}") for arrow in algorithm.embed]
    if algorithm.finished:
        return embedding(embed, epochs)
    disentangle = bound(experiment, vae, encode, both or "disentangle")
    if name == "joint":
        return joint(disentangle, embed, epochs)
    if name == "algorithm_1":
        return algorithm_1(disentangle, embed, epochs, epochs)
    phi_y = label_encoders(experiment, vae)
    y = {vae.encoder(arrow).reads for arrow in phi_y}
    explained = {d: lam for d, lam in disentangle.decoders.items() if vae.decoder(d).writes in y}
    y_alone = replace(disentangle, decoders=explained)
    t2 = algorithm.noise_steps
    return algorithm_2(disentangle, y_alone, phi_y, algorithm.noise, embed, epochs, t2, epochs)


def label_encoders(experiment: Experiment, vae: DisentangledVAE) -> tuple[str, ...]:
    """The encoders of the y_i: those of the disentangling step that infer no z_u.

    Raises HandsError for one that infers a z_u and another factor.
    """
    noise, found = set(experiment.algorithm.noise), []
    for arrow in experiment.algorithm.encode:
        factors = set(vae.encoder(arrow).factors)
        if factors & noise and factors - noise:
            raise HandsError(
                f'[algorithm] noise: encoder "{arrow}" infers {", ".join(sorted(factors))}; '
                f"legal: {', '.join(sorted(factors & noise))} from an encoder of its own"
            )
        if not factors & noise:
            found.append(arrow)
    return tuple(found)


def supervise(experiment: Experiment, vae: DisentangledVAE, phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """The phases with what [supervision] adds to their steps."""
    supervision = experiment.supervision
    if supervision.weak:
        phases = with_weak_labels(vae, phases, supervision.weak)
    if supervision.semi:
        phases = with_unpaired_labels(vae, phases)
    return with_photos(vae, phases) if supervision.photos else phases


def bound(experiment: Experiment, vae: DisentangledVAE, encoders: tuple[str, ...], phase: str) -> Bound:
    """The bound of a phase: these encoders give q, every decoder is to explain its modality."""
    algorithm, plan = experiment.algorithm, experiment.phases.get(phase)
    y = None
    if algorithm.name in EMBEDDING:
        y = {vae.encoder(arrow).reads for arrow in label_encoders(experiment, vae)}
    written = {name: arrow.writes for name, arrow in experiment.decoders.items()}
    lam, beta = weights(algorithm.preset, written, y)
    for name, given in (("algorithm", algorithm), (f"phases.{phase}", plan)):
        if given is None:
            continue
        for arrow in given.lam:
            if arrow not in written:
                raise HandsError(f'[{name}] lam: unknown decoder "{arrow}"; {did_you_mean(arrow, written)}')
        lam |= given.lam
        beta = beta if given.beta is None else given.beta
    return Bound(encoders, lam, beta)


def budget(experiment: Experiment, phase: Phase) -> Phase:
    """A phase with its epochs, minutes, batch size and learning rate."""
    plan, training = experiment.phases.get(phase.name), experiment.training
    return replace(
        phase,
        epochs=(plan and plan.epochs) or training.epochs,
        minutes=plan and plan.minutes,
        batch_size=(plan and plan.batch_size) or training.batch_size,
        learning_rate=(plan and plan.learning_rate) or training.learning_rate,
    )


def build_hands(
    experiment: Experiment, vae: DisentangledVAE, phases: tuple[Phase, ...], report: Report | None = None
) -> Hands:
    """Training and validation windows, cut or from a packed store; `report` is told (what, done, all)."""
    data = experiment.data
    needed = frozenset().union(*(keys(vae, phase.steps) for phase in phases))
    pictures = tuple(key for key in KINDS if key in needed and key != "rgb")
    if not data.root:
        raise HandsError(f'[data] root is empty: say where "{data.name}" lies, e.g. --data.root FOLDER')

    def cut(split: str, limit: int | None, margin: float, px: int) -> Windows:
        if is_store(data.root):
            return open_windows(
                data.root, split, Cut(data.name, data.crop, data.side, margin, px, pictures), limit
            )
        progress = report and partial(report, f"reading {split}")
        samples = open_data(data.name, Path(data.root), split, limit)
        return build_windows(samples, data.crop, margin, px, data.side, pictures, data.workers, progress)

    margin, px = (1.0, data.crop_px) if experiment.augmentation is None else (data.margin, data.window_px)
    training = cut(data.split, data.limit, margin, px)
    photos = None
    if experiment.supervision.photos:
        samples = open_data("images", Path(experiment.supervision.photos), data.split)
        progress = report and partial(report, "reading photos")
        photos = build_windows(samples, "box", margin, px, data.side, (), data.workers, progress)
    if data.validation_share:
        kept = len(training) - max(1, round(len(training) * data.validation_share))
        held = range(kept, min(len(training), kept + data.validation_limit))
        return Hands(training.select(range(kept)), training.select(held), photos)
    return Hands(training, cut(data.validation_split, data.validation_limit, 1.0, data.crop_px), photos)


def build_batches(experiment: Experiment, windows: Windows, phase: Phase, seed: int) -> Batches:
    """The shuffled, augmented batches of a phase."""
    data = experiment.data
    return Batches(
        windows, data.crop_px, phase.batch_size, experiment.augmentation, frame=data.frame, seed=seed
    )


def build_validation(experiment: Experiment, windows: Windows) -> Batches:
    """The ground-truth crops, in order."""
    data = experiment.data
    return Batches(windows, data.crop_px, 64, frame=data.frame, shuffle=False)
