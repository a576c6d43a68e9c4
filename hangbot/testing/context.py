"""The context that a test gives to a handler: the real one, whose bot is in memory and records."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from hangbot.app.context import Context
from hangbot.app.durations import Seconds, seconds_of
from hangbot.bot.events import ChatMessage, Event
from hangbot.delivery.message import Outgoing
from hangbot.errors import ServiceError
from hangbot.testing.bot import UnrunBot
from hangbot.testing.recording import Action, RecordingBuffer

__all__ = ["Action", "FakeContext", "TimerSet"]


class TimerSet(NamedTuple):
    """A timer that a handler has set.

    Attributes:
        seconds: How much later.
        handler: What is called then.
        args: What it is given after its context.
    """

    seconds: float
    handler: Callable[..., Awaitable[object]]
    args: tuple[object, ...]


class FakeContext(Context):
    """A `hangbot.Context` for a handler that a test calls as a plain function.

    It is the real one; of the bot behind it, only what would leave the process is another: what it says is
    accepted and never sent, what it does is recorded, its outbox and store are in memory. Nothing calls the
    handler but the test, so nothing is written at its end: await `commit` where the next call is to see it.

    Args:
        bot: The bot.
        app: The app's name.
        event: What the handler is called for.

    Attributes:
        timers: What `after` set and `cancel` did not take back, by id.
    """

    def __init__(self, bot: UnrunBot, app: str, event: Event | ChatMessage | None) -> None:
        super().__init__(bot, RecordingBuffer(bot, bot.recording), app, event)
        self.timers: dict[str, TimerSet] = {}
        self._recording = bot.recording

    @property
    def messages(self) -> list[Outgoing]:
        """All that was said, in order, written or not: text, receiver, mentions, images."""
        return self._recording.messages

    @property
    def said(self) -> list[str]:
        """What was said in the room, in order."""
        return [message.text for message in self.messages if not message.direct]

    @property
    def dms(self) -> list[tuple[str, str]]:
        """What was said to one user alone, in order: the user's uuid, and the text."""
        return [(message.to, message.text) for message in self.messages if message.direct]

    @property
    def actions(self) -> list[Action]:
        """What was done at once, in order: ``[("skipSong", {}), ("kick", {"uuid": …})]``."""
        return self._recording.actions

    @property
    def failures(self) -> dict[str, ServiceError]:
        """What an action raises instead of being done, by its name; to be filled in before the call.

        A room action is tried again where the error says that this may help, and ends ``failed``.
        """
        return self._recording.failures

    def after(
        self,
        seconds: Seconds,
        handler: Callable[..., Awaitable[object]],
        *args: object,
        id: str | None = None,  # noqa: A002  as of a message
    ) -> str:
        """Have a function called later; the test calls it itself: see `timers`."""
        key = super().after(seconds, handler, *args, id=id)
        self.timers[key] = TimerSet(seconds_of(seconds, "the time until a timer"), handler, args)
        return key

    def cancel(self, id: str) -> None:  # noqa: A002  as of a message
        """Take a timer back."""
        super().cancel(id)
        self.timers.pop(id, None)
