"""Imports run one way: each layer may use those above it in docs/architecture.md, never those below."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "latent_hands"


def documented_layers() -> list[set[str]]:
    """Return the modules in each row of the table under "Layers" of docs/architecture.md."""
    text = (ROOT / "docs/architecture.md").read_text()
    section = text.partition("\n## Layers\n")[2].partition("\n## ")[0]
    first_columns = re.findall(r"^\| (`[^|]+) \|", section, flags=re.MULTILINE)
    return [set(re.findall(r"`(\w+)`", column)) for column in first_columns]


RANK = {module: rank for rank, layer in enumerate(documented_layers()) for module in layer}
PAPER_MAY_IMPORT = {
    "torch",
    "jaxtyping",
    "latent_hands.errors",
    "latent_hands.paper",
    *sys.stdlib_module_names,
}


def imports(path: Path) -> set[str]:
    """Return the dotted names that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.module, f"{path} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def package_imports(path: Path) -> set[str]:
    """Return the first-level modules of the package that a file imports."""
    found = {name.split(".")[1] for name in imports(path) if name.startswith("latent_hands.")}
    return {name for name in found if name[0] != "_"}


def test_the_documented_layers_are_the_modules_of_the_package():
    modules = {path.stem for path in SOURCE.glob("*.py")} - {"__init__"}
    assert set(RANK) == modules | {path.parent.name for path in SOURCE.glob("*/__init__.py")}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_run_one_way(path: Path):
    module = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if module == "__init__":
        return
    assert module in RANK, f"{module} has no place among the layers"
    for other in package_imports(path) - {module}:
        assert other in RANK, f"{path.name} imports {other}, which has no place among the layers"
        assert RANK[other] < RANK[module], f"{module} must not import {other}"


@pytest.mark.parametrize("path", sorted((SOURCE / "paper").glob("*.py")), ids=lambda p: p.name)
def test_the_paper_needs_only_torch_and_errors(path: Path):
    for name in imports(path):
        parts = name.split(".")
        allowed = parts[0] in PAPER_MAY_IMPORT or ".".join(parts[:2]) in PAPER_MAY_IMPORT
        assert allowed, f"paper/{path.name} imports {name}"
