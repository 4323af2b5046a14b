"""Runs of models in memory, for functions that need the files of a run."""

from pathlib import Path

import torch

from latent_hands.errors import HandsError
from latent_hands.predictor.model import Model
from latent_hands.runs.folder import load_run
from latent_hands.runs.shipped import shipped_runs

SAVE = "save it with model.save(FOLDER), and give that folder"


def saved_run(run: Model | str | Path) -> str | Path:
    """Return the run that a model was loaded from: its name, or its folder. A name or a folder is returned.

    Raises HandsError for a model that was not loaded, and for one that was changed since.
    """
    if not isinstance(run, Model):
        return run
    if run.run is None or run.folder is None:
        raise HandsError(f"the model is in memory only: {SAVE}")
    if not _unchanged(run, run.folder):
        raise HandsError(f"the model was changed after it was loaded from {run.run}: {SAVE}")
    by_name = run.run.startswith("hf-hub:") or shipped_runs().get(run.run) == run.folder
    return run.run if by_name else run.folder


def _unchanged(model: Model, folder: Path) -> bool:
    stored, experiment = load_run(folder)
    weights, own = stored.state_dict(), model.vae.state_dict()
    return (
        experiment == model.experiment
        and weights.keys() == own.keys()
        and all(torch.equal(own[name].cpu(), weight) for name, weight in weights.items())
    )
