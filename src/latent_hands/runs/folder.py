"""Run folders: what a training writes, and how it is loaded. Loading executes nothing.

    experiment.toml       the experiment with all its settings: graph, networks, data conventions
    weights.safetensors   the latest weights, float32; every command but `train` reads them
    resume.safetensors    weights, Adam's moments, networks of objectives and the place in the training
    latents.safetensors   mixtures fitted to the latents, if `latent-hands runs fit-latents` wrote them
    metrics.jsonl         one line per report: phase, update, terms, rates, validation

A run keeps the latest weights, not the best on validation data, because schedules end at learning rate 0.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from torch import Tensor, nn

from latent_hands.build.graph import construct_vae, sketch_vae
from latent_hands.build.unfilled import Unfilled
from latent_hands.configuration import Experiment, load_experiment, write_experiment
from latent_hands.data.formats.json_file import parse_json
from latent_hands.data.readers.recognising import layout_of
from latent_hands.errors import BROKEN, HandsError, as_path, did_you_mean
from latent_hands.files import check_file, is_temporary, write_text
from latent_hands.hand.conventions import recorded
from latent_hands.lock import one_writer
from latent_hands.mistaken_paths import meant
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.runs.hub import check_own, hub_folder, is_hub
from latent_hands.runs.shipped import shipped_runs
from latent_hands.runs.tensors import load_weights, read_tensors, write_tensors
from latent_hands.typed_toml import Range, read

EXPERIMENT, WEIGHTS, RESUME = "experiment.toml", "weights.safetensors", "resume.safetensors"
LATENTS = "latents.safetensors"
INPUTS = ("crop", "crop_px", "frame", "right_hands", "convention")
"""The settings of [data] that decide what a network reads and writes. Weights state them as metadata."""
_OF_DETECTORS = "detector.toml"


@dataclass
class Place:
    """The progress of a training: its phase, and the updates and seconds that are done."""

    phase: Annotated[int, Range(0, 10_000)] = 0
    update: Annotated[int, Range(0, 2**53)] = 0
    phase_update: Annotated[int, Range(0, 2**53)] = 0
    phase_seconds: Annotated[float, Range(0.0, 1e10)] = 0.0

    def advance(self) -> None:
        """Count one more update."""
        self.update, self.phase_update = self.update + 1, self.phase_update + 1


def check_new(out: Path) -> None:
    """Raise HandsError if a new run cannot use this folder: it holds a run, or a part of it is a file."""
    if (out / EXPERIMENT).exists():
        way = "continue it with --resume (resume=True) or choose another folder"
        raise HandsError(f"{out} already holds a run: {way}")
    if out.exists() and not out.is_dir():
        raise HandsError(f"{out} cannot be a run folder: it is a file")
    check_file(out / EXPERIMENT)


def start_run(out: Path, experiment: Experiment) -> Path:
    """Create a run folder with its experiment; return it. Raises HandsError if it already holds a run."""
    check_new(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HandsError(f"{out} cannot be a run folder: {error.strerror}") from error
    _write_experiment(out, experiment)
    return out


def _write_experiment(out: Path, experiment: Experiment) -> None:
    stated = replace(experiment.data, convention=recorded(experiment.data.convention))
    write_text(out / EXPERIMENT, write_experiment(replace(experiment, data=stated)))


def change_run(run: str | Path, **sections: Any) -> None:
    """Replace sections of the experiment of a run folder, such as `sampling`.

    Raises HandsError if there is no such run, if it is not the user's own, and if its experiment cannot be
    read.
    """
    check_own(run)
    out = find_run(run)
    _write_experiment(out, replace(load_experiment(out / EXPERIMENT, earlier=True), **sections))


def write_run(
    out: str | Path, experiment: Experiment, weights: Mapping[str, Tensor], about: dict[str, str]
) -> Path:
    """Write a new run folder of weights and experiment, and return it. `about` is kept with the weights.

    The experiment is written last, because it makes the folder a run: a stopped call leaves no run, and the
    same call writes it again. Raises HandsError if the folder has other content, is written by another
    process, or cannot be written.
    """
    out = as_path(out, "path")
    if out.is_dir() and any(each.name != WEIGHTS and not is_temporary(each) for each in out.iterdir()):
        raise HandsError(f"{out} is not empty: choose a new folder")
    with one_writer(out):
        write_tensors(out / WEIGHTS, weights, about | _inputs(experiment))
        _write_experiment(out, experiment)
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
    if not (
        out / RESUME
    ).exists():  # weights without any state are those of a copy, which is not trained over
        write_tensors(out / RESUME, {}, {"place": json.dumps(asdict(Place()))})
    # If the process ends between the two writes, the older state resumes and reaches these weights again.
    # In the other order, a state with a finished phase would resume with weights that are not finished.
    experiment = load_experiment(out / EXPERIMENT, earlier=True)
    write_tensors(out / WEIGHTS, weights, {"update": str(place.update)} | _inputs(experiment))
    state = {f"weights/{name}": tensor for name, tensor in weights.items()} | dict(moments)
    write_tensors(out / RESUME, state, {"place": json.dumps(asdict(place))})


def load_place(out: Path) -> tuple[dict[str, Tensor], Place]:
    """Return the state that a resumed training continues from, and its place."""
    state, metadata = read_tensors(out / RESUME)
    try:
        return state, read(Place, parse_json(metadata["place"], "the metadata"), "the place of the training")
    except BROKEN as error:
        raise HandsError(f"{out / RESUME} does not hold the place of the training: {error!r}") from error


def state_of(networks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Return the weights of the networks of objectives as {"objectives/network/weight": tensor}."""
    return {
        f"objectives/{n}/{own}": t for n, each in networks.items() for own, t in each.state_dict().items()
    }


def restore_networks(networks: Mapping[str, nn.Module], state: Mapping[str, Tensor]) -> None:
    """Set the weights of the networks of objectives from a state; an empty one leaves them as they are.

    Raises HandsError as `load_weights` does.
    """
    for name, network in networks.items() if state else ():
        start = f"objectives/{name}/"
        weights = {key.removeprefix(start): t for key, t in state.items() if key.startswith(start)}
        load_weights(network, weights, f"{RESUME}: {name}")


def find_run(run: str | Path) -> Path:
    """Return a run folder, the folder of a shipped model, or that of a run on the Hugging Face Hub.

    A text that begins with "hf-hub:" is a run on the Hub, which may be downloaded (`hub.hub_folder`). Another
    text without a path separator is the name of a shipped model. A `Path`, a text with a separator, "." or
    ".." is a folder. So a local folder never hides a shipped model.
    Raises HandsError if there is no such run.
    """
    if not isinstance(run, str | Path):
        kind = type(run).__name__
        raise HandsError(f"a run must be a folder or the name of a shipped model, not a {kind}")
    if isinstance(run, str) and is_hub(run):
        return hub_folder(run)
    shipped, path = shipped_runs(), Path(run)
    if isinstance(run, str) and run not in (".", "..") and not {"/", os.sep} & set(run):
        if run in shipped:
            return shipped[run]
        raise HandsError(
            f'no shipped model "{run}"; {did_you_mean(run, shipped)}. To name a run folder, write "./{run}"'
        )
    if not path.exists():
        raise HandsError(
            f"no run folder at {path}{meant(path)}; a shipped model is named without a folder: "
            f"{', '.join(shipped)}"
        )
    if not (path / EXPERIMENT).is_file():
        raise HandsError(f"{path} is not a run folder: it has no {EXPERIMENT}{_instead(path)}")
    return path


def _instead(path: Path) -> str:
    """Return the end of a message about a path that is no run folder: what it is, or which folder is one."""
    if not path.is_dir():
        return (
            f"; it is a file: give the folder {path.parent}" if (path.parent / EXPERIMENT).is_file() else ""
        )
    if (path / _OF_DETECTORS).is_file():
        return "; it is a detector, not a model of hands"
    if (layout := layout_of(path)) is not None:
        return f'; it is a data set in the layout of "{layout}"'
    runs = [file.parent for file in sorted(path.glob(f"*/{EXPERIMENT}"))]
    if (path.absolute().parent / EXPERIMENT).is_file():
        runs.insert(0, path.absolute().parent)
    return f"; did you mean {runs[0]}?" if runs else ""


def weights_checksum(run: str | Path) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a run's weights."""
    with (find_run(run) / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def load_run(run: str | Path) -> tuple[DisentangledVAE, Experiment]:
    """Return the model of a run folder or of a shipped model, and its experiment.

    The model is in evaluation mode, float32, on the CPU. Raises HandsError if a file is missing or damaged,
    or if the weights belong to another experiment.
    """
    path = find_run(run)
    experiment = load_experiment(path / EXPERIMENT, earlier=True)
    weights, about = read_tensors(path / WEIGHTS)
    _check_inputs(about, experiment, path)
    check_size(sketch_vae(experiment), weights, path)
    with Unfilled():
        vae = construct_vae(experiment)
    load_weights(vae, weights, str(path))
    return vae.eval().requires_grad_(False), experiment


def _inputs(experiment: Experiment) -> dict[str, str]:
    """Return the metadata of weights that state their INPUTS."""
    return {"inputs": json.dumps({name: getattr(experiment.data, name) for name in INPUTS})}


def _check_inputs(about: Mapping[str, str], experiment: Experiment, path: Path) -> None:
    """Raise HandsError if weights state other INPUTS than the experiment; earlier versions stated none."""
    stated = parse_json(about.get("inputs", "{}"), f"the metadata of {path / WEIGHTS}")
    for name in INPUTS:
        if name in stated and stated[name] != (own := getattr(experiment.data, name)):
            raise HandsError(
                f"the weights of {path} were trained with [data] {name} = {stated[name]}, but "
                f"{EXPERIMENT} has {own}: give the experiment of the weights"
            )


def check_size(vae: DisentangledVAE, weights: Mapping[str, Tensor], path: Path) -> None:
    """Raise HandsError if a graph and its weights differ in size, before the graph takes memory."""
    expected = sum(t.numel() for t in vae.state_dict().values())
    found = sum(t.numel() for t in weights.values())
    if expected != found:
        raise HandsError(
            f"{path}: {EXPERIMENT} describes a graph with {expected} weights, {WEIGHTS} holds {found}: "
            "they belong to different graphs"
        )
