"""The documentation site builds without warnings, its links lead somewhere, and it requests no other host."""

import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

pytest.importorskip("zensical", reason="the site needs the extra: pip install '.[docs]'")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs/site"))

from doctests import fenced  # noqa: E402
from links import problems  # noqa: E402
from pages import from_cells, page, with_links, with_math  # noqa: E402


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built as `make docs` builds it: without warnings, and without broken links."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, ROOT / "docs/site/build.py", folder / "out", "--work", folder / "work"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out"


def test_it_builds_strictly_and_has_what_it_promises(site: Path):
    reference = (site / "reference/index.html").read_text()
    assert 'id="latent_hands.load"' in reference
    assert "&gt;&gt;&gt;" in reference  # examples are code
    assert "<blockquote>" not in reference
    assert (site / "derivation.html").read_text().count("<math ") > 10
    assert "--handedness" in (site / "reference/commands.html").read_text()
    assert "canonicalise" in (site / "search.json").read_text()


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text()))
    documents = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/tutorials/*.py"), ROOT / "CONTRIBUTING.md"]
    absent = {str(page(document)[0]) for document in documents} - listed
    assert not absent, f"add {sorted(absent)} to nav in mkdocs.yml"


def test_a_broken_link_a_missing_anchor_and_a_request_outside_are_found(tmp_path: Path):
    (tmp_path / "a.html").write_text(
        '<h1 id="top">A</h1><a href="#top">x</a><a href="b.html#here">x</a><a href="http://example.org">x</a>'
        '<a href="c.html">x</a><a href="b.html#there">x</a><script src="https://example.org/x.js"></script>'
    )
    (tmp_path / "b.html").write_text(
        '<h1 id="here">B</h1><style>p {background: url(http://example.org/i)}</style>'
    )
    (tmp_path / "c.css").write_text("p { background: url('https://example.org/i') }")
    assert problems(tmp_path) == [
        "a.html links to b.html#there, but that page has no such anchor",
        "a.html links to c.html, which does not exist",
        "a.html requests https://example.org/x.js",
        "b.html requests http://example.org/i",
        "c.css requests another host",
    ]


def test_links_lead_to_pages_or_become_names():
    def moved(text: str) -> str:
        return with_links(text, PurePosixPath("docs/results/x.md"), PurePosixPath("docs/results/x.md"))

    assert moved("[a](../data.md#coco)") == "[a](../data.md#coco)"
    assert moved("[a](../tutorials/estimate.py)") == "[a](../tutorials/estimate.md)"
    assert moved("[a](../../CONTRIBUTING.md#style)") == "[a](../contributing.md#style)"
    assert moved("[graph](../../tests/graph.py)") == "graph (`tests/graph.py`)"
    bound = "(../reference/paper.md#latent_hands.paper.bound)"
    assert moved("[b](../../src/latent_hands/paper/bound.py)") == "[b]" + bound
    named = "[`paper.bound.Bound`]"
    assert moved(named + "(../../src/latent_hands/paper/bound.py)") == named + bound.replace(")", ".Bound)")
    assert moved("[`errors.HandsError`](../../src/latent_hands/errors.py)") == "`errors.HandsError`"
    assert moved("`latent_hands.paper.bound`") == "[`latent_hands.paper.bound`]" + bound
    assert (
        moved("![p](../pictures/p.png) [w](https://example.org)")
        == "![p](../pictures/p.png) [w](https://example.org)"
    )


def test_cells_examples_and_math_become_markdown():
    script = "# %% [markdown]\n# # Title\n#\n# Text\n\n# %%\nx = 1\n"
    assert from_cells(script) == "# Title\n\nText\n\n```python\nx = 1\n```"
    assert fenced("Text\n\n>>> 1\n1\n\nText") == "Text\n\n```pycon\n>>> 1\n1\n```\n\nText"
    assert re.fullmatch(r"a\n<div><math .*</math></div>\nb", with_math("a\n```math\nx^2\n```\nb"))
