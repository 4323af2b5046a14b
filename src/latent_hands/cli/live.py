"""The command live."""

import os
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from latent_hands.cli.options import RUN_HELP, BoneMm, FocalPx, OptionalHandedness, Zoom, unset
from latent_hands.cli.quick_imports import quick_imports
from latent_hands.errors import HandsError, counted

if TYPE_CHECKING:
    from latent_hands.predictor import Hand
    from latent_hands.streaming import Live

File = Annotated[Path | None, unset("none", "FILE")]


def use_few_threads() -> None:
    """Let torch use half of the cores, at most 4, unless OMP_NUM_THREADS chooses another number.

    Where other programs use the cores, threads that wait for one another slow a stream down (docs/live.md).
    """
    if "OMP_NUM_THREADS" not in os.environ:
        import torch

        torch.set_num_threads(min(max((os.cpu_count() or 1) // 2, 1), 4))


def live(
    source: Annotated[str, Positional, arg(metavar="CAMERA|FILE")] = "0",
    run: Annotated[str, arg(metavar="RUN", help=RUN_HELP)] = "estimation",
    handedness: OptionalHandedness = None,
    bone_mm: BoneMm = None,
    focal_px: FocalPx = None,
    smooth: Annotated[Literal["online", "none"], arg(metavar="{online,none}")] = "online",
    max_hands: Annotated[int, arg(metavar="N")] = 2,
    zoom: Zoom = 1,
    record: File = None,
    json: File = None,
    window: Annotated[bool, arg(help_behavior_hint="(default: show it)")] = True,
    browser: Annotated[bool, arg(help_behavior_hint="(default: open it)")] = True,
    port: Annotated[int, arg(metavar="N")] = 0,
    limit: Annotated[int | None, unset("until Ctrl-C or the end of the video", "N")] = None,
) -> None:
    """Follow the hands in front of a camera, and show them in the browser.

    $ latent-hands live
    $ latent-hands live 1 --record session.mp4 --json session.jsonl
    $ latent-hands live clip.mp4 --no-window --json clip.jsonl

    Output: the address of a page on this machine. It shows the newest frame with its hands, frames per
    second, latency and dropped frames. --record and --json write until Ctrl-C; the files are then complete.

    If the model is slower than the camera, older frames are dropped and counted. A video plays in its own
    time, as if it came from a camera; `latent-hands estimate` reads all of its frames. Over SSH, forward the
    port: ssh -L 8000:127.0.0.1:8000 HOST, with --port 8000.

    Args:
        source: A camera (0 is the first one, or camera:NAME), or a video file.
        smooth: Smoothing of the hands with the frames so far (online), or none.
        max_hands: Largest number of hands at a time.
        record: Write the frames with their hands as a video, FILE.mp4.
        json: Write the hands as JSON Lines, one line per frame, FILE.jsonl (docs/outputs.md).
        window: Do not show the page.
        browser: Do not open the page, only print its address.
        port: Port of the page on 127.0.0.1; 0 is any free port.
        limit: Stop after N frames.
    """
    with quick_imports():
        from latent_hands.cli.live_outputs import LiveOutputs
        from latent_hands.cli.sources import check_outputs
        from latent_hands.data.readers.reading import check_limit
        from latent_hands.interrupt import on_interrupt
        from latent_hands.predictor import Model
        from latent_hands.progress import progress_bars
        from latent_hands.streaming import Live, Page
        from latent_hands.streaming.source import source_of

    check_limit(limit)
    if port and not window:
        raise HandsError(f"--port is {port}, but --no-window shows no page: leave one of them out")
    check_ending("--record", record, ".mp4")
    check_ending("--json", json, ".jsonl")
    file = source_of(source).file
    check_outputs([] if file is None else [file], [], [each for each in (record, json) if each is not None])
    use_few_threads()
    model = Model.load(run)
    with on_interrupt() as stop, ExitStack() as opened, progress_bars() as progress:
        options: dict[str, Any] = {"handedness": handedness, "bone_mm": bone_mm, "focal_px": focal_px}
        stream = opened.enter_context(
            Live(source, model, smooth=smooth, max_hands=max_hands, zoom=zoom, stop=stop, **options)
        )
        name = stream.source.name
        page = opened.enter_context(Page(port, f"Latent Hands: {name}")) if window else None
        outputs = opened.enter_context(LiveOutputs(stream, page, record, json, browser))
        for number, hands in enumerate(islice(stream, limit), 1):
            outputs.add(hands)
            progress(f"{name}: frames", number, limit, text_of(stream, hands))
    rates = stream.rates
    print(f"{name}: {rates.frames} frames, {rates.dropped} dropped, {rates.fps:.1f} frames/s at the end")
    for written in outputs.files if rates.frames else ():
        print(written)


def check_ending(option: str, file: Path | None, ending: str) -> None:
    """Raise HandsError for a file of another format."""
    if file is not None and file.suffix.lower() != ending:
        raise HandsError(f"{option} is {file}, but must end in {ending}")


def text_of(stream: "Live", hands: "list[Hand]") -> str:
    """Return the rates and the hands of the newest frame in one line."""
    rates = stream.rates
    return (
        f"{rates.fps:.1f} frames/s, latency {1000 * rates.latency_s:.0f} ms, {rates.dropped} dropped, "
        f"{counted(len(hands), 'hand')}"
    )
