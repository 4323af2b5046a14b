"""Files that are refused."""

import pytest

from latent_hands.errors import HandsError


def refuse(read, *arguments, match: str) -> None:
    """Check that a reader raises HandsError with a short, printable message of one line."""
    with pytest.raises(HandsError, match=match) as error:
        read(*arguments)
    assert len(str(error.value)) < 2100
    assert str(error.value).isprintable()
