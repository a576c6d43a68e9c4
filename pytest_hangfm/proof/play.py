"""One scenario being played: a sandbox, a bot, people, and what the bot is blamed for."""

from __future__ import annotations

import asyncio
import functools
from contextlib import suppress
from signal import Signals
from typing import TYPE_CHECKING, Any, Final

from hangbot.redact import Redactor
from pytest_hangfm.proof.bot_process import Home, run_of, secrets_of
from pytest_hangfm.proof.evidence import Evidence, Line, Mark, Probe, Run, text_of
from pytest_hangfm.proof.profile import is_answer
from pytest_hangfm.proof.scenario import NotApplicable, NotExercised

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hangbot.sandbox import Actor, Fault, Sandbox
    from pytest_hangfm.process import BotProcess
    from pytest_hangfm.proof.profile import Profile
    from pytest_hangfm.proof.scenario import Scenario

__all__ = ["Play"]

_PEOPLE: Final = ("prue", "quentin", "ruth")
_TICK: Final = 0.05
_TRY: Final = 4.0
"""Seconds after which a bot that is starting is asked again."""
_BACK: Final = 30.0
"""Seconds within which a bot is there again after a short fault."""


class Play:
    """One scenario being played.

    Attributes:
        sandbox: Hang.fm.
        profile: What the bot does.
        blames: What the bot did wrong: rule and sentence.
        bot: Its process, once it was started.

    Args:
        scenario: What is played.
        sandbox: Where.
        home: The bot's folder, and how it is started.
        profile: What the bot does.
    """

    def __init__(self, scenario: Scenario, sandbox: Sandbox, home: Home, profile: Profile) -> None:
        self.sandbox, self.profile = sandbox, profile
        self.blames: list[tuple[str, str]] = []
        self.bot: BotProcess | None = None
        self._scenario, self._home = scenario, home
        self._people: list[Actor] = []
        self._questions: list[Probe] = []
        self._base = 0
        self._marks: list[Mark] = []
        self._runs: list[Run] = []
        self._began_ms = 0
        self._secrets: set[str] = set()
        self._faults: list[Fault] = []
        self.start_env: Mapping[str, str] = {}

    # -- the bot

    async def start(self, **env: str) -> BotProcess:
        """Start the bot; wait for nothing."""
        self._secrets.update(secrets_of(self.sandbox))
        self.mark("the bot is started")
        self._began_ms = self.sandbox.clock.now_ms()
        self.bot = await self._home.start(self.sandbox, {**self.start_env, **env})
        return self.bot

    async def ready(self) -> None:
        """Start the bot, and wait until it is in the room and answers.

        Raises:
            NotExercised: It does not come so far.
        """
        await self.company()
        await self.start()
        within = max(15.0, 3 * self.profile.start)
        if self.profile.room and not await self.joined(within=within):
            raise NotExercised(f"it was not in the room within {within:.0f} s{self._end_in_words()}")
        if self.profile.has("answers"):
            await self.until(lambda: self.hears() or self.has_ended, within=within)
            await self._until_it_answers(within)

    def _is_over(self, before: int) -> bool:
        return self.has_ended or bool(self._answers_after(before))

    async def ready_again(self) -> None:
        """Wait until the bot answers.

        Raises:
            NotExercised: It does not.
        """
        within = max(15.0, 3 * self.profile.start)
        await self.until(lambda: self.hears() or self.has_ended, within=within)
        await self._until_it_answers(within)

    async def _until_it_answers(self, within: float) -> None:
        answered, tries, latest = 0, 0, asyncio.get_running_loop().time() + within
        while not answered:
            if asyncio.get_running_loop().time() > latest or self.has_ended:
                raise NotExercised(f"it did not answer within {within:.0f} s{self._end_in_words()}")
            before = self._last_id()
            await self._say(self.profile.says)
            tries += 1
            await self.until(functools.partial(self._is_over, before), within=_TRY)
            answered = len(self._answers_after(before))
        if tries > 1:  # the earlier ones may be answered yet
            await asyncio.sleep(2)
        await asyncio.sleep(self.profile.pause)
        self._base = self._last_id()

    @property
    def has_ended(self) -> bool:
        """Whether the bot's process has ended."""
        return self.bot is not None and self.bot.returncode is not None

    async def ended(self, *, within: float) -> int | None:
        """Wait for its end and return the exit code; ``None`` where it runs on."""
        if self.bot is None:
            return None
        with suppress(TimeoutError):
            return await asyncio.wait_for(self.bot.ended(), within)
        return None

    def signal(self, number: int) -> None:
        """Send the bot a signal, as whatever started it would."""
        self.mark(f"{Signals(number).name}")
        if self.bot is not None:
            self.bot.send_signal(number)

    def printed(self) -> bool:
        """Whether this life of the bot has printed anything."""
        return self.bot is not None and any(line.strip() for line in self.bot.lines)

    async def stop(self) -> None:
        """End the bot whatever it does, and keep what is known of this life."""
        if self.bot is None:
            return
        bot, self.bot = self.bot, None
        code = bot.returncode
        self._secrets.update(secrets_of(self.sandbox))
        try:
            await bot.stop(within=2.0)
        finally:
            masked = Redactor(self._secrets)
            run = run_of(bot, self._began_ms, tuple(self._secrets), masked)
            self._runs.append(Run(run.began_ms, code, run.lines, run.leaks))

    # -- people

    async def company(self) -> None:
        """Bring people into the room and its chat."""
        if not self._people:
            for name in _PEOPLE:
                person = self.sandbox.users.add(name)
                await person.join()
                self._people.append(person)

    @property
    def people(self) -> list[Actor]:
        """Everybody but the bot."""
        return self._people

    @property
    def speaker(self) -> Actor:
        """A person in the room; another one each time that something is said."""
        return self._people[len(self._questions) % len(self._people)]

    async def _say(self, text: str) -> int:
        row = await self.speaker.say(text)
        return int(row["id"])

    async def ask(self, *, within: float = 15.0) -> bool:
        """Ask what the bot answers, and return whether the answer came."""
        await self.put_question()
        return await self.all_answered(within=within)

    async def put_question(self) -> None:
        """Ask what the bot answers; wait for nothing."""
        if self._questions and self.profile.pause:
            await asyncio.sleep(self.profile.pause)
        number = await self._say(self.profile.says)
        self._questions.append(Probe(number, self.sandbox.clock.now_ms()))
        self.mark(f"question {len(self._questions)}: {self.profile.says}")

    async def all_answered(self, *, within: float = 15.0) -> bool:
        """Wait until there are as many answers as questions."""
        return await self.until(lambda: len(self.answers()) >= len(self._questions), within=within)

    def answers(self) -> list[Line]:
        """Return the bot's answers since it was ready."""
        return self._answers_after(self._base)

    def _answers_after(self, number: int) -> list[Line]:
        names = tuple(person.nickname for person in self._people)
        uid = self.sandbox.bot.uid
        return [
            line
            for line in self.lines()
            if line.id > number and line.sender == uid and is_answer(self.profile, line.text, names)
        ]

    def lines(self) -> list[Line]:
        """Return what the chat holds."""
        return [
            Line(int(row["id"]), str(row["sender"]), str(row["receiver"]), text_of(row))
            for row in self.sandbox.messages
            if str(row.get("id", "")).isdecimal()
        ]

    def _last_id(self) -> int:
        return max((line.id for line in self.lines()), default=0)

    # -- what happens

    def mark(self, what: str) -> int:
        """Note what the scenario does; return the number of the journal's last row."""
        n = self.sandbox.journal.last_n
        self._marks.append(Mark(n, self.sandbox.clock.now_ms(), what))
        return n

    def fault(self, on: str, do: str, **more: Any) -> Fault:  # noqa: ANN401  what the sandbox takes
        """Arm a fault, and note it."""
        fault = self.sandbox.faults.add(on, do, **more)
        self.mark(f"{do} on {on}")
        self._faults.append(fault)
        return fault

    def must_have_hit(self, fault: Fault) -> None:
        """Make sure that a fault took place.

        Raises:
            NotApplicable: It never hit.
        """
        if not self.sandbox.faults.hits(fault.id):
            raise NotApplicable(f"it never did what {fault.do} on {fault.on} waits for")

    def heal(self) -> None:
        """Take every fault away."""
        self.sandbox.faults.clear()
        self.mark("no more trouble")

    # -- looking

    async def until(self, holds: Callable[[], bool], *, within: float) -> bool:
        """Wait until something holds; return whether it does."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not holds():  # noqa: ASYNC110  a process and a room have no event in common
                    await asyncio.sleep(_TICK)
        return holds()

    def is_joined(self) -> bool:
        """Whether a connection of the bot is in the room, as the room sees it."""
        members = self.sandbox.server.broadcaster.members(self.sandbox.room_uuid)
        return any(conn.uid == self.sandbox.bot.uid for conn in members)

    def hears(self) -> bool:
        """Whether the bot has read the chat's history, or opened the chat's socket."""
        rows, _ = self.sandbox.journal.since(0)
        chat = [row for row in rows if row["service"] == "chat" and row["dir"] == "in"]
        return any(row["kind"] == "open" or _is_reading(row) for row in chat)

    async def joined(self, *, within: float = _BACK) -> bool:
        """Wait until the bot is in the room, or has ended; return whether it is in the room."""
        await self.until(lambda: self.is_joined() or self.has_ended, within=within)
        return self.is_joined()

    async def trouble(self, *, within: float = _BACK, ask: bool = True) -> str | None:
        """Return what is wrong with the bot now, or ``None`` where it is in the room and answers."""
        if self.profile.room and not await self.joined(within=within):
            ended = self._end_in_words()
            return (
                f"it ended{ended}"
                if self.has_ended
                else f"it was not in the room again within {within:.0f} s"
            )
        if ask and self.profile.has("answers") and not await self.ask(within=within):
            ended = self._end_in_words()
            return f"it ended{ended}" if self.has_ended else f"it did not answer within {within:.0f} s"
        return f"it ended{self._end_in_words()}" if self.has_ended else None

    async def must_recover(self, *, within: float = _BACK, ask: bool = True, rule: str = "") -> bool:
        """Blame the bot unless it is in the room and answers; return whether it does."""
        problem = await self.trouble(within=within, ask=ask)
        self.blame(problem, rule)
        return problem is None

    def blame(self, what: str | None, rule: str = "") -> None:
        """Note what the bot did wrong, by default against the scenario's first rule; ``None`` is nothing."""
        if what is not None:
            self.blames.append((rule or self._scenario.rules[0], what))

    def _end_in_words(self) -> str:
        code = None if self.bot is None else self.bot.returncode
        return "" if code is None else f" (exit code {code})"

    def evidence(self) -> Evidence:
        """Return what was seen so far."""
        rows, truncated = self.sandbox.journal.since(0)
        return Evidence(
            uid=self.sandbox.bot.uid,
            rows=tuple(rows),
            lines=tuple(self.lines()),
            questions=tuple(self._questions),
            answers=tuple(self.answers()),
            marks=tuple(self._marks),
            runs=tuple(self._runs),
            truncated=truncated,
            ended_ms=self.sandbox.clock.now_ms(),
        )


def _is_reading(row: Mapping[str, object]) -> bool:
    return row.get("method") == "GET" and "/messages" in str(row.get("path"))
