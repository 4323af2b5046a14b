"""Fine-tuning a run on a few labels, and the gain on hands that it did not learn from.

Only the encoder of images learns: the latent and its decoders stay, so a few labels cannot destroy them.
The new weights are the mean of those of the run and those at the end of the training: half way.
3D labels of another joint convention are translated into that of the latent. Hands with 2D labels alone learn
by p(uv | z), with a prior over anatomy, because 2D joints do not determine depth.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from latent_hands import api
from latent_hands.data import Sample
from latent_hands.data.sample import listed
from latent_hands.data.translated import translated_sample
from latent_hands.errors import HandsError, as_path
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.predictor import Model
from latent_hands.predictor.saved import saved_run
from latent_hands.runs.average import mean_weights
from latent_hands.runs.folder import check_new, load_place, save_run
from latent_hands.runs.hub import pinned
from latent_hands.studies.gain import TuningScores, scores_of, warnings
from latent_hands.studies.held_out import shared_images, split_samples
from latent_hands.studies.tuned_experiment import LEARNING_RATE, UPDATES, Tuning, tuned_experiment
from latent_hands.typed_toml import read

REHEARSED = 3
"""The most hands of a rehearsal for each hand that is learnt."""
_LOG = logging.getLogger(__name__)


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
    out = as_path(out, "out")
    check_new(out)
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
        tuned = halfway(model, api.train(experiment, out, samples=[*learnt, *further]), out)
    found: Any = {"run": run, "out": str(out), "convention": convention, "split_by": split_by}
    for name, part in parts.items():
        found[name] = {
            "samples": len(part),
            "before": before[name],
            "after": scores_of(tuned, part, name),
        }
    return found | {"notes": notes(samples, convention), "warnings": warnings(found)}


def halfway(model: Model, tuned: Model, out: Path) -> Model:
    """Write the mean of the weights of two models into the run folder of the second one, and return it.

    Images that were not learnt gain more from the mean than from the end of a fine-tuning, and what the model
    could do before is lost less (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    """
    tuned.vae.load_state_dict(mean_weights([model.vae.state_dict(), tuned.vae.state_dict()]))
    save_run(out, tuned.vae, {}, load_place(out)[1])
    return Model.load(out)


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
