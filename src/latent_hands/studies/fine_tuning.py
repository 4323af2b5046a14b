"""Fine-tuning a run on a few labels, and the gain on hands that it did not learn from.

Only the encoder of images learns: the latent and its decoders stay, so a few labels cannot destroy them.
Labels of another joint convention are translated into that of the latent.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from latent_hands import api
from latent_hands.configuration import Experiment
from latent_hands.configuration.algorithm import Algorithm1, Algorithm2
from latent_hands.configuration.settings import PhasePlan
from latent_hands.data import Sample
from latent_hands.data.augmentation import Augmentation
from latent_hands.data.translated import translated_sample
from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import score_run
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.predictor import Model

SCORES = ("epe_mm", "pa_epe_mm", "epe_bone_aligned_mm", "cpose_epe_mm", "viewpoint_deg")
"""The scores that are compared."""
LEAST = 8
"""The least number of hands to learn from, and to be held out."""
UPDATES, BATCH = 300, 16
"""Updates of a fine-tuning, and hands in a batch."""
LEARNING_RATE = 1e-4
REHEARSED = 3
WORTH_MM = 0.3
"""Smaller changes of the error are no gain."""
_ENDING = re.compile(r"[-_./ ]*\d*$")


def fine_tune(
    run: str,
    samples: Sequence[Sample],
    out: Path,
    *,
    groups: Mapping[str, str] | None = None,
    held_out: float = 0.3,
    updates: int = UPDATES,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
    control: Sequence[Sample] = (),
    rehearsal: Sequence[Sample] = (),
) -> dict[str, Any]:
    """Fine-tune the encoder of images of a run, and return scores before and after.

    Args:
        run: the run to begin with.
        samples: labelled hands. A share of their groups is held out.
        out: the new run folder.
        groups: the person or the place of each sample, by name; see `split_samples`.
        held_out: share of the hands to hold out.
        updates: number of updates.
        learning_rate: learning rate of Adam at the beginning; it falls to zero.
        seed: seed of the order and the augmentation.
        control: labelled hands of other people, which are scored, too.
        rehearsal: further hands to learn from, such as rendered ones, `REHEARSED` for each hand that is
            learnt: so the model does not forget what the labels do not show.

    Returns "split_by", the numbers of hands, "learnt", "held_out" and maybe "control", each with the scores
    "before" and "after", and "warnings". Raises HandsError for labels that do not fit the run.
    """
    model = Model.load(run)
    convention = model.experiment.data.convention
    samples = in_latent(samples, convention, run)
    learnt, held, split_by = split_samples(samples, groups, held_out)
    parts = {"learnt": learnt, "held_out": held}
    if control:
        parts["control"] = in_latent(control, convention, run)
    before = {name: _scores(model, part, name) for name, part in parts.items()}
    further = in_latent(rehearsal[: REHEARSED * len(learnt)], convention, run)
    count = len(learnt) + len(further)
    experiment = tuned_experiment(model.experiment, run, count, updates, learning_rate, seed)
    with redirect_stdout(sys.stderr):  # the output of the command is the scores
        tuned = api.train(experiment, out, samples=[*learnt, *further])
    found: dict[str, Any] = {"run": run, "out": str(out), "convention": convention, "split_by": split_by}
    for name, part in parts.items():
        found[name] = {
            "samples": len(part),
            "before": before[name],
            "after": _scores(tuned, part, name),
        }
    return found | {"warnings": warnings(found)}


def in_latent(samples: Sequence[Sample], convention: str, run: str) -> list[Sample]:
    """Return samples in the joint convention of a latent.

    Raises HandsError, with what can be done, for labels whose convention is unknown or has no table.
    """
    for sample in samples:
        known = sample.convention in (*CONVENTIONS, convention)
        if sample.convention == convention or (known and convention in CONVENTIONS):
            continue
        named = "name no joint convention" if sample.convention is None else f'are in "{sample.convention}"'
        raise HandsError(
            f'the labels {named}, and the latent of {run} is in "{convention}". It does not change in '
            "fine-tuning, so the labels must be translated: name their convention with --convention, one of "
            f"{', '.join(CONVENTIONS)}, or fit its table with `latent-hands conventions fit`. Do not name "
            "the latent's own convention unless the labels are in it: the difference would be learnt as error"
        )
    return [translated_sample(sample, convention) for sample in samples]


def split_samples(
    samples: Sequence[Sample], groups: Mapping[str, str] | None, held_out: float
) -> tuple[list[Sample], list[Sample], str]:
    """Return the hands to learn from, those that are held out, and "group" or "image".

    A group is that of `groups`, else the sample's block, else its name without the number at its end. Whole
    groups are held out, the last ones in the order of their first samples. If there is only one group, the
    last images are held out: neighbours in a sequence are then in the same part, but for two.
    Raises HandsError if a part has fewer than `LEAST` hands, or if `groups` lacks a sample.
    """
    keys = [_group(sample, groups) for sample in samples]
    order = list(dict.fromkeys(keys))
    split_by, wanted = "image", round(len(samples) * held_out)
    held = set(range(len(samples) - wanted, len(samples)))
    if 1 < len(order) <= len(samples) / 2:
        split_by, held = "group", set[int]()
        while order[1:] and len(held) < wanted:
            last = order.pop()
            held |= {i for i, key in enumerate(keys) if key == last}
    parts = [[s for i, s in enumerate(samples) if (i in held) == kept] for kept in (False, True)]
    if min(map(len, parts)) < LEAST:
        raise HandsError(
            f"{len(parts[0])} hands would be learnt and {len(parts[1])} held out, of {len(samples)}; both "
            f"must be {LEAST} or more: label more hands, or change --held-out"
        )
    return parts[0], parts[1], split_by


def _group(sample: Sample, groups: Mapping[str, str] | None) -> str:
    if groups is None:
        return sample.block or _ENDING.sub("", sample.name)
    if sample.name not in groups:
        raise HandsError(f"{sample.where} has no group; the file of groups must name all samples")
    return groups[sample.name]


def tuned_experiment(
    experiment: Experiment, run: str, count: int, updates: int, learning_rate: float, seed: int
) -> Experiment:
    """Return the experiment of a run, changed so that only its encoder of images learns, from its weights.

    Raises HandsError for a run without a finished latent, or without exactly one embedded encoder of images.
    """
    algorithm = experiment.algorithm
    if not isinstance(algorithm, Algorithm1 | Algorithm2):
        raise HandsError(
            f"{run} was trained by {type(algorithm).__name__}, which embeds no encoder; fine-tune a run of "
            "algorithm_1 or algorithm_2, such as estimation"
        )
    images = [name for name in algorithm.embed if experiment.encoders[name].reads == "rgb"]
    if len(images) != 1:
        raise HandsError(f"{run} embeds {len(images)} encoders of images; it must be 1 to be fine-tuned")
    batch = min(BATCH, count)
    phase = f"embed_{images[0]}"
    kept = experiment.phases.get(phase) or PhasePlan()
    plan = replace(
        kept,
        epochs=max(1, round(updates / (count // batch))),
        minutes=None,
        batch_size=batch,
        learning_rate=learning_rate,
    )
    training = replace(
        experiment.training,
        start=run,
        start_with=(),
        frozen=(),
        schedule="cosine",
        warmup=min(20, updates // 10),
        seed=seed,
        validate_every=10_000_000,
    )
    return replace(
        experiment,
        algorithm=replace(algorithm, embed=(images[0],), finished=True),
        phases={phase: plan},
        training=training,
        augmentation=experiment.augmentation or Augmentation(),
    )


def _scores(model: Model, samples: Sequence[Sample], split: str) -> dict[str, float]:
    scores = score_run(model, list(samples), split)
    return {name: round(float(scores[name]), 3) for name in SCORES if name in scores}


def gain_mm(part: Mapping[str, Any]) -> float:
    """Return by how much the error fell, in mm."""
    return part["before"]["epe_mm"] - part["after"]["epe_mm"]


def warnings(found: Mapping[str, Any]) -> list[str]:
    """Return what speaks against using a fine-tuned run."""
    warned = []
    if found["split_by"] == "image":
        warned.append(
            "the labels name one person or place only, so the held-out images may show the people that were "
            "learnt: the gain on other people is unknown. Name persons or places with --groups"
        )
    if gain_mm(found["learnt"]) > WORTH_MM >= gain_mm(found["held_out"]):
        warned.append("the model only learnt the people or places of its labels: others gain nothing")
    elif gain_mm(found["held_out"]) <= WORTH_MM:
        warned.append("the held-out hands gain nothing: keep the run as it was")
    if "control" in found and gain_mm(found["control"]) < -WORTH_MM:
        warned.append(
            f"hands of other people became worse by {-gain_mm(found['control']):.1f} mm: the model learnt "
            "the people or places of its labels at their expense"
        )
    return warned
