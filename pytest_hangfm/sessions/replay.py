"""Replaying a recorded room session: a server on loopback that says again what the room said then."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import pytest

from hangbot.sandbox import ServedSocket, serve_websocket
from pytest_hangfm.sessions.format import uid_of
from pytest_hangfm.sessions.script import Script
from pytest_hangfm.transcript import describe_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from pytest_hangfm.sessions.format import Session
    from pytest_hangfm.sessions.script import ScriptStep

__all__ = ["Replay", "replaying"]

_SHOWN: Final = 20
_ABNORMAL: Final = 1006


class Replay:
    """A room socket that knows one recorded session.

    The first client to connect is played the first recorded connection, the next one the
    next; a client that comes when none is left is answered 503.

    Attributes:
        url: What a client is given as ``SOCKET_SERVER_URL`` (setting ``room_url``).
        recorded: What the recording says it is.
    """

    def __init__(self, session: Session, *, lockstep: bool, replace: Mapping[str, str]) -> None:
        self.url = ""
        self.recorded = session.recorded
        self._session = session
        self._lockstep = lockstep
        self._replace = replace
        self._scripts: list[Script] = []
        self._said: deque[str] = deque(maxlen=_SHOWN)
        self._news = asyncio.Event()

    @property
    def unexpected(self) -> list[str]:
        """Actions of the client that the recording does not have; they were answered with an error."""
        return [name for script in self._scripts for name in script.unexpected]

    async def finished(self, *, within: float = 5.0) -> None:
        """Wait until everything was said and the client did what it did then; fail the test otherwise.

        Args:
            within: Seconds to wait.
        """
        __tracebackhide__ = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not self._done():
                    self._news.clear()
                    await self._news.wait()
        if not self._done():
            pytest.fail(f"{self._where()} after {within:g} s:\n{self.conversation()}", pytrace=False)

    def conversation(self) -> str:
        """Return the newest frames of both sides as lines."""
        return "\n".join(f"  {line}" for line in self._said) or "  (nobody connected)"

    def _done(self) -> bool:
        return len(self._scripts) == len(self._session.connections) and all(s.done for s in self._scripts)

    def _where(self) -> str:
        for number, script in enumerate(self._scripts, 1):
            if script.done:
                continue
            place = f"connection {number} of the replay stands at frame {script.sent} of {script.frames}"
            if script.waits_for:
                return f"{place} and waits for the client's {script.waits_for}"
            return f"{place}: the client has not answered {len(script.unanswered)} heartbeat(s)"
        missing = len(self._session.connections) - len(self._scripts)
        return f"the client has yet to connect {missing} more time(s)"

    def refuse(self, _path: str) -> tuple[int, str] | None:
        """Refuse a client that comes when everything was played."""
        if len(self._scripts) < len(self._session.connections):
            return None
        self._said.append("replay: a client too many is refused")
        return HTTPStatus.SERVICE_UNAVAILABLE, "the recording has no further connection\n"

    async def play(self, client: ServedSocket) -> None:
        """Play the next recorded connection to a client."""
        number = len(self._scripts)
        if number == len(self._session.connections):  # two shook hands at once
            client.end(_ABNORMAL)
            return
        events, uid = self._session.connections[number], uid_of(client.path)
        script = Script(events, lockstep=self._lockstep, uid=uid, replace=self._replace)
        self._scripts.append(script)
        self._take(client, script.play())
        async for frame in client:
            self._said.append(f"client: {describe_frame(frame)}")
            self._take(client, script.hear(frame))

    def _take(self, client: ServedSocket, steps: Sequence[ScriptStep]) -> None:
        for step in steps:
            if step.ends:
                self._said.append("replay: ends the connection" + (f" ({step.code})" if step.code else ""))
                client.end(step.code)
            else:
                self._said.append(f"replay: {describe_frame(step.frame)}")
                client.send(step.frame)
        self._news.set()


@asynccontextmanager
async def replaying(
    session: Session, *, lockstep: bool = True, replace: Mapping[str, str] | None = None
) -> AsyncIterator[Replay]:
    """Play a session to the clients that connect to `Replay.url`, for as long as the block runs.

    Args:
        session: What to play.
        lockstep: Whether to wait at every recorded action until the client does it; otherwise
            only at ``joinRoom``.
        replace: Texts of then with the texts of now; the room's uuid and the user's uid are
            taken care of.
    """
    replay = Replay(session, lockstep=lockstep, replace=replace or {})
    async with serve_websocket(replay.play, refuse=replay.refuse) as replay.url:
        yield replay
