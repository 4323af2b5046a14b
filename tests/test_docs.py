"""What the documents say is true: code they name exists and cites the paper, links lead on, snippets run."""

import importlib
import re
from pathlib import Path

import jaxtyping
import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/latent_hands/**/*.md")]


def resolve(dotted: str) -> object:
    """The object behind `package.module.Class.method`."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(dotted)


def paper_rows() -> list[tuple[str, list[str]]]:
    """(what of the paper, dotted names of the code) for each row of the dictionary."""
    rows = [
        line.split("|")[1:-1]
        for line in (ROOT / "docs/paper.md").read_text().splitlines()
        if line.startswith("|") and not line.startswith(("| Paper |", "| What |", "|---"))
    ]
    return [(row[0].strip(), re.findall(r"`(latent_hands[\w.]*)`", row[-1])) for row in rows]


def test_every_equation_has_its_row():
    rows = {paper for paper, _ in paper_rows()}
    assert {f"Eq. {number}" for number in range(1, 9)} | {"Algorithm 1", "Algorithm 2"} <= rows


@pytest.mark.parametrize(
    ("paper", "names"), paper_rows(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_code_named_for_the_paper_exists_and_cites_it(paper: str, names: list[str]):
    assert names, f"no code is named for {paper}"
    documentation = " ".join(resolve(name).__doc__ or "" for name in names)
    for label in re.findall(r"(?:Eq\.|Alg\.|Fig\.|Sec\.|line) ?[\d.]*\d", paper):
        assert re.search(rf"{re.escape(label)}(?!\d)", documentation), f"{names} do not cite {label}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        if not target.startswith(("http", "mailto")):
            assert (document.parent / target).exists(), (
                f"{document.name} links to {target}, which is not there"
            )


@pytest.mark.parametrize(
    "document", [ROOT / "README.md", *ROOT.glob("docs/**/*.md")], ids=lambda path: path.name
)
def test_python_snippets_run(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # users run without these checks
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    snippets = re.findall(r"```python\n(.*?)```", document.read_text(), flags=re.DOTALL)
    scope: dict[str, object] = {}
    for snippet in snippets:
        exec(compile(snippet, str(document), "exec"), scope)
