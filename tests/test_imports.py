"""Imports run one way: each layer may use those above it in this list, never those below."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "latent_hands"
LAYERS = [
    {"errors"},
    {"files", "pixels", "progress", "registry"},
    {"typed_toml", "paper"},
    {"hand"},
    {"networks"},
    {"data"},
    {"synthesis", "rendering"},
    {"beyond"},
    {"configuration"},
    {"build"},
    {"runs"},
    {"predictor", "draw"},
    {"evaluation"},
    {"training", "doctor"},
    {"api"},
    {"studies"},
    {"cli"},
]
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}


def package_imports(path: Path) -> set[str]:
    """First-level modules of the package that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("latent_hands.")}
    return {name for name in found if name[0] != "_"}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_run_one_way(path: Path):
    module = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if module == "__init__":
        return
    assert module in RANK, f"{module} has no place among the layers"
    for other in package_imports(path) - {module}:
        assert other in RANK, f"{path.name} imports {other}, which has no place among the layers"
        assert RANK[other] < RANK[module], f"{module} must not import {other}"
