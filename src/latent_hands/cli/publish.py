"""The command publish."""

import re
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from latent_hands.cli.options import Json, Run, unset
from latent_hands.errors import HandsError


def publish(
    run: Run,
    repo: Annotated[str, Positional, arg(metavar="OWNER/NAME", help="The repository on the Hub.")],
    licence: Annotated[str | None, unset("mit for shipped models", "ID")] = None,
    scores: Annotated[tuple[str, ...], unset("none", "NAME=FILE ...")] = (),
    private: bool = False,
    dry_run: Annotated[Path | None, unset("none", "DIR")] = None,
    json: Json = False,
) -> None:
    """Publish a run on the Hugging Face Hub, with a model card.

    $ latent-hands publish runs/mine me/my-hands --licence mit --dry-run published
    $ latent-hands publish runs/mine me/my-hands --licence mit --scores rendered=scores.json

    Output: the name of the run with its commit. Every command accepts it as RUN, and so does `lh.load`.

    The command uploads only experiment.toml, weights.safetensors and README.md, the model card. The card has
    the graph, the last validation and the scores. If the run folder has MODEL_CARD.md, that is its text. Log
    in with `hf auth login` first. `latent-hands runs shrink` halves the size of the weights.

    Args:
        licence: The licence of the weights, an identifier of the Hub such as mit or cc-by-nc-4.0.
        scores: Scores for the card, as `latent-hands evaluate --json` prints them: the name of the data set
            and the file.
        private: Make a new repository private.
        dry_run: Write the files into this new folder, and upload nothing.
    """
    from latent_hands.cli.sources import parse_sets
    from latent_hands.cli.tables import print_json
    from latent_hands.data.formats.json_file import load_json
    from latent_hands.runs.publishing import FILES, about_run, write_publication
    from latent_hands.runs.publishing import publish as upload

    if private and dry_run is not None:
        raise HandsError("--private has no effect with --dry-run, which uploads nothing: leave it out")
    named = parse_sets(scores, "--scores", "FILE")
    for name, file in named.items():
        if not re.fullmatch(r"[\w .,()+-]{1,80}", name):
            raise HandsError(
                f'--scores: the name "{name}" goes into the model card; it must have letters, digits, spaces '
                "and .,()+-_ alone, at most 80"
            )
        if not file.is_file():
            raise HandsError(f"--scores: no file at {file}; `latent-hands evaluate --json` prints scores")
    about = about_run(run, repo, licence, {name: load_json(file) for name, file in named.items()})
    if dry_run is None:
        name = upload(run, about, private)
        print_json({"run": name}) if json else print(name)
        return
    folder = write_publication(run, about, dry_run)
    sizes = {name: (folder / name).stat().st_size for name in FILES if (folder / name).exists()}
    if json:
        print_json({"out": str(folder), "bytes": sizes})
        return
    for name, size in sizes.items():
        print(f"{folder / name}  {size:,} bytes")
