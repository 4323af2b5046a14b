"""The smallest experiment: one factor, one encoder and one decoder."""

from latent_hands.build import build_phases, build_vae
from latent_hands.configuration import Experiment
from latent_hands.paper.algorithms import Phase
from latent_hands.typed_toml import parse, read

SMALL = """
[latent]
pose = 4
[encoders]
pose = { reads = "pose", factors = ["pose"] }
[decoders]
pose = { writes = "pose", factors = ["pose"] }
[algorithm]
name = "cross_modal"
encode = ["pose"]
"""


def small(extra: str = "", old: str = "", new: str = "") -> Experiment:
    """Return it with further lines, or with a text replaced."""
    return read(Experiment, parse(SMALL.replace(old, new) + extra, "run.toml"), "run.toml")


def phases_of(experiment: Experiment) -> dict[str, Phase]:
    """Return the phases of an experiment by name."""
    return {phase.name: phase for phase in build_phases(experiment, build_vae(experiment))}
