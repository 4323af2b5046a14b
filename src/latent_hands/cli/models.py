"""The command models."""

from collections.abc import Mapping

from latent_hands.cli.options import Json
from latent_hands.cli.tables import print_json


def models(json: Json = False) -> None:
    """List the shipped models and experiments.

    $ latent-hands models
    $ latent-hands models --json

    Output: names and short descriptions. Commands accept the name of a model as RUN, and `latent-hands train`
    accepts the name of an experiment. The experiments `estimation` and `synthesis` are the models of the
    paper. The shipped models of these names have more factors and further training.
    """
    from latent_hands import api

    lists = {"models": api.models(), "experiments": api.experiments()}
    if json:
        print_json(lists)
        return
    print_names("Models", lists["models"])
    print()
    print_names("Experiments", lists["experiments"])


def print_names(title: str, names: Mapping[str, str]) -> None:
    """Print names with their descriptions."""
    width = max(map(len, names)) + 2
    print(f"{title}:")
    for name, description in names.items():
        print(f"  {name:<{width}}{description}")
