"""Stop a piece of work at each of its writes, or at a random time, and check what is left and what follows.

The work runs in forks of a process that has imported everything. An audit hook counts what it does to files:
it opens, renames or removes one, or makes or removes a folder. At a chosen count, the fork is stopped.
"""

import ctypes
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from typing import Any

from watched import Stop, Watch, contents, temporary

from latent_hands import cli
from latent_hands.errors import HandsError
from latent_hands.interrupt import STOPPING, on_interrupt

ABSENT = "absent or refused"


@dataclass(frozen=True)
class Work:
    """Something that a second call continues.

    * `run` does it in a folder.
    * `read` returns what a user reads from the folder, or raises HandsError.
    * `parallel` means that it has processes of its own, whose changes are not counted.
    """

    run: Callable[[Path], object]
    read: Callable[[Path], object] | None = None
    parallel: bool = False


def become_reaper() -> None:
    """Let processes whose parents end become children of this one, so that none can hide."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


class Killer:
    """Runs work in forks. `versions` is what an undisturbed run writes under each name."""

    def __init__(self, work: Work, scratch: Path):
        self.work, self.scratch, self.folders, self.output = work, scratch, 0, ""
        whole, log = self.folder(), scratch / "versions"
        started = time.monotonic()
        assert self.fork(whole, None, log) == 0, self.output
        self.seconds = time.monotonic() - started
        recorded = json.loads(log.read_text())
        self.changes: int = recorded["changes"]
        self.versions: dict[str, list[Any]] = recorded["versions"]
        self.whole, self.read = contents(whole), self.reading(whole)
        assert self.read != ABSENT

    def folder(self) -> Path:
        self.folders += 1
        folder = self.scratch / f"{self.folders}"
        folder.mkdir(parents=True)
        return folder

    def fork(self, folder: Path, stop: Stop | None, log: Path | None = None) -> int:
        """Run the work in a fork, and return its exit code, or minus the signal that ended it."""
        reader, writer = os.pipe()
        fcntl(writer, F_SETPIPE_SZ, 2**20)
        os.set_blocking(reader, False)
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        pid = os.fork()
        if pid == 0:
            with on_interrupt():  # a signal before and after the command finds no default handler
                code = 70
                try:
                    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
                    os.dup2(writer, 1)
                    os.dup2(writer, 2)
                    code = self.child(folder, stop, log)
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(code)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        os.close(writer)
        if stop and stop.at is None:
            time.sleep(stop.seconds)
            os.kill(pid, int(stop.how))
        _, status = os.waitpid(pid, 0)
        self.check_no_process()
        self.output = os.read(reader, 2**20).decode(errors="replace")
        os.close(reader)
        return os.waitstatus_to_exitcode(status)

    def child(self, folder: Path, stop: Stop | None, log: Path | None) -> int:
        sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
        if stop and stop.how == "torn":
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        watch = Watch(folder, stop, log is not None)
        sys.addaudithook(watch)
        cli._dispatch = lambda _: int(self.work.run(folder) is False)  # type: ignore[assignment]
        code = cli.main([])
        watch.stop = None
        if log:
            log.write_text(json.dumps({"changes": watch.changes, "versions": watch.versions}))
        return code

    def check_no_process(self) -> None:
        """Check that all processes of the work end within seconds."""
        for _ in range(600):
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(0.1)
        left = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        for pid in left:
            os.kill(int(pid), signal.SIGKILL)
        raise AssertionError(f"processes {left} are left")

    def reading(self, folder: Path) -> object:
        """Return what a reader gets, in a fork, so that this process starts no threads."""
        if self.work.read is None:
            return None
        answer = self.scratch / "read"
        answer.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            try:
                answer.write_text(repr(self.work.read(folder)))
            except HandsError:
                answer.write_text(ABSENT)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        return answer.read_text()

    def check(self, *stops: Stop) -> None:
        """Stop the work several times, then let it finish; check everything."""
        folder, about = self.folder(), f"after {stops}"
        for stop in stops:
            code = self.fork(folder, stop)
            assert code in (0, *codes(stop)), f"{about}: exit code {code}: {self.output}"
            self.check_left(folder, f"{about}, exit code {code}")
            if code > 0:
                assert not temporary(folder), f"{about}: {temporary(folder)} are left"
                assert "Traceback" not in self.output, f"{about}: {self.output}"
                assert stop.how != "full" or str(folder) in self.output, (
                    f"{about} names no file: {self.output}"
                )
            if self.finished(folder):
                break
        if not self.finished(folder):
            assert self.fork(folder, None) == 0, f"{about}: {self.output}"
        found = contents(folder)
        assert found.keys() == self.whole.keys(), f"{about}: {found.keys() ^ self.whole.keys()}"
        differ = [name for name in found if found[name] != self.whole[name]]
        assert not differ, f"{about}: {differ} differ from an undisturbed run"
        assert not temporary(folder), f"{about}: {temporary(folder)} are left by the next start"

    def finished(self, folder: Path) -> bool:
        """Return whether the folder has all files of an undisturbed run, and no temporary ones."""
        return contents(folder) == self.whole and not temporary(folder)

    def check_left(self, folder: Path, about: str) -> None:
        """Check that nothing half-written is read as whole."""
        assert self.reading(folder) in (self.read, ABSENT), f"{about}: something incomplete can be read"
        if self.work.parallel:
            return
        for name, found in contents(folder).items():
            legal = self.versions.get(name, [])
            if name.endswith(".jsonl"):
                lines = [line for version in (*legal, self.whole.get(name, [])) for line in version]
                assert all(line in lines for line in found[:-1]), f"{about}: {name} has a wrong line"
            else:
                assert found in legal, f"{about}: {name} is half-written"

    def stops(self, rng: random.Random, count: int | None) -> list[tuple[Stop, ...]]:
        """Return a stop of every kind at every change, 50 at random times, 50 series; or `count` of them.

        Parallel work, which takes longer, gets half of them.
        """
        hows = (signal.SIGKILL, "torn", "full", signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        signals, killing = (hows[0], *hows[3:]), hows[:2]
        stops = [(Stop(rng.choice(signals), seconds=rng.uniform(0, self.seconds)),) for _ in range(50)]
        if not self.work.parallel:
            stops += [(Stop(how, at),) for at in range(self.changes) for how in hows]
            stops += [
                tuple(Stop(rng.choice(killing), rng.randrange(self.changes)) for _ in range(5))
                for _ in range(50)
            ]
        return stops if count is None else rng.sample(stops, -(-count // 2) if self.work.parallel else count)


def codes(stop: Stop) -> tuple[int, ...]:
    """Return the exit codes of stopped work. A torn write may end in SIGXFSZ."""
    if stop.how == "torn":
        return (-signal.SIGXFSZ,)
    if stop.how == "full":
        return (cli.FAILED,)
    return (-signal.SIGKILL,) if stop.how == signal.SIGKILL else (128 + int(stop.how),)
