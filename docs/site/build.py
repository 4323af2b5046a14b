"""Build the documentation site: python docs/site/build.py [OUT], by default into site/.

Pages are prepared in build/site, and zensical builds them with mkdocs.yml. No network is used.
Warnings are errors. `--prepare` stops before zensical, so that mkdocs-material can build the same folder:
mkdocs build --strict -f build/site/mkdocs.yml
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from links import problems
from pages import MOVED, ROOT, commands, page

COLOUR = re.compile(r"\x1b\[[\d;]*m")


def prepare(work: Path) -> None:
    """Write mkdocs.yml and all pages into a folder, which is emptied first."""
    shutil.rmtree(work, ignore_errors=True)
    docs = work / "docs"
    shutil.copytree(ROOT / "docs/pictures", docs / "pictures")
    sources = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/tutorials/*.py"), *map(ROOT.joinpath, MOVED)]
    for source in sources:
        place, text = page(source)
        (docs / place).parent.mkdir(parents=True, exist_ok=True)
        (docs / place).write_text(text, encoding="utf-8")
    with (docs / "reference/commands.md").open("a", encoding="utf-8") as file:
        file.write("\n" + commands())
    shutil.copy(ROOT / "docs/site/site.css", docs)
    for name in ("mkdocs.yml", "docs/site/doctests.py"):
        shutil.copy(ROOT / name, work)


def build(work: Path) -> Path:
    """Build a prepared folder and return the site. Raises SystemExit with what is wrong."""
    done = subprocess.run(
        [Path(sys.executable).with_name("zensical"), "build", "--strict", "--clean"],
        cwd=work,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    site = work / "site"
    if done.returncode:
        raise SystemExit(COLOUR.sub("", done.stdout + done.stderr).partition("Traceback")[0])
    if found := problems(site):
        raise SystemExit("\n".join(found))
    return site


def main() -> None:
    """Run the command line of this module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=ROOT / "site", help="replaced by the site")
    parser.add_argument("--work", type=Path, default=ROOT / "build/site", help="replaced by the pages")
    parser.add_argument("--prepare", action="store_true", help="stop before zensical")
    options = parser.parse_args()
    prepare(options.work)
    if not options.prepare:
        site = build(options.work)
        shutil.rmtree(options.out, ignore_errors=True)
        shutil.move(site, options.out)
        print(
            f"The site is in {options.out}. Its search needs a server: python -m http.server -d {options.out}"
        )


if __name__ == "__main__":
    main()
