"""Handlers called as plain functions, with a context that is the real one over parts in memory."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from hangbot import (
    App,
    ChatMessage,
    Context,
    RoomSnapshot,
    Song,
    SongStarted,
    User,
    UserJoined,
    Votes,
)
from hangbot.errors import AnswerLost, Refused, StoreConflict, UnknownMessage, UsageError
from hangbot.testing import Action
from pytest_hangfm import MakeContext, ManualClock

app = App("fake")


@app.command("skip", role="moderator")
async def skip(ctx: Context, count: int = 1) -> int:
    for _ in range(count):
        await ctx.skip()
    await ctx.reply(f"{ctx.user.name} skipped {count}")
    return count


@app.command("later")
async def remind(ctx: Context, *, text: str) -> None:
    ctx.after(timedelta(minutes=1), ring, text, id="tea")


async def ring(ctx: Context, text: str) -> None:
    await ctx.say(text)


@app.command("count")
async def count_up(ctx: Context) -> None:
    await ctx.store.set("n", await ctx.store.get("n", 0) + 1)


async def test_what_a_command_says_and_does_is_seen(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx(user="ada", role="moderator")

    count = await skip(ctx, 2)

    assert count == 2
    assert ctx.user.is_moderator
    assert ctx.said == ["ada skipped 2"]
    assert ctx.actions == [("skipSong", {}), ("skipSong", {})]


async def nothing(*_: object) -> None:
    pass


DECORATORS: dict[str, Callable[[App], Callable[[Callable[..., Awaitable[None]]], object]]] = {
    "command": lambda app: app.command("nothing"),
    "on": lambda app: app.on(SongStarted),
    "every": lambda app: app.every(minutes=1),
    "at": lambda app: app.at("20:00"),
    "middleware": lambda app: app.middleware,
    "error": lambda app: app.error,
    "start": lambda app: app.start,
    "stop": lambda app: app.stop,
}


@pytest.mark.parametrize("name", DECORATORS)
def test_a_decorator_gives_the_function_itself_back(name: str) -> None:
    async def handler(ctx: Context, *words: str) -> None:
        await nothing(ctx, *words)

    registered = DECORATORS[name](App("decorated"))(handler)

    assert registered is handler


def test_every_decorator_is_looked_at() -> None:
    methods = inspect.getmembers(App, inspect.isfunction)

    returns = {name: str(inspect.signature(each).return_annotation) for name, each in methods}

    given_back = {name for name, kind in returns.items() if "Handler" in kind and not name.startswith("_")}
    assert given_back == set(DECORATORS)


async def test_a_reply_to_a_direct_line_is_to_that_user_alone(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx("/skip", direct=True)

    await skip(ctx, 0)

    assert ctx.said == []
    assert ctx.dms == [(ctx.user.uuid, "ada skipped 0")]
    assert ctx.message.text == "/skip"
    assert ctx.message.direct


async def test_mentions_and_images_are_seen_as_they_would_be_sent(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx(user="ada")

    await ctx.say("hello @ada", mentions=[ctx.user], images=["https://example.org/a.png"])

    (message,) = ctx.messages
    assert message.mentions == [{"start": 6, "userNickname": "ada", "userUuid": ctx.user.uuid}]
    assert message.images == ["https://example.org/a.png"]


async def test_what_cannot_be_sent_is_refused_as_in_a_room(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx()

    with pytest.raises(UsageError, match="empty"):
        await ctx.say("")

    assert ctx.said == []


async def test_what_the_bot_itself_says_is_seen_too(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx(direct=True)

    await ctx.bot.say("to all")
    await ctx.message.reply("to you")

    assert ctx.said == ["to all"]
    assert ctx.dms == [(ctx.user.uuid, "to you")]


async def test_a_timer_is_seen_called_by_the_test_and_taken_back(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx()

    await remind(ctx, text="tea is ready")
    seconds, handler, args = ctx.timers["tea"]
    await handler(ctx, *args)

    assert (seconds, handler, args) == (60, ring, ("tea is ready",))
    assert ctx.said == ["tea is ready"]
    ctx.cancel("tea")
    assert ctx.timers == {}


async def test_a_timer_that_a_restart_would_lose_is_refused_as_in_a_room(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx()

    with pytest.raises(UsageError, match="found again after a restart"):
        ctx.after(60, lambda _: nothing())

    assert ctx.timers == {}


async def test_a_commit_shows_the_next_call_what_was_stored(hangfm_ctx: MakeContext) -> None:
    first = hangfm_ctx(user="ada")
    await count_up(first)
    unwritten = await hangfm_ctx(user="bob").store.get("n")

    await first.commit()
    second = hangfm_ctx(user="bob")
    await count_up(second)

    assert unwritten is None
    assert await second.store.get("n") == 2


async def test_two_calls_that_meet_are_a_conflict_and_nothing_of_the_later_is_kept(
    hangfm_ctx: MakeContext,
) -> None:
    first, second = hangfm_ctx(user="ada"), hangfm_ctx(user="bob")
    await count_up(first)
    await count_up(second)
    await first.commit()

    with pytest.raises(StoreConflict, match="changed meanwhile"):
        await second.commit()

    assert await hangfm_ctx().store.get("n") == 1


async def test_apps_do_not_see_each_others_things(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx(app="one")

    await count_up(ctx)
    await ctx.commit()

    assert await hangfm_ctx(app="one").store.get("n") == 1
    assert await hangfm_ctx(app="two").store.get("n") is None


async def test_what_is_stored_expires_by_the_clock_of_the_test(
    hangfm_ctx: MakeContext, hangfm_clock: ManualClock
) -> None:
    ctx = hangfm_ctx()
    await ctx.store.set("key", "value", expires=60)
    await ctx.commit()

    await hangfm_clock.advance(61)

    assert await hangfm_ctx().store.get("key") is None


async def test_a_settlement_is_there_after_the_commit_and_not_before(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx()
    said = await ctx.say("hello")

    with pytest.raises(UsageError, match="before it is on disk"):
        await said.settled()
    await ctx.commit()

    assert (await said.settled()).tier == 1
    assert (await said.settled()).state == "delivered"
    assert (await ctx.bot.delivery()).delivered == 1
    with pytest.raises(UnknownMessage):
        await ctx.bot.settled("another")


async def test_the_room_is_as_the_test_describes_it(hangfm_ctx: MakeContext) -> None:
    song = Song("s1", "The Testers", "Green")
    room = RoomSnapshot("r", "Lounge", (User("b", "bob"),), ("b",), song, Votes(likes=2))

    ctx = hangfm_ctx(user="ada", room=room)

    assert ctx.room.song == song
    assert [user.name for user in ctx.room.users] == ["bob", "ada"]
    assert ctx.find_user("@bob") == User("b", "bob")
    assert await ctx.name_of("b") == "bob"


async def test_a_user_of_the_room_is_known_by_nickname_and_keeps_the_role(hangfm_ctx: MakeContext) -> None:
    first = hangfm_ctx(user="ada", role="owner")

    again = hangfm_ctx(user="ada")
    value = hangfm_ctx(user=User("c", "cy"), role="moderator")

    assert again.user == first.user
    assert again.user.has_role("owner")
    assert value.user == User("c", "cy", room_role="moderator")


async def test_a_handler_of_events_is_called_with_its_event(hangfm_ctx: MakeContext) -> None:
    event = UserJoined(User("b", "bob"))

    ctx = hangfm_ctx(event=event)

    assert ctx.event is event
    assert ctx.user.name == "bob"
    with pytest.raises(UsageError, match="no line of the chat"):
        _ = ctx.message


async def test_a_line_of_the_tests_own_is_heard_by_the_bot(hangfm_ctx: MakeContext) -> None:
    line = ChatMessage(7, "b", "room", "hi", 1.0)

    ctx = hangfm_ctx(event=line)
    await ctx.message.reply("hello")

    assert ctx.message == line
    assert ctx.said == ["hello"]


async def test_the_clock_calls_a_handler_without_a_user(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx(user=None)

    assert ctx.event is None
    with pytest.raises(UsageError, match="no user did"):
        _ = ctx.user


@pytest.mark.parametrize("given", [{"user": "bob"}, {"role": "owner"}, {"direct": True}], ids=str)
async def test_an_event_with_what_belongs_to_a_line_is_refused(
    given: dict[str, object], hangfm_ctx: MakeContext
) -> None:
    with pytest.raises(UsageError, match="for no line"):
        hangfm_ctx(event=UserJoined(User("b")), **given)  # type: ignore[arg-type]  # each is right by itself


async def test_every_action_is_recorded_with_what_went_with_it(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx()

    ended = await ctx.vote(like=False)
    await ctx.step_up({"songId": "s1"})
    await ctx.animate("emoji", "🦄")
    await ctx.step_down()
    await ctx.react("👍")
    await ctx.kick("user-9")

    assert ended.state == "delivered"
    assert ctx.actions == [
        Action("voteOnSong", {"songVotes": {"like": False}}),
        Action("addDj", {"song": {"songId": "s1"}}),
        Action("playOneTimeAnimation", {"animation": "emoji", "emoji": "🦄"}),
        Action("removeDj", {}),
        Action("react", {"line": ctx.message.id, "emoji": "👍"}),
        Action("kick", {"uuid": "user-9"}),
    ]


async def test_a_ban_kicks_and_is_kept(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx()

    await ctx.ban("user-9", "too loud")

    assert ctx.actions == [("kick", {"uuid": "user-9"})]
    assert await hangfm_ctx().store.part("bans").get("user-9") == "too loud"


async def test_an_action_fails_as_the_test_says(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx()
    ctx.failures["kick"] = Refused("no moderator", service="gateway")
    ctx.failures["skipSong"] = Refused("nothing plays", service="room")

    with pytest.raises(Refused, match="no moderator"):
        await ctx.kick("user-9")
    ended = await ctx.skip()

    assert (ended.state, ended.reason) == ("failed", "nothing plays")
    assert ctx.actions == []


async def test_an_action_whose_answer_is_lost_is_tried_again_in_no_time(
    hangfm_ctx: MakeContext, hangfm_clock: ManualClock
) -> None:
    ctx = hangfm_ctx()
    ctx.failures["voteOnSong"] = AnswerLost("cut off", service="room")

    ended = await ctx.vote()

    assert ended.attempts > 1
    assert ended.state != "delivered"
    assert hangfm_clock.slept


async def test_a_misspelt_action_is_refused_as_in_a_room(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx()

    with pytest.raises(UsageError, match="did you mean skipSong"):
        await ctx.bot.act("skipsong")

    assert ctx.actions == []


async def test_the_bot_behind_it_is_not_run(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx()

    with pytest.raises(UsageError, match="plain functions") as refused:
        await ctx.bot.run()

    assert "hangfm_app" in refused.value.remedy


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Path]]:
    monkeypatch.chdir(tmp_path)
    return lambda: list(tmp_path.iterdir())


async def test_nothing_of_it_is_on_disk(here: Callable[[], list[Path]], hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx()

    await count_up(ctx)
    await ctx.say("hello")
    await ctx.commit()

    assert here() == []
