"""One scenario being played: a sandbox, a bot, people, and what the bot is blamed for."""

from __future__ import annotations

import asyncio
import functools
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from pytest_hangfm.proof import looks
from pytest_hangfm.proof.bot_handle import BotHandle
from pytest_hangfm.proof.conversation import Conversation
from pytest_hangfm.proof.evidence import Evidence
from pytest_hangfm.proof.scenario import NotApplicable, NotExercised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hangbot.sandbox import Actor, Fault, Sandbox
    from pytest_hangfm.proof.bot_process import Home
    from pytest_hangfm.proof.evidence import Line
    from pytest_hangfm.proof.profile import Profile
    from pytest_hangfm.proof.scenario import Scenario

__all__ = ["Play", "RoomSocket"]

_TRY: Final = 4.0
_EARLIER_WITHIN: Final = 8.0
"""Seconds after which a bot that is starting is asked again."""
_ASKED_EVERY: Final = 6.0
"""Seconds after which a bot that is to come back is asked again."""
_GONE_WITHIN: Final = 5.0
_BACK: Final = 30.0
"""Seconds within which a bot is there again after a short fault."""


class RoomSocket(Protocol):
    """A connection of the bot, as the room's server has it."""

    def send(self, text: str) -> None:
        """Send a frame."""

    def end(self, how: Literal["close", "close_deliberate", "abort"]) -> None:
        """End it without a code, as the service does on purpose, or without a close frame."""


class Play(BotHandle):
    """One scenario being played.

    Attributes:
        blames: What the bot did wrong: rule and sentence.

    Args:
        scenario: What is played.
        sandbox: Where.
        home: The bot's folder, and how it is started.
        profile: What the bot does.
        speed: How many seconds pass for the bot and its sandbox in one real second.
    """

    def __init__(
        self, scenario: Scenario, sandbox: Sandbox, home: Home, profile: Profile, speed: float = 1.0
    ) -> None:
        super().__init__(sandbox, home, profile)
        self._speed = speed
        self.blames: list[tuple[str, str]] = []
        self._scenario = scenario
        self._talk = Conversation(sandbox, profile)

    # -- being ready

    async def ready(self) -> None:
        """Start the bot, and wait until it is in the room and answers.

        Raises:
            NotExercised: It does not come so far.
        """
        await self.company()
        await self.start()
        within = self._start_within()
        if self.profile.room and not await self.joined(within=within):
            raise NotExercised(f"it was not in the room within {within:.0f} s{self.end_in_words()}")
        if self.profile.has("answers"):
            await self.ready_again()

    async def ready_again(self) -> None:
        """Wait until the bot answers.

        Raises:
            NotExercised: It does not.
        """
        loop = asyncio.get_running_loop()
        within = self._start_within()
        await self.until(lambda: self.hears() or self.has_ended, within=within)
        before, latest, tries = self._talk.last_id(), loop.time() + within, 0
        answered = False
        while not answered:
            if loop.time() > latest or self.has_ended:
                raise NotExercised(f"it did not answer within {within:.0f} s{self.end_in_words()}")
            tries += 1
            answered = await self._asked(_TRY)
        if tries > 1:  # a slow one answers the earlier ones yet, and that counts for nothing
            await self.until(functools.partial(self._has_answered, tries, before), within=_EARLIER_WITHIN)
        await asyncio.sleep(self.profile.pause)
        self._talk.begin_count()

    def _has_answered(self, times: int, number: int) -> bool:
        return len(self._talk.answers_after(number)) >= times

    def _start_within(self) -> float:
        return max(15.0, 3 * self.profile.start)

    async def _asked(self, within: float) -> bool:
        """Ask, and return whether an answer came; it counts for nothing else."""
        before = self._talk.last_id()
        await self._talk.ask()
        await self.until(functools.partial(self._is_over, before), within=within)
        return bool(self._talk.answers_after(before))

    def _is_over(self, before: int) -> bool:
        return self.has_ended or bool(self._talk.answers_after(before))

    # -- people

    async def company(self) -> None:
        """Bring people into the room and its chat."""
        await self._talk.gather()

    async def another(self, name: str) -> Actor:
        """Bring one more person into the room and its chat."""
        return await self._talk.another(name)

    def names(self) -> tuple[str, ...]:
        """Return what the people are called."""
        return self._talk.names()

    @property
    def people(self) -> list[Actor]:
        """Everyone but the bot."""
        return self._talk.people

    @property
    def last_question(self) -> int:
        """Number of the last question."""
        return self._talk.probes[-1].id

    async def ask(self, *, within: float = 15.0) -> bool:
        """Ask what the bot answers, and return whether the answer came."""
        await self.put_question()
        return await self.all_answered(within=within)

    async def put_question(self) -> None:
        """Ask what the bot answers; wait for nothing."""
        if self._talk.probes and self.profile.pause:
            await asyncio.sleep(self.profile.pause)
        await self._talk.ask_for_the_count()
        self.mark(f"question {len(self._talk.probes)}: {self.profile.says}")

    async def all_answered(self, *, within: float = 15.0) -> bool:
        """Wait until there are as many answers as questions."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + within
        await self.until(lambda: self.is_all_answered() or self.has_ended, within=within)
        while not self.is_all_answered() and await self.revive():
            left = max(0.0, latest - loop.time())
            await self.until(lambda: self.is_all_answered() or self.has_ended, within=left)
        return await self.until(self.is_all_answered, within=max(0.0, latest - loop.time()))

    def is_all_answered(self) -> bool:
        """Whether there are as many answers as questions, or more."""
        return self.answers_missing() <= 0

    def answers_missing(self) -> int:
        """Return how many questions have no answer yet; below zero where there are more answers."""
        return len(self._talk.probes) - len(self._talk.answers())

    def has_answered_after(self, number: int) -> bool:
        """Whether an answer of the bot came after a message."""
        return bool(self._talk.answers_after(number))

    def lines(self) -> list[Line]:
        """Return what the chat holds."""
        return self._talk.lines()

    async def chat(self, method: str, path: str, body: object) -> None:
        """Make a request of the chat as the author of the last question."""
        author = next(row["sender"] for row in self.sandbox.messages if row["id"] == self.last_question)
        token = self.sandbox.people.get(str(author)).chat_token
        headers = {"authtoken": token, "Content-Type": "application/json", "appId": self.sandbox.app_id}
        await looks.request(self.sandbox.chat_url + path, method, headers=headers, body=body)

    def revoke_chat_token(self) -> None:
        """Make the bot's chat token worthless; the gateway gives another one."""
        self.mark("the chat's token is revoked")
        self.sandbox.people.revoke(self.sandbox.bot.chat_token)

    # -- what happens

    def fault(self, on: str, do: str, **more: Any) -> Fault:  # noqa: ANN401  what the sandbox takes
        """Arm a fault, and note it."""
        self.mark(f"{do} on {more.get('name') or on}")
        return self.sandbox.faults.add(on, do, **more)

    def must_have_hit(self, fault: Fault) -> None:
        """Make sure that a fault took place.

        Raises:
            NotExercised: It never hit, because the bot did not answer.
            NotApplicable: It never hit.
        """
        where = fault.name or fault.on
        if not self.sandbox.faults.hits(fault.id):
            if len(self._talk.answers()) < len(self._talk.probes):
                raise NotExercised(f"it did not answer, so that {fault.do} on {where} never took place")
            raise NotApplicable(f"it never did what {fault.do} on {where} waits for")

    def heal(self) -> None:
        """Take every fault away."""
        self.sandbox.faults.clear()
        self.mark("no more trouble")

    def room_frame(self, text: str) -> None:
        """Send the bot a frame of the room socket as it stands."""
        for conn in self.room_sockets():
            conn.send(text)

    def room_says(self, message: object) -> None:
        """Send the bot a message of the room, of any shape."""
        row = {"context": "user", "from": "0", "room": self.sandbox.room_uuid, "message": message}
        self.room_frame(json.dumps({**row, "sentAt": self.sandbox.clock.now_ms()}))

    def scaled(self, seconds: float) -> float:
        """Return how many real seconds some of the bot's last."""
        return seconds / self._speed

    async def cut(self, how: Literal["close", "close_deliberate", "abort"] = "abort") -> int:
        """End the bot's room socket, and wait until it is out of the room; return the mark before it."""
        before = self.mark(f"the room socket ends ({how})")
        for socket in self.room_sockets():
            socket.end(how)
        await self.until(lambda: not self.is_joined(), within=_GONE_WITHIN)
        return before

    # -- looking

    def room_sockets(self) -> list[RoomSocket]:
        """Return the bot's sockets that are in the room."""
        members = self.sandbox.server.broadcaster.members(self.sandbox.room_uuid)
        return [conn for conn in members if conn.uid == self.sandbox.bot.uid]

    def is_joined(self) -> bool:
        """Whether a connection of the bot is in the room, as the room sees it."""
        return bool(self.room_sockets())

    async def joined(self, *, within: float = _BACK) -> bool:
        """Wait until the bot is in the room, or has ended; return whether it is in the room."""
        await self.until(lambda: self.is_joined() or self.has_ended, within=within)
        return self.is_joined()

    def hears(self, since: int = 0) -> bool:
        """Whether the bot has read the chat's history since a mark, or opened the chat's socket."""
        rows, _ = self.sandbox.journal.since(since)
        chat = [row for row in rows if row["service"] == "chat" and row["dir"] == "in"]
        return any(row["kind"] == "open" or _is_reading(row) for row in chat)

    def looks(self, since: int = 0) -> Counter[str]:
        """Return where the bot has looked for messages since a mark, and how often."""
        rows, _ = self.sandbox.journal.since(since)
        chat = [row for row in rows if row["service"] == "chat" and row["dir"] == "in"]
        return Counter(str(row["path"]).partition("?")[0] for row in chat if _is_looking(row))

    async def trouble(self, *, within: float = _BACK, ask: bool = True) -> str | None:
        """Return what is wrong with the bot now, or ``None`` where it is in the room and answers.

        What was asked before counts no longer: a later question begins a new count.
        """
        loop = asyncio.get_running_loop()
        latest = loop.time() + within
        while True:
            problem = await self._trouble(max(0.2, latest - loop.time()), within, ask=ask)
            if problem is None or loop.time() > latest or not await self.revive():
                self._talk.begin_count()
                return problem

    async def _trouble(self, left: float, within: float, *, ask: bool) -> str | None:
        loop = asyncio.get_running_loop()
        latest = loop.time() + left
        if self.profile.room and not await self.joined(within=left) and not self.has_ended:
            return f"it was not in the room within {within:.0f} s"
        answered = not (ask and self.profile.has("answers"))
        while not answered and not self.has_ended and loop.time() < latest:
            answered = await self._asked(min(_ASKED_EVERY, max(_TRY, latest - loop.time())))
        if self.has_ended:
            return f"it ended{self.end_in_words()}"
        return None if answered else f"it did not answer within {within:.0f} s"

    async def must_recover(self, *, within: float = _BACK, ask: bool = True) -> None:
        """Blame the bot unless it is in the room and answers."""
        self.blame(await self.trouble(within=within, ask=ask))

    def blame(self, what: str | None, rule: str = "") -> None:
        """Note what the bot did wrong, by default against the scenario's first rule; ``None`` is nothing."""
        if what is not None:
            self.blames.append((rule or self._scenario.rules[0], what))

    def evidence(self) -> Evidence:
        """Return what was seen so far."""
        rows, truncated = self.sandbox.journal.since(0)
        return Evidence(
            uid=self.sandbox.bot.uid,
            rows=tuple(rows),
            lines=tuple(self.lines()),
            questions=tuple(self._talk.probes),
            answers=tuple(self._talk.answers()),
            marks=tuple(self._marks),
            runs=tuple(self._runs),
            never=self.profile.never,
            truncated=truncated,
            ended_ms=self.sandbox.clock.now_ms(),
        )


def _is_looking(row: Mapping[str, object]) -> bool:
    return _is_reading(row) or (row.get("method") == "GET" and "/conversations" in str(row.get("path")))


def _is_reading(row: Mapping[str, object]) -> bool:
    return row.get("method") == "GET" and "/messages" in str(row.get("path"))
