"""The kernels of the renderer: Warp compiles them once on each machine, and keeps them."""

import sys
from pathlib import Path
from threading import Thread

from latent_hands.rendering.rays.raycast import wp  # it says what to do without warp

MODULES = tuple(f"latent_hands.rendering.rays.{name}" for name in ("raster", "raycast", "shade", "stage"))
"""The modules with kernels."""
NOTICE = "compiling the renderer for this machine: this takes up to a minute, and happens once"


def load_kernels(quiet: bool = False) -> None:
    """Load the kernels for the CPU, and compile those that this machine does not have yet.

    `NOTICE` is printed before a compilation, unless `quiet`. An interrupt ends the wait at once.
    """
    if are_compiled():
        return
    if not quiet:
        print(NOTICE, file=sys.stderr, flush=True)
    errors: list[Exception] = []
    thread = Thread(target=_load, args=[errors], daemon=True)  # the compiler does not let signals through
    thread.start()
    while thread.is_alive():
        thread.join(0.1)
    for error in errors:
        raise error


def are_compiled() -> bool:
    """Return whether the files of all kernels for the CPU are in Warp's cache."""
    cache = Path(wp.config.kernel_cache_dir or "")
    return all((cache / wp.get_module(name).get_module_identifier(1)).is_dir() for name in MODULES)


def _load(errors: list[Exception]) -> None:
    try:
        for name in MODULES:
            wp.load_module(name, device="cpu")
    except Exception as error:
        errors.append(error)
