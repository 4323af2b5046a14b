"""The gain of a fine-tuning: scores before and after, and reasons not to use the new run."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from latent_hands.data import Sample
from latent_hands.evaluation.scoring import score_run
from latent_hands.predictor import Model

SCORES = ("epe_mm", "pa_epe_mm", "epe_bone_aligned_mm", "cpose_epe_mm", "viewpoint_deg")
"""The scores of 3D labels that are compared."""
IN_IMAGE = ("error", "pck_10")
"""The scores of 2D labels that are compared, as shares (`evaluation.in_image`)."""
WORTH = {"epe_mm": 0.3, "error": 0.002}
"""The error that decides, the first one that is known. Smaller changes of it are no gain."""


class PartScores(TypedDict):
    """The scores of some hands before and after a fine-tuning, by name as in `lh.Scores`.

    Hands with 3D labels have "epe_mm" and others, hands with 2D labels "error" and "pck_10" (in the image).
    """

    samples: int
    before: dict[str, float]
    after: dict[str, float]


class TuningScores(TypedDict):
    """What `lh.fine_tune` returns: a dict.

    Attributes:
        run, out: the run that was continued, and the folder of the new one.
        convention: the joint convention of both.
        split_by: whether groups of hands or single images were held out: "group" or "image".
        learnt, held_out: the scores of the hands that were learnt, and of those that were not.
        control: the scores of the hands of other people, if they were given.
        notes: what was assumed of the labels.
        warnings: reasons not to use the new run; empty if there are none.
    """

    run: str
    out: str
    convention: str
    split_by: str
    learnt: PartScores
    held_out: PartScores
    control: NotRequired[PartScores]
    notes: list[str]
    warnings: list[str]


def scores_of(model: Model, samples: Sequence[Sample], name: str) -> dict[str, float]:
    """Return the scores of a model on some hands: `SCORES` if any has 3D labels, `IN_IMAGE` if any has 2D."""
    scores = score_run(model, list(samples), name)
    flat = scores.get("in_image", {})
    found = {key: round(float(scores[key]), 3) for key in SCORES if key in scores}
    return found | {key: round(float(flat[key]), 4) for key in IN_IMAGE if key in flat}


def measure_of(part: Mapping[str, Any]) -> str:
    """Return which error decides for a part."""
    return next(key for key in WORTH if key in part["before"])


def gain(part: Mapping[str, Any]) -> float:
    """Return by how much the error of a part fell."""
    key = measure_of(part)
    return part["before"][key] - part["after"][key]


def is_gain(part: Mapping[str, Any]) -> bool:
    """Return whether the error of a part fell by more than `WORTH`."""
    return gain(part) > WORTH[measure_of(part)]


def warnings(found: Mapping[str, Any]) -> list[str]:
    """Return the reasons not to use a fine-tuned run."""
    warned = []
    if found["split_by"] == "image":
        warned.append(
            "the labels name one person or place only, so the held-out images may show the people that were "
            "learnt: the gain on other people is unknown. Name persons or places with groups (--groups)"
        )
    if not is_gain(found["held_out"]):
        learnt = "the model only learnt the people or places of its labels: others gain nothing"
        nothing = "the held-out hands gain nothing: keep the run as it was"
        warned.append(learnt if is_gain(found["learnt"]) else nothing)
    if "control" in found and -gain(found["control"]) > WORTH[measure_of(found["control"])]:
        lost = -gain(found["control"])
        text = f"{lost:.1f} mm" if measure_of(found["control"]) == "epe_mm" else f"{lost:.1%} of the box"
        warned.append(
            f"hands of other people became worse by {text}: the model learnt the people or places of its "
            "labels at their expense"
        )
    return warned
