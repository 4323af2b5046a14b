"""Shape and type annotations are checked while tests run; real data sets are used where they are present."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import signature_checks
import torch

SHARED = Path(os.environ.get("LATENT_HANDS_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

# Test workers share the cores: two threads each would wait for one another. The variables are for the workers
# and programs that this process starts; numpy may have its threads already.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
torch.set_num_threads(1)

# Background processes of a shell ignore Ctrl-C, those of nohup SIGHUP; so would programs under test.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

torch.manual_seed(0)  # for what modules draw when they are imported
gc.disable()  # until all tests are collected


def pytest_collection_finish() -> None:
    """Spare the garbage collector half a million objects of modules and tests, which stay to the end.

    Each full collection takes 0.4 s with them.
    """
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Seed each test before its fixtures are made: its numbers depend on no other test and no worker.

    Without a GPU, torch.manual_seed formats the stack three times, for devices that may appear later.
    """
    seed = torch.manual_seed if torch.cuda.is_available() else torch.default_generator.manual_seed
    seed(0)


@pytest.fixture
def as_users_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and no shape checks, which users do not have either."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A running studio, for tests with a browser."""
    from studio_users import running_studio

    with running_studio(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    from studio_users import chromium

    with chromium() as running:
        yield running


signature_checks.install("latent_hands")
