"""docs/experiments.md is written from the docstrings of the settings, and each key has a meaning."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from latent_hands.configuration import Experiment
from latent_hands.configuration.page import page
from latent_hands.extend import DECODERS, ENCODERS

PAGE = Path(__file__).parents[1] / "docs" / "experiments.md"


def test_the_page_is_written_from_the_docstrings():
    assert PAGE.read_text() == page(), "run python -m latent_hands.configuration.page > docs/experiments.md"


@pytest.mark.parametrize("section", [field.name for field in fields(Experiment)])
def test_every_section_has_its_keys_with_a_meaning(section):
    (text,) = re.findall(rf"^## \[{section}\]\n(.*?)(?=^## |\Z)", page(), flags=re.M | re.S)
    rows = re.findall(r"^\| `\w+` \| (.*?) \| (.*?) \|$", text, flags=re.M)
    assert rows or section in ("latent", "objectives")
    assert all(default and meaning for default, meaning in rows)


def test_the_networks_of_images_are_named():
    networks = {*ENCODERS, *DECODERS} - {"mlp", "affine", "residual_mlp"}
    assert all(f'"{name}"' in page() for name in networks)
