"""Runs on the Hugging Face Hub: "hf-hub:owner/name@revision" is a folder of the Hub's local cache.

Only the files of a run are downloaded, and reading them executes nothing. Their sizes are checked before
the download. A commit that is in the cache needs no connection, and neither does the last known commit of a
branch when the Hub cannot be reached.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from latent_hands.errors import HandsError
from latent_hands.runs import tensors
from latent_hands.runs.shipped import EXPERIMENT, shipped_runs
from latent_hands.typed_toml import MAX_BYTES

PREFIX = "hf-hub:"
LIMITS = {
    EXPERIMENT: MAX_BYTES,
    "weights.safetensors": tensors.MAX_BYTES,
    "latents.safetensors": tensors.MAX_BYTES,
}
"""The files of a run, and their largest sizes in bytes: those that are read."""
OPTIONAL = ("latents.safetensors",)
"""The files that a run may lack."""
SECONDS = 10.0
"""Longest wait for an answer of the Hub, before the cache is used."""
_PART = r"[A-Za-z0-9](?:[\w.-]{0,94}\w)?"
_NAME = re.compile(rf"(?P<repo>{_PART}/{_PART})(?:@(?P<revision>[\w./-]{{1,255}}))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubRun:
    """The name of a run on the Hub.

    Attributes:
        repo: the repository, "owner/name".
        revision: a commit, a tag or a branch; the main branch if it is None.
    """

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        """Return the name as the user writes it."""
        return f"{PREFIX}{self.repo}" + (f"@{self.revision}" if self.revision else "")


def is_hub(run: str | Path) -> bool:
    """Return whether a text names a run on the Hub."""
    return isinstance(run, str) and run.startswith(PREFIX)


def check_own(run: str | Path) -> None:
    """Raise HandsError for a shipped run and one on the Hub, whose files must not change."""
    if is_hub(run) or run in shipped_runs():
        raise HandsError(f"{run} is not a folder of your own: copy it with `latent-hands runs shrink`")


def parse_hub(text: str) -> HubRun:
    """Return the parts of "hf-hub:owner/name@revision". Raises HandsError for another text."""
    found = _NAME.fullmatch(text.removeprefix(PREFIX))
    if found is None or any(bad in text for bad in ("..", "--", "//")):
        raise HandsError(
            f'"{text}" does not name a run on the Hugging Face Hub; write {PREFIX}owner/name or '
            f"{PREFIX}owner/name@revision, where the revision is a commit, a tag or a branch"
        )
    return HubRun(found["repo"], found["revision"])


def hub_folder(run: str) -> Path:
    """Return the folder of a run on the Hub, named by its commit, after a download if it is needed.

    A name stands for the same commit as long as the process runs.
    Raises HandsError, in one line, if the repository is missing, private or no run, if its files are too
    large, and if it is neither in the cache nor reachable.
    """
    return _folder(parse_hub(run))


def pinned(run: str | Path) -> str:
    """Return the name of a run, with the commit if it is on the Hub. Raises HandsError as `hub_folder` does.

    Records of a run use this name, because a branch may later be another commit.
    """
    if isinstance(run, str) and is_hub(run):
        return str(HubRun(parse_hub(run).repo, hub_folder(run).name))
    return str(run)


def short_name(run: str | Path) -> str:
    """Return the name of a run as `pinned` does, without the folders of this machine."""
    return pinned(run) if is_hub(run) else Path(run).name


@lru_cache(maxsize=256)
def _folder(run: HubRun) -> Path:
    if run.revision is not None and _COMMIT.fullmatch(run.revision):
        cached = _cached(run)
        if cached is not None:
            return cached
    return _download(run)


def _cached(run: HubRun) -> Path | None:
    """Return the folder of a run in the cache; None if a file is missing there."""
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(
            run.repo, revision=run.revision, allow_patterns=[*LIMITS], local_files_only=True
        )
    except FileNotFoundError:
        return None
    folder = Path(found)
    return folder if _complete(folder) else None


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in LIMITS if name not in OPTIONAL)


def _download(run: HubRun) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        info = HfApi().model_info(run.repo, revision=run.revision, files_metadata=True, timeout=SECONDS)
    except GatedRepoError as error:
        raise HandsError(
            f"{run} needs the consent of its owner: ask for it at https://huggingface.co/{run.repo}, then "
            "log in with `hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise HandsError(f'{PREFIX}{run.repo} has no commit, tag or branch "{run.revision}"') from error
    except RepositoryNotFoundError as error:
        raise HandsError(
            f"{run} is not on the Hugging Face Hub, or it is private: check the name, or log in with "
            "`hf auth login`"
        ) from error
    except Exception as error:  # the HTTP library, and its errors, differ between versions of the Hub's
        cached = _cached(run)
        if cached is None:
            raise _unreachable(run, error) from error
        return cached
    _check(run, info)
    try:
        folder = Path(
            snapshot_download(run.repo, revision=run.revision, allow_patterns=[*LIMITS], etag_timeout=SECONDS)
        )
    except Exception as error:
        raise HandsError(f"{run} cannot be downloaded: {reason_of(error)}; try again later") from error
    if folder.name != info.sha or not _complete(folder):
        raise HandsError(f"{run} changed while it was downloaded: try again")
    return folder


def _check(run: HubRun, info: Any) -> None:
    """Raise HandsError unless the repository has the files of a run, in sizes that are read."""
    sizes = {each.rfilename: each.size for each in info.siblings or ()}
    for name, limit in LIMITS.items():
        if name not in sizes and name in OPTIONAL:
            continue
        if name not in sizes:
            raise HandsError(
                f"{run} is not a run of latent-hands: it has no {name}. `latent-hands publish` writes one"
            )
        if sizes[name] is None or sizes[name] > limit:
            raise HandsError(f"{run}: {name} has {sizes[name]} bytes; at most {limit} are downloaded")


def _unreachable(run: HubRun, error: Exception) -> HandsError:
    from huggingface_hub import constants

    reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else reason_of(error)
    return HandsError(
        f"{run} is not in the cache {constants.HF_HUB_CACHE}, and the Hugging Face Hub cannot be reached: "
        f"{reason}. Load it once with a connection, or name a run folder"
    )


def reason_of(error: Exception) -> str:
    """Return the first line of an error, or its type."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
