"""The experiment of a fine-tuning: that of a run, changed so that only its encoder of images learns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from latent_hands.build.phases import bound
from latent_hands.configuration import Experiment
from latent_hands.configuration.algorithm import Algorithm1, Algorithm2
from latent_hands.configuration.settings import PhasePlan, Rate, Seed, Supervision
from latent_hands.data import Sample
from latent_hands.data.augmentation import Augmentation
from latent_hands.errors import HandsError
from latent_hands.predictor import Model
from latent_hands.studies.held_out import LEAST
from latent_hands.typed_toml import Range

UPDATES, BATCH = 300, 16
"""Updates of a fine-tuning, and hands in a batch."""
LEARNING_RATE = 1e-4
ANATOMY = 0.01
"""The weight of the objective `anatomy` where 2D labels are learnt."""


@dataclass(frozen=True)
class Tuning:
    """How a run is fine-tuned.

    Attributes:
        held_out: share of the hands to hold out.
        updates: number of updates.
        learning_rate: learning rate of Adam at the beginning; it falls to zero.
        seed: seed of the order and the augmentation.
    """

    held_out: Annotated[float, Range(0.1, 0.9)] = 0.3
    updates: Annotated[int, Range(1, 1_000_000)] = UPDATES
    learning_rate: Rate = LEARNING_RATE
    seed: Seed = 0


def tuned_experiment(model: Model, run: str, samples: Sequence[Sample], tuning: Tuning) -> Experiment:
    """Return the experiment of a run, changed so that only its encoder of images learns, from its weights.

    Raises HandsError for a run without a finished latent, without exactly one embedded encoder of images, or
    without a decoder of 2D joints where labels have no others.
    """
    algorithm, encoder = _embedded(model.experiment, run)
    phase = f"embed_{encoder}"
    flat = sum(sample.xyz_mm is None for sample in samples)
    solid = len(samples) - flat
    experiment = replace(model.experiment, supervision=Supervision())
    if flat:
        experiment = weakly_supervised(model, run, encoder, flat, solid)
    batch = min([BATCH, len(samples), *(count for count in (flat, solid) if count >= LEAST)])
    plan = experiment.phases.get(phase) or PhasePlan()
    plan = replace(
        plan,
        lam=plan.lam | not_taught(experiment, samples),
        epochs=max(1, round(tuning.updates / (len(samples) // batch))),
        minutes=None,
        batch_size=batch,
        learning_rate=tuning.learning_rate,
    )
    training = replace(
        experiment.training,
        start=run,
        start_with=(),
        frozen=(),
        frozen_batchnorm=True,
        schedule="cosine",
        warmup=min(20, tuning.updates // 10),
        seed=tuning.seed,
        validate_every=10_000_000,
    )
    return replace(
        experiment,
        algorithm=replace(algorithm, embed=(encoder,), finished=True),
        phases={phase: plan},
        training=training,
        augmentation=experiment.augmentation or Augmentation(),
    )


def not_taught(experiment: Experiment, samples: Sequence[Sample]) -> dict[str, float]:
    """Return lam of the decoders that hands alone cannot teach: {decoder of the presence: 0}.

    If every crop shows a hand, the presence of one is no label: the model would learn that it is always
    there.
    """
    if any(not sample.present for sample in samples):
        return {}
    return {name: 0.0 for name, arrow in experiment.decoders.items() if arrow.writes == "presence"}


def _embedded(experiment: Experiment, run: str) -> tuple[Algorithm1 | Algorithm2, str]:
    """Return the algorithm of a run, and its only embedded encoder of images."""
    algorithm = experiment.algorithm
    if not isinstance(algorithm, Algorithm1 | Algorithm2):
        raise HandsError(
            f"{run} was trained by {type(algorithm).__name__}, which embeds no encoder; fine-tune a run of "
            "algorithm_1 or algorithm_2, such as estimation"
        )
    images = [name for name in algorithm.embed if experiment.encoders[name].reads == "rgb"]
    if len(images) != 1:
        raise HandsError(f"{run} embeds {len(images)} encoders of images; it must be 1 to be fine-tuned")
    return algorithm, images[0]


def weakly_supervised(model: Model, run: str, encoder: str, flat: int, solid: int) -> Experiment:
    """Return the experiment of a run in which hands with 2D labels learn by p(uv | z) and anatomy.

    Every decoder of `uv` learns from them, with its weight in the run itself: from the implied joints the
    pose learns, and from the measured ones the heat maps. Of hands with 2D and with 3D labels, those of which
    there are fewer than `LEAST` count as hands with 2D labels, or are not learnt from.
    """
    experiment = model.experiment
    written = {arrow.writes: name for name, arrow in experiment.decoders.items()}
    if "uv" not in written:
        raise HandsError(
            f'{run} predicts no joints in the image (a decoder of "uv"), so it cannot learn from 2D joints: '
            "fine-tune a run that does, such as estimation, or label 3D joints"
        )
    lam = bound(experiment, model.vae, (encoder,), f"embed_{encoder}").decoders
    uv = {name: lam[name] for name, arrow in experiment.decoders.items() if arrow.writes == "uv"}
    labelled = float(solid >= LEAST)
    weak = uv if flat >= LEAST or not labelled else {}
    objectives = experiment.objectives
    if "cpose" in written:
        objectives = {"anatomy": {written["cpose"]: ANATOMY}, **objectives}
    return replace(experiment, supervision=Supervision(labelled, weak=weak), objectives=objectives)
