"""One side of a connection, as asyncio's protocols see it."""

import asyncio
import contextvars
import errno
import os
import socket
import struct
import sys
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, cast

from pytest_hangfm.simulation.link import End, Item
from pytest_hangfm.simulation.process import current_process

if TYPE_CHECKING:
    from pytest_hangfm.simulation.link import Link
    from pytest_hangfm.simulation.network import Network
    from pytest_hangfm.simulation.rules import Hole

__all__ = ["AtCrash", "Transport"]

AtCrash = Literal["reset", "fin", "silence"]
"""What the other side sees of a process that crashes: an error, an end, or nothing any more."""
_LINGER: Final = struct.Struct("ii")
_HIGH_WATER: Final = 64 * 1024


class Socket:
    """What a transport shows as its socket: two addresses, and options of which one matters.

    Attributes:
        open: Whether it is not closed.
        resets: Whether closing resets the connection and drops what was not sent: ``SO_LINGER`` of zero.
    """

    def __init__(self, here: tuple[str, int], there: tuple[str, int]) -> None:
        self.family, self.type, self.proto = socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
        self.open = True
        self.resets = False
        self._here, self._there = here, there

    def fileno(self) -> int:
        """Return a number that is no descriptor; -1 once it is closed."""
        return sys.maxsize if self.open else -1

    def getsockname(self) -> tuple[str, int]:
        return self._here

    def getpeername(self) -> tuple[str, int]:
        return self._there

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        if (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER) and isinstance(value, bytes):
            on, seconds = _LINGER.unpack(value)
            self.resets = bool(on) and not seconds


class Transport(asyncio.Transport):
    """One side of a connection. It belongs to the process in which it began.

    Attributes:
        address: Its own host and port.
        context: In which its protocol is called.
        out: Carries what it writes.
        silent: Whether its machine is gone, so that nothing answers there.
    """

    def __init__(self, network: "Network", here: tuple[str, int], there: tuple[str, int]) -> None:
        self._socket = Socket(here, there)
        super().__init__({"socket": self._socket, "sockname": here, "peername": there})
        self.address = here
        self.context = contextvars.copy_context()
        self.silent = False
        self._network = network
        self._loop = network.loop
        self._inbox: deque[Item] = deque()
        """What has arrived and was not read yet."""
        self._under_way = 0
        """Bytes that the other side has not read yet."""
        self._reading = True
        self._closing = False
        self._over = False
        self._ended_writing = False
        self._paused = False
        self._owner = current_process()
        if self._owner is not None:
            self._owner.at_crash(self._crash)

    def join(self, peer: "Transport", out: "Link", protocol: asyncio.BaseProtocol) -> None:
        """Connect it with the other side."""
        self._peer = peer
        self.out = out
        self._protocol = protocol

    def begin(self) -> None:
        self._protocol.connection_made(self)

    # -- writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send; what is written after the end is dropped, as a socket does with a warning."""
        data = bytes(data)
        if self._closing or self._ended_writing or not data:
            return
        self._under_way += len(data)
        self.out.send(data)
        if self._under_way > _HIGH_WATER and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def write_eof(self) -> None:
        if not self._ended_writing:
            self._ended_writing = True
            self.out.send(End.FIN)

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return self._under_way

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Keep the one limit that there is."""

    def was_read(self, size: int) -> None:
        """Note what the other side has read."""
        self._under_way -= size
        if self._paused and self._under_way <= _HIGH_WATER // 4 and not self._over:
            self._paused = False
            self._loop.call_soon(self._resume_writing, context=self.context)

    def _resume_writing(self) -> None:
        if not self._over and not self._paused:
            self._protocol.resume_writing()

    # -- reading

    def arrive(self, item: Item) -> None:
        """Take what the other side has sent."""
        if item is End.RESET:
            self._lose(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
            return
        self._inbox.append(item)
        self._read()

    def _read(self) -> None:
        while self._inbox and self._reading and not self._over:
            item = self._inbox.popleft()
            if not isinstance(item, bytes):
                keep = cast("asyncio.Protocol", self._protocol).eof_received()
                if not keep:
                    self.close()
                continue
            self._peer.was_read(len(item))
            if self._closing:
                continue
            if isinstance(self._protocol, asyncio.BufferedProtocol):
                self._fill(self._protocol, item)
            else:
                cast("asyncio.Protocol", self._protocol).data_received(item)

    def _fill(self, protocol: asyncio.BufferedProtocol, data: bytes) -> None:
        """Give a protocol with a buffer of its own what fits, and the rest again."""
        while data and protocol is self._protocol:
            buffer = memoryview(protocol.get_buffer(-1)).cast("B")
            size = min(len(buffer), len(data))
            buffer[:size], data = data[:size], data[size:]
            protocol.buffer_updated(size)

    def pause_reading(self) -> None:
        """Keep what arrives."""
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._loop.call_soon(self._read, context=self.context)

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    # -- the end

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Send what was written, then the end."""
        if not self._closing:
            self._close_socket()
            self._end(None)

    def abort(self) -> None:
        """Do the same: only what asyncio itself held would be dropped, and here the system has it all."""
        self.close()

    def fail(self, error: OSError) -> None:
        """End it with an error of the system's; the other side sees nothing of that."""
        if not self._closing:
            self._end(error)

    def lose_in(self, hole: "Hole") -> None:
        """End it by a reset, of which the other side learns nothing while the hole stands."""
        hole.hits += 1
        self._peer.out.hole = hole
        self.out.vanish()
        self.fail(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))

    def _close_socket(self) -> None:
        """Close as the system does: what nothing has read, or must not linger, makes it a reset."""
        if self._inbox or self._socket.resets:
            self.out.drop()
            self.out.send(End.RESET)
        else:
            self.write_eof()

    def _end(self, error: Exception | None) -> None:
        self._closing = self._ended_writing = True
        self.out.closed()
        self._loop.call_soon(self._lose, error, context=self.context)

    def _lose(self, error: Exception | None) -> None:
        self._closing = self._ended_writing = True
        if not self._over:
            self._over = True
            self._socket.open = False
            self._inbox.clear()
            self._leave()
            self._protocol.connection_lost(error)

    def dispose(self) -> None:
        """Be closed, with the loop."""
        self._closing = self._ended_writing = self._over = True

    def _leave(self) -> None:
        self._network.forget(self)
        if self._owner is not None:
            self._owner.forget(self._crash)

    def _crash(self) -> None:
        """End it as the system does for a process that is gone; its protocol is not called."""
        if self._over:
            return
        how: AtCrash = self._network.rules.at_crash
        if how == "silence":
            self.silent = True
            self.out.vanish()
        elif not self._closing and how == "fin":
            self._close_socket()
        elif not self._closing:
            self.out.send(End.RESET)
        self._closing = self._ended_writing = self._over = True
        self.out.closed()
        self._network.forget(self)
