"""Pages of the site: Markdown with MathML, links that stay on the site, tutorials and commands as pages."""

import contextlib
import io
import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from latex2mathml.converter import convert

ROOT = Path(__file__).parents[2]
MOVED = {"CONTRIBUTING.md": "docs/contributing.md", "CHANGELOG.md": "docs/changelog.md"}
"""Documents in the root of the repository, and their places on the site."""
CELL = re.compile(r"^# %%(?: \[(markdown)\])?\n", flags=re.MULTILINE)
CODE = re.compile(r"(^ *```.*?^ *```$)", flags=re.MULTILINE | re.DOTALL)
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
    """Return prose whose links lead to pages of the site.

    `origin` is the file of the prose in the repository, `place` its file on the site. A link to a file that
    is not on the site becomes the name of that file.
    """

    def link(found: re.Match[str]) -> str:
        image, label, target, anchor = found.groups(default="")
        if re.match(r"[a-z]+:", target):
            return found[0]
        path = _place(os.path.normpath(origin.parent / target))
        if not path.startswith("docs/"):
            return f"`{path}`" if label.strip("`") in (path, target) else f"{label} (`{path}`)"
        return f"{image}[{label}]({os.path.relpath(path, place.parent)}{anchor})"

    return LINK.sub(link, text)


def commands() -> str:
    """Return the page of all commands with their help."""
    from latent_hands.cli import GROUPS, find_command, overview

    parts = ["# Commands", _text(overview())]
    for purpose, names in GROUPS.items():
        parts.append(f"## {purpose}")
        parts += [f"### {name}\n\n{_text(help_text(name, find_command(name)))}" for name in names]
    return "\n\n".join(parts)


def help_text(name: str, command: Callable[..., object]) -> str:
    """Return what `latent-hands NAME --help` prints, 100 columns wide and without colours."""
    import tyro

    from latent_hands.cli.options import CONFIG

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        tyro.cli(command, prog=f"latent-hands {name}", args=["--help"], config=CONFIG)
    return printed.getvalue()


def _place(path: str) -> str:
    """Return the place on the site of a file of the repository."""
    path = MOVED.get(path, path)
    return path.removesuffix(".py") + ".md" if path.startswith("docs/") and path.endswith(".py") else path


def _text(text: str) -> str:
    return f"```text\n{text.strip()}\n```"
