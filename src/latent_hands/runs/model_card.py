"""The model card of a published run: Markdown with YAML in front, in the format of the Hugging Face Hub."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latent_hands.configuration import Experiment
from latent_hands.errors import HandsError
from latent_hands.runs.hub import PREFIX, is_hub, parse_hub
from latent_hands.runs.metrics import METRICS, read_metrics
from latent_hands.runs.shipped import CARD, EXPERIMENT

_FRONT = re.compile(r"\A\s*---\n.*?\n---\n", re.DOTALL)
Numbers = Mapping[str, Any]
SCORES = {
    "epe_mm": "EPE, mean (mm)",
    "pa_epe_mm": "EPE after Procrustes alignment (mm)",
    "auc_20_50": "AUC 20-50 mm",
    "viewpoint_deg": "viewpoint error (degrees)",
}
"""Scores of `latent-hands evaluate --json` in the card: key -> name."""
TAGS = ("latent-hands", "hand-pose-estimation", "variational-autoencoder")


@dataclass(frozen=True)
class About:
    """The statements of the owner of a run about it.

    Attributes:
        repo: the repository, "owner/name".
        licence: the identifier of the licence of the weights on the Hub, such as "mit".
        scores: by the name of the data set, the scores that `latent-hands evaluate --json` prints.
    """

    repo: str
    licence: str
    scores: Mapping[str, Numbers] = field(default_factory=dict)


def checked_scores(scores: object, where: str) -> dict[str, Any]:
    """Return the scores that a card has, of those that `latent-hands evaluate --json` prints.

    Raises HandsError if there are none, and if one is not a number.
    """
    if not isinstance(scores, Mapping) or not SCORES.keys() & scores.keys():
        raise HandsError(f"{where} have none of {', '.join(SCORES)}: use those of `evaluate --json`")
    intervals = {f"{key}_interval" for key in SCORES}
    kept = {key: value for key, value in scores.items() if key in {"samples", *SCORES, *intervals}}
    for key, value in kept.items():
        numbers, count = (value, 2) if key in intervals else ([value], 1)
        right = isinstance(numbers, list) and len(numbers) == count
        if not right or not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
            raise HandsError(f"{where}: {key} is {value!r}, but must be {count} finite number(s)")
    return kept


def model_card(folder: Path, experiment: Experiment, about: About) -> str:
    """Return the model card of a run.

    Its text is MODEL_CARD.md of the run folder if there is one. Raises HandsError if that is not a text in
    UTF-8.
    """
    own, validation = folder / CARD, _validation(folder / METRICS)
    text = _own_text(own) if own.is_file() else "\n".join(_text(experiment, about, validation))
    return f"---\n{_front_matter(experiment, about, validation)}\n---\n\n{text.strip()}\n"


def pipeline_of(experiment: Experiment) -> str | None:
    """Return the task of the Hub that a run does; None if it reads no images."""
    if not any(arrow.reads == "rgb" for arrow in experiment.encoders.values()):
        return None
    writes = {arrow.writes for arrow in experiment.decoders.values()}
    return "image-to-image" if "rgb" in writes else "keypoint-detection"


def _front_matter(experiment: Experiment, about: About, validation: Numbers) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    task, start = pipeline_of(experiment), experiment.training.start
    results = [
        EvalResult(
            task_type=task or "other",
            dataset_type=name,
            dataset_name=name,
            metric_type=key,
            metric_name=SCORES[key],
            metric_value=float(scores[key]),
        )
        for name, scores in {f"{experiment.data.name} (validation)": validation, **about.scores}.items()
        for key in SCORES
        if key in scores
    ]
    return ModelCardData(
        license=about.licence,
        base_model=parse_hub(start).repo if is_hub(start) else None,
        library_name="latent-hands",
        pipeline_tag=task,
        tags=[*TAGS],
        model_name=about.repo.partition("/")[2] if results else None,
        eval_results=results or None,
    ).to_yaml()


def _text(experiment: Experiment, about: About, validation: Numbers) -> list[str]:
    """Return the lines of a card: graph, use, training, scores and licence."""
    data, training = experiment.data, experiment.training
    lines = [
        f"# {about.repo.partition('/')[2]}",
        "",
        "A disentangled variational autoencoder of hands (Yang & Yao, CVPR 2019), made with latent-hands.",
        "",
        "```python",
        "import latent_hands as lh",
        "",
        f'model = lh.load("{PREFIX}{about.repo}")',
        "```",
        "",
        "## Graph",
        f"Factors: {', '.join(f'{name} ({size})' for name, size in experiment.latent.items())}.",
        "",
        "| arrow | reads or writes | factors |",
        "|---|---|---|",
        *(f"| encoder {n} | {a.reads} | {', '.join(a.factors)} |" for n, a in experiment.encoders.items()),
        *(f"| decoder {n} | {a.writes} | {', '.join(a.factors)} |" for n, a in experiment.decoders.items()),
        "",
        "## Training",
        f"* Data set: {data.name}. Joint convention: {data.convention}.",
        f"* Crops: {data.crop}, {data.crop_px} px. Seed: {training.seed}.",
        *([f"* It began with the weights of {training.start}."] if is_hub(training.start) else []),
        f"* `{EXPERIMENT}` has all settings.",
    ]
    if validation:
        lines += ["", "Last validation:", "", "| measure | value |", "|---|---|"]
        lines += [f"| {key} | {value:.4g} |" for key, value in validation.items()]
    for name, scores in about.scores.items():
        lines += ["", f"## Scores on {name}", f"{scores.get('samples', '?')} images.", ""]
        lines += ["| score | value | 95 % interval |", "|---|---|---|"]
        lines += [f"| {SCORES[key]} | {_value(scores, key)} |" for key in SCORES if key in scores]
    return [*lines, "", "## Licence", f"{about.licence}. The model is not for decisions about people."]


def _own_text(path: Path) -> str:
    """Return the text of a card without the YAML in front of it."""
    try:
        return _FRONT.sub("", path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise HandsError(f"{path} is not a text in UTF-8: {error}") from error


def _validation(path: Path) -> Numbers:
    """Return the errors of the last validation in a file of metrics; none if there is no validation."""
    lines = reversed(read_metrics(path))
    errors = ({key: value for key, value in line.items() if _is_error(key, value)} for line in lines)
    return next(filter(None, errors), {})


def _is_error(key: str, value: object) -> bool:
    """Return whether a number of a metrics line is an error of a validation."""
    return isinstance(value, float) and key.endswith(("epe_mm", "deg", "wrong", "rmse", "levels"))


def _value(scores: Numbers, key: str) -> str:
    interval = scores.get(f"{key}_interval")
    return f"{scores[key]:.4g} | " + ("" if interval is None else " .. ".join(f"{n:.4g}" for n in interval))
