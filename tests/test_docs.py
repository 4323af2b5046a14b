"""What the documents say is true: code they name exists and cites the paper, links lead on, snippets run."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jaxtyping
import pytest

from latent_hands.build import build_phases, build_vae
from latent_hands.cli import main
from latent_hands.configuration import load_experiment

ROOT = Path(__file__).parents[1]
WRITTEN_BY_THE_SITE = ROOT / "docs/reference/commands.md"
COMMAND = "from latent_hands.cli import main; raise SystemExit(main())"
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
    return [
        (row[0].strip(), [f"latent_hands.{n}" for n in re.findall(r"`([\w.]+)`", row[-1])]) for row in rows
    ]


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


def snippets(document: Path, language: str) -> list[str]:
    """Return the code blocks of a document in one language."""
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path):
    for target, anchor in re.findall(
        r"(?:\]\(|src=\")([^)#\s\"]*)(?:#([^)\s]+))?[)\"]", document.read_text()
    ):
        if target.startswith(("http", "mailto")):
            continue
        path = document.parent / target if target else document
        assert path.exists() or path == WRITTEN_BY_THE_SITE, (
            f"{document.name} links to {target}, which is not there"
        )
        if anchor:
            assert anchor in headings(path), f"{document.name}: {path.name} has no heading #{anchor}"


def headings(document: Path) -> set[str]:
    """Return the anchors of a document: its headings in lower case, words joined by hyphens."""
    found = re.findall(r"^#+ (.+)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/results/*.md")), ids=lambda page: page.stem)
def test_a_page_of_results_begins_with_its_question_and_the_answer(page: Path):
    question, _, answer = page.read_text().splitlines()[:3]
    assert re.match(r"# .+\?", question)
    assert answer.startswith("**Answer.** ")


BEFORE = {"onnx.md": "export-model estimation runs/onnx"}
"""A command of a document that its snippets need."""


@pytest.mark.parametrize(
    "document", [ROOT / "README.md", *ROOT.glob("docs/**/*.md")], ids=lambda path: path.name
)
def test_python_snippets_run(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # users run without these checks
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    if command := BEFORE.get(document.name):
        pytest.importorskip("onnx")
        assert f"latent-hands {command}\n" in document.read_text()
        assert main(command.split()) == 0
    scope: dict[str, object] = {}
    for snippet in snippets(document, "python"):
        exec(compile(snippet, str(document), "exec"), scope)


def test_the_readme_imports_nothing_but_the_package():
    text = "".join(snippets(ROOT / "README.md", "python"))
    assert set(re.findall(r"^ *(?:import|from) .*", text, flags=re.MULTILINE)) == {
        "import latent_hands as lh"
    }


def test_the_experiment_of_the_readme_can_be_built(tmp_path: Path):
    (experiment,) = snippets(ROOT / "README.md", "toml")
    (tmp_path / "mine.toml").write_text(experiment)
    loaded = load_experiment(tmp_path / "mine.toml", ["--networks.width=4", "--networks.decoder_width=4"])
    assert build_phases(loaded, build_vae(loaded))


def test_the_package_of_contributing_trains_a_factor_of_its_own(tmp_path: Path):
    entry_point, experiment = snippets(ROOT / "CONTRIBUTING.md", "toml")
    metadata = tmp_path / "my_hands-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-hands\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        entry_point.replace("project.entry-points.", "").replace('"', "")
    )
    (tmp_path / "my_hands.py").write_text(snippets(ROOT / "CONTRIBUTING.md", "python")[0])
    (tmp_path / "size.toml").write_text(experiment)
    shutil.copy(ROOT / "docs/pictures/hand.png", tmp_path)
    joints = [[3.0 * (x % 7), 3.0 * (x % 5), 400.0 + 3 * x] for x in range(0, 210, 10)]
    label = {
        "image": "hand.png",
        "side": "left",
        "xyz_mm": joints,
        "K": [[300, 0, 119.5], [0, 300, 119.5], [0, 0, 1]],
    }
    for split in ("training", "evaluation"):
        (tmp_path / f"{split}.json").write_text(json.dumps([label] * 4))
    small = ["--data.crop-px=16", "--data.window-px=16", "--networks.width=4", "--training.batch-size=2"]
    subprocess.run(
        [sys.executable, "-c", COMMAND, "train", "size.toml", "--data.root=.", "--out=run", *small],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        check=True,
    )
    assert (tmp_path / "run" / "weights.safetensors").is_file()
