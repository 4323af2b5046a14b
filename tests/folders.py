"""What lies in a folder, for tests that compare folders byte by byte."""

from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """The files in all its folders, by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
