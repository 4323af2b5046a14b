"""The global option --import: Python modules of the user that add data sets, networks and more."""

import importlib
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from latent_hands.errors import HandsError

OPTION = "--import"


def split_imports(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the arguments without --import, and the modules that it names.

    Raises HandsError if a module name is missing.
    """
    rest, modules = [], []
    pending = iter(arguments)
    for argument in pending:
        option, equals, value = argument.partition("=")
        if option != OPTION:
            rest.append(argument)
            continue
        value = value if equals else next(pending, "")
        if not value or value.startswith("-"):
            raise HandsError(f"{OPTION} needs the name of a module or a Python file, as in {OPTION} mine.py")
        modules.append(value)
    return rest, modules


def import_extension(target: str) -> None:
    """Import a module by its name, or a file by its path if the name ends in .py. Each is executed once.

    Raises HandsError if there is no such module, or if it raises an exception.
    """
    try:
        if target.endswith(".py"):
            _import_file(Path(target))
        else:
            importlib.import_module(target)
    except Exception as error:
        raise HandsError(f"{OPTION} {target} failed: {type(error).__name__}: {error}") from error


def _import_file(path: Path) -> None:
    name = "extension" + re.sub(r"\W", "_", str(path.resolve()))
    if name in sys.modules:
        return
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
