"""Two processes learn as one process learns from their batches together, and stop together.

The test starts this file as two processes on the CPU (gloo).
"""

import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from interruption import ctrl_c_after
from tiny_hands import hands
from tiny_models import tiny_experiment

from latent_hands.configuration import Experiment, Training
from latent_hands.runs.folder import load_place, load_run
from latent_hands.training import train

COUNT, UPDATES = 40, 4
# Only vectors, because BatchNorm uses the statistics of each process. Nothing is drawn, because each process
# draws its own noise.
GRAPH = """
[latent]
cpose = 4
viewpoint = 4
[encoders]
pose = { reads = "pose", factors = ["cpose", "viewpoint"] }
[decoders]
cpose = { writes = "cpose", factors = ["cpose"] }
pose = { writes = "pose", factors = ["cpose", "viewpoint"] }
[algorithm]
name = "regression"
encode = ["pose"]
"""


def experiment(processes: int) -> Experiment:
    """Return an experiment whose processes together read all hands at each update."""
    training = Training(epochs=UPDATES, batch_size=COUNT // processes, learning_rate=1e-3)
    return replace(tiny_experiment(GRAPH, crop_px=16, window_px=16), training=training)


def test_two_processes_learn_as_one_does_from_the_joint_batch(tmp_path: Path):
    tests = Path(__file__).parent
    paths = [str(tests), str(tests.parent / "src"), os.environ.get("PYTHONPATH", "")]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [*launch, __file__, str(tmp_path)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert train(experiment(1), tmp_path / "one", hands=hands(COUNT))
    one, two = (dict(load_run(tmp_path / name)[0].named_parameters()) for name in ("one", "two"))
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=1e-4, atol=1e-6, msg=name)
    assert load_place(tmp_path / "stopped")[1].update == 2


def run_process(out: Path) -> None:
    """Train in one of two processes; then train again, with Ctrl-C in the main process alone."""
    main = Accelerator().is_main_process
    assert train(experiment(2), out / "two", hands=hands(COUNT))
    with ctrl_c_after(2) if main else nullcontext():
        assert not train(experiment(2), out / "stopped", hands=hands(COUNT))


if __name__ == "__main__":
    run_process(Path(sys.argv[1]))
