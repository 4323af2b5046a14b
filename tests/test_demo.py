"""The demo goes on wherever it was stopped."""

import os

import pytest
from tiny_hands import TINY

from latent_hands.experiment import load_experiment
from latent_hands.runs.folder import start_run
from latent_hands.studies.demo import learning


def test_a_run_that_was_killed_before_it_saved_is_resumed(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(learning, "train", lambda *_, resume: asked.append(resume) or True)
    monkeypatch.delattr(os, "setpgrp", raising=False)
    experiment = load_experiment("demo_estimation", TINY)

    def learn() -> None:
        with pytest.raises(SystemExit) as ended:
            learning._learn_one(experiment, tmp_path / "run", 1)
        assert ended.value.code == learning.FINISHED

    learn()
    start_run(tmp_path / "run", experiment)
    learn()
    assert asked == [False, True]
