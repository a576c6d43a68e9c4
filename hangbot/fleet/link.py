"""A connection to a cluster, made anew for as long as it is kept."""

import asyncio
import logging
import math
import os
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import Final

from hangbot.clock import Clock
from hangbot.config.cluster import ClusterAddress
from hangbot.errors import OutboxUnusable
from hangbot.fleet.jetstream import NO_RESPONDER, Answer, NoResponder
from hangbot.fleet.nats_session import Session
from hangbot.fleet.pending import PendingAnswers
from hangbot.fleet.streams import AnswerMissing, AnswerOwner, ClusterAway

__all__ = ["Link"]

logger = logging.getLogger(__name__)

_LOOK_S: Final = 0.3
"""Between two looks at whether the server answers."""
_PAUSES_S: Final = (0.05, 0.1)
_LONGEST_PAUSE_S: Final = 0.25
_HEADERS: Final = 4096
"""Bytes of a message that headers may take."""


End = Callable[[], Awaitable[None]]


@dataclass(slots=True, eq=False)
class _Subscribed:
    """What is subscribed to at each connection, what is called behind that, and what ends it."""

    begin: Callable[[Session], Awaitable[End]]
    again: Callable[[], None] = lambda: None
    end: End | None = None


class Link:
    """A connection to one of a cluster's servers.

    Args:
        address: The servers, and who asks.
        clock: Waits.
        within: Seconds for each call.

    Attributes:
        clock: Waits.
        within: Seconds for each call.
        server: ``HOST:PORT`` of the server that is connected, or was last.
        largest: Bytes of the largest message that it takes, without its headers.
        max_payload: With them.
    """

    def __init__(self, address: ClusterAddress, *, clock: Clock, within: float) -> None:
        self._address = address
        self.clock = clock
        self.within = within
        self._name = f"hangbot {socket.gethostname()} {os.getpid()}"
        self._order = sorted(address.servers, key=lambda server: zlib.crc32(f"{self._name}{server}".encode()))
        self._session: Session | None = None
        self._up = asyncio.Event()
        self._pending = PendingAnswers()
        self._heard: list[_Subscribed] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._sound_at = clock.now()
        self._doubted: Session | None = None
        self._stores = False
        """Whether something was stored since a server was doubted last."""
        self.server = self._order[0]
        self.largest = self.max_payload = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Connect, and stay connected within the block.

        Raises:
            ClusterAway: No server answers.
            ClusterRefused: The login is wrong.
            ClusterUnfit: The servers are too old.
        """
        try:
            await self._connect_any()
            keeper = asyncio.create_task(self._keep(), name="connection to NATS")
            try:
                yield
            finally:
                keeper.cancel()
                await asyncio.wait({keeper})
        finally:
            self._lose()
            if self._closing:
                await asyncio.wait(self._closing)

    async def ask(
        self,
        subject: str,
        data: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        within: float | None = None,
    ) -> Answer:
        """Ask for one answer.

        Raises:
            ClusterAway: Nothing was asked.
            AnswerMissing: No answer came.
            ClusterRefused: It is too large, or not permitted.
        """
        (answer,) = await self._ask(subject, data, headers, several=False, within=within)
        if answer.status == NO_RESPONDER:
            raise NoResponder(f"the NATS cluster ({self.server}) has nothing that answers {subject}")
        return answer

    async def notify(self, subject: str, headers: Mapping[str, str]) -> None:
        """Publish a hint, where a server is connected: nothing answers it."""
        if self._session:
            with suppress(ClusterAway):
                await self._session.publish(subject, b"", "", headers)

    async def ask_several(
        self,
        subject: str,
        data: bytes,
        *,
        within: float | None = None,
        came: list[Answer] | None = None,
        largest: float = math.inf,
    ) -> list[Answer]:
        """Ask for answers of which the last is a status, in a list as they come.

        Raises:
            HangbotError: As `ask` does; or they have more bytes together than ``largest``.
        """
        return await self._ask(subject, data, None, several=True, within=within, came=came, largest=largest)

    def found_sound(self) -> None:
        """Note that something was answered just now that only a majority of the servers can answer.

        A server that is doubted, and still connected, is doubted no more: the next one may be cut off.
        """
        self._sound_at, self._stores = self.clock.now(), True
        if self._doubted is self._session:
            self._doubted = None

    def doubt(self, since: float) -> None:
        """Go to another server, unless this one was found sound since then: it may be cut from the others.

        It answers then, and even reads; but what is to be stored has no answer through it.
        """
        if self._session and self._sound_at < since and len(self._order) > 1:
            self._doubted = self._session

    async def _ask(
        self,
        subject: str,
        data: bytes,
        headers: Mapping[str, str] | None,
        *,
        several: bool,
        within: float | None = None,
        came: list[Answer] | None = None,
        largest: float = math.inf,
    ) -> list[Answer]:
        within = left = self.within if within is None else within
        session = self._session
        if session is None or not session.is_connected:
            begun = self.clock.now()
            session = await self._connected()
            left -= self.clock.now() - begun
        pending = self._pending.expect(subject, within=left, several=several, came=came, largest=largest)
        try:
            await session.publish(subject, data, pending.word, headers)
            return await pending.done
        except TimeoutError as exc:
            problem = f"NATS server {session.server} gave no answer within {within:g} s"
            raise AnswerMissing(problem) from exc
        finally:
            self._pending.forget(pending)

    async def _connected(self) -> Session:
        """Return the connection, or the next one: who tries again at once must not keep it from coming."""
        if self._session:
            if self._session.is_connected:
                return self._session
            self._lose()
        with suppress(TimeoutError):
            await self.clock.wait_for(self._up.wait(), self.within)
        if self._session is None:
            raise ClusterAway(f"no NATS server answers ({', '.join(self._address.servers)})")
        return self._session

    @asynccontextmanager
    async def hearing(self, subject: str, notice: Callable[[int], None]) -> AsyncIterator[None]:
        """Give something the sequence of each message under a subject; 0 after a lost connection."""
        begin = partial(Session.subscribe, subject=subject, notice=notice)
        async with self._subscribed(_Subscribed(begin, lambda: notice(0))):
            yield

    @asynccontextmanager
    async def answering(self, subject: str, answer: AnswerOwner) -> AsyncIterator[None]:
        """Answer what is asked under a subject."""
        async with self._subscribed(_Subscribed(partial(Session.serve, subject=subject, answer=answer))):
            yield

    @asynccontextmanager
    async def _subscribed(self, heard: _Subscribed) -> AsyncIterator[None]:
        self._heard.append(heard)
        if self._session:
            heard.end = await heard.begin(self._session)
        try:
            yield
        finally:
            self._heard.remove(heard)
            if heard.end:
                await heard.end()

    # -- the connection

    async def _keep(self) -> None:
        while True:
            if self._session:
                await self._until_silent(self._session)
            self._lose()
            await self._connect_again()

    async def _until_silent(self, session: Session) -> None:
        """Return when a server has closed the connection, does not answer any more, or is doubted."""
        while session.is_connected and session is not self._doubted:
            with suppress(TimeoutError):
                await self.clock.wait_for(session.gone.wait(), _LOOK_S)
                return
            if not await session.answers():
                return

    def _lose(self) -> None:
        """Give the connection up, and what was asked over it."""
        session, self._session = self._session, None
        self._up.clear()
        if session is None:
            return
        problem = f"the connection to NATS server {session.server} is lost"
        self._pending.fail(lambda: AnswerMissing(problem))
        self._order.remove(session.server)
        self._order.append(session.server)
        self._close(session)

    async def _connect_again(self) -> None:
        lost, said = self.server, ""
        for pause in chain(_PAUSES_S, repeat(_LONGEST_PAUSE_S)):
            try:
                await self._connect_any()
            except OutboxUnusable as exc:
                if said != str(exc):
                    said = str(exc)
                    logger.warning("[FLEET] %s; trying on", said, extra={"action": "cluster_away"})
                await self.clock.sleep(pause)
            else:
                more = {"action": "cluster_back"}
                if self._doubted is None:
                    logger.warning("[FLEET] NATS server %s is lost; now %s", lost, self.server, extra=more)
                elif self._stores:  # where none of them stores, it is said once
                    self._stores = False
                    words = "[FLEET] through NATS server %s nothing is stored; now %s"
                    logger.warning(words, lost, self.server, extra=more)
                self._doubted = None
                return

    async def _connect_any(self) -> None:
        """Connect to the first server that takes us; each is tried once."""
        problems: list[OutboxUnusable] = []
        for server in tuple(self._order):
            session = Session(server, self._pending, self.clock)
            try:
                await session.connect(self._address, self._name)
                for heard in self._heard:
                    heard.end = await heard.begin(session)
            except OutboxUnusable as exc:
                self._close(session)
                problems.append(exc)
                continue
            except BaseException:
                self._close(session)
                raise
            self._session, self.server, self._sound_at = session, server, self.clock.now()
            self.max_payload = session.max_payload
            self.largest = session.max_payload - _HEADERS
            self._up.set()
            for heard in self._heard:
                heard.again()
            return
        for problem in problems:
            if not isinstance(problem, ClusterAway):
                raise problem
        raise ClusterAway(f"no NATS server answers ({'; '.join(map(str, problems))})")

    def _close(self, session: Session) -> None:
        task = asyncio.create_task(session.close(), name="end of a connection to NATS")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
