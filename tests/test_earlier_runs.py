"""Run folders of earlier versions load: their experiment.toml has keys that were renamed since.

earlier_runs/ holds the experiment.toml of runs as version 0.1 wrote them.
"""

import shutil
from pathlib import Path

import pytest
import torch

from latent_hands.runs.folder import EXPERIMENT, WEIGHTS, find_run, load_run

EARLIER = Path(__file__).parent / "earlier_runs"
SHIPPED = ("estimation", "synthesis", "synthesis_u")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_of_an_earlier_version_loads_unchanged(name, tmp_path):
    shutil.copy(EARLIER / f"{name}.toml", tmp_path / EXPERIMENT)
    (tmp_path / WEIGHTS).symlink_to(find_run(name) / WEIGHTS)
    earlier, now = load_run(tmp_path), load_run(name)
    assert earlier[1] == now[1]
    states = [vae.state_dict() for vae, _ in (earlier, now)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
