"""How a whole bot hears the sandbox's chat, in virtual time: each line once, whatever its socket does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.cases import cases
from tests.simulation.minutes import in_a_world

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from hangbot import Bot, ChatMessage
    from tests.simulation.minutes import World


class Hearing:
    """A bot in its world, what it heard, and what its chat was asked."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []
        self.world: World

    async def __call__(self, bot: Bot, message: ChatMessage) -> None:
        self.heard.append(message.text)
        if message.text == "question":
            await message.reply("answer")
        del bot

    async def until(self, text: str, within: float) -> float:
        """Wait in virtual time until a line is heard; return how long that took."""
        began = self.now
        while text not in self.heard:
            assert self.now - began <= within, f"{text} was not heard within {within} s"
            await asyncio.sleep(0.1)
        return self.now - began

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def requests(self, since: int) -> list[str]:
        """The last word of the path of each request to the chat, but for those that send."""
        rows = self.world.sandbox.journal.events(since=since, service="chat", dir="in", kind="http")
        paths = [row["path"].partition("?")[0] for row in rows if row["method"] == "GET"]
        return [path.rpartition("/v3.0/")[2] for path in paths if "/v3.0/" in path]

    def red(self) -> set[str]:
        """The parts of the chat that are red."""
        return {red.part for red in self.world.bot.health().red if red.part.startswith("chat")}

    def most_open(self) -> int:
        """How many sockets of the chat were open at a time, counted at the server."""
        rows = self.world.sandbox.journal.events(service="chat", dir="in")
        steps = [{"open": 1, "close": -1}[row["kind"]] for row in rows if row["kind"] in {"open", "close"}]
        return max(sum(steps[: number + 1]) for number in range(len(steps)))


def hear(folder: Path, story: Callable[[Hearing], Awaitable[Any]], seed: int = 0) -> Hearing:
    """Play a story; afterwards no task has failed, and there was one socket at a time."""
    ears = Hearing()

    async def main(world: World) -> None:
        ears.world = world
        await asyncio.sleep(1.0)
        await story(ears)
        assert ears.most_open() == 1

    _, run = in_a_world(seed, folder, main, app=ears)
    assert run.failures == []
    return ears


def test_lines_and_direct_messages_come_by_push_and_cost_no_request(tmp_path: Path) -> None:
    async def story(bot: Hearing) -> None:
        sandbox = bot.world.sandbox
        alice, since = sandbox.users.add("alice"), sandbox.journal.last_n
        await alice.join()
        for number in range(5):
            await alice.say(f"line {number}")
            await alice.dm(sandbox.bot.uid, f"direct {number}")
        await bot.until("direct 4", within=1.0)
        assert bot.requests(since) == []

    ears = hear(tmp_path / "run", story)

    assert ears.heard == [f"{kind} {number}" for number in range(5) for kind in ("line", "direct")]


def test_a_direct_question_is_answered_to_who_asked(tmp_path: Path) -> None:
    async def story(bot: Hearing) -> None:
        sandbox = bot.world.sandbox
        alice = sandbox.users.add("alice")
        await alice.dm(sandbox.bot.uid, "question")
        await bot.until("question", within=1.0)
        await asyncio.sleep(5.0)
        (answer,) = [row for row in sandbox.messages if row["data"].get("text") == "answer"]
        assert (answer["receiver"], answer["receiverType"]) == (alice.uid, "user")

    assert hear(tmp_path / "run", story).heard == ["question"], "its own answer is not heard"


def test_idle_it_asks_the_chat_at_most_twice_a_minute_and_is_never_red(tmp_path: Path) -> None:
    async def story(bot: Hearing) -> None:
        sandbox = bot.world.sandbox
        await asyncio.sleep(60.0)
        since = sandbox.journal.last_n
        for _ in range(30):
            await asyncio.sleep(60.0)
            assert bot.red() == set()
        assert len(bot.requests(since)) <= 60

    hear(tmp_path / "run", story)


@cases("do", ("a close", "close"), ("a cut", "abort"), ("a close on purpose", "close_deliberate"))
def test_what_was_said_when_the_socket_ended_is_heard_once_in_order(do: str, tmp_path: Path) -> None:
    async def story(bot: Hearing) -> None:
        sandbox = bot.world.sandbox
        alice, bob = sandbox.users.add("alice"), sandbox.users.add("bob")
        await alice.join()
        await alice.dm(sandbox.bot.uid, "first, direct")
        await bot.until("first, direct", within=1.0)
        since = sandbox.journal.last_n
        sandbox.faults.add("chat.ws", do)
        await alice.say("ends it")
        await alice.say("in the gap")
        await bob.dm(sandbox.bot.uid, "in the gap, direct")
        await bot.until("in the gap, direct", within=5.0)
        await asyncio.sleep(1.0)
        (direct,) = [path for path in bot.requests(since) if path.startswith("users/")]
        assert direct == f"users/{bob.uid}/messages", "of no conversation that has not grown"
        await alice.say("after it")
        await bot.until("after it", within=1.0)
        assert bot.red() == set()

    ears = hear(tmp_path / "run", story)

    assert [line for line in ears.heard if line != "in the gap, direct"] == [
        "first, direct",
        "ends it",
        "in the gap",
        "after it",
    ]


@cases("where within", ("the group", "group", 60.0), ("a direct message", "direct", 150.0))
def test_a_deaf_socket_is_recovered_from(where: str, within: float, tmp_path: Path) -> None:
    async def story(bot: Hearing) -> None:
        sandbox = bot.world.sandbox
        alice = sandbox.users.add("alice")
        await alice.join()
        sandbox.faults.add("chat.ws", "deaf")

        async def say(text: str) -> None:
            await (alice.say(text) if where == "group" else alice.dm(sandbox.bot.uid, text))

        await say("not forwarded")
        await bot.until("not forwarded", within=within)
        await asyncio.sleep(3.0)
        await say("forwarded again")
        await bot.until("forwarded again", within=1.0)
        await asyncio.sleep(60.0)
        assert bot.red() == set()

    assert hear(tmp_path / "run", story).heard == ["not forwarded", "forwarded again"]


@cases("do", ("twice", "duplicate"), ("out of order", "reorder"), ("lost", "drop"), ("garbled", "garbage"))
def test_a_line_whose_frame_is_not_as_it_is_to_be_is_heard_once(do: str, tmp_path: Path) -> None:
    async def story(bot: Hearing) -> None:
        sandbox = bot.world.sandbox
        alice = sandbox.users.add("alice")
        await alice.join()
        sandbox.faults.add("chat.ws", do)
        await alice.say("one")
        await alice.say("two")
        await bot.until("one", within=150.0)
        await bot.until("two", within=150.0)
        await asyncio.sleep(150.0)
        assert bot.red() == set()

    assert sorted(map(str, hear(tmp_path / "run", story).heard)) == ["one", "two"]


@cases("do", ("refused", "refuse"), ("no upgrade", "status"))
def test_without_a_socket_the_chat_is_polled_until_it_is_back(do: str, tmp_path: Path) -> None:
    async def story(bot: Hearing) -> None:
        sandbox = bot.world.sandbox
        alice = sandbox.users.add("alice")
        await alice.join()
        fault = sandbox.faults.add("chat.ws", do, times=0, status=503 if do == "status" else None)
        sandbox.chat.realtime.abort_all()
        await asyncio.sleep(60.0)
        await alice.say("polled")
        assert await bot.until("polled", within=2.5) > 0
        await alice.dm(sandbox.bot.uid, "polled, direct")
        await bot.until("polled, direct", within=15.0)
        health = bot.world.bot.health()
        assert bot.red() == set()
        (said,) = [part for part in health.parts if part.name == "chat push" and not part.ok]
        assert "asked every 1 s" in said.sentence
        sandbox.faults.remove(fault.id)
        await asyncio.sleep(65.0)
        since = sandbox.journal.last_n
        await alice.say("pushed")
        await bot.until("pushed", within=0.3)
        assert bot.requests(since) == []

    assert hear(tmp_path / "run", story).heard == ["polled", "polled, direct", "pushed"]


def test_a_bot_that_was_put_out_of_the_group_joins_it_again(tmp_path: Path) -> None:
    async def story(bot: Hearing) -> None:
        sandbox = bot.world.sandbox
        alice = sandbox.users.add("alice")
        await alice.join()
        await sandbox.chat.kick(sandbox.bot.uid, sandbox.room_uuid)
        await alice.say("while it was out")
        await bot.until("while it was out", within=60.0)
        await asyncio.sleep(3.0)
        await alice.say("member again")
        await bot.until("member again", within=1.0)

    assert hear(tmp_path / "run", story).heard == ["while it was out", "member again"]


@pytest.mark.slow
def test_a_bot_that_was_put_out_and_whose_own_words_let_it_in_again_hears_what_was_said_between(
    tmp_path: Path,
) -> None:
    async def story(bot: Hearing) -> None:
        sandbox = bot.world.sandbox
        alice = sandbox.users.add("alice")
        await alice.join()
        await alice.say("before")
        await bot.until("before", within=1.0)
        await sandbox.chat.kick(sandbox.bot.uid, sandbox.room_uuid)
        await alice.say("between")
        for _ in range(4):
            await asyncio.sleep(10.0)
            await bot.world.bot.say("of its own accord")
        await bot.until("between", within=20.0)

    assert hear(tmp_path / "run", story).heard == ["before", "between"]


def test_a_history_that_is_away_turns_red_and_what_was_said_is_heard_when_it_is_back(tmp_path: Path) -> None:
    async def story(bot: Hearing) -> None:
        sandbox = bot.world.sandbox
        alice = sandbox.users.add("alice")
        await alice.join()
        fault = sandbox.faults.add("chat.history", "status", status=503, times=0)
        sandbox.chat.realtime.abort_all()
        await alice.say("in the gap")
        await asyncio.sleep(45.0)
        assert bot.red() == {"chat"}
        sandbox.faults.remove(fault.id)
        await bot.until("in the gap", within=61.0)
        await asyncio.sleep(10.0)
        assert bot.red() == set()

    assert hear(tmp_path / "run", story).heard == ["in the gap"]
