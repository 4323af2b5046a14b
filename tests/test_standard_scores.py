"""DCI, SAP and MIG have their closed forms, and find what a perfect and a leaking model hold."""

import json
from math import log

import numpy as np
import pytest
import torch
from painted_swaps import perfect_model, world

import latent_hands as lh
from latent_hands.errors import HandsError
from latent_hands.studies.assess import ProbeImages, Subject, probe
from latent_hands.studies.assess.content import GROUPS
from latent_hands.studies.assess.standard_scores import (
    dci,
    gap,
    information_gap,
    measure_standard,
    of_kinds,
    single_numbers,
    squared_correlations,
    standard_scores,
)

BENCHMARK, KNOWN = world()


@pytest.fixture(scope="module", autouse=True)
def _short_probes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe, "STEPS", 100)
        yield


def normal(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("importance", "disentanglement", "completeness"),
    [
        (torch.eye(3), 1, 1),
        (torch.ones(3, 3), 0, 0),
        (torch.tensor([[1.0, 1, 1], [0, 0, 0], [0, 0, 0]]), 0, 1),
        (torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 0, 0]]), 1, 0),
        (torch.tensor([[2.0, 0], [0, 1], [0, 1]]), 1, 1 - 0.5 * log(2) / log(3)),
        (torch.zeros(2, 2) + torch.tensor([[1.0, 0], [0, 0]]), 1, 0.5),
    ],
)  # fmt: skip
def test_dci_of_known_importances(importance, disentanglement, completeness):
    found = dci(importance.double())
    assert float(found[0]) == pytest.approx(float(disentanglement))
    assert float(found[1]) == pytest.approx(float(completeness))


def test_dci_does_not_depend_on_order_and_unit():
    importance = normal(5, 4).abs().double()
    order = torch.tensor([3, 1, 0, 4, 2])
    for other in (importance[order], 7 * importance, importance[:, [2, 0, 3, 1]]):
        for one, two in zip(dci(importance), dci(other), strict=True):
            torch.testing.assert_close(one, two)
    rows = torch.stack([importance, importance[order]])
    assert dci(rows)[0].shape == (2,)


def test_a_gap_is_the_lead_of_the_best_unit():
    assert float(gap(torch.tensor([[0.9, 0.1], [0.2, 0.5], [0.3, 0.5]]))) == pytest.approx((0.6 + 0) / 2)
    assert float(gap(torch.tensor([[0.7, 0.5]]))) == pytest.approx(0.6)  # there is no other unit


def test_parts_of_a_property_count_as_one():
    values = torch.tensor([[[1.0, 2, 4, 6]]])
    assert of_kinds(values, ["cpose", "content/skin", "content/light", "viewpoint"]).tolist() == [[[1, 3, 6]]]


def test_numbers_in_dimensions_of_their_own_have_a_large_mig_and_sap():
    numbers = normal(2000, 4)
    other = normal(2000, 4, seed=1)
    assert float(gap(squared_correlations(numbers, numbers))) == pytest.approx(1, abs=0.02)
    assert float(information_gap(numbers, numbers)) > 0.9
    assert float(gap(squared_correlations(other, numbers))) < 0.02
    assert float(information_gap(other, numbers)) < 0.02
    twice = torch.cat([numbers, -2 * numbers], dim=1)
    assert float(gap(squared_correlations(twice, numbers))) == pytest.approx(0, abs=1e-5)
    assert float(information_gap(twice, numbers)) == pytest.approx(0, abs=1e-2)
    constant = torch.zeros(2000, 2)
    assert float(gap(squared_correlations(constant, numbers))) == 0
    assert float(information_gap(constant, numbers)) == pytest.approx(0, abs=1e-6)


def test_components_are_uncorrelated_and_largest_first():
    numbers = single_numbers({"cpose": normal(500, 63) @ normal(63, 63), "content": normal(500, 19)})
    assert numbers.shape == (500, 5 + 19)
    spread = numbers[:, :5].mT.cov()
    assert (spread - spread.diag().diag()).abs().max() < 1e-3 * spread.max()
    assert (spread.diag().diff() <= 0).all()


def images_of(count: int, seed: int) -> tuple[dict, dict]:
    """Return latents with a factor of the pose and one of the content, and properties, of some images."""
    pose, content, noise = (normal(count, n, seed=seed + k) for k, n in enumerate((6, 4, 3)))
    properties = {"cpose": pose[:, :4], "viewpoint": pose[:, 4:], "content": content}
    return {"pose": pose @ MIXED, "content": content, "unused": noise}, properties


MIXED = normal(6, 6, seed=9)


@pytest.mark.parametrize("on_other_images", [False, True])
def test_factors_with_properties_of_their_own_have_high_scores(on_other_images):
    latent, properties = images_of(300, 0)
    blocks = torch.arange(300) // 10
    known = images_of(600, 10) if on_other_images else None
    found = standard_scores(latent, properties, blocks, known)
    assert found["r2"]["cpose"]["pose"]["r2"] > 0.8
    assert found["r2"]["content"]["content"]["r2"] > 0.8
    for name, own in (("cpose", "pose"), ("viewpoint", "pose"), ("content", "content")):
        assert all(each["r2"] < 0.05 for factor, each in found["r2"][name].items() if factor != own)
    by_factor = found["by_factor"]
    assert by_factor["completeness"] > 0.9
    assert 0.5 < by_factor["disentanglement"] < 0.8  # one factor holds two properties
    assert by_factor["sap"] > 0.8
    low, high = by_factor["sap_interval"]
    assert low <= by_factor["sap"] <= high
    assert found["by_dimension"]["sap"] < by_factor["sap"]  # the pose is mixed over its dimensions


def test_a_leaking_factor_is_found():
    (latent, properties), known = images_of(200, 0), images_of(400, 10)

    def leaking(z: dict) -> dict:
        return z | {"content": torch.cat([z["content"], z["pose"]], dim=1)}

    blocks = torch.arange(200) // 10
    right = standard_scores(latent, properties, blocks, known)["by_factor"]
    wrong = standard_scores(leaking(latent), properties, blocks, (leaking(known[0]), known[1]))["by_factor"]
    for key in ("disentanglement", "completeness", "sap"):
        assert right[key] > wrong[key] + 0.2


def test_an_assessment_has_the_scores_of_the_images_of_the_benchmark():
    found = measure_standard(Subject(perfect_model(KNOWN)), BENCHMARK)
    assert set(found["r2"]) == {"cpose", "viewpoint", *(f"content/{name}" for name in GROUPS)}
    assert set(found["r2"]["cpose"]) == {"pose", "content"}
    images = ProbeImages(
        BENCHMARK.rgb.repeat(4, 1, 1, 1),
        BENCHMARK.pose.repeat(4, 1, 1),
        content=BENCHMARK.content.repeat(4, 1),
    )
    found = measure_standard(Subject(perfect_model(KNOWN)), BENCHMARK, images)["r2"]
    assert found["cpose"]["pose"]["r2"] > found["cpose"]["content"]["r2"] + 0.2
    assert found["content/identity"]["content"]["r2"] > found["content/identity"]["pose"]["r2"] + 0.2


def test_the_scores_of_a_latent_of_ones_own_are_the_same(monkeypatch):
    monkeypatch.setattr(probe, "STEPS", 10)
    latent, properties = images_of(80, 0)
    expected = standard_scores(latent, properties, torch.arange(80))
    assert lh.disentanglement_scores(latent, properties) == expected
    arrays = [
        {name: values.double().numpy() for name, values in each.items()} for each in (latent, properties)
    ]
    assert lh.disentanglement_scores(*arrays, blocks=range(80)) == expected
    assert lh.disentanglement_scores(*arrays, blocks=[f"scene_{i:02}" for i in range(80)]) == expected


def test_a_latent_that_never_moves_has_no_disentanglement():
    properties = images_of(80, 0)[1]
    found = lh.disentanglement_scores({"z": np.zeros((80, 2))}, properties)
    assert found["by_factor"]["disentanglement"] is None
    assert found["by_dimension"]["disentanglement"] is None
    assert found["by_factor"]["completeness"] == 0
    json.dumps(found, allow_nan=False)


Z, V = {"z": np.arange(80.0)}, {"v": np.arange(160.0).reshape(80, 2)}


@pytest.mark.parametrize(
    ("latent", "properties", "blocks", "message"),
    [
        ({}, V, None, "no factors of the latent are given"),
        (Z, {}, None, "no properties are given"),
        ({"z": np.zeros(79)}, V, None, r"the numbers of images differ: \{'z': 79, 'v': 80\}"),
        ({"z": Z["z"][:30]}, {"v": V["v"][:30]}, None, "30 images are given; scores need 40 or more"),
        ({"z": np.full(80, np.nan)}, V, None, 'latent "z" contains NaN or infinity'),
        ({"z": np.zeros((80, 2, 2))}, V, None, r'latent "z" has the shape \(80, 2, 2\)'),
        ({"z": ["a"] * 80}, V, None, 'latent "z" is not an array of numbers'),
        (Z, {"v": np.ones(80)}, None, 'property "v" is the same in all images'),
        (Z, V, range(79), r"blocks has the shape \(79,\)"),
        (Z, V, np.zeros(80), "it must be 80 whole numbers or names"),
        (Z, V, np.zeros(80, int), "the number of blocks is 1; give 4 or more"),
    ],
)
def test_latents_that_cannot_be_scored_are_refused(latent, properties, blocks, message):
    with pytest.raises(HandsError, match=message):
        lh.disentanglement_scores(latent, properties, blocks)
