"""Run folders: what a training leaves behind and what loading it needs. Loading executes nothing.

    experiment.toml       the resolved experiment: graph, networks, data conventions
    weights.safetensors   the last weights, float32: what every command but `train` reads
    resume.safetensors    weights, Adam's moments and the place in training, in ONE file, replaced atomically
    metrics.jsonl         one line a report: phase, update, every term, rates, validation

The last weights count, not the best on validation data: schedules end at a learning rate of zero.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from latent_hands.build import build_vae
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.experiment import Experiment, load_experiment, write_experiment
from latent_hands.files import write_text, write_whole
from latent_hands.paper.graph import DisentangledVAE

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
    """Where a training stands: its phase, and how many updates and seconds lie behind it."""

    phase: int = 0
    update: int = 0
    phase_update: int = 0
    phase_seconds: float = 0.0

    def advance(self) -> None:
        """One more update lies behind."""
        self.update, self.phase_update = self.update + 1, self.phase_update + 1


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file so that it is whole or not there; HandsError if it cannot be written."""
    held = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    try:
        write_whole(path, lambda temporary: save_file(held, temporary, metadata))
    except (SafetensorError, OSError) as error:
        raise HandsError(f"{path} cannot be written: {error}") from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file; HandsError if it is missing, huge or broken."""
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
    """Raise HandsError if a new run cannot have this folder: there is one already, or it is a file."""
    if (out / EXPERIMENT).exists():
        raise HandsError(f"{out} already holds a run: continue it with --resume or choose another folder")
    if out.exists() and not out.is_dir():
        raise HandsError(f"{out} cannot be a run folder: it is a file")


def start_run(out: Path, experiment: Experiment) -> None:
    """Create a run folder; HandsError if there is a run already."""
    check_new(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HandsError(f"{out} cannot be a run folder: {error.strerror}") from error
    write_text(out / EXPERIMENT, write_experiment(experiment))


def save_run(out: Path, vae: DisentangledVAE, moments: dict[str, Tensor], place: Place) -> None:
    """Write the weights and the resumable state.

    The state comes last: stopped between the two, a run resumes from before these weights and reaches them
    again, whereas a state ahead of them would say that they need no more training.
    Raises HandsError, leaving the last good files, if a weight is not finite, and if they cannot be written.
    """
    weights = vae.state_dict()
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise HandsError(
                f"weights {name} are not finite at update {place.update}; {out} keeps the last good"
            )
    state: dict[str, Tensor] = {f"weights/{name}": tensor for name, tensor in weights.items()}
    write_tensors(out / WEIGHTS, weights, {"update": str(place.update)})
    write_tensors(out / RESUME, state | moments, {"place": json.dumps(asdict(place))})


def load_place(out: Path) -> tuple[dict[str, Tensor], Place]:
    """The resumable state of a run, and where it stands."""
    state, metadata = read_tensors(out / RESUME)
    try:
        return state, Place(**json.loads(metadata["place"]))
    except (KeyError, TypeError, ValueError) as error:
        raise HandsError(f"{out / RESUME} does not say where the training stood: {error!r}") from error


def restore_weights(vae: DisentangledVAE, state: dict[str, Tensor], where: str) -> None:
    """Set a graph's weights; HandsError if they are another graph's."""
    expected = vae.state_dict()
    for name in sorted(expected.keys() ^ state.keys()):
        which = "lacks" if name in expected else "holds the unknown"
        raise HandsError(f"{where} {which} weight {name}: it belongs to another graph than its {EXPERIMENT}")
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)}, not {tuple(expected[name].shape)}"
            raise HandsError(f"{where}: weight {name} is {shapes}: another graph than its {EXPERIMENT}")
    vae.load_state_dict(state)


def moments_of(optimiser: Optimizer, names: Iterable[str]) -> dict[str, Tensor]:
    """Adam's moments, by moment and name of the parameter."""
    (group,) = optimiser.param_groups
    named = zip(names, group["params"], strict=True)
    return {f"{moment}/{name}": each for name, p in named for moment, each in optimiser.state[p].items()}


def restore_moments(optimiser: Optimizer, names: Iterable[str], state: Mapping[str, Tensor]) -> None:
    """Set Adam's moments where the state has them; a phase that has not begun has none."""
    (group,) = optimiser.param_groups
    for name, p in zip(names, group["params"], strict=True):
        for moment in MOMENTS:
            if f"{moment}/{name}" in state:
                each = state[f"{moment}/{name}"].to(p.device)
                kept = each if moment == "step" else torch.empty_like(p).copy_(each)
                optimiser.state[p][moment] = kept


def find_run(run: str | Path) -> Path:
    """The run folder itself, or the shipped model of that name."""
    path = Path(run)
    if path.exists():
        if not (path / EXPERIMENT).is_file():
            raise HandsError(f"{path} is not a run folder: it has no {EXPERIMENT}")
        return path
    shipped = Path(str(files("latent_hands"))) / "weights"
    names = [each.parent.name for each in sorted(shipped.glob(f"*/{EXPERIMENT}"))]
    if str(run) in names:
        return shipped / str(run)
    raise HandsError(
        f'no run folder "{run}" and no shipped model of that name; {did_you_mean(str(run), names)}'
    )


def load_run(run: str | Path) -> tuple[DisentangledVAE, Experiment]:
    """The model of a run folder or of a shipped name, in eval mode, float32, and its experiment."""
    path = find_run(run)
    experiment = load_experiment(path / EXPERIMENT)
    weights, _ = read_tensors(path / WEIGHTS)
    with torch.device("meta"):
        check_size(build_vae(experiment), weights, path)
    vae = build_vae(experiment)
    restore_weights(
        vae, {name: t.float() if t.is_floating_point() else t for name, t in weights.items()}, str(path)
    )
    return vae.eval().requires_grad_(False), experiment


def check_size(vae: DisentangledVAE, weights: dict[str, Tensor], path: Path) -> None:
    """Refuse an experiment that asks for far more memory than its weights fill, before it is allocated."""
    asked = sum(t.numel() for t in vae.state_dict().values())
    held = sum(t.numel() for t in weights.values())
    if asked != held:
        raise HandsError(
            f"{path}: {EXPERIMENT} asks for {asked} numbers, {WEIGHTS} holds {held}: another graph"
        )


def export_weights(run: str | Path, out: str | Path) -> Path:
    """Write what using a model needs, small: experiment.toml and the weights, matrices in half precision.

    Where the training data and the weights it started with lay stays untold.
    Vectors stay float32: they are few, and BatchNorm's variances may exceed what half precision holds.
    """
    vae, experiment = load_run(run)
    experiment = replace(
        experiment,
        algorithm=replace(experiment.algorithm, finished=False),
        data=replace(experiment.data, root=""),
        supervision=replace(experiment.supervision, photos=""),
        training=replace(experiment.training, start="", start_with=()),
    )
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / EXPERIMENT, write_experiment(experiment))
    weights = {n: t.half() if t.dim() > 1 else t for n, t in vae.state_dict().items()}
    write_tensors(out / WEIGHTS, weights, {"exported_from": Path(run).name})
    return out


def append_metrics(out: Path, line: dict[str, Any]) -> None:
    """Add one line to the run's metrics."""
    with (out / METRICS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def cut_metrics(out: Path, update: int) -> None:
    """Forget the lines after an update: a resumed run writes them again."""
    path = out / METRICS
    if path.exists():
        kept = [line for line in read_metrics(path) if line["update"] <= update]
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics; one that is being written, or is damaged, is left out."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [line for line in map(_metrics, lines) if line is not None]


def _metrics(text: bytes) -> dict[str, Any] | None:
    """A line of metrics, if it is one."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) and isinstance(line.get("update"), int) else None
