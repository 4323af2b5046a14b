"""The models that the package ships: run folders with a name and a model card."""

import re
from importlib.resources import files
from pathlib import Path

WEIGHTS = Path(str(files("latent_hands"))) / "weights"
CARD, EXPERIMENT = "MODEL_CARD.md", "experiment.toml"


def shipped_runs() -> dict[str, Path]:
    """Return the run folders of the shipped models, by name. A detector is not a run."""
    runs = [card.parent for card in sorted(WEIGHTS.glob(f"*/{CARD}"))]
    return {run.name: run for run in runs if (run / EXPERIMENT).is_file()}


def shipped_models() -> dict[str, str]:
    """Return what each shipped model does: the first sentence of its model card, by name."""
    return {name: _first_sentence(run / CARD) for name, run in shipped_runs().items()}


def _first_sentence(card: Path) -> str:
    paragraphs = card.read_text(encoding="utf-8").split("\n\n")
    text = " ".join(next(text for text in paragraphs if not text.startswith("#")).split())
    return re.split(r"(?<=\w)[.:] ", text.removeprefix("**What it does.** "))[0].rstrip(".") + "."
