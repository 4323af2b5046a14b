"""The command `latent-hands`: finds the subcommand, and turns errors into one line.

A subcommand's module is imported when it is called, and it imports torch only once its work begins: help and
mistakes on the command line answer at once.
"""

import contextlib
import os
import sys
from functools import partial
from importlib import import_module
from inspect import getdoc

from latent_hands.errors import HandsError, did_you_mean

COMMANDS = {
    "demo": "training",
    "render": "training",
    "retarget": "preparing",
    "check": "checking",
    "prepare": "preparing",
    "export": "preparing",
    "train": "training",
    "evaluate": "training",
    "assess": "assessing",
    "estimate": "images",
    "synthesise": "images",
    "transfer": "images",
    "walk": "images",
    "reproduce": "reproducing",
}
"""Subcommand -> its module in this package, where a function bears its name."""
OK, FOUND_WRONG, FAILED, INTERRUPTED = 0, 1, 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; returns the exit code: 0, 1 if a check found problems, 2 after an
    error, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    try:
        return _dispatch([argument for argument in arguments if argument != "--debug"])
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (HandsError, OSError) as error:
        if debug:
            raise
        return _complain(" ".join(str(error).split()), FAILED)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return OK
    if arguments[0] == "--version":
        from latent_hands import __version__

        print(f"latent-hands {__version__}")
        return OK
    name, *rest = arguments
    if name not in COMMANDS:
        raise HandsError(f'unknown command "{name}"; {did_you_mean(name, COMMANDS)}')
    return _run(name, rest)


def _run(name: str, arguments: list[str]) -> int:
    import tyro

    from latent_hands.cli.options import CONFIG

    command = getattr(import_module(f"latent_hands.cli.{COMMANDS[name]}"), name)
    if name == "train":
        arguments, overrides = split_overrides(arguments)
        command = partial(command, overrides=overrides)
    healthy = tyro.cli(command, prog=f"latent-hands {name}", args=arguments, config=CONFIG)
    return FOUND_WRONG if healthy is False else OK


def split_overrides(arguments: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Options of the command, and apart from them the `--section.key value` that change an experiment."""
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


def _complain(message: str, code: int) -> int:
    with contextlib.suppress(BrokenPipeError):
        print(f"latent-hands: {message}", file=sys.stderr)
    return code


def _overview() -> str:
    """All commands with the first line of what they do."""
    lines = ["Disentangled latent hands: 3D pose from an image, images from a pose and a scene.", ""]
    lines += ["usage: latent-hands COMMAND ...        (latent-hands COMMAND --help tells more)", ""]
    for name, module in COMMANDS.items():
        text = getdoc(getattr(import_module(f"latent_hands.cli.{module}"), name)) or ""
        lines.append(f"  {name:<12}{text.splitlines()[0]}")
    lines += ["", "  --debug     with any command: show the whole traceback of an error", "  --version"]
    return "\n".join(lines)
