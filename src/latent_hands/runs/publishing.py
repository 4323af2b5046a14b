"""Publishing a run on the Hugging Face Hub: experiment, weights and a model card."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from latent_hands.configuration import write_experiment
from latent_hands.errors import HandsError
from latent_hands.files import copy_file, write_text
from latent_hands.hand.conventions import recorded
from latent_hands.lock import new_folder
from latent_hands.runs.folder import EXPERIMENT, LATENTS, WEIGHTS, find_run, load_run
from latent_hands.runs.hub import PREFIX, HubRun, parse_hub, reason_of
from latent_hands.runs.model_card import About, checked_scores, model_card
from latent_hands.runs.shipped import shipped_runs
from latent_hands.runs.shrink import without_folders

README = "README.md"
"""The name that the Hub gives to a model card."""
FILES = (EXPERIMENT, WEIGHTS, LATENTS, README)
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")


def about_run(
    run: str | Path, repo: str, licence: str | None = None, scores: Mapping[str, object] = {}
) -> About:
    """Return what the card of a run states. The shipped models are under the MIT licence.

    Raises HandsError for a name that is none of a repository, for a licence that is missing or no identifier,
    and for scores that are no numbers.
    """
    named = parse_hub(repo)
    if named.revision is not None:
        raise HandsError(f"{repo} names a revision: publishing makes a new one, so give OWNER/NAME alone")
    if licence is None and run in shipped_runs():
        licence = "mit"
    if licence is None:
        raise HandsError(
            f"the licence of the weights of {run} is not stated: give --licence, such as mit or "
            "cc-by-nc-4.0. The licences of the data that it learned from may forbid some"
        )
    if not _LICENCE.fullmatch(licence):
        raise HandsError(
            f'licence is "{licence}", but must be an identifier of the Hub, such as mit or cc-by-nc-4.0'
        )
    checked = {name: checked_scores(each, f"the scores on {name}") for name, each in scores.items()}
    return About(named.repo, licence, checked)


def write_publication(run: str | Path, about: About, out: Path) -> Path:
    """Write the files of a publication into a new folder, and return it.

    The weights are copied to the bit. The experiment names no folder of this machine.
    Raises HandsError if the run cannot be loaded, and if `out` has content.
    """
    folder, (_, experiment) = find_run(run), load_run(run)
    card = model_card(folder, experiment, about)
    public = without_folders(experiment)
    stated = replace(public.data, convention=recorded(public.data.convention))
    with new_folder(out) as new:
        write_text(new / EXPERIMENT, write_experiment(replace(public, data=stated)))
        for name in (WEIGHTS, LATENTS):
            if (folder / name).is_file():
                copy_file(folder / name, new / name)
        write_text(new / README, card)
    return out


def publish(run: str | Path, about: About, private: bool = False) -> str:
    """Upload a run to the Hugging Face Hub as one commit; return its name with the commit.

    The repository is created if it does not exist; `private` is for a new one. An existing one keeps its
    other files. Raises HandsError if nobody is logged in, and if the Hub refuses or cannot be reached.
    """
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise HandsError("nobody is logged in to the Hugging Face Hub: log in with `hf auth login`")
    with TemporaryDirectory(prefix="latent-hands-") as temporary:
        folder = write_publication(run, about, Path(temporary) / "run")
        api = HfApi()
        try:
            api.create_repo(about.repo, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=about.repo,
                folder_path=folder,
                allow_patterns=[*FILES],
                commit_message="Publish a run of latent-hands",
            )
        except Exception as error:  # the HTTP library, and its errors, differ between versions of the Hub's
            raise HandsError(f"{PREFIX}{about.repo} cannot be published: {reason_of(error)}") from error
    return str(HubRun(about.repo, commit.oid))
