"""Registries: names are found, never overwritten, and extended by other installed packages."""

import subprocess
import sys
from pathlib import Path

import pytest

from latent_hands import registry
from latent_hands.errors import HandsError
from latent_hands.registry import Registry

FRUITS = Registry[str]("fruit")
"""The registry that the extensions of these tests extend."""


@pytest.fixture
def colours() -> Registry[int]:
    colours = Registry[int]("colour")
    colours.register("red", 1)
    colours.register("blue", 2)
    return colours


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that installs a package with one module as an extension."""

    def install(package: str, source: str) -> None:
        module = f"{package}_extension"
        (tmp_path / f"{module}.py").write_text(source)
        metadata = tmp_path / f"{package}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[latent_hands.extensions]\n{package} = {module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(FRUITS, "_things", {"apple": "green"})
    monkeypatch.setitem(sys.modules, "fruits", sys.modules[__name__])
    registry._failure_of_extensions.cache_clear()
    yield install
    registry._failure_of_extensions.cache_clear()


def test_a_registry_is_a_mapping_in_the_order_of_registration(colours: Registry[int]):
    assert dict(colours) == {"red": 1, "blue": 2}
    assert list(colours) == list(colours.keys()) == ["red", "blue"]
    assert len(colours) == 2
    assert "red" in colours
    assert "green" not in colours
    assert colours.get("green") is None
    assert repr(colours) == "<Registry of colour: red, blue>"


def test_find_and_index_return_what_was_registered(colours: Registry[int]):
    assert colours.find("blue") == colours["blue"] == 2


def test_an_unknown_name_lists_the_legal_ones(colours: Registry[int]):
    with pytest.raises(HandsError, match='unknown colour "rad"; did you mean "red"\\? Legal: blue, red'):
        colours.find("rad")
    with pytest.raises(KeyError):
        colours["rad"]


def test_the_decorator_returns_what_it_decorates():
    shapes = Registry[type]("shape")

    @shapes.register("circle")
    class Circle:
        pass

    assert shapes.find("circle") is Circle
    assert isinstance(Circle(), Circle)


def test_a_name_is_never_overwritten(colours: Registry[int]):
    with pytest.raises(HandsError, match='the colour "red" is already registered'):
        colours.register("red", 3)
    with pytest.raises(HandsError, match='the colour "red" is already registered'):
        colours.register("red")(3)
    assert colours.find("red") == 1


LOOK_UPS = {
    "find": lambda: FRUITS.find("pear") == "yellow",
    "index": lambda: FRUITS["pear"] == "yellow",
    "contains": lambda: "pear" in FRUITS,
    "iterate": lambda: list(FRUITS) == ["apple", "pear"],
    "len": lambda: len(FRUITS) == 2,
}
PEAR = 'from fruits import FRUITS\nFRUITS.register("pear", "yellow")\n'


@pytest.mark.parametrize("look_up", LOOK_UPS.values(), ids=LOOK_UPS)
def test_every_look_up_includes_extensions(install, look_up):
    install("pears", PEAR)
    assert look_up()
    assert look_up(), "extensions are imported once"


def test_an_extension_may_look_things_up(install):
    install("looking", PEAR + 'assert FRUITS.find("apple") == "green"')
    assert FRUITS.find("pear") == "yellow"


def test_an_extension_cannot_overwrite(install):
    install("greedy", 'from fruits import FRUITS\nFRUITS.register("apple", "rotten")\n')
    with pytest.raises(HandsError, match=r'"greedy".*"greedy_extension".*"apple" is already registered'):
        FRUITS.find("apple")


def test_a_broken_extension_is_named_at_every_look_up(install):
    install("broken", PEAR + "import a_module_that_is_not_installed")
    expected = 'package "broken" .*module "broken_extension", which cannot be imported: ModuleNotFoundError'
    with pytest.raises(HandsError, match=expected) as first:
        FRUITS.find("pear")
    assert isinstance(first.value.__cause__, ModuleNotFoundError)
    with pytest.raises(HandsError, match=expected):
        list(FRUITS)


def test_no_module_looks_anything_up_while_it_is_imported():
    """An extension imported by that look-up would import modules that are not complete."""
    code = """
import importlib, pkgutil
import latent_hands, latent_hands.registry

def refuse():
    raise LookupError

latent_hands.registry.load_extensions = refuse
for module in pkgutil.walk_packages(latent_hands.__path__, "latent_hands."):
    if module.name.split(".")[1] not in ("cli", "studies", "rendering"):
        importlib.import_module(module.name)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
