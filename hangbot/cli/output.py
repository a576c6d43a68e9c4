"""Standard output and standard error of a command: a failure to print is told, and changes nothing else.

What a command did is done, whether or not anybody could read of it: a full disk behind ``>``, a
reader that has gone, a stream that was closed before the start or an encoding that lacks a letter
must not turn "accepted" into "failed", since whoever asked would then ask again.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO, cast

__all__ = ["guarded_streams", "report", "report_lines", "write_failure", "write_json", "write_line"]

_STANDARD: Final = (0, 1, 2)
_CLOSED: Final = OSError(errno.EBADF, "it is closed")


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Let no failure to print leave the block; at its end both streams are flushed, or led to nowhere."""
    _plug()
    before = sys.stdout, sys.stderr
    err = _Kept(sys.stderr)
    out = _Kept(sys.stdout, told=_tell_once)
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    try:
        yield
    finally:
        out.finish()
        err.finish()
        sys.stdout, sys.stderr = before


def write_failure() -> Exception | None:
    """Return why something that was printed so far could not be written, or ``None``.

    For commands that do nothing but show something: there, that is a failure.
    """
    if not isinstance(sys.stdout, _Kept):
        return None
    sys.stdout.flush()
    return sys.stdout.failure


def write_line(
    line: str = "", *, paint: Callable[[str], str] = str, to: TextIO | None = None, end: str = "\n"
) -> None:
    """Print a line for people, without a secret; what others wrote is shown escaped, and begins no line.

    Args:
        line: The line, without its end.
        paint: Colours what is printed.
        to: Where to; standard output by default.
        end: Printed behind it.
    """
    from hangbot.cli.masking import masked  # noqa: PLC0415  `--version` needs none of it
    from hangbot.text import encodable, printable  # noqa: PLC0415  see above

    stream = to or sys.stdout
    print(paint(encodable(printable(masked(line)), stream)), file=stream, end=end, flush=True)


def write_json(row: object) -> None:
    """Print JSON for scripts, on a line: it says exactly what it was given, and is safe to show."""
    import json  # noqa: PLC0415  `--version` needs none of it

    print(json.dumps(row), flush=True)


def report(line: str) -> None:
    """Say something to the operator, on standard error; where that fails there is nobody to tell."""
    with suppress(OSError, ValueError):
        write_line(f"hangbot: {line}", to=sys.stderr)


def report_lines(text: str) -> None:
    """Do the same for what has lines of its own, a traceback."""
    from hangbot.cli.masking import masked  # noqa: PLC0415  `--version` needs none of it
    from hangbot.text import encodable, printable_lines  # noqa: PLC0415  see above

    with suppress(OSError, ValueError):
        print(encodable(printable_lines(masked(text)), sys.stderr), file=sys.stderr, flush=True)


def _tell_once(failure: Exception) -> None:
    if isinstance(failure, BrokenPipeError):
        return  # its reader has read enough: nothing is wrong
    cause = getattr(failure, "strerror", None) or str(failure)
    report(
        f"standard output cannot be written ({cause}); what the command does is done all the same. "
        "Let standard output be a file or a pipe that takes what is printed."
    )


def _plug() -> None:
    """Take the places of closed streams: the next file that is opened, an outbox say, would get one.

    Whoever then writes to "standard error" writes into it.
    """
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest free number, and those below are taken


class _Kept:
    """A text stream whose failures are kept instead of raised; all else is the stream's own.

    Args:
        stream: The stream; ``None``, as Python has it, where it was closed before the start.
        told: Called with the first failure.

    Attributes:
        failure: The first failure.
    """

    def __init__(self, stream: TextIO | None, told: Callable[[Exception], None] = lambda _: None) -> None:
        self._stream = stream
        self._told = told
        self.failure: Exception | None = None
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with suppress(OSError, ValueError):
                reconfigure(errors="backslashreplace")  # rather a letter that looks odd than none at all

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a stream has
        if self._stream is None:
            raise AttributeError(name)
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Whether somebody looks at a terminal."""
        return self._stream is not None and not self._stream.closed and self._stream.isatty()

    def write(self, text: str) -> int:
        """Write, or keep why not."""
        self._try(lambda stream: stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, or keep why not."""
        if self._stream is not None:
            self._try(lambda stream: stream.flush())

    def _try(self, do: Callable[[TextIO], object]) -> None:
        try:
            if self._stream is None:
                raise _CLOSED
            do(self._stream)
        except (OSError, ValueError) as exc:  # ValueError: closed meanwhile
            if self.failure is None:
                self.failure = exc
                self._told(exc)

    def finish(self) -> None:
        """Flush; what still cannot be written must not fail again when the interpreter ends."""
        self.flush()
        if self._stream is not None and self.failure is not None:
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)
