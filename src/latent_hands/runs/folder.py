"""Run folders: what a training writes, and how it is loaded. Loading executes nothing.

    experiment.toml       the experiment with all its settings: graph, networks, data conventions
    weights.safetensors   the latest weights, float32; every command but `train` reads them
    resume.safetensors    weights, Adam's moments and the place in the training, in one file
    metrics.jsonl         one line per report: phase, update, terms, rates, validation

A run keeps the latest weights, not the best on validation data, because schedules end at learning rate 0.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from latent_hands.build import build_vae
from latent_hands.configuration import Experiment, load_experiment, write_experiment
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.files import write_text, write_whole
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.runs.shipped import shipped_runs

EXPERIMENT, WEIGHTS, RESUME, METRICS = (
    "experiment.toml",
    "weights.safetensors",
    "resume.safetensors",
    "metrics.jsonl",
)
MAX_BYTES = 4 * 2**30
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass
class Place:
    """How far a training has come: its phase, and the updates and seconds that are done."""

    phase: int = 0
    update: int = 0
    phase_update: int = 0
    phase_seconds: float = 0.0

    def advance(self) -> None:
        """Count one more update."""
        self.update, self.phase_update = self.update + 1, self.phase_update + 1


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, complete or not at all. Raises HandsError if it cannot be written."""
    saved = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    try:
        write_whole(path, lambda temporary: save_file(saved, temporary, metadata))
    except (SafetensorError, OSError) as error:
        raise HandsError(f"{path} cannot be written: {error}") from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file.

    Raises HandsError if the file is missing, damaged or larger than `MAX_BYTES`.
    """
    if not path.is_file():
        raise HandsError(f"{path} is missing")
    if path.stat().st_size > MAX_BYTES:
        raise HandsError(f"{path} has {path.stat().st_size} bytes; at most {MAX_BYTES} are read")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        return load_file(path), metadata
    except SafetensorError as error:
        raise HandsError(f"{path} is not a readable safetensors file: {error}") from error


def check_new(out: Path) -> None:
    """Raise HandsError if a new run cannot use this folder: it already holds a run, or it is a file."""
    if (out / EXPERIMENT).exists():
        raise HandsError(f"{out} already holds a run: continue it with --resume or choose another folder")
    if out.exists() and not out.is_dir():
        raise HandsError(f"{out} cannot be a run folder: it is a file")


def start_run(out: Path, experiment: Experiment) -> Path:
    """Create a run folder with its experiment; return it. Raises HandsError if it already holds a run."""
    check_new(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HandsError(f"{out} cannot be a run folder: {error.strerror}") from error
    write_text(out / EXPERIMENT, write_experiment(experiment))
    return out


def write_run(out: Path, vae: DisentangledVAE, experiment: Experiment) -> Path:
    """Write a run folder that `load_run` reads, with experiment and weights only; return it.

    Raises HandsError if the folder exists and is not empty, or cannot be written.
    """
    if out.is_dir() and any(out.iterdir()):
        raise HandsError(f"{out} is not empty: choose a new folder")
    start_run(out, experiment)
    write_tensors(out / WEIGHTS, vae.state_dict(), {})
    return out


def save_run(out: Path, vae: DisentangledVAE, moments: Mapping[str, Tensor], place: Place) -> None:
    """Write the weights, then the state that a resumed training continues from.

    Raises HandsError if a weight is not finite or a file cannot be written; the previous files stay.
    """
    weights = vae.state_dict()
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise HandsError(
                f"weight {name} is not finite at update {place.update}; {out} keeps the last finite weights"
            )
    # If the process ends between the two writes, the older state resumes and reaches these weights again.
    # In the other order, a state with a finished phase would resume with weights that are not finished.
    write_tensors(out / WEIGHTS, weights, {"update": str(place.update)})
    state = {f"weights/{name}": tensor for name, tensor in weights.items()} | dict(moments)
    write_tensors(out / RESUME, state, {"place": json.dumps(asdict(place))})


def load_place(out: Path) -> tuple[dict[str, Tensor], Place]:
    """Return the state that a resumed training continues from, and its place."""
    state, metadata = read_tensors(out / RESUME)
    try:
        return state, Place(**json.loads(metadata["place"]))
    except (KeyError, TypeError, ValueError) as error:
        raise HandsError(f"{out / RESUME} does not hold the place of the training: {error!r}") from error


def restore_weights(vae: DisentangledVAE, state: Mapping[str, Tensor], where: str) -> None:
    """Set the weights of a graph. Raises HandsError, naming `where`, if they belong to another graph."""
    expected = vae.state_dict()
    for name in sorted(expected.keys() ^ state.keys()):
        difference = "lacks" if name in expected else "has the unknown"
        raise HandsError(f"{where} {difference} weight {name}: it belongs to another graph")
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)}, not {tuple(expected[name].shape)}"
            raise HandsError(f"{where}: weight {name} has shape {shapes}: it belongs to another graph")
    vae.load_state_dict(state)


def moments_of(optimiser: Optimizer, names: Iterable[str]) -> dict[str, Tensor]:
    """Return Adam's moments as {"moment/parameter": tensor}."""
    (group,) = optimiser.param_groups
    named = zip(names, group["params"], strict=True)
    return {f"{moment}/{name}": each for name, p in named for moment, each in optimiser.state[p].items()}


def restore_moments(optimiser: Optimizer, names: Iterable[str], state: Mapping[str, Tensor]) -> None:
    """Set Adam's moments from a state. A phase that has not begun has none."""
    (group,) = optimiser.param_groups
    for name, p in zip(names, group["params"], strict=True):
        for moment in MOMENTS:
            if f"{moment}/{name}" in state:
                each = state[f"{moment}/{name}"].to(p.device)
                kept = each if moment == "step" else torch.empty_like(p).copy_(each)
                optimiser.state[p][moment] = kept


def find_run(run: str | Path) -> Path:
    """Return a run folder, or the folder of a shipped model.

    A text without a path separator is the name of a shipped model. A `Path`, a text with a separator, "." or
    ".." is a folder. So a local folder never hides a shipped model.
    Raises HandsError if there is no such run.
    """
    shipped, path = shipped_runs(), Path(run)
    if isinstance(run, str) and run not in (".", "..") and not {"/", os.sep} & set(run):
        if run in shipped:
            return shipped[run]
        raise HandsError(
            f'no shipped model "{run}"; {did_you_mean(run, shipped)}. To name a run folder, write "./{run}"'
        )
    if not path.exists():
        raise HandsError(
            f"no run folder at {path}; a shipped model is named without a folder: {', '.join(shipped)}"
        )
    if not (path / EXPERIMENT).is_file():
        raise HandsError(f"{path} is not a run folder: it has no {EXPERIMENT}")
    return path


def load_run(run: str | Path) -> tuple[DisentangledVAE, Experiment]:
    """Return the model of a run folder or of a shipped model, and its experiment.

    The model is in evaluation mode, float32, on the CPU. Raises HandsError if a file is missing or damaged.
    """
    path = find_run(run)
    experiment = load_experiment(path / EXPERIMENT, earlier=True)
    weights, _ = read_tensors(path / WEIGHTS)
    with torch.device("meta"):
        check_size(build_vae(experiment), weights, path)
    vae = build_vae(experiment)
    restore_weights(
        vae, {name: t.float() if t.is_floating_point() else t for name, t in weights.items()}, str(path)
    )
    return vae.eval().requires_grad_(False), experiment


def check_size(vae: DisentangledVAE, weights: Mapping[str, Tensor], path: Path) -> None:
    """Raise HandsError if a graph and its weights differ in size, before the graph takes memory."""
    expected = sum(t.numel() for t in vae.state_dict().values())
    found = sum(t.numel() for t in weights.values())
    if expected != found:
        raise HandsError(
            f"{path}: {EXPERIMENT} describes a graph with {expected} weights, {WEIGHTS} holds {found}: "
            "they belong to different graphs"
        )


def append_metrics(out: Path, line: Mapping[str, Any]) -> None:
    """Add one line to the metrics of a run."""
    with (out / METRICS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def cut_metrics(out: Path, update: int) -> None:
    """Remove the lines after an update: a resumed run writes them again."""
    path = out / METRICS
    if path.exists():
        kept = [line for line in read_metrics(path) if line["update"] <= update]
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a metrics file, without lines that are incomplete or damaged."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [line for line in map(_parse_line, lines) if line is not None]


def _parse_line(text: bytes) -> dict[str, Any] | None:
    """Return one line of metrics, or None if it is damaged."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) and isinstance(line.get("update"), int) else None
