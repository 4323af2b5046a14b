"""Calls that contradict their signatures fail while tests run."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jaxtyping
import pytest
import torch
from jaxtyping import Float, TypeCheckError
from signature_checks import checked
from torch import Tensor

from latent_hands.hand.camera import project, warp_images
from latent_hands.hand.skeleton import reorder

if TYPE_CHECKING:
    from nowhere import Unknown  # pyright: ignore[reportMissingImports]


@checked
@dataclass(frozen=True)
class Row:
    points: Float[Tensor, "n 3"]
    weights: Float[Tensor, "n"]
    names: list[str] = field(default_factory=list)


@checked
def square(px: int, near: "Row | None" = None) -> Float[Tensor, "{px} {px}"]:
    return torch.zeros(px, 4)


@checked
def each(points: Float[Tensor, "n 3"], weights: Float[Tensor, "n"]) -> Iterator[Tensor]:
    yield points * weights[:, None]


@checked
def anything(value: "Unknown", *more: int, last: str = "") -> "Unknown":
    return value


def test_functions_of_the_package_are_checked():
    points, camera = torch.zeros(2, 5, 3), torch.eye(3).expand(2, 3, 3)
    assert project(points + 1, camera).shape == (2, 5, 2)
    with pytest.raises(TypeCheckError):
        project(points + 1, camera[:1].expand(3, 3, 3))
    with pytest.raises(TypeCheckError):
        project(points.long() + 1, camera)
    with pytest.raises(TypeCheckError):
        warp_images(torch.zeros(2, 3, 8, 8), camera, 4.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeCheckError):
        reorder(points, "rhd", 3)  # pyright: ignore[reportArgumentType]


def test_shapes_of_parameters_and_results_agree():
    assert square(4).shape == (4, 4)
    with pytest.raises(TypeCheckError):
        square(3)
    with pytest.raises(TypeCheckError):
        next(each(torch.zeros(4, 3), torch.zeros(2)))
    assert len(list(each(torch.zeros(4, 3), torch.zeros(4)))) == 1


def test_fields_of_dataclasses_are_checked():
    assert Row(torch.zeros(4, 3), torch.zeros(4)).names == []
    with pytest.raises(TypeCheckError):
        Row(torch.zeros(4, 3), torch.zeros(2))
    with pytest.raises(TypeCheckError):
        Row(torch.zeros(4, 3), torch.zeros(4), names=[1])  # pyright: ignore[reportArgumentType]


def test_names_in_strings_are_checked_if_they_exist():
    assert square(4, Row(torch.zeros(4, 3), torch.zeros(4))).shape == (4, 4)
    with pytest.raises(TypeCheckError):
        square(4, "row")  # pyright: ignore[reportArgumentType]
    assert anything("x", 1, last="y") == "x"
    with pytest.raises(TypeCheckError):
        anything("x", "1")  # pyright: ignore[reportArgumentType]


def test_without_the_checks_everything_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    assert square(3).shape == (3, 4)
