"""Pages of the site: Markdown with MathML, links that stay on the site, tutorials and commands as pages."""

import contextlib
import io
import os
import re
from functools import cache
from pathlib import Path, PurePosixPath

from latex2mathml.converter import convert

ROOT = Path(__file__).parents[2]
MOVED = {"CONTRIBUTING.md": "docs/contributing.md", "CHANGELOG.md": "docs/changelog.md"}
"""Documents in the root of the repository, and their places on the site."""
CELL = re.compile(r"^# %%(?: \[(markdown)\])?\n", flags=re.MULTILINE)
CODE = re.compile(r"(^ *```.*?^ *```$)", flags=re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r"^::: (latent_hands\.\S+)", flags=re.MULTILINE)
"""A package or module with all its members, on a page of the reference."""
NAME = re.compile(r"(?<!\[)`(latent_hands(?:\.\w+)+)`(?!\])")
LINK = re.compile(r"(!?)\[([^\[\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
MATH = re.compile(r"```math\n(.*?)```", flags=re.DOTALL)


def page(source: Path) -> tuple[PurePosixPath, str]:
    """Return the place of a document on the site, relative to its root, and its Markdown."""
    origin = PurePosixPath(source.relative_to(ROOT).as_posix())
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".py":
        text = from_cells(text)
    place = PurePosixPath(_place(str(origin)))
    parts = CODE.split(text)
    prose = [part if CODE.match(part) else with_links(part, origin, place) for part in parts]
    return place.relative_to("docs"), with_math("".join(prose))


def from_cells(script: str) -> str:
    """Return the Markdown of a script whose cells begin with `# %%` or `# %% [markdown]`."""
    _, *parts = CELL.split(script)
    cells = zip(parts[::2], parts[1::2], strict=True)
    return "\n\n".join(
        re.sub(r"^# ?", "", body, flags=re.MULTILINE).strip() if kind else f"```python\n{body.strip()}\n```"
        for kind, body in cells
    )


def with_math(text: str) -> str:
    """Return a page whose blocks of math are MathML, which browsers draw without a script."""
    return MATH.sub(lambda block: f"<div>{convert(block[1].strip(), display='block')}</div>", text)


def with_links(text: str, origin: PurePosixPath, place: PurePosixPath) -> str:
    """Return prose whose links, and names of code, lead to pages of the site.

    `origin` is the file of the prose in the repository, `place` its file on the site. A link to a module
    leads to the reference. A link to another file that is not on the site becomes the name of that file.
    """

    def link(found: re.Match[str]) -> str:
        image, label, target, anchor = found.groups(default="")
        if re.match(r"[a-z]+:", target):
            return found[0]
        path = _place(os.path.normpath(origin.parent / target))
        if path.startswith("src/") and path.endswith(".py"):
            module = path.removesuffix(".py").removesuffix("/__init__").removeprefix("src/").replace("/", ".")
            named = f"latent_hands.{label.strip('`').removesuffix('.py')}"
            name = named if named.startswith(module) else module
            if entry := reference(name):
                return f"[{label}]({os.path.relpath(entry, place.parent)}#{name})"
            if named.startswith(module):
                return label
        if not path.startswith("docs/"):
            return f"`{path}`" if label.strip("`") in (path, target) else f"{label} (`{path}`)"
        return f"{image}[{label}]({os.path.relpath(path, place.parent)}{anchor})"

    def entry(found: re.Match[str]) -> str:
        page = reference(found[1])
        return f"[{found[0]}]({os.path.relpath(page, place.parent)}#{found[1]})" if page else found[0]

    text = LINK.sub(link, text)
    return (
        text if origin.name == "CHANGELOG.md" else NAME.sub(entry, text)
    )  # it names code of earlier versions


def reference(name: str) -> str | None:
    """Return the page of the reference that has a module, class or function; None if no page has it."""
    while name and name not in _entries():
        name = name.rpartition(".")[0]
    return _entries().get(name)


@cache
def _entries() -> dict[str, str]:
    """Return the pages of the reference by the names of their entries."""
    pages = {path: path.read_text(encoding="utf-8") for path in ROOT.glob("docs/reference/*.md")}
    return {
        name: f"docs/reference/{path.name}" for path, text in pages.items() for name in ENTRY.findall(text)
    }


def commands() -> str:
    """Return the help of all commands, for their page of the reference."""
    from latent_hands.cli import GROUPS, overview

    parts = [_text(overview())]
    for purpose, names in GROUPS.items():
        parts.append(f"## {purpose}")
        parts += [f"### {name}\n\n{_text(help_text(name))}" for name in names]
    return "\n\n".join(parts)


def help_text(name: str) -> str:
    """Return what `latent-hands NAME --help` prints, without colours."""
    from latent_hands.cli import main

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([*name.split(), "--help"])
    return printed.getvalue()


def _place(path: str) -> str:
    """Return the place on the site of a file of the repository."""
    path = MOVED.get(path, path)
    return path.removesuffix(".py") + ".md" if path.startswith("docs/") and path.endswith(".py") else path


def _text(text: str) -> str:
    return f"```text\n{text.strip()}\n```"
