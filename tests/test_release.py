"""What a release needs: one version everywhere, every file in the wheel, and a workflow without secrets."""

import fnmatch
import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_all_files_state_the_same_version():
    version = PROJECT["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    versions = re.findall(r"^## (\d\S*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert versions[0] == version


def test_every_file_of_the_package_is_in_the_wheel():
    source = ROOT / "src" / "latent_hands"
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["latent_hands"]
    others = [path for path in source.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    names = [path.relative_to(source).as_posix() for path in others]
    assert [name for name in names if not any(matches(name, each) for each in patterns)] == []
    modules = {path.parent for path in source.rglob("*.py") if path.parent.name != "assets"}
    assert all((folder / "__init__.py").is_file() for folder in modules)


def matches(name: str, pattern: str) -> bool:
    """Return whether a path matches a pattern part by part, as setuptools does."""
    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatch, parts, wanted))


def test_every_dependency_has_its_reason():
    project, text = PROJECT["project"], (ROOT / "docs/architecture.md").read_text()
    section = text.partition("## Dependencies and their reasons")[2]
    extras = project["optional-dependencies"]
    used = [name for extra in extras.keys() - {"dev", "docs"} for name in extras[extra]]
    for requirement in (*project["dependencies"], *used):
        name = re.match(r"[\w-]+", requirement)
        assert name is not None
        assert name[0] in section, f"docs/architecture.md does not say what {name[0]} is for"


def test_a_release_is_published_without_stored_secrets():
    text = (ROOT / ".github/workflows/release.yml").read_text()
    workflow = yaml.safe_load(text)
    assert "secrets." not in text
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert workflow["jobs"]["publish"]["needs"] == "build"
    assert not any("run" in step for step in workflow["jobs"]["publish"]["steps"])
