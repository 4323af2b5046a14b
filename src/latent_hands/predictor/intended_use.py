"""The use that a model is made for: one that generates images announces that its hands are less reliable."""

import logging
from collections.abc import Collection
from functools import lru_cache


def announce_use(written: Collection[str]) -> None:
    """Announce, once, that another model is made for finding hands, if this one generates images.

    `written` holds the modalities that the model decodes.
    """
    if "rgb" in written and "uv" not in written:
        _announce()


@lru_cache(1)
def _announce() -> None:
    logging.getLogger(__name__).warning(
        "this model generates images, and learned from crops of left hands: "
        'it finds hands and their sides less reliably than lh.load("estimation") does'
    )
