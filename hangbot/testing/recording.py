"""What a handler did, kept for the test that called it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hangbot.app.buffer import Buffer
from hangbot.bot.bot import Bot
from hangbot.delivery.message import Outgoing
from hangbot.errors import ServiceError

__all__ = ["Action", "Recording", "RecordingBuffer"]


class Action(NamedTuple):
    """Something that was done at once.

    Attributes:
        name: The service's name of a room action (``skipSong``, ``voteOnSong``, …), ``kick`` or ``react``.
        params: What went with it.
    """

    name: str
    params: Mapping[str, Any]


@dataclass(slots=True)
class Recording:
    """What was said and done in one call of a handler.

    Attributes:
        messages: What was said, in order.
        actions: What was done at once and not refused, in order.
        failures: What an action of a name raises instead of being done.
    """

    messages: list[Outgoing] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    failures: dict[str, ServiceError] = field(default_factory=dict)

    def do(self, name: str, **params: Any) -> None:  # noqa: ANN401  as of every room action
        """Do something, or raise what it is to fail with."""
        if name in self.failures:
            raise self.failures[name]
        self.actions.append(Action(name, params))


class RecordingBuffer(Buffer):
    """A buffer whose messages are seen before they are written.

    Args:
        bot: Writes them.
        recording: Has them as well.
    """

    def __init__(self, bot: Bot, recording: Recording) -> None:
        super().__init__(bot)
        self._recording = recording

    def say(self, message: Outgoing) -> None:
        """Have a message said."""
        super().say(message)
        self._recording.messages.append(message)
