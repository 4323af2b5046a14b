"""The command `latent-hands`: one module for each command, which is imported when the command is called.

The modules of commands import torch only when their work begins. Help and wrong options answer at once.
"""

import contextlib
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from importlib import import_module
from inspect import getdoc

from latent_hands.cli.extensions import import_extension, split_imports
from latent_hands.cli.old_options import refuse_old
from latent_hands.cli.outputs import with_places_checked
from latent_hands.cli.safe_output import safe_output
from latent_hands.errors import HandsError, did_you_mean, printable
from latent_hands.interrupt import exit_code, stopping_signals

GROUPS = {
    "Start": ("demo", "models", "studio"),
    "Use a model": ("estimate", "live", "label", "synthesise", "transfer", "walk", "sample"),
    "Make and check data sets": ("render", "retarget", "check", "prepare", "export", "synthesise-set"),
    "Train": ("train", "fine-tune", "detector train"),
    "Evaluate": ("evaluate", "benchmark", "assess", "reproduce"),
    "Make files for other programs": ("animate", "export-model"),
    "Make runs from runs": ("runs average", "runs join", "runs shrink", "runs calibrate", "runs fit-latents"),
    "Share a run": ("publish",),
    "Study joint conventions": ("conventions fit", "conventions draw", "conventions relabel"),
}
"""Purpose -> commands. "estimate" is in the module estimate, "runs join" in the module runs."""
COMMANDS = tuple(command for commands in GROUPS.values() for command in commands)
OK, PROBLEMS, FAILED = 0, 1, 2
"""Exit codes."""
REQUIRED = ("tyro", "torch")
"""Packages that every command needs, and that an environment for `latent_hands.lite` alone lacks."""
OPTIONS = """\
Options of every command:
  --help                 Explain the command, with examples.
  --json                 Print JSON instead of a table (commands that print results).
  --import MODULE        Import a Python module, or a file MODULE.py, before the command runs, which
                         registers data sets, networks and more of your own. May be repeated.
  --debug                Show the traceback of an error.
  --version              Print the version and exit.

Exit codes: 0 success, 1 a check found problems or an image was skipped, 2 an error, 130 Ctrl-C
(129 SIGHUP, 143 SIGTERM)."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code; see the constants of this module.

    An error that the user can correct is printed in one line.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    try:
        with safe_output(), stopping_signals():
            code = _dispatch([argument for argument in arguments if argument != "--debug"])
            sys.stdout.flush()
            return code
    except KeyboardInterrupt:
        return _complain("interrupted", exit_code())
    except BrokenPipeError:  # for example `latent-hands ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except MemoryError:
        return _complain("out of memory", FAILED)
    except ModuleNotFoundError as error:
        if debug or error.name not in REQUIRED:
            raise
        return _complain(
            f"this command needs the package {error.name}: pip install latent-hands. "
            "Without it, `python -m latent_hands.lite` runs exported models",
            FAILED,
        )
    except (HandsError, OSError) as error:
        if debug:
            raise
        return _complain(printable(" ".join(_text(error).split())), FAILED)


def _dispatch(arguments: list[str]) -> int:
    for argument in arguments:
        if "\0" in argument:
            raise HandsError(
                f'the argument "{argument}" has a NUL character, which no name of a file can have'
            )
    arguments, extensions = split_imports(arguments)
    for extension in extensions:
        import_extension(extension)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(overview())
        return OK
    if arguments[0] == "--version":
        from latent_hands import __version__

        print(f"latent-hands {__version__}")
        return OK
    name, *rest = arguments
    group = [command for command in COMMANDS if command.startswith(f"{name} ")]
    if group:
        return _dispatch_group(name, group, rest)
    if name not in COMMANDS:
        raise HandsError(f'unknown command "{name}"; {did_you_mean(name, _first_words())}')
    return _run(name, rest)


def _dispatch_group(name: str, group: list[str], arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print("\n".join([f"usage: latent-hands {name} COMMAND ...", "", *_summaries(group)]))
        return OK
    command, *rest = arguments
    if f"{name} {command}" not in group:
        legal = [each.partition(" ")[2] for each in group]
        raise HandsError(f'unknown command "{name} {command}"; {did_you_mean(command, legal)}')
    return _run(f"{name} {command}", rest)


def _run(name: str, arguments: list[str]) -> int:
    import tyro

    from latent_hands.cli.given_split import refuse_split
    from latent_hands.cli.options import CONFIG, NUMBERS

    refuse_old(name, arguments)
    refuse_split(name, arguments)
    arguments = attach_negative(arguments)
    command = with_places_checked(name, find_command(name))
    command.__doc__ = unwrapped(getdoc(command) or "")
    if {"-h", "--help"} & {*arguments}:
        print(description(command.__doc__, min(shutil.get_terminal_size().columns, 100)), end="\n\n")
    if name == "train":
        arguments, overrides = split_overrides(arguments)
        command = partial(command, overrides=overrides)
    with NUMBERS:
        healthy = tyro.cli(
            command, prog=f"latent-hands {name}", description="", args=arguments, config=CONFIG
        )
    return PROBLEMS if healthy is False else OK


def find_command(name: str) -> Callable[..., bool | None]:
    """Return the function of a command."""
    module, _, function = name.replace("-", "_").partition(" ")
    return getattr(import_module(f"latent_hands.cli.{module}"), function or module)


def unwrapped(docstring: str) -> str:
    """Return a docstring with one line per paragraph and per argument: tyro would keep some line breaks.

    >>> unwrapped("Find the hands.\\n\\n$ find\\n\\nArgs:\\n    out: The folder of\\n        the outputs.")
    'Find the hands.\\n\\n$ find\\n\\nArgs:\\n    out: The folder of the outputs.'
    """
    return re.sub(r"(?<=[^\n])\n(?: {8}| {2}|(?=[^\s$*]))(?=\S)", " ", docstring)


def description(docstring: str, columns: int) -> str:
    """Return what an unwrapped docstring has before its arguments, in lines of so many columns.

    tyro would not wrap it, so terminals would break words. Examples stay on one line.

    >>> description("Find the hands.\\n\\n$ find photo.jpg\\n\\nArgs:\\n    out: The folder.", 10)
    'Find the\\nhands.\\n\\n$ find photo.jpg'
    """
    lines = docstring.partition("\nArgs:\n")[0].strip().split("\n")
    return "\n".join(_filled(line, columns) for line in lines)


def _filled(line: str, columns: int) -> str:
    indent = "  " if line.startswith("* ") else ""
    wrapped = textwrap.fill(line, columns, subsequent_indent=indent, break_on_hyphens=False)
    return line if line.startswith("$") else wrapped


def attach_negative(arguments: list[str]) -> list[str]:
    """Return the arguments with negative numbers attached to their options, which they would look like.

    >>> attach_negative(["--box", "-10,-5,90,90", "a.jpg"])
    ['--box=-10,-5,90,90', 'a.jpg']
    """
    attached: list[str] = []
    for argument in arguments:
        option = attached[-1] if attached else ""
        if re.fullmatch(r"-[\d.][-\d.,e+]*", argument) and option.startswith("--") and "=" not in option:
            attached[-1] = f"{option}={argument}"
        else:
            attached.append(argument)
    return attached


def split_overrides(arguments: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return the options of a command, and the `--section.key value` that change its experiment."""
    rest, overrides = [], []
    pending = iter(arguments)
    for argument in pending:
        name, equals, _ = argument.partition("=")
        if not (name.startswith("--") and "." in name):
            rest.append(argument)
            continue
        overrides.append(argument)
        overrides += [] if equals else [value for value in [next(pending, None)] if value is not None]
    return rest, tuple(overrides)


def _text(error: Exception) -> str:
    """Return the text of an error. Those of the system begin with their file, without their number."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error)


def _complain(message: str, code: int) -> int:
    with contextlib.suppress(BrokenPipeError):
        print(f"latent-hands: {message}", file=sys.stderr)
    return code


def _first_words() -> list[str]:
    return list(dict.fromkeys(command.partition(" ")[0] for command in COMMANDS))


def overview() -> str:
    """Return all commands by purpose, each with the first line of its help."""
    lines = ["Latent Hands: 3D hand poses from images, and images from a hand pose and a scene.", ""]
    lines += ["usage: latent-hands COMMAND ...", ""]
    lines += ["Begin with: latent-hands estimate photo.jpg", ""]
    for purpose, commands in GROUPS.items():
        lines += [f"{purpose}:", *_summaries(commands), ""]
    return "\n".join([*lines, OPTIONS])


def _summaries(commands: list[str] | tuple[str, ...]) -> list[str]:
    """Return one line for each command."""
    width = max(map(len, COMMANDS)) + 2
    texts = {command: getdoc(find_command(command)) or "" for command in commands}
    return [f"  {command:<{width}}{text.splitlines()[0]}" for command, text in texts.items()]
