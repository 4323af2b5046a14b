"""Shape and type annotations are checked while tests run; real data sets are used where they are present."""

import os
from pathlib import Path

from jaxtyping import install_import_hook

SHARED = Path(os.environ.get("LATENT_HANDS_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

_hook = install_import_hook("latent_hands", "beartype.beartype")
