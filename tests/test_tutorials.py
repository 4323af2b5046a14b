"""Every tutorial runs from its first cell to its last, and its cells become a page."""

import runpy
import tempfile
from pathlib import Path

import jaxtyping
import matplotlib as mpl
import pytest

from latent_hands.data.labels import LABELS

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted(ROOT.glob("docs/tutorials/*.py"))


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_it_runs(tutorial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if "lh.render(" in tutorial.read_text():
        pytest.importorskip("warp", reason="rendering needs the extra: pip install '.[render]'")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # users run without these checks
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(LABELS, "_things", dict(LABELS))  # labels of a tutorial do not reach other tests
    monkeypatch.chdir(ROOT)
    with mpl.rc_context({"backend": "agg"}):
        runpy.run_path(str(tutorial), run_name="__main__")
    assert any(tmp_path.glob("tutorial_*/*"))  # it writes there and nowhere else


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_it_uses_the_public_interface(tutorial: Path):
    assert "import latent_hands as lh\n" in tutorial.read_text()
