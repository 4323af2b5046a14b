"""JSON that is not trusted."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from latent_hands.data.formats.limited import check_depth, read_limited
from latent_hands.errors import BROKEN, HandsError

MAX_BYTES = 256 * 2**20
"""FreiHAND's largest label file has 45 MB."""
MAX_CONTAINERS = 20_000_000
"""Lists and tables of a file. The annotations of COCO-WholeBody have about 2,000,000."""


def load_json(path: Path) -> Any:
    """Read a JSON file. Raises HandsError as `parse_json` does, and for more than MAX_BYTES."""
    return parse_json(read_limited(path, MAX_BYTES), str(path))


def parse_json(text: str | bytes, where: str) -> Any:
    """Parse a JSON text. `where` names it in errors. Bytes are UTF-8, with or without a byte order mark.

    Raises HandsError if it is not JSON, has more than MAX_CONTAINERS lists and tables, nests too deep, or has
    a key twice in one table: Python would drop the first value.
    """
    try:
        text = text if isinstance(text, str) else text.decode("utf-8-sig")
        if text.count("[") + text.count("{") > MAX_CONTAINERS:
            raise HandsError(f"it has more than {MAX_CONTAINERS:,} lists and tables")
        content = json.loads(text, object_pairs_hook=_table)
        check_depth(content)
    except HandsError as error:
        raise HandsError(f"{where}: {error}") from error
    except UnicodeDecodeError as error:
        raise HandsError(f"{where} is not a JSON file in UTF-8: {error}; save it as UTF-8") from error
    except BROKEN as error:
        raise HandsError(f"{where} is not a JSON file: {error}") from error
    return content


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the table of these keys and values."""
    table = dict(pairs)
    if len(table) < len(pairs):
        key, times = Counter(key for key, _ in pairs).most_common(1)[0]
        raise HandsError(f'it has the key "{key}" {times} times in one table; keep one of them')
    return table
