"""The programs in benchmarks/ import what exists: they are run by hand, so nothing else would notice."""

import ast
import importlib
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_hands import windows

from latent_hands.data.store import Cut, read_manifest

PROGRAMS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


def names_of(program: Path) -> set[str]:
    """Return the names that a program defines or imports at its top level."""
    defined = set()
    for part in ast.parse(program.read_text()).body:
        if isinstance(part, ast.FunctionDef | ast.ClassDef):
            defined.add(part.name)
        elif isinstance(part, ast.Import | ast.ImportFrom):
            defined |= {each.asname or each.name for each in part.names}
        else:
            defined |= {each.id for each in ast.walk(part) if isinstance(each, ast.Name)}
    return defined


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_imported_names_exist(program: Path):
    siblings = {each.stem: each for each in PROGRAMS}
    for part in ast.walk(ast.parse(program.read_text())):
        if not isinstance(part, ast.ImportFrom) or part.module is None:
            continue
        names = {each.name for each in part.names}
        if part.module in siblings:
            assert names <= names_of(siblings[part.module]), part.module
        elif part.module.startswith("latent_hands"):
            module = importlib.import_module(part.module)
            missing = {name for name in names if not hasattr(module, name)}
            for name in missing:
                importlib.import_module(f"{part.module}.{name}")


def test_a_tiled_store_has_the_convention_of_its_hands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(PROGRAMS[0].parent))
    tiled_store = importlib.import_module("tiled_store")
    for convention in ("rhd", "rhd_bones"):
        store = tmp_path / convention
        cut = Cut("rendered", "box", "mirror", 1.0, 16)
        tiled_store.write_tiled_store(store, replace(windows(), convention=convention), cut, 50)
        assert read_manifest(store).splits["training"].labelled_in(str(store)) == convention
        assert tiled_store.convention_option(store) == f"--data.convention={convention}"
