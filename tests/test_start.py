"""The start of programs: what is slow to import stays unimported."""

import ctypes
import gc
import json
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent_hands.cli.quick_imports import quick_imports
from latent_hands.memory import keep_freed_memory, return_freed_memory

SLOW = {
    "torch._dynamo",
    "torch._inductor",
    "sympy",
    "matplotlib",
    "accelerate",
    "scipy",
    "roma",
    "beartype",
    "av",
    "numpy.ma",
    "PIL.PdfImagePlugin",  # Pillow imports it with the plugins of all formats
}
"""What neither the estimate of an image nor the construction of a graph needs; torch alone takes a second."""


def imported(program: str, *arguments: object) -> set[str]:
    """Return the names of the modules that are imported when a program has run."""
    program += "; import json, sys; print(json.dumps(list(sys.modules)))"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, timeout=120, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_an_estimate_imports_nothing_that_it_does_not_need(tmp_path: Path):
    image = tmp_path / "photo.png"
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(image)
    program = (
        "import sys; from latent_hands.cli import main; "
        "assert main(['estimate', sys.argv[1], '--box', '8,8,48,48', '--out', sys.argv[2]]) == 0; "
        "from latent_hands.build import build_vae; from latent_hands.configuration import load_experiment; "
        "build_vae(load_experiment('study_estimation'))"
    )
    names = imported(program, image, tmp_path / "out")
    assert (tmp_path / "out" / "photo.png").is_file()
    assert "torch" in names
    assert not names & SLOW


def test_imported_objects_are_never_examined_for_cycles():
    gc.unfreeze()
    try:
        with quick_imports():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 10_000
        assert len(gc.get_objects()) < 1000
    finally:
        gc.unfreeze()


def test_rendering_imports_no_torch():
    pytest.importorskip("warp")
    names = imported("import latent_hands as lh; lh.render; lh.render_counterfactual")
    assert "warp" in names
    assert "torch" not in names


def test_freed_memory_is_kept_where_the_c_library_can(monkeypatch):
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not keep_freed_memory()


def test_freed_memory_returns_to_the_system_where_the_c_library_can(monkeypatch):
    block = [bytes(1000) for _ in range(10_000)]
    kept, _ = block[-1], block.clear()
    assert return_freed_memory() == (platform.libc_ver()[0] == "glibc")
    assert kept == bytes(1000)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not return_freed_memory()
