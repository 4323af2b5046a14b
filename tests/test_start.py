"""The start of programs: what is slow to import stays unimported."""

import subprocess
import sys


def test_building_a_graph_imports_no_compiler():
    """PyTorch's compiler takes seconds to import."""
    program = (
        "import sys; from latent_hands.build import build_vae; from latent_hands.configuration import *; "
        "build_vae(load_experiment('study_estimation')); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
