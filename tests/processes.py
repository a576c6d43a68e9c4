"""Commands of their own processes, to be killed at any moment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

from tests.bounds import WITHIN

__all__ = ["Fork", "Forks", "Life", "Process", "until"]

_QUICK: Final = {
    "SOCKET_TIMEOUT_MS": "10000",
    "STAGE_RETRY_BASE_MS": "20",
    "STAGE_RETRY_JITTER_MS": "5",
    "STAGE_RETRY_MAX_MS": "200",
    "STAGE_RETRY_MAX_ATTEMPTS": "20",  # three faults may come in a row: then three attempts are too few
    "HANGBOT_RATE": "0",
}

_SERVER: Final = """
import importlib, os, signal, sys

from hangbot.cli import main

for name in ("commands", "one_bot", "run", "signals"):
    importlib.import_module(f"hangbot.cli.{name}")
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are not waited for
print("ready", flush=True)
for line in sys.stdin:
    out, err, *argv = line.rstrip().split("\t")
    if pid := os.fork():
        print(pid, flush=True)
    else:
        for number, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
        os._exit(main(argv))
"""


class Outputs:
    """The two outputs of a command, in files."""

    def __init__(self, folder: Path, number: int) -> None:
        self.out_file, self.err_file = folder / f"{number:03}.out", folder / f"{number:03}.err"

    @property
    def out(self) -> list[str]:
        return self.out_file.read_text(encoding="utf-8").splitlines()

    @property
    def err(self) -> str:
        return self.err_file.read_text(encoding="utf-8")


class Life(Protocol):
    """A process that can be killed."""

    @property
    def out(self) -> list[str]:
        """The lines that it printed."""

    @property
    def err(self) -> str:
        """What it logged."""

    @property
    def alive(self) -> bool:
        """Whether it runs."""

    def kill(self) -> bool:
        """Kill it; ``False`` when it had ended before."""

    def close(self) -> None:
        """End it, however it is."""


class Process(Outputs):
    """A `hangbot` of its own, with its outputs in files."""

    def __init__(self, folder: Path, number: int, *argv: str, env: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, number)
        with self.out_file.open("wb") as out, self.err_file.open("wb") as err:
            self.process = subprocess.Popen(  # noqa: S603  our own command
                [sys.executable, "-m", "hangbot", *argv],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=os.environ | _QUICK | dict(env or {}),
            )

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def feed(self, lines: list[str]) -> None:
        pipe = self.process.stdin
        assert pipe
        with closing(pipe):
            pipe.write("".join(f"{line}\n" for line in lines).encode())

    def kill(self) -> bool:
        """Kill it; ``False`` when it had ended before."""
        if self.process.poll() is not None:
            return False
        self.process.kill()
        self.process.wait(WITHIN)
        return True

    def close(self) -> None:
        self.kill()
        if self.process.stdin:
            self.process.stdin.close()


class Forks:
    """Starts commands by a fork of a process that has loaded everything: in no time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, "-c", _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=os.environ | _QUICK,
            text=True,
        )

    def start(self, number: int, *argv: str) -> "Fork":
        pipe, answers = self._process.stdin, self._process.stdout
        assert pipe
        assert answers
        fork = Fork(self._folder, number)
        pipe.write("\t".join((str(fork.out_file), str(fork.err_file), *argv)) + "\n")
        pipe.flush()
        while not (answer := answers.readline().strip()).isdecimal():
            assert answer == "ready"
        fork.pid = int(answer)
        return fork

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait(WITHIN)


class Fork(Outputs):
    """One of these commands."""

    pid = 0

    def __init__(self, folder: Path, number: int) -> None:
        super().__init__(folder, number)
        for path in (self.out_file, self.err_file):
            path.touch()

    @property
    def alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> bool:
        """Kill it; ``False`` when it had ended before."""
        if not self.alive:
            return False
        os.kill(self.pid, signal.SIGKILL)
        until(lambda: not self.alive)
        return True

    def close(self) -> None:
        self.kill()


def until(condition: Callable[[], object]) -> None:
    """Look again until something in a file is so; there is no event for it."""
    end = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
