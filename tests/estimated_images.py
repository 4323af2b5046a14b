"""Images for `latent-hands estimate`, and hands that are found in them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from tiny_models import ESTIMATION, noise_image, tiny_model

from latent_hands.cli import main
from latent_hands.predictor import Hand, HandCrop, Model


def estimate(*arguments: object) -> int:
    """Run the command and return its exit code."""
    return main(["estimate", *map(str, arguments)])


def any_hand() -> Hand:
    """Return a hand that a tiny model estimates."""
    return tiny_model(ESTIMATION).estimate(HandCrop.open(noise_image()))


def three_images(folder: Path) -> Path:
    """Write three images into a folder, the second broken; return the folder."""
    folder.mkdir()
    for i in range(3):
        Image.fromarray(noise_image(seed=i)).save(folder / f"{i}.png")
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:200])
    return folder


def finding(monkeypatch: pytest.MonkeyPatch, hand: Hand) -> Callable[..., list[dict]]:
    """Return a function that lets a model find numbers of hands in images, and returns what it was asked."""
    calls: list[dict] = []

    def find_of(*counts: int) -> list[dict]:
        sides = ["left", "right"]

        def find(self: Model, image: object, **options: object) -> list[Hand]:
            calls.append({"image": image, **options})
            count = counts[(len(calls) - 1) % len(counts)]
            return [replace(hand, handedness=sides[i % 2], score=0.9 - i / 10) for i in range(count)]

        monkeypatch.setattr(Model, "find", find)
        return calls

    return find_of
