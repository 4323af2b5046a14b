"""Fine-tuning a run on a few labels, and the gain on hands that it did not learn from.

Only the encoder of images learns: the latent and its decoders stay, so a few labels cannot destroy them.
3D labels of another joint convention are translated into that of the latent. Hands with 2D labels alone learn
by p(uv | z), with a prior over anatomy, because 2D joints do not determine depth.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from latent_hands import api
from latent_hands.build.phases import bound
from latent_hands.configuration import Experiment
from latent_hands.configuration.algorithm import Algorithm1, Algorithm2
from latent_hands.configuration.settings import PhasePlan, Rate, Seed, Supervision
from latent_hands.data import Sample
from latent_hands.data.augmentation import Augmentation
from latent_hands.data.sample import listed
from latent_hands.data.translated import translated_sample
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.predictor import Model
from latent_hands.predictor.saved import saved_run
from latent_hands.runs.folder import check_new
from latent_hands.runs.hub import pinned
from latent_hands.studies.gain import TuningScores, scores_of, warnings
from latent_hands.studies.held_out import LEAST, shared_images, split_samples
from latent_hands.typed_toml import Range, read

UPDATES, BATCH = 300, 16
"""Updates of a fine-tuning, and hands in a batch."""
LEARNING_RATE = 1e-4
REHEARSED = 3
ANATOMY = 0.01
"""The weight of the objective `anatomy` where 2D labels are learnt."""
_LOG = logging.getLogger(__name__)


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


def fine_tune(
    run: Model | str | Path,
    samples: Sequence[Sample],
    out: str | Path,
    *,
    groups: Mapping[str, str] | None = None,
    held_out: float = 0.3,
    updates: int = UPDATES,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
    control: Sequence[Sample] = (),
    rehearsal: Sequence[Sample] = (),
) -> TuningScores:
    """Fine-tune the encoder of images of a run, and return scores before and after.

    Args:
        run: the run to begin with: a saved model, or what `lh.load` accepts.
        samples: hands with 3D labels, with 2D labels, or with both. A share of their groups is held out.
        out: the new run folder.
        groups: the person or the place of each sample, by name; see `split_samples`.
        held_out: share of the hands to hold out.
        updates: number of updates.
        learning_rate: learning rate of Adam at the beginning; it falls to zero.
        seed: seed of the order and the augmentation.
        control: labelled hands of other people, which are scored, too.
        rehearsal: further hands to learn from, such as rendered ones, so that the model does not forget. At
            most `REHEARSED` of them are used for each hand that is learnt.

    `lh.load` opens the new run. Raises HandsError for settings out of range, for a model that is not saved,
    for a folder that a run cannot use, and for labels that do not fit the run.

    >>> tuned = lh.fine_tune("estimation", samples, "runs/tuned", updates=1)
    >>> error, error_before = (tuned["held_out"][when]["epe_mm"] for when in ("after", "before"))
    """
    settings = {"held_out": held_out, "updates": updates, "learning_rate": learning_rate, "seed": seed}
    tuning = read(Tuning, settings, "fine-tuning")
    check_new(Path(out))
    named = saved_run(run)
    run, model = pinned(named), Model.load(named)
    convention = model.experiment.data.convention
    samples = in_latent(listed(samples), convention, run)
    learnt, held, split_by = split_samples(samples, groups, held_out)
    parts = {"learnt": learnt, "held_out": held}
    if control := listed(control):
        parts["control"] = in_latent(control, convention, run)
    further = in_latent(listed(rehearsal)[: REHEARSED * len(learnt)], convention, run)
    for name in ("held_out", "control"):
        if shared := shared_images([*learnt, *further], parts.get(name, ())):
            text = "%d of %d hands of %s are in images that are learnt, so their gain says nothing of others"
            _LOG.warning(text, shared, len(parts[name]), name)
    experiment = tuned_experiment(model, run, [*learnt, *further], tuning)
    before = {name: scores_of(model, part, name) for name, part in parts.items()}
    with redirect_stdout(sys.stderr):  # the output of the command is the scores
        tuned = api.train(experiment, out, samples=[*learnt, *further])
    found: Any = {"run": run, "out": str(out), "convention": convention, "split_by": split_by}
    for name, part in parts.items():
        found[name] = {
            "samples": len(part),
            "before": before[name],
            "after": scores_of(tuned, part, name),
        }
    return found | {"notes": notes(samples, convention), "warnings": warnings(found)}


def in_latent(samples: Sequence[Sample], convention: str, run: str) -> list[Sample]:
    """Return samples in the joint convention of a latent.

    2D labels that name no convention are taken as they are. Raises HandsError, with what can be done, for
    other labels that cannot be translated.
    """
    for sample in samples:
        if sample.convention == convention:
            continue
        if sample.xyz_mm is None and sample.convention is not None:
            raise HandsError(
                f'{sample.where} has 2D joints in "{sample.convention}", and the latent of {run} is in '
                f'"{convention}". 2D joints cannot be translated without depth: label 3D joints as well, or '
                f'fine-tune a run in "{sample.convention}", trained on hands that were rendered with '
                f"`--convention {sample.convention}`. Do not rename the labels: the difference would be "
                "learnt as pose"
            )
        if sample.xyz_mm is not None and not {sample.convention, convention} <= {*CONVENTIONS}:
            none = sample.convention is None
            named = "name no joint convention" if none else f'are in "{sample.convention}"'
            raise HandsError(
                f'the labels {named}, and the latent of {run} is in "{convention}". It does not change in '
                "fine-tuning, so the labels must be translated: name their convention "
                f"(Sample.convention, --convention), one of {', '.join(CONVENTIONS)}, or fit its table "
                "with `latent-hands conventions fit`. Do not "
                "name the latent's own convention unless the labels are in it: the difference would be "
                "learnt as error"
            )
    return [sample if sample.xyz_mm is None else translated_sample(sample, convention) for sample in samples]


def notes(samples: Sequence[Sample], convention: str) -> list[str]:
    """Return what was assumed of the labels."""
    count = sum(sample.convention is None for sample in samples)
    if not count:
        return []
    return [
        f"the 2D joints of {count:,} hands name no joint convention; they were taken as joints of "
        f'"{convention}" (docs/joint_conventions.md), and a constant difference is learnt as pose'
    ]


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
