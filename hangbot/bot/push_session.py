"""Hears one connection that brings the chat: after what was said before it, and until it misses something."""

import asyncio
import logging
import math
from contextlib import suppress
from typing import Final

from hangbot.bot.intake import Intake
from hangbot.bot.ledger import Ledger
from hangbot.bot.looks import Looks
from hangbot.bot.patience import CHAT
from hangbot.bot.ports import ChatPush
from hangbot.bot.reading import Reading
from hangbot.clock import Clock
from hangbot.health import Conditions

__all__ = ["AGREEMENT", "PushSession"]

logger = logging.getLogger(__name__)

AGREEMENT: Final = "chat agreement"
_HELD_FOR: Final = 5.0
"""Seconds for which rows that are pushed wait for the history before them."""
_DEAF_REMEDY: Final = (
    "The bot joins the group and opens the socket again by itself, and asks meanwhile; where that lasts, "
    "set HANGBOT_CHAT_FEED=poll and report these words to whoever runs the chat."
)


class PushSession:
    """What is heard over one authenticated connection.

    Args:
        intake: Takes what it brings.
        reading: Reads what it does not.
        ledger: The positions.
        clock: Measures and waits.
        conditions: Given how the chat is.
        silence: Seconds without a row of the group after which the history is asked.
        heard: Set once all that was said before the connection is read.
    """

    def __init__(
        self,
        intake: Intake,
        reading: Reading,
        ledger: Ledger,
        clock: Clock,
        *,
        conditions: Conditions,
        silence: float,
        heard: asyncio.Event,
    ) -> None:
        self._intake = intake
        self._reading = reading
        self._ledger = ledger
        self._clock = clock
        self._conditions = conditions
        self._silence = silence
        self._heard = heard
        self._missed = 0
        self._doubted = False
        """Whether the connection before did not bring everything, and this one has not shown that it does."""

    async def run(self, push: ChatPush) -> int:
        """Hear until the connection ends, or did not bring everything.

        Returns:
            How many lines it did not bring.

        Raises:
            Stopped: The bot is to stop.
            OutboxError: The file failed.
        """
        self._missed = 0
        self._intake.hold()
        both = (
            asyncio.create_task(self._receive(push), name="hangbot-chat-rows"),
            asyncio.create_task(self._attend(), name="hangbot-chat-looks"),
        )
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.wait(both)
            self._intake.drop()
        for task in both:
            if not task.cancelled() and (error := task.exception()):
                raise error
        return self._missed

    async def _receive(self, push: ChatPush) -> None:
        good_at = -math.inf
        async for row in push.rows():
            self._intake.pushed(row)
            if self._heard.is_set() and (now := self._clock.now()) >= good_at + 1:
                good_at = now
                self._found_good(agrees=True)

    async def _attend(self) -> None:
        """Read what was said before the connection; then look until it has not brought everything."""
        await self._fill_gap()
        self._found_good(agrees=not self._doubted)
        logger.info("[OK] the chat is heard by push", extra={"action": "chat_pushed"})
        looks = Looks(self._silence, self._clock.now())
        while not (missed := await self._look(looks)):
            pass
        self._missed, self._doubted = missed, True
        sentence = f"the chat's socket is open and did not bring {missed} line(s) that the history has"
        self._conditions.bad(AGREEMENT, sentence, _DEAF_REMEDY)
        more = {"action": "chat_deaf", "missed": missed}
        logger.warning("[SOCKET] %s: the group is joined and the socket opened again", sentence, extra=more)

    async def _fill_gap(self) -> None:
        """Read what may have been said before the connection; what that brings waits for it a moment."""
        reading = asyncio.create_task(self._read_gap(), name="hangbot-chat-gap")
        try:
            with suppress(TimeoutError):
                await self._clock.wait_for(asyncio.wait([reading]), _HELD_FOR)
            whole = self._intake.release()
            await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if not whole:
            await self._read_gap()

    async def _read_gap(self) -> None:
        await self._reading.read(self._ledger.group)
        await self._reading.list(verify=False)

    async def _look(self, looks: Looks) -> int:
        """Wait for a reason to ask the history, and return how many lines the connection did not bring."""
        intake, group = self._intake, self._ledger.group
        looks.heard(intake.group_heard_at)
        with suppress(TimeoutError):
            await self._clock.wait_for(intake.doubts.wait(), max(looks.next_at() - self._clock.now(), 0.0))
        intake.doubts.clear()
        missed = 0
        for conversation in tuple(intake.to_read):
            missed += await self._reading.read(conversation, check=True)
        looks.heard(intake.group_heard_at)
        kind = looks.due(self._clock.now())
        if kind == "conversations":
            listed = await self._reading.list(verify=True, check=True)
            missed += listed.missed
            if listed.group is None or listed.group.id > self._ledger.position(group).verified:
                kind = "group"
        if kind == "group":
            missed += await self._reading.read(group, check=True)
        if kind is not None and not missed:
            self._found_good(agrees=True)
        return missed

    def _found_good(self, *, agrees: bool) -> None:
        self._heard.set()
        self._conditions.good(CHAT)
        if agrees:
            self._doubted = False
            self._conditions.good(AGREEMENT)
