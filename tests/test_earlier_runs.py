"""Run folders of earlier versions load: their experiment.toml has keys that were renamed since.

earlier_runs/ holds the experiment.toml of runs as version 0.1 wrote them.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from interruption import ctrl_c_after
from tiny_hands import windows

from latent_hands.build import Hands, build_phases, build_vae
from latent_hands.configuration import load_experiment
from latent_hands.runs.folder import EXPERIMENT, WEIGHTS, load_run
from latent_hands.runs.tensors import write_tensors
from latent_hands.training import train

EARLIER = Path(__file__).parent / "earlier_runs"


@pytest.mark.parametrize("name", ["synthesis", "synthesis_u"])
def test_the_graph_of_an_earlier_model_loads(name, tmp_path):
    """The models of 64 px that shipped with version 0.1."""
    shutil.copy(EARLIER / f"{name}.toml", tmp_path / EXPERIMENT)
    vae = build_vae(load_experiment(tmp_path / EXPERIMENT, earlier=True))
    write_tensors(tmp_path / WEIGHTS, vae.state_dict(), {})
    loaded, experiment = load_run(tmp_path)
    assert sorted(experiment.latent.values()) == [32, 64]
    assert all(torch.equal(loaded.state_dict()[key], tensor) for key, tensor in vae.state_dict().items())


ENCODE = {"joint": None, "cross_modal": ["rgb"], "alternating": ["pose", "rgb"], "regression": ["rgb"]}


def earlier_experiment(folder: Path, name: str) -> Path:
    """Write experiment.toml of version 0.1 for an algorithm; return its path."""
    text = (EARLIER / "joint.toml").read_text()
    if encode := ENCODE[name]:
        text = text.replace('name = "joint"', f'name = "{name}"').replace("joint = {", f"{name} = {{")
        text = text.replace('encode = ["cpose", "viewpoint"]', f"encode = {json.dumps(encode)}")
        text = text.replace('embed = ["pose", "rgb"]', "embed = []")
    path = folder / EXPERIMENT
    path.write_text(text)
    return path


def sided_hands() -> Hands:
    """Return hands for a model that is given the handedness."""
    return Hands(*(replace(windows(count), right_hands="condition") for count in (40, 12)))


@pytest.mark.parametrize("name", ENCODE)
def test_a_run_of_every_algorithm_loads(name, tmp_path):
    experiment = load_experiment(earlier_experiment(tmp_path, name), earlier=True)
    vae = build_vae(experiment)
    (phase,) = build_phases(experiment, vae)
    assert phase.name == experiment.algorithm.name == ("simultaneous" if name == "joint" else name)
    write_tensors(tmp_path / WEIGHTS, vae.state_dict(), {})
    assert load_run(tmp_path)[1] == experiment


def test_a_stopped_run_of_an_earlier_version_resumes(tmp_path):
    run, data = tmp_path / "run", sided_hands()
    experiment = load_experiment(earlier_experiment(tmp_path, "joint"), earlier=True)
    with ctrl_c_after(7):
        assert not train(experiment, run, hands=data)
    earlier_experiment(run, "joint")
    assert train(experiment, run, resume=True, hands=data)
