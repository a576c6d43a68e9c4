"""Processes of our own: started, asked and ended by their id, and never left behind."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

__all__ = ["ROOT", "Child", "ChildFailed", "child"]

ROOT: Final = Path(__file__).resolve().parent.parent
_PATIENCE: Final = 60.0
_FAREWELL: Final = 10.0


class ChildFailed(Exception):
    """A child process ended, or did not answer in time."""


class Child:
    """A running ``python -m bench.…`` that answers a line of JSON with a line of JSON.

    It leaves by itself when its standard input ends, so none outlives us, whatever happens.
    """

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        self._process = process
        self._name = name

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ask(self, request: object, *, within: float = _PATIENCE) -> Any:  # noqa: ANN401  any JSON value
        """Send a request and return the answer.

        Raises:
            ChildFailed: It ended, or no answer came within so many seconds: then it was ended.
        """
        sink, source = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        watch = threading.Timer(within, self._process.kill)
        watch.start()
        try:
            sink.write(json.dumps(request) + "\n")
            sink.flush()
            line = source.readline()
        except BrokenPipeError:
            line = ""
        finally:
            watch.cancel()
        if not line:
            raise ChildFailed(
                f"{self._name} (process {self.pid}) ended, or gave no answer within {within:g} s"
            )
        return json.loads(line)


@contextmanager
def child(module: str, *arguments: str) -> Iterator[Child]:
    """Start ``python -m MODULE ARGUMENTS`` and end it with the block."""
    process = subprocess.Popen(  # noqa: S603  our own interpreter and our own module
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        try:
            yield Child(process, module)
        finally:
            cast("IO[str]", process.stdin).close()
            try:
                process.wait(_FAREWELL)
            except subprocess.TimeoutExpired:
                process.kill()
