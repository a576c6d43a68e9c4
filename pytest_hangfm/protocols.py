"""The types of the factory fixtures, for annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from hangbot import AnyApp, Bot, ChatClient, Courier, RoomClient, RoomMessage
    from hangbot.clock import Clock
    from hangbot.ids import Rng
    from hangbot.preflight import CheckContext, Finding
    from hangbot.sandbox import Actor
    from pytest_hangfm.process import BotProcess
    from pytest_hangfm.sessions.record import Recording
    from pytest_hangfm.sessions.replay import Replay
    from pytest_hangfm.simulation.app_bot import AppBot

__all__ = [
    "Check",
    "OpenApp",
    "OpenBot",
    "OpenChat",
    "OpenCourier",
    "OpenProcess",
    "OpenRecording",
    "OpenReplay",
    "OpenRoom",
    "OpenUser",
]


class OpenChat(Protocol):
    """Opens chat clients: ``await hangfm_open_chat(ack_timeout=0.2)``."""

    async def __call__(self, **changes: object) -> ChatClient:
        """Open one; ``changes`` are settings that are to be others."""


class OpenRoom(Protocol):
    """Opens room connections: ``await hangfm_open_room(join=False)``."""

    async def __call__(
        self, *, join: bool = True, on_message: Callable[[RoomMessage], None] | None = None, **changes: object
    ) -> RoomClient:
        """Open one, and join unless ``join`` is false."""


class OpenBot(Protocol):
    """Opens bots: ``await hangfm_open_bot(app=my_app)``."""

    async def __call__(
        self, *, app: AnyApp | None = None, run: bool = True, clock: Clock | None = None, **changes: object
    ) -> Bot:
        """Open one and let it run until it is ready; with ``run=False`` the test calls `Bot.run`."""


class OpenApp(Protocol):
    """Puts an app into a room: ``await hangfm_app(app)``."""

    async def __call__(self, app: AnyApp, **changes: object) -> AppBot:
        """Return the app in its room, ready; ``changes`` are settings that are to be others."""


class OpenCourier(Protocol):
    """Opens couriers: ``await hangfm_open_courier(clock=hangfm_clock)``."""

    async def __call__(
        self, *, clock: Clock | None = None, rng: Rng | None = None, **changes: object
    ) -> Courier:
        """Open one with an outbox and a chat client of its own; the first has ``hangfm_outbox``'s file."""


class OpenUser(Protocol):
    """Brings people into the sandbox: ``await hangfm_open_user("alice")``."""

    async def __call__(self, nickname: str, *, role: str = "user", join: bool = True) -> Actor:
        """Add a user, who joins the room and its chat unless ``join`` is false."""


class OpenProcess(Protocol):
    """Starts programs: ``await hangfm_open_process(["node", "bot.js"])``."""

    async def __call__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        join: bool = True,
        within: float = 10.0,
    ) -> BotProcess:
        """Start one with the sandbox's addresses in its environment, and wait until it has joined.

        Args:
            argv: The command.
            env: More for its environment; it wins over the sandbox's.
            cwd: Its working directory.
            join: Whether to wait until its user is in the room; a program that ends first, or
                stays out, fails the test.
            within: Seconds that it may take.
        """


class OpenRecording(Protocol):
    """Records room sessions: ``await hangfm_record("sessions/jump.jsonl")``."""

    async def __call__(self, path: str | Path) -> Recording:
        """Begin one; clients are recorded that connect to its ``url``."""


class OpenReplay(Protocol):
    """Plays recorded room sessions: ``await hangfm_replay("sessions/jump.jsonl")``."""

    async def __call__(
        self, path: str | Path, *, lockstep: bool = True, replace: Mapping[str, str] | None = None
    ) -> Replay:
        """Begin one; it is played to the client that connects to its ``url``.

        Args:
            path: The recording.
            lockstep: Whether to wait at every recorded action until the client does it.
            replace: Texts of then with the texts of now, besides the room's uuid and the user's uid.
        """


class Check(Protocol):
    """Runs a check of preflight: ``await hangfm_check(preflight.chat_token)``."""

    async def __call__(self, check: Callable[[CheckContext], Awaitable[Finding]]) -> None:
        """Run it; the test passes, fails or is skipped with its result."""
