import asyncio
import copy
import inspect
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias

import pytest

from hangbot import AnyApp, Bot, ChatMessage
from hangbot.sandbox import Actor, Sandbox
from pytest_hangfm import ManualClock, OpenBot, OpenUser, RoomLog
from pytest_hangfm.simulation.fingerprint import made_here
from pytest_hangfm.simulation.history import Crashed, History, MessageStored, Said
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.token import TokenError, encode
from pytest_hangfm.simulation.trials import Invariant, Trial
from pytest_hangfm.simulation.visiting import CannotBeSimulatedError

Test: TypeAlias = Callable[..., Awaitable[None]]

CALM: Final = Plan(5, seconds=20.0, users=1, pace=60.0)


def token(*faults: Fault, plan: Plan = CALM) -> str:
    return encode(plan.with_faults(faults), made_here())


def trial(test: Test, *invariants: Invariant, **values: object) -> Trial:
    wanted = tuple(name for name in inspect.signature(test).parameters if name.startswith("hangfm_"))
    return Trial("test_mine.py::test_it", test, values, wanted, invariants)


class Counter:
    """Numbers its answers from memory, which a crash takes."""

    def __init__(self) -> None:
        self.count = 0

    async def on_message(self, _: Bot, message: ChatMessage) -> None:
        if message.text == "/count":
            self.count += 1
            await message.reply(f"number {self.count}")


async def ping(_: Bot, message: ChatMessage) -> None:
    if message.text == "/ping":
        await message.reply("pong")


async def ask(hangfm_open_bot: OpenBot, hangfm_user: Actor, app: AnyApp) -> None:
    await hangfm_open_bot(app=app)
    for _ in range(3):
        await hangfm_user.say("/count")
        await asyncio.sleep(15.0)


def said(history: History) -> list[str]:
    return [event.text for event in history.of(MessageStored)]


def test_a_test_is_played_and_the_rules_and_its_own_invariants_are_asked() -> None:
    seen: list[History] = []

    outcome = trial(ask, seen.append, app=Counter()).replay(token())

    assert outcome.failure == ""
    assert outcome.summary.startswith("replayed; no rule is broken\nseed 5: 1 other user for 00:20")
    assert said(seen[0]) == ["number 1", "number 2", "number 3"]
    assert [event.text for event in seen[0].of(Said) if seen[0].names[event.sender] == "alice"] == [
        "/count"
    ] * 3


def test_after_a_crash_an_app_begins_as_it_was_given() -> None:
    app, seen = Counter(), list[History]()
    app.count = 10
    crash = Fault("crash", 10.0, 60.0, {"steps": 1, "sockets": "fin", "away": 1.0})

    outcome = trial(ask, seen.append, app=app).replay(token(crash))

    assert outcome.failure == ""
    assert list(seen[0].of(Crashed))
    assert said(seen[0]) == ["number 11", "number 11", "number 12"]
    assert app.count == 10


def never_twice(history: History) -> None:
    texts = said(history)
    assert len(texts) == len(set(texts)), f"a number was given twice: {texts}"


def test_a_failure_is_found_made_small_and_replayed() -> None:
    found = trial(ask, never_twice, app=Counter()).search(20).failure
    command = re.search(r"pytest test_mine\.py::test_it --hangfm-simulate (\S+)$", found)

    assert command
    again = trial(ask, never_twice, app=Counter()).replay(command[1]).failure

    heading, note, *story = found.splitlines()
    assert heading.startswith("never_twice: a number was given twice: ")
    assert re.fullmatch(r"\(in world \d+ of 20, shrunk from \d+ faults to 1 in \d+ plays\)", note)
    assert any("says number 1" in line for line in story)
    assert any(line.startswith("X ") and "never_twice" in line for line in story)
    assert again.splitlines()[2:] == story
    assert again.splitlines()[:2] == [heading, "(replayed)"]


def test_an_invariant_may_name_times_and_sentences() -> None:
    def too_short(history: History) -> Iterable[tuple[float, str]]:
        return [(event.at, f"{event.text} is short") for event in history.of(MessageStored)]

    failure = trial(ask, too_short, app=Counter()).replay(token()).failure

    assert failure.startswith("too_short: number 1 is short\n(replayed)\n")
    assert failure.count("\nX ") == 3


async def asserts(hangfm_open_bot: OpenBot) -> None:
    await hangfm_open_bot(app=ping)
    assert list(range(2)) == []


async def expects_too_much(hangfm_open_bot: OpenBot, hangfm_user: Actor, hangfm_room_log: RoomLog) -> None:
    await hangfm_open_bot(app=ping)
    await hangfm_user.say("/ping")
    await hangfm_room_log.expect("pang")


async def raises(hangfm_open_bot: OpenBot) -> None:
    await hangfm_open_bot(app=ping)
    raise KeyError("x")


async def never_ends(hangfm_open_bot: OpenBot) -> None:
    await hangfm_open_bot(app=ping)
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("test", "failure"),
    [
        pytest.param(
            expects_too_much, r"test: test_trials\.py:\d+: \w+ did not say 'pang'", id="pytest.fail"
        ),
        pytest.param(asserts, r"test: test_trials\.py:\d+: assert \[0, 1\] == \[\]", id="an assertion"),
        pytest.param(raises, r"test: test_trials\.py:\d+: KeyError: 'x'", id="an error"),
        pytest.param(never_ends, r"test: the test had not ended after 3600 s", id="no end"),
    ],
)
def test_a_test_that_fails_in_its_world_is_a_violation(test: Test, failure: str) -> None:
    assert re.match(failure, trial(test).replay(token()).failure)


def test_a_test_may_skip_itself() -> None:
    async def skips(hangfm_sandbox: Sandbox) -> None:
        pytest.skip(f"nothing in {hangfm_sandbox.room.name}")

    with pytest.raises(pytest.skip.Exception, match="nothing in Sandbox"):
        trial(skips).replay(token())


def test_two_users_and_a_direct_message() -> None:
    seen: list[History] = []

    async def whispers(
        hangfm_open_bot: OpenBot, hangfm_open_user: OpenUser, hangfm_room_log: RoomLog
    ) -> None:
        bot = await hangfm_open_bot(app=ping)
        bob = await hangfm_open_user("bob", role="moderator")
        await bob.dm(bot.chat.uid or "", "/ping")
        await hangfm_room_log.expect("pong", direct=True)

    outcome = trial(whispers, seen.append).replay(token())

    assert outcome.failure == ""
    assert "bob" in seen[0].names.values()


# -- what cannot be


class Uncopied:
    def __deepcopy__(self, _: object) -> "Uncopied":
        raise TypeError("cannot copy a socket")

    async def on_message(self, bot: Bot, message: ChatMessage) -> None: ...


async def opens_none(hangfm_user: Actor) -> None:
    await hangfm_user.say("hello")


async def opens_two(hangfm_open_bot: OpenBot) -> None:
    await hangfm_open_bot(app=ping)
    await hangfm_open_bot(app=ping)


async def speaks_for_it(hangfm_open_bot: OpenBot) -> None:
    bot = await hangfm_open_bot(app=ping)
    await bot.say("hello")


async def brings_a_clock(hangfm_open_bot: OpenBot) -> None:
    await hangfm_open_bot(app=ping, clock=ManualClock())


async def brings_no_app(hangfm_open_bot: OpenBot) -> None:
    await hangfm_open_bot()


async def sets_what_is_not(hangfm_open_bot: OpenBot) -> None:
    await hangfm_open_bot(app=ping, colour="red")


async def is_not_copied(hangfm_open_bot: OpenBot) -> None:
    await hangfm_open_bot(app=Uncopied())


@pytest.mark.parametrize(
    ("test", "line"),
    [
        pytest.param(opens_none, "opens no bot: await hangfm_app", id="no bot"),
        pytest.param(opens_two, "one bot, and this test opens a second", id="two bots"),
        pytest.param(speaks_for_it, r"bot\.say: in a simulation the test is no part", id="the bot itself"),
        pytest.param(brings_a_clock, "has the world's clock", id="a clock"),
        pytest.param(brings_no_app, "a bot has an app", id="no app"),
        pytest.param(sets_what_is_not, "colour", id="a setting that is not there"),
        pytest.param(is_not_copied, "cannot be copied .TypeError: cannot copy a socket.", id="no copy"),
    ],
)
def test_a_test_that_cannot_be_simulated_is_one_line(test: Test, line: str) -> None:
    with pytest.raises(CannotBeSimulatedError, match=line) as raised:
        trial(test).replay(token())

    assert "\n" not in str(raised.value)


def in_app(use: Callable[[], object]) -> AnyApp:
    async def on_start(_: Bot) -> None:
        result = use()
        if asyncio.iscoroutine(result):
            await result

    app = copy.copy(Counter())
    app.on_start = on_start  # type: ignore[attr-defined]
    return app


@pytest.mark.parametrize(
    ("use", "line"),
    [
        pytest.param(lambda: time.time() + 1, r"only the loop's time passes", id="time"),
        pytest.param(
            lambda: asyncio.to_thread(len, ""), "a thread has a time of its own", id="asyncio.to_thread"
        ),
        pytest.param(
            lambda: threading.Thread(target=len).start(), "a thread has a time of its own", id="a thread"
        ),
        pytest.param(lambda: subprocess.run([sys.executable]), "starts no other program", id="a program"),  # noqa: PLW1510  it does not begin
    ],
)
def test_an_app_that_uses_the_machine_is_one_line(use: Callable[[], object], line: str) -> None:
    with pytest.raises(CannotBeSimulatedError, match=line) as raised:
        trial(ask, app=in_app(use)).replay(token())

    assert "was used in a simulation by tests.simulation.test_trials, line" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_randomness_of_python_is_the_plans() -> None:
    drawn: list[float] = []

    async def rolls(hangfm_open_bot: OpenBot) -> None:
        await hangfm_open_bot(app=ping)
        drawn.append(random.random())  # noqa: S311  a game

    for _ in range(2):
        trial(rolls).replay(token())

    assert drawn[0] == drawn[1]


def test_a_world_that_is_not_the_same_twice_is_one_line() -> None:
    calls: list[int] = []

    class Different:
        async def on_message(self, _: Bot, message: ChatMessage) -> None:
            calls.append(1)
            await message.reply(f"call {len(calls)}")

    with pytest.raises(CannotBeSimulatedError, match="played twice, and not alike"):
        trial(ask, app=Different()).search(1)


def test_a_token_of_other_code_is_said_to_be_and_a_damaged_one_is_refused() -> None:
    made = made_here()
    foreign = encode(CALM, type(made)(made.python, made.libraries, "0000"))

    summary = trial(ask, app=Counter()).replay(foreign).summary

    assert summary.startswith("made with other code of hangbot (0000, here is ")
    with pytest.raises(TokenError, match="not whole"):
        trial(ask, app=Counter()).replay(foreign[:-6])
