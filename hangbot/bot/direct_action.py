"""A room action as something that is retried: it has no queue, and does not outlive its connection."""

from hangbot.bot.ports import StartedAction
from hangbot.clock import Clock
from hangbot.delivery.record import Notify, Step
from hangbot.delivery.retry import Until
from hangbot.errors import ActionLost

__all__ = ["DirectAction"]


class DirectAction:
    """One action as a `hangbot.delivery.retrier.Sendable`.

    Args:
        key: Its id, for the records.
        action: The action.
        clock: Waits between attempts.
        notify: Is given each step.
    """

    unknown_remedy = ActionLost.remedy

    def __init__(self, key: str, action: StartedAction, clock: Clock, notify: Notify) -> None:
        self.key = key
        self._action = action
        self._clock = clock
        self._notify = notify

    def record(self, step: Step) -> None:
        """Give a step to the listeners."""
        self._notify(step)

    async def admit(self, *, retry: bool, until: Until) -> bool:  # noqa: ARG002  nothing holds it up
        """Return ``True``: it is made at once or not at all."""
        return True

    async def send(self, *, until: Until) -> bool:  # noqa: ARG002  as above
        """Make one attempt; raises `ServiceError`."""
        await self._action.send()
        return True

    async def find(self, *, until: Until) -> bool:  # noqa: ARG002  as above
        """Return whether an earlier attempt took effect; raises `ServiceError` where that cannot be known."""
        return await self._action.find()

    async def pause(self, seconds: float) -> None:
        """Wait before the next try."""
        await self._clock.sleep(seconds)
