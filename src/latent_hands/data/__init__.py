"""Data sets as lists of samples, and everything between a sample and a batch."""

from typing import TYPE_CHECKING

from latent_hands.lazy import lazily

if TYPE_CHECKING:
    from latent_hands.data.formats.image import read_rgb
    from latent_hands.data.readers import READERS, Reader, find_reader, open_data
    from latent_hands.data.readers.coco import read_coco
    from latent_hands.data.readers.counterfactual import Counterfactuals, read_counterfactual
    from latent_hands.data.readers.freihand import read_freihand
    from latent_hands.data.readers.ge2019 import read_ge2019
    from latent_hands.data.readers.images import list_images, read_images
    from latent_hands.data.readers.reading import OnBroken, check_limit
    from latent_hands.data.readers.rendered import read_rendered
    from latent_hands.data.readers.rhd import read_rhd
    from latent_hands.data.readers.stb import read_stb
    from latent_hands.data.sample import Sample

__all__ = [
    "READERS",
    "Counterfactuals",
    "OnBroken",
    "Reader",
    "Sample",
    "check_limit",
    "find_reader",
    "list_images",
    "open_data",
    "read_coco",
    "read_counterfactual",
    "read_freihand",
    "read_ge2019",
    "read_images",
    "read_rendered",
    "read_rgb",
    "read_rhd",
    "read_stb",
]

__getattr__ = lazily(
    __name__,
    {
        "Counterfactuals": "readers.counterfactual",
        "OnBroken": "readers.reading",
        "READERS": "readers",
        "Reader": "readers",
        "Sample": "sample",
        "check_limit": "readers.reading",
        "find_reader": "readers",
        "list_images": "readers.images",
        "open_data": "readers",
        "read_coco": "readers.coco",
        "read_counterfactual": "readers.counterfactual",
        "read_freihand": "readers.freihand",
        "read_ge2019": "readers.ge2019",
        "read_images": "readers.images",
        "read_rendered": "readers.rendered",
        "read_rgb": "formats.image",
        "read_rhd": "readers.rhd",
        "read_stb": "readers.stb",
    },
)
