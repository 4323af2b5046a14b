"""Work that is stopped at any write or any time leaves nothing half-written, and continues to the same files.

The default run takes a minute. For hours: `nice python tests/fuzz/kill.py`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STOPS = os.environ.get("LATENT_HANDS_KILLS", "1")


@pytest.mark.skipif(sys.platform != "linux", reason="the killer finds left processes by means of Linux")
def test_stopped_work_leaves_nothing_half_written_and_continues_to_the_same_files():
    script = Path(__file__).with_name("kill.py")
    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, str(script), "--count", STOPS]
    result = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count(" 0 failures") == 16, result.stdout
