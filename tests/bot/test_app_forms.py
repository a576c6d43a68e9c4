from __future__ import annotations

import asyncio
import functools
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from unittest.mock import AsyncMock

import pytest

from hangbot.bot.app_forms import check_app, make_hooks
from hangbot.bot.events import ChatMessage, DirectMessage, RoomEvent
from hangbot.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hangbot.bot.app_forms import AnyApp
    from hangbot.bot.bot import Bot

Anything: TypeAlias = Any
HELLO = ChatMessage(7, "ann", "room", "hello", 0.0)


class Voice:
    """A bot that notes what it says."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str | None, bool, str | None]] = []

    async def say(
        self, text: str, *, to: str | None = None, direct: bool = False, key: str | None = None
    ) -> list[Anything]:
        self.said.append((text, to, direct, key))
        return []


async def function(_bot: Bot, message: ChatMessage) -> None:
    await message.reply("a function")


class Whole:
    async def on_message(self, _bot: Bot, message: ChatMessage) -> None:
        await message.reply("an object")

    async def on_event(self, bot: Bot, event: RoomEvent) -> None:
        await bot.say(event.name)

    async def on_start(self, bot: Bot) -> None:
        await bot.say("start")

    async def on_stop(self, bot: Bot) -> None:
        await bot.say("stop")


class Callee:
    async def __call__(self, _bot: Bot, message: ChatMessage) -> None:
        await message.reply("a callable object")


async def partly(_more: int, _bot: Bot, message: ChatMessage) -> None:
    await message.reply("a part of a function")


def decorated(app: Callable[[Bot, ChatMessage], Awaitable[None]]) -> AnyApp:
    @functools.wraps(app)
    def inner(bot: Bot, message: ChatMessage) -> Awaitable[None]:
        return app(bot, message)

    return inner


def module(**functions: object) -> ModuleType:
    made = ModuleType("mybot")
    vars(made).update(functions)
    return made


@pytest.mark.parametrize(
    ("app", "said", "name"),
    [
        pytest.param(function, "a function", f"{__name__}:function", id="a function"),
        pytest.param(decorated(function), "a function", f"{__name__}:function", id="a decorated function"),
        pytest.param(
            functools.partial(partly, 1),
            "a part of a function",
            f"{__name__}:partly",
            id="a part of a function",
        ),
        pytest.param(Callee(), "a callable object", f"{__name__}:Callee", id="a callable object"),
        pytest.param(Whole().on_message, "an object", f"{__name__}:Whole.on_message", id="a method"),
        pytest.param(Whole(), "an object", f"{__name__}:Whole", id="an object"),
        pytest.param(module(on_message=function), "a function", "mybot", id="a module"),
    ],
)
async def test_an_app_is_a_coroutine_function_or_has_one(app: AnyApp, said: str, name: str) -> None:
    voice = Voice()
    hooks = make_hooks(app, cast("Bot", voice))

    assert hooks.on_message is not None
    await hooks.on_message(HELLO)

    assert voice.said == [(said, None, False, None)]
    assert hooks.name == name


async def test_every_part_of_an_app_is_called_with_the_bot() -> None:
    voice = Voice()
    hooks = make_hooks(Whole(), cast("Bot", voice))

    assert hooks.on_start is not None
    assert hooks.on_event is not None
    assert hooks.on_stop is not None
    await hooks.on_start()
    await hooks.on_event(RoomEvent("userJoined"))
    await hooks.on_stop()

    assert [text for text, *_ in voice.said] == ["start", "userJoined", "stop"]


async def test_a_mock_is_a_function_and_has_no_other_parts() -> None:
    mock, bot = AsyncMock(), cast("Bot", Voice())
    hooks = make_hooks(mock, bot)

    assert hooks.on_message is not None
    await hooks.on_message(HELLO)

    mock.assert_awaited_once_with(bot, HELLO)
    assert hooks.on_start is None


def test_a_bot_without_an_app_calls_nothing() -> None:
    hooks = make_hooks(None, cast("Bot", Voice()))

    assert (hooks.on_message, hooks.on_event, hooks.on_start, hooks.on_stop) == (None, None, None, None)


def plain(_bot: Bot, _message: ChatMessage) -> None:
    pass


async def generator(_bot: Bot, _message: ChatMessage) -> AsyncIterator[str]:
    yield "no"


async def of_the_bot_alone(_bot: Bot) -> None:
    pass


class Bare:
    pass


class Misspelt:
    async def on_mesage(self, _bot: Bot, _message: ChatMessage) -> None:
        pass


class MisspeltStart(Whole):
    on_start = None  # type: ignore[assignment]

    async def on_strat(self, _bot: Bot) -> None:
        pass


class SyncStop(Whole):
    def on_stop(self, _bot: Bot) -> None:  # type: ignore[override]
        pass


class WrongEvent(Whole):
    async def on_event(self, _bot: Bot) -> None:  # type: ignore[override]
        pass


class Constant(Whole):
    on_event = "yes"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("app", "sentence", "remedy"),
    [
        pytest.param(Whole, "A is a class", "Name an instance of it.", id="a class"),
        pytest.param(
            plain, "A is no `async def`", "Give an `async def NAME(bot, message)`", id="a plain function"
        ),
        pytest.param(lambda _bot, _message: None, "A is no `async def`", "Give an `async def", id="a lambda"),
        pytest.param(
            generator, "A has a `yield`", "Say what is to be said by `await bot.say(…)`.", id="yields"
        ),
        pytest.param(
            of_the_bot_alone, "A does not take (bot, message): too many", "Give an", id="one argument"
        ),
        pytest.param(
            Bare(), "A cannot be called and has no on_message", "Give an", id="an object with nothing"
        ),
        pytest.param(None, "A cannot be called and has no on_message", "Give an", id="nothing"),
        pytest.param(
            Misspelt(),
            "A cannot be called and has no on_message; there is on_mesage",
            "Give an",
            id="misspelt",
        ),
        pytest.param(
            MisspeltStart(),
            "A has on_strat, which is never called",
            "Name it on_start, or",
            id="misspelt start",
        ),
        pytest.param(SyncStop(), "on_stop of A is no `async def`", "that takes (bot).", id="a plain on_stop"),
        pytest.param(
            WrongEvent(),
            "on_event of A does not take (bot, event)",
            "that takes (bot, event).",
            id="arguments",
        ),
        pytest.param(Constant(), "on_event of A cannot be called", "Give an", id="a constant"),
        pytest.param(module(), "A is a module without on_message", "Give an", id="an empty module"),
        pytest.param(
            module(on_mesage=function),
            "A is a module without on_message; there is on_mesage",
            "Give",
            id="module",
        ),
    ],
)
def test_what_is_no_app_is_refused_with_what_is_wrong_and_what_to_do(
    app: object, sentence: str, remedy: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check_app(app, "A")

    assert str(caught.value).startswith(sentence)
    assert remedy in caught.value.remedy


def test_functions_that_are_like_a_part_only_from_afar_are_the_apps_own() -> None:
    class Rich(Whole):
        async def on_song(self) -> None:
            pass

        async def once(self) -> None:
            pass

    check_app(Rich(), "A")


# -- a reply


@pytest.mark.parametrize(
    ("message", "to", "direct"),
    [
        pytest.param(HELLO, None, False, id="in the group"),
        pytest.param(DirectMessage(7, "ann", "bot", "hello", 0.0), "ann", True, id="to the user"),
    ],
)
async def test_a_reply_goes_where_the_message_came_from(
    *, message: ChatMessage, to: str | None, direct: bool
) -> None:
    voice = Voice()

    await message.given_to(voice).reply("hi", key="k-1")

    assert voice.said == [("hi", to, direct, "k-1")]


def test_a_message_is_a_value_whoever_heard_it() -> None:
    heard = HELLO.given_to(Voice())

    assert heard == HELLO
    assert repr(heard) == repr(HELLO)
    assert DirectMessage(7, "ann", "bot", "hi", 0.0).direct
    assert isinstance(DirectMessage(7, "ann", "bot", "hi", 0.0).given_to(Voice()), DirectMessage)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        pytest.param(HELLO, "message 7 belongs to no bot; nothing was said", id="made by hand"),
        pytest.param(
            DirectMessage(7, None, "bot", "hi", 0.0).given_to(Voice()),
            "direct message 7 has no sender",
            id="no sender",
        ),
    ],
)
def test_a_reply_that_can_go_nowhere_says_so(message: ChatMessage, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        asyncio.run(message.reply("hi"))
