"""The ACK recorder: what became of each message, with assertions that read well."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hangbot.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hangbot import Settlement, Step

__all__ = ["AckRecorder"]


class AckRecorder:
    """Listens to delivery and keeps every step; pass it wherever a ``notify`` is taken.

    Attributes:
        steps: Every `hangbot.Step` so far, in order, of all messages and room actions.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._news = asyncio.Event()

    def __call__(self, step: Step) -> None:
        """Take a step: this is the delivery listener."""
        self.steps.append(step)
        self._news.set()

    @property
    def ids(self) -> list[str]:
        """The ids of all messages so far, oldest first."""
        return list(dict.fromkeys(step.id for step in self.steps))

    def of(self, key: str) -> list[Step]:
        """Return the steps of one message."""
        return [step for step in self.steps if step.id == key]

    def settlement(self, key: str) -> Settlement | None:
        """Return how a message ended, or ``None`` while it has not."""
        return next((step.settlement for step in reversed(self.of(key)) if step.settlement), None)

    def waits(self, key: str) -> list[float]:
        """Return the seconds waited between attempts, in order."""
        return [step.seconds for step in self.of(key) if step.kind == "waiting"]

    def story(self, key: str) -> list[str]:
        """Return what came of each attempt and of each look-up, in order.

        For example ``["AckTimeout", "it did not arrive", "acknowledged"]``.
        """
        details = [step.detail for step in self.of(key) if step.kind in {"answer", "asked"}]
        return [detail.partition(": ")[0] for detail in details]

    async def settled(self, key: str, *, within: float = 5.0) -> Settlement:
        """Wait until a message has ended; fail the test when it does not in time."""
        __tracebackhide__ = True
        try:
            async with asyncio.timeout(within):
                while (end := self.settlement(key)) is None:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pytest.fail(f"{key} has not ended within {within:g} s\n{self.timeline(key)}")
        return end

    def assert_delivered(self, key: str, *, tier: int | None = None, attempts: int | None = None) -> None:
        """Fail unless a message was delivered, in that tier and with so many attempts where given."""
        __tracebackhide__ = True
        self._assert_ended(key, "delivered", tier, attempts)

    def assert_failed(self, key: str, *, attempts: int | None = None, reason: str = "") -> None:
        """Fail unless a message was given up (tier 3), for a reason that holds this text."""
        __tracebackhide__ = True
        self._assert_ended(key, "failed", 3, attempts)
        end = self.settlement(key)
        if end is None or reason not in end.reason:
            found = end.reason if end else None
            pytest.fail(f"{key} failed for another reason than {reason!r}: {found!r}\n{self.timeline(key)}")

    def assert_uncertain(self, key: str, *, attempts: int | None = None) -> None:
        """Fail unless it can be said of a message neither that it arrived nor that it did not."""
        __tracebackhide__ = True
        self._assert_ended(key, "uncertain", None, attempts)

    def _assert_ended(self, key: str, state: str, tier: int | None, attempts: int | None) -> None:
        __tracebackhide__ = True
        end = self.settlement(key)
        expected = _ending(state, tier, attempts)
        if end is None:
            pytest.fail(f"{key} was to be {expected}, and has not ended\n{self.timeline(key)}")
        wrong = (
            end.state != state
            or (tier is not None and end.tier != tier)
            or (attempts is not None and end.attempts != attempts)
        )
        if wrong:
            found = _ending(end.state, end.tier, end.attempts)
            pytest.fail(f"{key} was to be {expected}, and is {found}\n{self.timeline(key)}")

    def timeline(self, key: str | None = None) -> str:
        """Return what happened to one message (or to all) as lines, in seconds since the first step."""
        steps = self.steps if key is None else self.of(key)
        if not steps:
            heard = f"; heard of: {', '.join(self.ids)}" if self.steps else "; nothing was told at all"
            return f"  (no step of {key or 'any message'}{heard})"
        return "\n".join(_lines(steps, named=key is None))

    def rows(self) -> list[dict[str, object]]:
        """Return every step as JSON."""
        return [
            {
                "id": step.id,
                "at": step.at,
                "kind": step.kind,
                "attempt": step.attempt,
                "detail": step.detail,
                "seconds": step.seconds,
            }
            for step in self.steps
        ]


def _ending(state: str, tier: int | None, attempts: int | None) -> str:
    words = state
    words += f" in tier {tier}" if tier is not None else ""
    return words + (f" after {attempts} attempt(s)" if attempts is not None else "")


def _lines(steps: list[Step], *, named: bool) -> Iterator[str]:
    start = steps[0].at
    for step in steps:
        name = f"{step.id}  " if named else ""
        attempt = f" {step.attempt}" if step.kind in {"attempt", "answer"} else ""
        took = f" ({step.seconds:.3f} s)" if step.kind == "answer" else ""
        line = f"  {step.at - start:+9.3f} s  {name}{step.kind}{attempt}: {step.detail}{took}"
        yield printable(line.rstrip(": "))
