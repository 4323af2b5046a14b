"""Registered things for the time of one test."""

from typing import TypeVar

import pytest

from latent_hands.registry import Registry

T = TypeVar("T")


def register(monkeypatch: pytest.MonkeyPatch, registry: Registry[T], name: str, thing: T) -> None:
    """Register a thing until the end of the test. It may replace a thing of the same name."""
    monkeypatch.setitem(registry._things, name, thing)
