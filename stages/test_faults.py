"""Every fault and every end of a connection, while people talk: nothing is lost, nothing heard twice.

One story, played once for each row of a table: a user says numbered lines, to the room and to the bot
alone, the bot answers each and says lines of its own; meanwhile something goes wrong, and passes. In
virtual time, with the waits that a bot has in production.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import pytest

from hangbot import Bot, ChatMessage, Settings
from hangbot.clock import SystemClock
from hangbot.sandbox import Actor, Sandbox
from hangbot.sandbox.clock import SandboxClock
from pytest_hangfm import OpenBot

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.stage,
    pytest.mark.virtual_time,
    pytest.mark.remedy("Run it with `--log-level debug`; the sandbox's journal shows what was on the wires."),
]

Service = Literal["room", "chat", "gateway"]

AT: Final = 10.0
"""Seconds until something goes wrong."""
AFTER: Final = 90.0
"""Seconds of calm behind it: a look at a silent chat, a back-off and a green light fit in."""
BACK_WITHIN: Final = 60.0
"""Seconds until a bot that was out for long is back: the longest back-off."""
GREEN_WITHIN: Final = 10.0
OWN: Final = {"code": "ERR_NO_AUTH", "message": "Who?"}
PRODUCTION: Final = {
    "ack_timeout": 10.0,
    "connect_timeout": 10.0,
    "welcome_timeout": 5.0,
    "retry_base": 1.0,
    "retry_jitter": 0.2,
    "retry_max": 30.0,
    "poll_interval": 1.0,
    "drain": 10.0,
}


@dataclass
class Story:
    """A bot, a user who talks to it, and what was said, heard and seen."""

    sandbox: Sandbox
    user: Actor
    bot: Bot
    said: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    red: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)

    @property
    def bot_uid(self) -> str:
        return self.sandbox.bot.uid

    def fault(self, on: str, do: str, **more: Any) -> Callable[[], None]:  # noqa: ANN401  passed on
        """Arm a fault for ever; return what ends it."""
        fault = self.sandbox.faults.add(on, do, times=0, **more)
        return lambda: self.sandbox.faults.remove(fault.id)


@dataclass(frozen=True)
class Trouble:
    """Something that goes wrong.

    Attributes:
        name: What it is.
        begin: Makes it so.
        lasts: Seconds.
        red: The parts of the bot's health that are to turn red by it.
        may: Those that may besides: where chance decides how long a back-off lasts.
        in_order: Whether lines come in the order in which they were said: one that the socket lost is found
            after those behind it.
    """

    name: str
    begin: Callable[[Story], Awaitable[Callable[[], None] | None]]
    lasts: float = 0.0
    red: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    in_order: bool = True


def once(on: str, do: str, times: int = 1, **more: Any) -> Callable[[Story], Awaitable[None]]:  # noqa: ANN401  passed on
    """A fault that hits so many times."""

    async def begin(story: Story) -> None:
        story.sandbox.faults.add(on, do, times=times, **more)

    return begin


def while_it_lasts(on: str, do: str, **more: Any) -> Callable[[Story], Awaitable[Callable[[], None]]]:  # noqa: ANN401  passed on
    """A fault that hits until it passes."""

    async def begin(story: Story) -> Callable[[], None]:
        return story.fault(on, do, **more)

    return begin


def down(seconds: float, *services: Service) -> Callable[[Story], Awaitable[None]]:
    """Services that restart, and are away meanwhile."""

    async def begin(story: Story) -> None:
        await story.sandbox.restart(seconds * 1000, services)

    return begin


async def reset(story: Story) -> None:
    await story.sandbox.reset_room()
    await story.user.join()


async def forget(story: Story) -> None:
    await story.sandbox.forget(story.bot_uid)


async def kick_from_the_group(story: Story) -> None:
    await story.sandbox.chat.kick(story.bot_uid, story.sandbox.room_uuid)


async def flood(story: Story) -> None:
    for _ in range(300):
        await say(story)


async def refuse_the_join(story: Story) -> Callable[[], None]:
    end = story.fault("room.joinRoom", "status", body={"error": "The room is full."})
    await down(0.0, "room")(story)
    return end


async def never_answer_the_join(story: Story) -> None:
    story.sandbox.faults.add("room.joinRoom", "hang", times=2)
    await down(0.0, "room")(story)


async def no_socket(story: Story) -> Callable[[], None]:
    end = story.fault("chat.ws", "status", status=503)
    await down(0.0, "chat")(story)
    return end


async def say(story: Story) -> None:
    text = f"line {len(story.said)}"
    story.said.append(text)
    await story.user.say(text)


async def say_directly(story: Story) -> None:
    text = f"direct {len(story.said)}"
    story.said.append(text)
    await story.user.dm(story.bot_uid, text)


TROUBLES: Final = (
    Trouble("the room's connection breaks", once("room.message", "abort")),
    Trouble("the room is away for 30 s", down(30.0, "room"), 30.0, may=("room",)),
    Trouble("the room is reset", reset),
    Trouble("the chat's socket breaks", once("chat.ws", "abort")),
    Trouble("the chat's socket is deaf", once("chat.ws", "deaf")),
    Trouble("the chat is away for 20 s", down(20.0, "chat"), 20.0, may=("chat",)),
    Trouble("the answer to a send is lost", once("chat.send", "cut_after_store")),
    Trouble("all is away for 15 s", down(15.0, "room", "chat", "gateway"), 15.0, may=("chat",)),
)
"""What happens most; `MORE` is played in the project's own proofs."""

MORE: Final = (
    # The room, room-socket.md section 10: how connections end.
    Trouble("the room closes without a code", once("room.message", "close")),
    Trouble("the room closes on purpose", once("room.message", "close_deliberate")),
    Trouble("a message of the room is lost", once("room.message", "drop")),
    Trouble("a message of the room comes twice", once("room.message", "duplicate")),
    Trouble("two messages of the room change places", once("room.message", "reorder")),
    Trouble("the room restarts", down(0.0, "room")),
    Trouble("the room is away for 100 s", down(100.0, "room"), 100.0, ("room",)),
    Trouble("no heartbeat for 100 s", while_it_lasts("room.ping", "drop"), 100.0),
    Trouble("the room refuses the join for 100 s", refuse_the_join, 100.0, ("room admission",), ("room",)),
    Trouble("the room does not answer the join", never_answer_the_join, 30.0),
    Trouble("the room forgets the bot", forget),
    # The chat's socket, chat.md sections 8 and 11.
    Trouble("the chat's socket closes", once("chat.ws", "close_deliberate")),
    Trouble("the chat's socket closes without a code", once("chat.ws", "close")),
    Trouble(
        "every socket of the chat is deaf for 150 s",
        while_it_lasts("chat.ws", "deaf"),
        150.0,
        ("chat agreement",),
        in_order=False,
    ),
    Trouble("a frame of the chat is lost", once("chat.ws", "drop"), in_order=False),
    Trouble("frames of the chat come twice", once("chat.ws", "duplicate", 5)),
    Trouble("frames of the chat change places", once("chat.ws", "reorder", 2), in_order=False),
    Trouble("a frame of the chat is none", once("chat.ws", "garbage"), in_order=False),
    Trouble("the chat answers no ping for 100 s", while_it_lasts("chat.ws", "drop"), 100.0, in_order=False),
    Trouble("the chat upgrades no socket", no_socket, 100.0),
    # The chat's requests.
    Trouble("the chat restarts", down(0.0, "chat")),
    Trouble(
        "history is 503 for 150 s", while_it_lasts("chat.history", "status", status=503), 150.0, may=("chat",)
    ),
    Trouble("history is a page for 150 s", while_it_lasts("chat.history", "garbage"), 150.0, may=("chat",)),
    Trouble("two sends are 503", once("chat.send", "status", 2, status=503)),
    Trouble("a send is cut before it is stored", once("chat.send", "cut_before_store")),
    Trouble("a send hangs", once("chat.send", "hang")),
    Trouble("sends are slow", once("chat.send", "delay", 5, ms=3_000)),
    Trouble("a token is refused", once("chat.*", "status", status=401, body={"error": OWN})),
    Trouble("the bot is put out of the group", kick_from_the_group, in_order=False),
    # From outside.
    Trouble("a flood", flood),
)


class LoopClock(SystemClock):
    """A machine's clock that goes with the loop's time, which jumps over waits."""

    def __init__(self) -> None:
        self._ahead = super().wall() - self.now()

    def wall(self) -> float:
        return self._ahead + self.now()

    def boot(self) -> None:
        return None


@pytest.fixture
def hangfm_sandbox_options() -> dict[str, Any]:
    return {"clock": SandboxClock(monotonic_s=SystemClock().now)}


@pytest.fixture
def hangfm_settings(hangfm_settings: Settings) -> Settings:
    return hangfm_settings.with_changes(**PRODUCTION)


async def open_story(sandbox: Sandbox, open_bot: OpenBot, user: Actor) -> Story:
    heard: list[str] = []

    async def answer(_: Bot, message: ChatMessage) -> None:
        if message.sender == user.person.uid and message.text is not None:
            heard.append(message.text)
            await message.reply(f"re {message.text}")

    bot = await open_bot(app=answer, clock=LoopClock())
    return Story(sandbox, user, bot, heard=heard)


async def talk(story: Story, until: float) -> None:
    """Say a line a second, every third to the bot alone; the bot says one of its own every five seconds."""
    loop = asyncio.get_running_loop()
    number = 0
    while loop.time() < until:
        await (say_directly if number % 3 == 2 else say)(story)
        if number % 5 == 0:
            text = f"own {len(story.own)}"
            story.own.append(text)
            await story.bot.say(text)
        if story.sandbox.state["nowPlaying"]:
            await story.user.vote(like=number % 2 == 0)
        health = story.bot.health()
        story.red.append((loop.time(), tuple(condition.part for condition in health.red)))
        await asyncio.sleep(1.0)
        number += 1


def connections(sandbox: Sandbox, service: str) -> int:
    """Return the most connections of the bot to a service that were open at once."""
    most, mine = 0, set[int]()
    for event in sandbox.journal.events(service=service):
        if "conn" not in event:
            continue
        if event["kind"] == "open":
            mine.add(event["conn"])
        elif event["kind"] == "close":
            mine.discard(event["conn"])
        most = max(most, len(mine))
    return most


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name.replace(" ", "-"))
async def test_a_fault_that_passes_costs_no_line_and_no_answer(
    trouble: Trouble, hangfm_sandbox: Sandbox, hangfm_open_bot: OpenBot, hangfm_user: Actor
) -> None:
    await play(trouble, hangfm_sandbox, hangfm_open_bot, hangfm_user)


async def play(trouble: Trouble, sandbox: Sandbox, open_bot: OpenBot, user: Actor) -> None:
    """Play the story with a trouble, and check what became of every line."""
    loop = asyncio.get_running_loop()
    story = await open_story(sandbox, open_bot, user)
    await user.dj()
    await talk(story, loop.time() + AT)

    end = await trouble.begin(story)
    await talk(story, loop.time() + trouble.lasts)
    if end:
        end()
    passed = loop.time()
    await talk(story, passed + AFTER)
    async with asyncio.timeout(300.0):
        while len(story.heard) < len(story.said):  # noqa: ASYNC110  virtual time; what is missing is named below
            await asyncio.sleep(1.0)
    async with asyncio.timeout(300.0):
        while len(answers(story)) < len(story.said) + len(story.own):  # noqa: ASYNC110  likewise
            await asyncio.sleep(1.0)

    assert sorted(story.heard) == sorted(story.said)
    for kind in ("line", "direct") if trouble.in_order else ():
        assert in_order(story.heard, kind) == in_order(story.said, kind)
    expected = [f"re {text}" for text in story.said] + story.own
    assert Counter(answers(story)) == Counter(expected)
    assert connections(sandbox, "room") == 1
    assert connections(sandbox, "chat") == 1
    red = {part for _, parts in story.red for part in parts}
    assert set(trouble.red) <= red <= {*trouble.red, *trouble.may}
    assert not any(parts for at, parts in story.red if at > passed + BACK_WITHIN + GREEN_WITHIN)


def in_order(texts: list[str], kind: str) -> list[str]:
    return [text for text in texts if text.startswith(kind)]


def answers(story: Story) -> list[str]:
    return [row["data"]["text"] for row in story.sandbox.messages if row["sender"] == story.bot_uid]
