"""Experiments as TOML: files of users, packaged ones by name, and those of run folders."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from latent_hands.configuration.renamed import converted, named, refuse_renamed
from latent_hands.configuration.settings import Experiment
from latent_hands.errors import HandsError, as_path, did_you_mean
from latent_hands.typed_toml import override, read, read_toml, to_table, write


def load_experiment(
    path_or_name: str | Path, overrides: Sequence[str] = (), earlier: bool = False
) -> Experiment:
    """Return the experiment of a TOML file, or a packaged one by name ("estimation").

    Args:
        path_or_name: the file, or the name.
        overrides: command-line options "--section.key value" that replace values.
        earlier: convert keys of earlier versions, as run folders may have them, instead of refusing them.

    Raises HandsError for a missing file, text that is not TOML, and unknown, missing or illegal values.
    """
    path = find_experiment(path_or_name)
    table = read_toml(path)
    table = named(converted(table) if earlier else table, str(path), earlier)
    table = override(table, overrides)
    refuse_renamed(table, str(path))
    return read(Experiment, table, str(path))


def packaged_experiments() -> dict[str, Path]:
    """Return the packaged experiments by name."""
    folder = Path(str(files("latent_hands"))) / "experiments"
    return {each.stem: each for each in sorted(folder.glob("*.toml"))}


def find_experiment(path_or_name: str | Path) -> Path:
    """Return the packaged experiment of that name, or the file itself; packaged names come first."""
    path, packaged = as_path(path_or_name, "experiment"), packaged_experiments()
    if isinstance(path_or_name, str) and path_or_name in packaged:
        return packaged[path_or_name]
    if path.is_file():
        return path
    if path.suffix == ".toml":
        raise HandsError(
            f"no file {path.name} in {path.absolute().parent}; packaged experiments: {', '.join(packaged)}"
        )
    raise HandsError(f'no experiment file "{path_or_name}"; {did_you_mean(str(path_or_name), packaged)}')


def write_experiment(experiment: Experiment) -> str:
    """Return the resolved experiment as TOML, which reads back identically."""
    return write(to_table(experiment))
