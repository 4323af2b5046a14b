"""What users give to the functions of Python: crops, sides, latents and options of another type or shape."""

import numpy as np
import pytest
import torch
from refusals import refuse
from tiny_models import ESTIMATION, PX, SYNTHESIS, noise_image, tiny_model

import latent_hands as lh
from latent_hands.predictor import HandCrop
from latent_hands.progress import shown

CROPS = torch.rand(2, 3, PX, PX, generator=torch.Generator().manual_seed(0)) * 2 - 1
FORM = rf"but must be a tensor \(batch, 3, {PX}, {PX}\) with values from -1 to 1"


@pytest.fixture(scope="module", params=[ESTIMATION, SYNTHESIS], ids=["estimation", "synthesis"])
def model(request):
    return tiny_model(request.param)


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize(
    ("crops", "found"),
    [
        ((CROPS + 1) * 127.5, "have values up to 25"),
        (CROPS * torch.nan, "have values up to nan"),
        (CROPS / CROPS.std() * 1.6, "have values up to"),
        (CROPS[:, :1], rf"are torch.float32 \(2, 1, {PX}, {PX}\)"),
        (CROPS.permute(0, 2, 3, 1), "are torch.float32"),
        (CROPS.byte(), "are torch.uint8"),
        (CROPS.numpy(), "are a ndarray"),
        (CROPS.to_sparse(), "are a sparse tensor"),
        (CROPS.to("meta"), "have no values"),
        (None, "are a NoneType"),
    ],
)
def test_crops_in_another_form_are_refused(model, crops, found):
    for use in (model.infer, model.outputs):
        refuse(use, crops, match=rf"crops .*{found}.*{FORM}")


def test_crops_of_double_precision_are_read_as_those_of_single(model):
    for name, q in model.infer(CROPS).items():
        assert torch.equal(model.infer(CROPS.double())[name].mean, q.mean)


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize("right", ["left", torch.ones(3), [True], CROPS])
def test_sides_of_other_numbers_of_hands_are_refused(model, right):
    refuse(
        model.outputs, CROPS, right, match="right must be a tensor of 2 booleans, one for each crop, not a"
    )


@pytest.mark.usefixtures("as_users_run")
def test_sides_may_be_a_list_or_an_array():
    model = tiny_model(ESTIMATION, right_hands="condition")
    expected = model.outputs(CROPS, torch.tensor([True, False]))["pose"]
    for right in ([True, False], np.array([True, False])):
        assert torch.equal(model.outputs(CROPS, right)["pose"], expected)


@pytest.mark.usefixtures("as_users_run")
def test_numbers_of_draws_and_steps_are_limited(model):
    for draws in (-1, 1, 10**8, 2.0, None, True):
        with pytest.raises(lh.HandsError, match="draws is"):
            model.outputs(CROPS, draws=draws)
    crop = HandCrop.open(noise_image())
    for steps in (1, 10**8, 2.0, None, "2", [2], torch.ones(2)):
        for walk in (model.rotate, lambda *ends, steps: model.walk("pose", *ends, steps=steps)):
            with pytest.raises(lh.HandsError, match="steps is"):
                walk(crop, crop, steps=steps)


LATENTS = {
    "numbers": lambda z: {0: z, None: z},
    "an unknown factor": lambda z: z | {"colour": z["pose"]},
    "no factor": lambda z: {},
    "items": lambda z: list(z.items()),
    "None": lambda z: dict.fromkeys(z),
    "texts": lambda z: dict.fromkeys(z, "a"),
    "one axis": lambda z: {name: each[0] for name, each in z.items()},
    "few numbers": lambda z: {name: each[:, :2] for name, each in z.items()},
    "NaN": lambda z: {name: each * torch.nan for name, each in z.items()},
    "complex": lambda z: {name: each.to(torch.complex64) for name, each in z.items()},
    "sparse": lambda z: {name: each.to_sparse() for name, each in z.items()},
    "meta": lambda z: {name: each.to("meta") for name, each in z.items()},
    "samples": lambda z: {name: each.repeat(1 + i, 1) for i, (name, each) in enumerate(z.items())},
}


@pytest.fixture
def crop():
    return HandCrop.open(noise_image())


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize("change", LATENTS.values(), ids=list(LATENTS))
def test_latents_in_another_form_are_refused(change, crop):
    model = tiny_model(SYNTHESIS)
    z = model.latent(crop, ["pose", "content"])
    changed = change(z)
    refuse(model.decode, changed, match="latent")
    if isinstance(changed, dict) and "colour" not in changed:
        refuse(model.synthesis_of, changed, match="latent")
        refuse(model.swap, changed, crop, "pose", match="latent")
        refuse(model.walk, "pose", changed, crop, match="latent")
        refuse(model.rotate, changed, changed, match="latent")


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize("kind", [torch.Tensor.double, torch.Tensor.numpy])
def test_latents_of_another_type_give_the_same_images(kind, crop):
    model = tiny_model(SYNTHESIS)
    z = model.latent(crop, ["pose", "content"])
    other = {name: kind(each) for name, each in z.items()}
    for name, decoded in model.decode(z).items():
        assert torch.equal(model.decode(other)[name], decoded)
    for use in (
        lambda z: [model.synthesis_of(z).image],
        lambda z: model.walk("pose", z, crop, steps=2).images,
        lambda z: model.rotate(z, z, steps=2).images,
    ):
        np.testing.assert_array_equal(use(other), use(z))


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize(
    "factors", [None, 3, [None], b"pose", [], np.array(3), np.zeros((2, 2)), memoryview(np.eye(2))]
)
def test_factors_that_are_no_names_are_refused(factors, crop):
    model = tiny_model(SYNTHESIS)
    for use in (
        lambda: model.latent(crop, factors),
        lambda: model.swap(crop, crop, factors),
        lambda: model.walk(factors, crop, crop),
    ):
        refuse(use, match="factor")


@pytest.mark.usefixtures("as_users_run")
def test_other_options_of_another_type_are_named():
    image = np.zeros((64, 64, 3), np.uint8)
    for convention in ("", ["stb"], True):
        with pytest.raises(lh.HandsError, match="unknown joint convention"):
            lh.load("estimation").find(image, boxes=[], convention=convention)
    for progress in (-1, "yes", [1]):
        with pytest.raises(lh.HandsError, match=r"progress is .*; it must be True, False or a function"):
            shown(progress).__enter__()
    numbers = np.random.default_rng(0).normal(size=50)
    for latent, message in (([1], "latent must be arrays by name, not a list"), ({1: numbers}, "the name 1")):
        with pytest.raises(lh.HandsError, match=message):
            lh.disentanglement_scores(latent, {"a": numbers})
    for split in (3, {}, [""]):
        with pytest.raises(lh.HandsError, match="split"):
            lh.export_data("rendered", "hands", "out", "coco", split=split)
