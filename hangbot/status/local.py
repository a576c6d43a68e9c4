"""A socket beside the outbox, by which other commands on this machine reach the bot that runs on it."""

import asyncio
import errno
import os
import socket
import stat
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from hangbot.clock import Clock
from hangbot.errors import HangbotError
from hangbot.web.listen import OpenServer

__all__ = ["Silent", "ask", "listening", "poke", "socket_path"]

_SUFFIX: Final = ".sock"
_LONGEST: Final = 100
"""Bytes of a path that every system takes for a socket: Linux takes 107, macOS 103."""
_LARGEST_ANSWER: Final = 2**20
_HEAD: Final = "HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Silent(HangbotError):
    """A bot has the socket and does not answer: it hangs."""

    remedy = "Restart it; first look at what it logged last: most likely its app blocks it."


def socket_path(outbox: Path) -> Path:
    """Return where the socket of an outbox is: beside the file itself, whatever leads to it."""
    real = Path(os.path.realpath(outbox))
    return real.with_name(real.name + _SUFFIX)


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """Yield a name of the path that is short enough for a socket, for as long as the block runs.

    Raises:
        OSError: This system has none.
    """
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        short = f"/proc/self/fd/{folder}/{path.name}"
        if not sys.platform.startswith("linux") or len(os.fsencode(short)) > _LONGEST:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        yield short
    finally:
        os.close(folder)


@contextmanager
def listening(path: Path) -> Iterator[OpenServer]:
    """Yield what serves on a socket there that is the user's alone; its file goes when the block ends.

    The caller holds the outbox: what a bot left there that is dead by now is removed. What is yielded raises
    `OSError` where there can be no socket.
    """
    made: list[os.stat_result] = []

    async def open_server(factory: Callable[[], asyncio.BaseProtocol]) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        with _reachable(path) as name:
            _remove_left(path, name)
            # It takes no connection before it is the user's alone.
            server = await loop.create_unix_server(factory, path=name, start_serving=False)
            os.chmod(path, 0o600)  # noqa: PTH101  of the file just made
            made.append(os.lstat(path))
            await server.start_serving()
        return server

    try:
        yield open_server
    finally:
        with suppress(OSError):
            if made and os.path.samestat(os.lstat(path), made[0]):
                path.unlink()


def _remove_left(path: Path, name: str) -> None:
    """Remove the socket of a bot that died.

    Raises:
        OSError: Something else is there, or another process answers.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "there is a file of that name that is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(0.0)
        try:
            asking.connect(name)
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except BlockingIOError:
            raise OSError(errno.EADDRINUSE, "another process has it") from None
        else:
            raise OSError(errno.EADDRINUSE, "another process has it")


async def ask(
    outbox: Path,
    target: str,
    *,
    within: float,
    clock: Clock,
    method: str = "GET",
    largest: int = _LARGEST_ANSWER,
) -> bytes | None:
    """Return what the bot on an outbox answers, or ``None`` where none has the socket.

    Raises:
        Silent: It does not answer within so many seconds.
        HangbotError: The socket is another user's, or cannot be reached.
    """
    path = socket_path(outbox)
    try:
        with _reachable(path) as name:
            return await clock.wait_for(
                _asked(asyncio.open_unix_connection(name), target, method, largest), within
            )
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        return None
    except TimeoutError:
        raise Silent(f"a bot has the socket {path}, and does not answer within {within:g} s") from None
    except PermissionError:
        problem = f"the socket {path} is another user's"
        raise HangbotError(problem, remedy="Ask as the user that the bot runs as.") from None
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise HangbotError(
            f"the socket {path} cannot be reached: {reason}", remedy="Set HANGBOT_STATUS_PORT, and ask there."
        ) from None


async def _asked(
    connecting: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
    target: str,
    method: str,
    largest: int,
) -> bytes:
    reader, writer = await connecting
    try:
        writer.write(f"{method} {target} {_HEAD}".encode())
        answer = bytearray()
        while more := await reader.read(largest - len(answer)):
            answer += more
    except ConnectionError as exc:
        raise ConnectionRefusedError(str(exc)) from exc  # it ended meanwhile
    finally:
        writer.transport.abort()
    _, whole, body = bytes(answer).partition(b"\r\n\r\n")
    if not whole:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "it ended meanwhile")
    return body


async def poke(outbox: Path, *, clock: Clock, within: float = 1.0) -> bool:
    """Notify the bot on an outbox that there is something new in it; ``False`` where that reached none."""
    try:
        return await ask(outbox, "/look", within=within, clock=clock, method="POST") is not None
    except HangbotError:
        return False
