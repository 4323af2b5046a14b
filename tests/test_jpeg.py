"""Compression by JPEG in batches, compared with libjpeg in Pillow."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from latent_hands.data import open_data, read_rgb
from latent_hands.data.augmentation.jpeg import _CHROMINANCE, _LUMINANCE, jpeg, quantisation
from latent_hands.rendering.sets.dataset import render_dataset


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """Images of rendered hands, bytes (B, 96, 96, 3)."""
    root = tmp_path_factory.mktemp("render") / "hands"
    render_dataset(
        root, count=4, size_px=96, seed=0, workers=1, evaluation_count=0, poses_per_scene=1, progress=False
    )
    return np.stack([read_rgb(sample.image) for sample in open_data("rendered", root, "training")])


def _to_tensor(crops):
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2) / 127.5 - 1


def _pillow(crop, quality, subsample=True):
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "JPEG", quality=quality, subsampling="4:2:0" if subsample else "4:4:4")
    return Image.open(file)


def _grey_levels(a, b):
    """Return the mean absolute difference of every image, in levels 0..255."""
    return (a.clamp(-1, 1) - b).abs().mean(dim=(1, 2, 3)) * 127.5


@pytest.mark.parametrize("subsample", [True, False])
@pytest.mark.parametrize("quality", [5, 30, 75, 95])
@pytest.mark.parametrize("px", [96, 61])
def test_images_differ_from_pillows_by_less_than_two_grey_levels(crops, px, quality, subsample):
    crops = crops[:, -px:, -px:]
    coded = jpeg(_to_tensor(crops), torch.full((len(crops),), float(quality)), subsample)
    truth = _to_tensor([np.asarray(_pillow(crop, quality, subsample)) for crop in crops])
    assert coded.shape == truth.shape
    difference = _grey_levels(coded, truth)
    assert difference.max() < 2
    assert difference.mean() < 1
    if quality <= 30:  # at higher qualities, rounding is nearly as large as the change
        assert difference.mean() < 0.3 * _grey_levels(_to_tensor(crops), truth).mean()


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 85, 100])
def test_quantisation_steps_are_those_of_libjpeg(crops, quality):
    tables = _pillow(crops[0], quality).quantization  # pyright: ignore[reportAttributeAccessIssue]
    for number, table in enumerate((_LUMINANCE, _CHROMINANCE)):
        steps = quantisation(table, torch.tensor([float(quality)]))
        assert steps[0].int().tolist() == list(tables[number])


def test_every_image_has_its_own_quality(crops):
    images, quality = _to_tensor(crops), torch.tensor([5.0, 30.0, 60.0, 90.0])
    separate = [jpeg(images[i : i + 1], quality[i : i + 1])[0] for i in range(4)]
    assert torch.allclose(jpeg(images, quality), torch.stack(separate), atol=1e-5)
    loss = _grey_levels(jpeg(images[:1].expand(4, -1, -1, -1), quality), images[:1])
    assert (loss.diff() < 0).all()


def test_plain_images_do_not_change():
    plain = (torch.randint(0, 256, (6, 3, 1, 1)) / 127.5 - 1).expand(-1, -1, 37, 37)
    assert _grey_levels(jpeg(plain, torch.full((6,), 100.0)), plain).max() < 1


def test_an_empty_batch_stays_empty():
    assert jpeg(torch.empty(0, 3, 20, 20), torch.empty(0)).shape == (0, 3, 20, 20)
