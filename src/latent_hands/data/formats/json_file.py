"""JSON files of labels."""

import json
from pathlib import Path
from typing import Any

from latent_hands.data.formats.limited import read_limited
from latent_hands.errors import HandsError

MAX_BYTES = 256 * 2**20
"""FreiHAND's largest label file has 45 MB."""


def load_json(path: Path) -> Any:
    """Read a JSON file. Raises HandsError naming the file if it is larger than MAX_BYTES or not JSON."""
    try:
        return json.loads(read_limited(path, MAX_BYTES))
    except HandsError:
        raise
    except (ValueError, RecursionError) as error:
        raise HandsError(f"{path} is not a JSON file: {error}") from error
