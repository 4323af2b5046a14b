"""The start of programs: what is slow to import stays unimported."""

import ctypes
import platform
import subprocess
import sys

from latent_hands.memory import keep_freed_memory


def test_building_a_graph_imports_no_compiler():
    """PyTorch's compiler takes seconds to import."""
    program = (
        "import sys; from latent_hands.build import build_vae; from latent_hands.configuration import *; "
        "build_vae(load_experiment('study_estimation')); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


def test_freed_memory_is_kept_where_the_c_library_can(monkeypatch):
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not keep_freed_memory()
