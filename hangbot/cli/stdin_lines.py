"""Read lines of a file, a pipe or a terminal as they arrive, without blocking the loop, in bounded memory."""

import asyncio
import os
import select
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final, NamedTuple

from hangbot.errors import HangbotError

__all__ = ["LONGEST_LINE", "Line", "read_lines"]

LONGEST_LINE: Final = 65_536
"""Bytes; more than any text that can be sent."""
_CHUNK: Final = 65_536
_BOM: Final = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line without its end, with its number from 1; ``problem`` says why there is no text."""

    number: int
    text: str = ""
    problem: str = ""


async def read_lines(handle: int) -> AsyncIterator[Line]:
    """Yield each line as soon as it is complete; text behind the last line end is a line as well.

    Args:
        handle: The descriptor; it may be slow, and stay open for ever.

    Raises:
        HangbotError: It cannot be read any further.
    """
    number, pending, dropping, over = 0, bytearray(), False, False
    while not over:
        try:
            chunk = await _chunk(handle)
        except OSError as exc:
            raise HangbotError(
                f"standard input cannot be read after line {number}: {exc.strerror}",
                remedy="What was accepted is kept; give a file or a pipe that can be read, from there on.",
            ) from None
        over = not chunk
        pending += chunk
        *whole, rest = pending.split(b"\n")
        if over and rest:
            whole.append(rest)
        for raw in whole:
            number += 1
            yield _line(number, bytes(raw), too_long=dropping or len(raw) > LONGEST_LINE)
            dropping = False
        dropping = dropping or len(rest) > LONGEST_LINE
        pending = bytearray(rest[:1] if dropping else rest)  # not empty, so that its end still counts as one


def _line(number: int, raw: bytes, *, too_long: bool) -> Line:
    if too_long:
        return Line(number, problem=f"it is longer than {LONGEST_LINE} bytes")
    if number == 1:
        raw = raw.removeprefix(_BOM)
    try:
        return Line(number, raw.removesuffix(b"\r").decode())
    except UnicodeDecodeError:
        return Line(number, problem="it is no UTF-8")


async def _chunk(handle: int) -> bytes:
    """Read the next chunk in a daemon thread, which need not end before the command does.

    Not through ``sys.stdin``: the thread would hold its lock, on which the interpreter aborts at exit.
    Not with the loop's reader either: that makes the descriptor non-blocking for every program that
    has the terminal open.
    """
    loop = asyncio.get_running_loop()
    came: asyncio.Future[bytes] = loop.create_future()

    def settle(found: bytes | OSError) -> None:
        if came.done():
            return
        if isinstance(found, OSError):
            came.set_exception(found)
        else:
            came.set_result(found)

    def read() -> None:
        found: bytes | OSError
        try:
            try:
                found = os.read(handle, _CHUNK)
            except BlockingIOError:
                select.select([handle], [], [])
                found = os.read(handle, _CHUNK)
        except OSError as exc:
            found = exc
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=read, name="hangbot-lines", daemon=True).start()
    return await came
