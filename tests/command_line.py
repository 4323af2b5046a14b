"""Mistaken command lines."""

import pytest

from latent_hands.cli import main


def fails(capsys: pytest.CaptureFixture, *arguments: object) -> str:
    """Return the one line that answers a mistaken command line."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("latent-hands: ")
    assert captured.err.count("\n") == 1
    return captured.err
