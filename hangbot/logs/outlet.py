"""Standard error as something that may be full: a reader that stops reading must not stop the bot."""

import select
from contextlib import suppress
from typing import Final, TextIO

__all__ = ["Outlet"]

_CHUNK: Final = 1_000
"""Characters, of four bytes at most: a pipe that takes anything takes 4,096 bytes (POSIX's least is 512)."""
_PATIENCE: Final = 0.05


class Outlet:
    """Writes whole texts to a stream, or not at all while its reader does not read.

    A text that was begun is ended before the next one. Where the stream has no file behind it, as in tests,
    it takes everything.

    Args:
        stream: The stream.
        patience: Seconds for which a reader that has read so far is waited for.
    """

    def __init__(self, stream: TextIO, patience: float = _PATIENCE) -> None:
        self._stream = stream
        self._patience = patience
        self._rest = ""
        """What is left of a text that was begun."""
        self._stalls = False
        self._poll: select.poll | None = None
        with suppress(OSError, ValueError, AttributeError):  # no file; closed; none at all
            poll = select.poll()
            poll.register(stream.fileno(), select.POLLOUT)
            self._poll = poll

    def write(self, text: str) -> bool:
        """Write a text; ``False``: nothing of it is taken, now or later."""
        if not self.finish():
            return False
        self._rest = text
        if not self.finish() and len(self._rest) == len(text):
            self._rest = ""
            return False
        return True

    def finish(self) -> bool:
        """Write what is left of a text that was begun; return whether that was taken."""
        while self._rest:
            if not self._takes():
                return False
            self._stream.write(self._rest[:_CHUNK])
            self._stream.flush()
            self._rest = self._rest[_CHUNK:]
        return True

    def _takes(self) -> bool:
        if self._poll is None:
            return True
        self._stalls = not self._poll.poll(0 if self._stalls else self._patience * 1000)
        return not self._stalls
