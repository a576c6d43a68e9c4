"""Standard output and standard error of a command: a failure to print is reported, and changes nothing else.

The command's work is done, even if its output cannot be shown: a full disk behind ``>``, a reader that
has gone, a stream that was closed before the start or an encoding that lacks a letter must not turn
"accepted" into "failed", because the caller would then send again.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

if TYPE_CHECKING:
    from hangbot.logs.outlet import Outlet

__all__ = ["guarded_streams", "report", "report_lines", "write_failure", "write_json", "write_line"]

_STANDARD: Final = (0, 1, 2)
_CLOSED: Final = OSError(errno.EBADF, "it is closed")
_AT_MOST: Final = 2.0
_IN_A_LOOP: Final = 0.05
"""Seconds for which standard error is waited for, where that takes nothing."""


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Keep failures to print inside the block; at its end flush both streams, or discard what is left."""
    _occupy_closed()
    before = sys.stdout, sys.stderr
    err = _Guarded(sys.stderr)
    out = _Guarded(sys.stdout, on_failure=_report_unwritable)
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    try:
        yield
    finally:
        out.finish()
        err.finish()
        sys.stdout, sys.stderr = before


def write_failure() -> Exception | None:
    """Return why output so far could not be written, or ``None``.

    For commands whose only purpose is to show something: for them it is a failure.
    """
    if not isinstance(sys.stdout, _Guarded):
        return None
    sys.stdout.flush()
    return sys.stdout.failure


def write_line(
    line: str = "", *, paint: Callable[[str], str] = str, to: TextIO | None = None, end: str = "\n"
) -> None:
    """Print a line for people, with secrets masked and the text of others escaped.

    Args:
        line: The line, without its end.
        paint: Colours the line.
        to: The stream; standard output by default.
        end: Printed behind it.
    """
    from hangbot.cli.masking import masked  # noqa: PLC0415  `--version` needs none of it
    from hangbot.text import encodable, printable  # noqa: PLC0415  see above

    stream = to or sys.stdout
    print(paint(encodable(printable(masked(line)), stream)), file=stream, end=end, flush=True)


def write_json(row: object) -> None:
    """Print JSON for scripts, on one line: the values exactly as they are, in a form that is safe to show."""
    import json  # noqa: PLC0415  `--version` needs none of it

    print(json.dumps(row), flush=True)


def report(line: str) -> None:
    """Print a line for the operator on standard error; a failure to do so is ignored.

    A terminal that is stopped, or a pipe that is not read, is waited for as long as that holds up nothing,
    and no longer: then the line is lost.
    """
    from hangbot.text import printable  # noqa: PLC0415  `--version` needs none of it

    _report(f"hangbot: {line}", printable)


def report_lines(text: str) -> None:
    """Do the same for text with several lines, such as a traceback."""
    from hangbot.text import printable_lines  # noqa: PLC0415  `--version` needs none of it

    _report(text, printable_lines)


def _report(text: str, shown: Callable[[str], str]) -> None:
    from hangbot.cli.masking import masked  # noqa: PLC0415  `--version` needs none of it
    from hangbot.text import encodable  # noqa: PLC0415  see above

    with suppress(OSError, ValueError):
        outlet = _outlet(sys.stderr, _IN_A_LOOP if _loop_runs() else _AT_MOST)
        outlet.write(f"{encodable(shown(masked(text)), sys.stderr)}\n")


@lru_cache(maxsize=2)
def _outlet(stream: TextIO, patience: float) -> "Outlet":
    """Return what writes to a stream; it is kept, since a reader that does not read is waited for once."""
    from hangbot.logs.outlet import Outlet  # noqa: PLC0415  `--version` needs none of it

    return Outlet(stream, patience)


def _loop_runs() -> bool:
    """Return whether an event loop runs in this thread: who waits here holds up all that it does."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _report_unwritable(failure: Exception) -> None:
    if isinstance(failure, BrokenPipeError):
        return  # its reader has read enough
    cause = getattr(failure, "strerror", None) or str(failure)
    report(
        f"standard output cannot be written ({cause}); what the command does is done all the same. "
        "Let standard output be a file or a pipe that takes what is printed."
    )


def _occupy_closed() -> None:
    """Occupy the descriptors of closed streams.

    Otherwise the next file that is opened, such as an outbox, would get one, and text for standard error
    would be written into it.
    """
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest free number, and those below are taken


class _Guarded:
    """A text stream that records failures instead of raising them; everything else is the stream's own.

    Args:
        stream: The stream; ``None``, as Python has it, where it was closed before the start.
        on_failure: Called with the first failure.

    Attributes:
        failure: The first failure.
    """

    def __init__(
        self, stream: TextIO | None, on_failure: Callable[[Exception], None] = lambda _: None
    ) -> None:
        self._stream = stream
        self._on_failure = on_failure
        self.failure: Exception | None = None
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with suppress(OSError, ValueError):
                reconfigure(errors="backslashreplace")  # better an odd letter than no line

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a stream has
        if self._stream is None:
            raise AttributeError(name)
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream is not None and not self._stream.closed and self._stream.isatty()

    def write(self, text: str) -> int:
        """Write, or record why not."""
        self._try(lambda stream: stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, or record why not."""
        if self._stream is not None:
            self._try(lambda stream: stream.flush())

    def _try(self, do: Callable[[TextIO], object]) -> None:
        try:
            if self._stream is None:
                raise _CLOSED
            do(self._stream)
        except (OSError, ValueError) as exc:  # ValueError: closed
            if self.failure is None:
                self.failure = exc
                self._on_failure(exc)

    def finish(self) -> None:
        """Flush; output that still cannot be written must not fail again when the interpreter exits."""
        self.flush()
        if self._stream is not None and self.failure is not None:
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)
