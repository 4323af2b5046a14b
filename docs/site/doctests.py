"""Griffe extension: examples in docstrings become blocks of code."""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^>>> .*(?:\n(?!\s*$).*)*", flags=re.MULTILINE)
"""A paragraph that begins with a prompt."""


def fenced(text: str) -> str:
    """Return a docstring with its examples between fences."""
    return EXAMPLE.sub(lambda example: f"```pycon\n{example[0]}\n```", text)


class Doctests(griffe.Extension):
    """Fence the examples of each docstring. Without fences, Markdown reads `>>>` as a quotation."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Change the docstrings of a package that was loaded."""
        self._change(pkg)

    def _change(self, thing: griffe.Object) -> None:
        if thing.docstring:
            thing.docstring.value = fenced(thing.docstring.value)
        for member in thing.members.values():
            if isinstance(member, griffe.Object):
                self._change(member)
