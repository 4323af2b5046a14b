"""PNG files of rendered sets."""

import io

import numpy as np
import pytest
from PIL import Image

from latent_hands.data.formats.png import encode_png

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (64, 48), (1, 1, 3), (7, 5, 3), (48, 64, 3)])
def test_an_encoded_image_is_decoded_to_the_same_pixels(shape):
    noise = RNG.integers(0, 256, shape, np.uint8)
    flat = np.full(shape, 200, np.uint8)
    for pixels in (noise, flat, noise // 64 * 80):
        decoded = np.asarray(Image.open(io.BytesIO(encode_png(pixels))))
        np.testing.assert_array_equal(decoded, pixels)


def test_a_view_of_an_image_is_encoded_as_its_copy():
    image = RNG.integers(0, 256, (20, 30, 3), np.uint8)
    view = image[3:15, 20:4:-1]
    assert encode_png(view) == encode_png(view.copy())
