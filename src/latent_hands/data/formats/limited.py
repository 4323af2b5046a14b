"""Reading files up to a limit of size."""

from pathlib import Path

from latent_hands.errors import HandsError


def read_limited(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file. Raises HandsError if it has more than `max_bytes`."""
    if (size := path.stat().st_size) > max_bytes:
        raise HandsError(f"{path} has {size:,} bytes; the limit is {max_bytes:,}")
    return path.read_bytes()
