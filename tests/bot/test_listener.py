"""How the chat is heard: by push, over gaps, silence, a full app, restarts and servers that count anew."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from hangbot.bot.events import ChatMessage
from hangbot.bot.ports import Unreadable
from hangbot.delivery.inbox import Witness
from hangbot.errors import Refused, ServiceError, TokenRejected, Unavailable
from tests.bot.chats import ROOM, Disk, Server, Story, play, user
from tests.cases import cases

DOWN = Unavailable("503", service="chat")
BANNED = Refused("You are banned from this group", service="chat")


def actions(caplog: pytest.LogCaptureFixture, *kinds: str) -> list[str]:
    found = [getattr(record, "action", "") for record in caplog.records]
    return [action for action in found if action in kinds]


# -- by push


def test_what_is_said_is_heard_at_once_and_without_a_request() -> None:
    async def story(bot: Story) -> tuple[list[str | None], dict[str, int]]:
        began = bot.now
        for number in range(10):
            bot.server.say(f"line {number}")
            bot.server.say(f"direct {number}", sender="bob", to="bot")
        await asyncio.sleep(0.01)
        return bot.app.heard, dict(bot.server.requests(began))

    heard, asked = play(story)

    assert heard == [f"{kind} {number}" for number in range(10) for kind in ("line", "direct")]
    assert asked == {}


def test_idle_it_asks_at_most_twice_a_minute() -> None:
    async def story(bot: Story) -> int:
        bot.server.say("one line")
        await asyncio.sleep(150.0)
        began = bot.now
        await asyncio.sleep(3600.0)
        return sum(bot.server.requests(began).values())

    silent, social = Server(), Server()
    silent.lists_group = False
    social.other_groups = ["another-room"]

    assert play(story) <= 90
    assert play(story, social) <= 90, "where another group is before the room's in the list of conversations"
    assert play(story, silent) <= 120, "where the list of conversations does not have the group"


def test_its_own_rows_and_what_is_no_line_never_reach_the_app() -> None:
    async def story(bot: Story) -> list[str | None]:
        bot.server.say("mine", sender="bot")
        bot.server.say("mine, to ann", sender="bot", to="ann")
        bot.server.say("an action", category="action")
        bot.server.say("edited", raw={"editedAt": 1})
        bot.server.say("deleted", raw={"deletedAt": 1})
        bot.server.push(ChatMessage(99, "ann", "another-room", "elsewhere", 0.0))
        bot.server.say("a line")
        await asyncio.sleep(200.0)
        return bot.app.heard

    assert play(story) == ["a line"]


def test_of_a_direct_message_only_its_length_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def story(bot: Story) -> None:
        bot.server.say("for your eyes only", to="bot")
        bot.server.say(None)
        bot.server.say("hello", sender="bob")
        await asyncio.sleep(0.01)

    caplog.set_level(logging.INFO, "hangbot.bot")
    play(story)

    assert [line for line in caplog.messages if "HEARD" in line] == [
        "[HEARD] ann, to the bot alone: 18 characters",
        "[HEARD] ann: (message, without text)",
        "[HEARD] Bobby: hello",
    ]


def test_a_line_that_comes_twice_or_out_of_order_is_heard_once() -> None:
    async def story(bot: Story) -> list[str | None]:
        bot.server.drops = {"one", "two", "three"}
        rows = {text: bot.server.say(text) for text in ("one", "two", "three")}
        for text in ("three", "one", "three", "two", "one"):
            bot.server.sockets[0].give(rows[text])
        await asyncio.sleep(300.0)
        return bot.app.heard

    assert play(story) == ["three", "one", "two"]


def test_a_message_that_cannot_be_read_is_logged_once_and_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(bot: Story) -> list[str | None]:
        for _ in range(5):
            bot.server.push(Unreadable("the chat's socket", "its id is none: 3.5"))
        bot.server.say("a line")
        await asyncio.sleep(0.01)
        return bot.app.heard

    assert play(story) == ["a line"]
    assert actions(caplog, "chat_unreadable") == ["chat_unreadable"]


# -- gaps


def test_after_an_end_the_gap_is_read_with_one_request_for_each_conversation_that_has_grown() -> None:
    async def story(bot: Story) -> tuple[list[str | None], dict[str, int], int]:
        server = bot.server
        for name in ("ann", "bob", "cid"):
            server.say(f"before, by {name}", sender=name, to="bot")
        await asyncio.sleep(0.1)
        began, before = bot.now, len(server.opened)
        server.drops = {"in the gap", "between us"}
        server.cut()
        server.say("in the gap")
        server.say("between us", sender="bob", to="bot")
        await bot.until(lambda: len(server.opened) > before and len(bot.app.heard) == 5, within=5.0)
        return bot.app.heard[3:], dict(server.requests(began)), server.most_open

    heard, asked, most_open = play(story)

    assert heard == ["in the gap", "between us"]
    assert asked == {"page room": 1, "list": 1, "page bob": 1}
    assert most_open == 1


def test_what_is_pushed_while_the_gap_is_read_comes_after_it() -> None:
    async def story(bot: Story) -> list[str | None]:
        server, page = bot.server, bot.server.page

        async def slow(*where: Any, **cursor: Any) -> Any:  # noqa: ANN401  as the page is asked for
            rows = await page(*where, **cursor)
            server.say("pushed")
            await asyncio.sleep(2.0)
            return rows

        server.drops = {"in the gap"}
        server.cut()
        server.say("in the gap")
        server.page = slow  # type: ignore[method-assign]  # a slow one
        await asyncio.sleep(4.0)
        return bot.app.heard[:2]

    assert play(story) == ["in the gap", "pushed"]


def test_what_a_connection_pushes_that_ends_before_the_gap_is_read_comes_after_it() -> None:
    async def story(bot: Story) -> list[str | None]:
        server, page = bot.server, bot.server.page

        async def slow(*where: Any, **cursor: Any) -> Any:  # noqa: ANN401  as the page is asked for
            server.page = page  # type: ignore[method-assign]
            server.say("pushed")
            await asyncio.sleep(0.1)
            server.cut()
            await asyncio.sleep(60.0)
            return await page(*where, **cursor)

        server.drops = {"in the gap"}
        server.cut()
        server.say("in the gap")
        server.page = slow  # type: ignore[method-assign]  # longer than the connection lasts
        await bot.until(lambda: len(bot.app.heard) == 2, within=30.0)
        return bot.app.heard

    assert play(story) == ["in the gap", "pushed"]


def test_while_the_history_is_away_what_is_pushed_is_heard_after_a_moment_and_the_gap_later() -> None:
    async def story(bot: Story) -> tuple[list[str | None], list[str | None], bool]:
        server = bot.server
        server.drops = {"in the gap"}
        server.fails = {"page": DOWN}
        server.cut()
        server.say("in the gap")
        await asyncio.sleep(2.0)
        server.say("pushed")
        await asyncio.sleep(10.0)
        early = list(bot.app.heard)
        server.fails = {}
        await bot.until(lambda: len(bot.app.heard) == 2, within=70.0)
        await asyncio.sleep(200.0)
        return early, bot.app.heard, bot.ledger.position(ROOM).low == 2

    early, heard, low = play(story)

    assert early == ["pushed"]
    assert heard == ["pushed", "in the gap"]
    assert low


def test_a_flood_is_bounded_and_every_line_of_it_is_heard() -> None:
    async def story(bot: Story) -> tuple[int, int]:
        server = bot.server
        lines = [f"line {number}" for number in range(2_000)]
        most = 0
        for line in lines:
            server.say(line)
            most = max(most, len(bot.app.waiting))
        await bot.until(lambda: len(bot.app.heard) == len(lines), within=60.0)
        return most, len(set(bot.app.heard))

    most, heard = play(story, room=100)

    assert most <= 100
    assert heard == 2_000


def test_more_than_is_held_while_the_gap_is_read_is_read_as_well() -> None:
    async def story(bot: Story) -> set[str | None]:
        server, page = bot.server, bot.server.page

        async def slow(*where: Any, **cursor: Any) -> Any:  # noqa: ANN401  as the page is asked for
            await asyncio.sleep(1.0)
            return await page(*where, **cursor)

        server.page = slow  # type: ignore[method-assign]  # a slow one
        server.cut()
        await bot.until(lambda: server.sockets and not server.sockets[0].ended.done(), within=5.0)
        for number in range(1_500):
            server.say(f"line {number}")
        await bot.until(lambda: len(bot.app.heard) >= 1_500, within=60.0)
        return set(bot.app.heard)

    assert len(play(story)) == 1_500


# -- a connection that brings nothing, or not everything


@cases(
    "place within",
    ("the group", "room", 60.0),
    ("a direct conversation", "bot", 150.0),
)
@pytest.mark.parametrize("after", [0.0, 1.0, 39.0, 41.0, 119.0])
def test_a_connection_that_turns_deaf_is_recovered_from(
    place: str, within: float, after: float, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(bot: Story) -> tuple[float, float, set[str], set[str]]:
        server = bot.server
        server.say("heard")
        await asyncio.sleep(after)
        server.sockets[0].deaf = True
        server.say("not brought", to=place)
        before = bot.now
        took = await bot.until(lambda: "not brought" in bot.app.heard, within=within)
        opened = len(server.opened)
        await bot.until(lambda: server.opened[-1] > before, within=within)
        await asyncio.sleep(5.0)
        server.say("heard again", to=place)
        again = await bot.until(lambda: "heard again" in bot.app.heard, within=2.0)
        assert server.most_open == 1
        assert opened <= 2
        return took, again, bot.red, {what for what in server.requests(before) if what == "join"}

    took, again, red, joined = play(story)

    assert took <= within
    assert again <= 1.0
    assert red == set()
    assert joined == {"join"}
    assert actions(caplog, "chat_deaf") == ["chat_deaf"]


def test_a_single_line_that_was_dropped_is_found_also_in_a_busy_group() -> None:
    async def story(bot: Story) -> float:
        server, dropped_at = bot.server, bot.now + 60.0
        while "dropped" not in bot.app.heard:
            if bot.now >= dropped_at and not server.drops:
                server.drops = {"dropped"}
                server.say("dropped")
            await asyncio.sleep(0.5)
            server.say("chatter")
        return bot.now - dropped_at

    assert play(story) <= 130.0


def test_a_kicked_bot_is_a_member_again_and_hears() -> None:
    async def story(bot: Story) -> None:
        server = bot.server
        server.member = False
        server.say("unheard")
        await bot.until(lambda: "unheard" in bot.app.heard, within=60.0)
        await asyncio.sleep(2.0)
        server.say("heard")
        await bot.until(lambda: "heard" in bot.app.heard, within=1.0)

    play(story)


def test_a_bot_that_is_banned_says_so_in_red_and_comes_back() -> None:
    async def story(bot: Story) -> tuple[set[str], int]:
        server = bot.server
        server.fails = {"page": BANNED, "join": BANNED}
        server.cut()
        await asyncio.sleep(600.0)
        red, asked = bot.red, sum(server.requests(bot.now - 500.0).values())
        server.fails = {}
        server.say("welcome back")
        await bot.until(lambda: "welcome back" in bot.app.heard, within=70.0)
        await bot.until(lambda: not bot.red, within=20.0)
        return red, asked

    red, asked = play(story)

    assert "chat group" in red
    assert asked <= 20


def test_a_row_that_is_just_on_its_way_is_no_sign_of_deafness(caplog: pytest.LogCaptureFixture) -> None:
    async def story(bot: Story) -> list[str | None]:
        server, page = bot.server, bot.server.page

        async def racing(*where: Any, **cursor: Any) -> Any:  # noqa: ANN401  as the page is asked for
            server.drops = {"late"}
            row = server.say("late")
            asyncio.get_running_loop().call_later(0.3, server.sockets[0].give, row)
            server.page = page  # type: ignore[method-assign]
            return await page(*where, **cursor)

        server.page = racing  # type: ignore[method-assign]  # the row is in the history first
        await asyncio.sleep(60.0)
        return bot.app.heard

    assert play(story) == ["late"]
    assert actions(caplog, "chat_deaf") == []


# -- without a connection


@cases(
    "refusal",
    ("no upgrade", Unavailable("no upgrade", service="chat")),
    ("a token that the socket refuses", TokenRejected("no", service="chat")),
)
def test_without_a_socket_the_chat_is_polled_and_that_is_logged_once(
    refusal: ServiceError, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(bot: Story) -> tuple[float, float, set[str]]:
        server = bot.server
        await asyncio.sleep(120.0)
        server.say("polled")
        group = await bot.until(lambda: "polled" in bot.app.heard, within=2.0)
        server.say("direct", to="bot")
        direct = await bot.until(lambda: "direct" in bot.app.heard, within=15.0)
        await asyncio.sleep(600.0)
        red = bot.red
        server.refuses = None
        await bot.until(lambda: server.open_now, within=61.0)
        await asyncio.sleep(3.0)
        began = bot.now
        server.say("pushed")
        await asyncio.sleep(0.3)
        assert bot.app.heard[-1] == "pushed"
        assert server.requests(began) == {}
        return group, direct, red

    server = Server()
    server.refuses = refusal

    group, direct, red = play(story, server)

    assert group <= 1.5
    assert direct <= 11.0
    assert red == set(), "polling works"
    assert actions(caplog, "chat_falls_back") == ["chat_falls_back"]


def test_a_socket_that_takes_long_to_open_does_not_keep_the_bot_from_hearing() -> None:
    async def story(bot: Story) -> float:
        server, opens = bot.server, bot.server.open

        def slow() -> Any:  # noqa: ANN401  a context manager
            server.say("said while it opens")
            return opens()

        server.refuses = DOWN
        server.cut()
        server.open = slow  # type: ignore[method-assign]
        await asyncio.sleep(0.1)
        server.say("said meanwhile")
        return await bot.until(lambda: "said meanwhile" in bot.app.heard, within=5.0)

    assert play(story) <= 4.0


@cases("feed", ("poll", "poll"))
def test_polling_opens_no_socket(feed: str) -> None:
    async def story(bot: Story) -> list[float]:
        bot.server.say("polled")
        await bot.until(lambda: "polled" in bot.app.heard, within=2.0)
        return bot.server.opened

    assert play(story, chat_feed=feed) == []


def test_push_alone_does_not_poll_and_says_that_it_hears_nothing() -> None:
    async def story(bot: Story) -> tuple[int, set[str]]:
        await asyncio.sleep(120.0)
        return bot.server.requests(5.0)["page room"], bot.red

    server = Server()
    server.refuses = DOWN

    asked, red = play(story, server, chat_feed="push", ready=False)

    assert asked == 0
    assert red == {"chat"}


# -- an app without room


def test_what_the_app_has_no_room_for_is_read_from_the_history_once_it_has() -> None:
    async def story(bot: Story) -> tuple[list[str | None], int]:
        for number in range(300):
            bot.server.say(f"line {number}")
        await asyncio.sleep(1.0)
        low = bot.ledger.position(ROOM).low
        while bot.app.waiting:
            await bot.app.handle_all()
            await asyncio.sleep(1.0)
        return bot.app.heard, low

    heard, low = play(story, room=20, handles=False)

    assert heard == [f"line {number}" for number in range(300)]
    assert low == 0


def test_a_line_that_is_too_old_once_there_is_room_is_passed_over_with_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(bot: Story) -> tuple[list[str | None], int]:
        for number in range(5):
            bot.server.say(f"line {number}")
        await asyncio.sleep(400.0)
        await bot.app.handle_all()
        await asyncio.sleep(2.0)
        bot.server.say("young")
        await asyncio.sleep(1.0)
        await bot.app.handle_all()
        await asyncio.sleep(150.0)
        return bot.app.heard, bot.ledger.position(ROOM).low

    heard, low = play(story, room=2, handles=False)

    assert heard == ["line 0", "line 1", "young"]
    assert low == 6
    (told,) = [record for record in caplog.records if getattr(record, "action", "") == "chat_passed_over"]
    assert told.__dict__["lines"] == 3


# -- over restarts


def test_the_first_start_begins_at_the_newest_and_the_next_goes_on_where_it_was() -> None:
    server, disk = Server(), Disk()

    async def first(bot: Story) -> list[str | None]:
        bot.server.say("heard")
        bot.server.say("heard, direct", to="bot")
        await asyncio.sleep(1.0)
        return bot.app.heard

    async def between(bot: Story) -> list[str | None]:
        await asyncio.sleep(1.0)
        return bot.app.heard

    def say_before() -> None:
        server.say("before", to="bot")
        server.say("before")

    say_before()
    assert play(first, server, disk) == ["heard", "heard, direct"]
    say_before()
    assert sorted(filter(None, play(between, server, disk))) == ["before", "before"]
    assert play(between, server, disk) == [], "each once"


def test_what_is_passed_over_is_reported_before_it_is_written(caplog: pytest.LogCaptureFixture) -> None:
    reported: list[list[str]] = []

    class Watched(Disk):
        async def handled(
            self, key: str, heard: Collection[int], low: int, witnesses: Sequence[Witness] = ()
        ) -> None:
            reported.append(actions(caplog, "chat_passed_over"))
            await super().handled(key, heard, low, witnesses)

    server, disk = Server(), Watched()

    async def a_moment(_: Story) -> None:
        await asyncio.sleep(1.0)

    play(a_moment, server, disk)
    reported.clear()
    server.say("old", sent_at=server.now_wall - 310)
    play(a_moment, server, disk)

    assert reported[0] == ["chat_passed_over"]


def test_what_was_said_too_long_ago_is_passed_over_after_a_start(caplog: pytest.LogCaptureFixture) -> None:
    server, disk = Server(), Disk()

    async def nothing(_: Story) -> None:
        return

    async def later(bot: Story) -> list[str | None]:
        await asyncio.sleep(1.0)
        return bot.app.heard

    play(nothing, server, disk)
    server.say("old", sent_at=server.now_wall - 310)
    server.say("young", sent_at=server.now_wall - 290)

    assert play(later, server, disk) == ["young"]
    assert actions(caplog, "chat_passed_over") == ["chat_passed_over"]
    assert play(later, server, disk) == []


def test_a_line_that_was_not_handled_when_the_process_died_is_handled_by_the_next() -> None:
    server, disk = Server(), Disk()

    async def dies(bot: Story) -> None:
        for number in range(5):
            bot.server.say(f"line {number}")
        await asyncio.sleep(1.0)
        await bot.app.handle(bot.app.waiting[3])

    async def later(bot: Story) -> list[str | None]:
        await asyncio.sleep(1.0)
        return bot.app.heard

    play(dies, server, disk, handles=False)

    assert play(later, server, disk) == ["line 0", "line 1", "line 2", "line 4"]


def test_the_first_lines_of_a_direct_conversation_are_handled_once_however_many_wait() -> None:
    server, disk = Server(), Disk(keeps=10)

    async def dies(bot: Story) -> None:
        for number in range(30):
            bot.server.say(f"line {number}", to="bot")
        await asyncio.sleep(1.0)
        for line in bot.app.waiting[:3]:
            await bot.app.handle(line)

    async def later(bot: Story) -> list[str | None]:
        await asyncio.sleep(1.0)
        return bot.app.heard

    play(dies, server, disk, handles=False)

    assert play(later, server, disk) == [f"line {number}" for number in range(3, 30)]


# -- servers that count anew


@cases("feed", ("by push", "auto"), ("by polling", "poll"))
def test_ids_that_start_again_are_another_epoch_and_nothing_is_heard_twice_or_not_at_all(
    feed: str, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk()

    async def story(bot: Story) -> tuple[list[str | None], int]:
        server = bot.server
        for number in range(5):
            server.say(f"old {number}")
            server.say(f"old direct {number}", to="bot")
        await asyncio.sleep(30.0)
        server.cut()
        server.count_anew()
        await asyncio.sleep(30.0)
        server.say("new")
        server.say("new direct", to="bot")
        await asyncio.sleep(150.0)
        return bot.app.heard[10:], bot.ledger.epoch

    async def later(bot: Story) -> list[str | None]:
        bot.server.say("after a restart", to="bot")
        await asyncio.sleep(1.0)
        return bot.app.heard

    server = Server()
    heard, epoch = play(story, server, disk, chat_feed=feed)

    assert sorted(filter(None, heard)) == ["new", "new direct"]
    assert epoch == disk.known.epoch == 2
    assert len(actions(caplog, "chat_ids_restarted", "chat_emptied")) == 1
    assert actions(caplog, "chat_deaf") == []
    assert play(later, server, disk, chat_feed="push") == ["after a restart"]


def test_a_crash_while_ids_start_again_is_gone_on_from() -> None:
    server, disk = Server(), Disk()

    async def first(bot: Story) -> None:
        for number in range(5):
            bot.server.say(f"old {number}")
            bot.server.say(f"old direct {number}", sender="bob", to="bot")
        await asyncio.sleep(1.0)

    async def later(bot: Story) -> list[str | None]:
        await asyncio.sleep(1.0)
        return bot.app.heard

    play(first, server, disk)
    server.count_anew()
    server.epoch += 60.0
    server.say("new")
    server.say("new direct", sender="bob", to="bot")
    disk.known = disk.known._replace(epoch=2)  # and here the process died

    assert sorted(filter(None, play(later, server, disk))) == ["new", "new direct"]
    assert disk.known.epoch == 2
    assert play(later, server, disk) == []


def lost(server: Server, *lines: str, to: str = "room", sender: str = "ann") -> None:
    """Say lines that no connection brings."""
    server.drops |= set(lines)
    for line in lines:
        server.say(line, to=to, sender=sender)


def test_the_bots_own_words_hide_no_line_that_was_said_before_them_in_another_count() -> None:
    async def story(bot: Story) -> list[str | None]:
        server = bot.server
        for number in range(3):
            server.say(f"own words {number}", sender="bot")
        await asyncio.sleep(10.0)
        server.cut()
        server.count_anew()
        await asyncio.sleep(5.0)
        lost(server, "line 1", "line 2")
        await asyncio.sleep(10.0)
        for number in range(3, 6):
            server.say(f"own words {number}", sender="bot")
        await asyncio.sleep(10.0)
        server.say("line 3")
        await asyncio.sleep(150.0)
        return bot.app.heard

    assert sorted(filter(None, play(story))) == ["line 1", "line 2", "line 3"]


@cases("heard_before", ("read from the history", True), ("brought by the connection alone", False))
def test_of_a_server_that_holds_nothing_any_more_the_bot_is_made_a_member_again(
    *, heard_before: bool
) -> None:
    async def story(bot: Story) -> list[str | None]:
        server = bot.server
        server.say("old", sender="bot")
        await asyncio.sleep(5.0)
        server.cut()
        server.count_anew()
        server.member = False
        await asyncio.sleep(5.0)
        server.say("new")
        await asyncio.sleep(1.0)
        return bot.app.heard

    server = Server()
    if heard_before:
        server.say("before it began")

    assert play(story, server) == ["new"]


@cases("fails", ("the list", ["list"]), ("the history", ["page"]), ("both", ["list", "page"]))
def test_while_requests_fail_no_conversation_of_another_count_is_forgotten(fails: list[str]) -> None:
    async def story(bot: Story) -> list[str | None]:
        server = bot.server
        for number in range(3):
            server.say(f"old {number}")
            server.say(f"old direct {number}", to="bot", sender="bob")
        await asyncio.sleep(30.0)
        server.cut()
        server.count_anew()
        server.fails = dict.fromkeys(fails, DOWN)
        await asyncio.sleep(10.0)
        lost(server, "direct 1", to="bot", sender="bob")
        lost(server, "direct 2", to="bot", sender="cleo")
        server.say("direct 3", to="bot", sender="cleo")
        await asyncio.sleep(10.0)
        server.say("line 1")
        await asyncio.sleep(60.0)
        server.fails = {}
        await asyncio.sleep(200.0)
        return bot.app.heard[6:]

    assert sorted(filter(None, play(story))) == ["direct 1", "direct 2", "direct 3", "line 1"]


def test_a_server_may_begin_anew_again_and_again() -> None:
    async def story(bot: Story) -> tuple[list[str | None], int]:
        server = bot.server
        server.say("old direct", to="bot", sender="bob")
        for number in range(3):
            server.say(f"old {number}")
            await asyncio.sleep(30.0)
            server.cut()
            server.count_anew()
            await asyncio.sleep(30.0)
            server.say(f"new {number}")
            await asyncio.sleep(150.0)
        return bot.app.heard[1:], bot.ledger.epoch

    heard, epoch = play(story)

    assert heard == [f"{kind} {number}" for number in range(3) for kind in ("old", "new")]
    assert epoch == 4


def test_a_process_that_dies_before_all_is_begun_again_leaves_the_rest_to_the_next() -> None:
    server, disk = Server(), Disk()

    async def dies(bot: Story) -> list[str | None]:
        for number in range(3):
            server.say(f"old {number}")
            server.say(f"old direct {number}", to="bot", sender="bob")
        await asyncio.sleep(30.0)
        server.cut()
        server.count_anew()
        server.fails = {"list": DOWN}
        await asyncio.sleep(10.0)
        lost(server, "direct 1", to="bot", sender="bob")
        lost(server, "direct 2", to="bot", sender="cleo")
        server.say("line 1")
        await asyncio.sleep(60.0)
        return bot.app.heard[6:]

    async def later(bot: Story) -> list[str | None]:
        await asyncio.sleep(5.0)
        return bot.app.heard

    assert play(dies, server, disk) == ["line 1"]
    server.fails = {}
    assert sorted(filter(None, play(later, server, disk))) == ["direct 1", "direct 2"]
    assert play(later, server, disk) == []


@cases("reaches", ("by push", True), ("by the list alone", False))
def test_a_stranger_who_speaks_first_in_another_count_is_heard(*, reaches: bool) -> None:
    async def story(bot: Story) -> list[str | None]:
        server = bot.server
        server.say("old")
        await asyncio.sleep(30.0)
        server.cut()
        server.count_anew()
        await asyncio.sleep(10.0)
        if reaches:
            server.say("direct", to="bot", sender="cleo")
        else:
            lost(server, "direct", to="bot", sender="cleo")
        await asyncio.sleep(150.0)
        return bot.app.heard[1:]

    server = Server()
    for number in range(20):
        server.say(f"before it began {number}")

    assert play(story, server) == ["direct"]


def test_no_line_overtakes_one_that_is_left_to_the_history() -> None:
    async def story(bot: Story) -> list[str | None]:
        for number in range(4):
            bot.server.say(f"old {number}", to="bot")
        await asyncio.sleep(60.0)
        bot.server.count_anew()
        for number in range(3):
            bot.server.say(f"new {number}")
        await asyncio.sleep(60.0)
        bot.server.say("with an id of before", to="bot")
        bot.server.say("right behind it", to="bot")
        await asyncio.sleep(300.0)
        return bot.app.heard[-2:]

    assert play(story, Server()) == ["with an id of before", "right behind it"]


def test_a_conversation_that_cannot_be_read_hides_none_that_is_listed_behind_it() -> None:
    async def story(bot: Story) -> list[str]:
        for number in range(50):
            bot.server.say(f"direct {number}", sender=f"user {number}", to="bot")
        await asyncio.sleep(300.0)
        return sorted(filter(None, bot.app.heard))

    server = Server()
    server.drops = {f"direct {number}" for number in range(50)}
    server.unreadable_listed = [None]

    assert play(story, server) == sorted(f"direct {number}" for number in range(50))


def test_a_chat_that_gives_no_list_of_conversations_is_heard_all_the_same() -> None:
    async def story(bot: Story) -> list[str | None]:
        bot.server.say("line")
        bot.server.say("direct", to="bot")
        await asyncio.sleep(300.0)
        return bot.app.heard

    server = Server()
    server.fails = {"list": DOWN}

    assert play(story, server) == ["line", "direct"]
    assert user("ann").key == "user_ann"
