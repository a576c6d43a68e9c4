import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import AsyncMock

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from hangbot.bot.conversation import Position, is_line
from hangbot.bot.events import ChatMessage
from hangbot.bot.history import History
from hangbot.bot.ports import Conversation
from hangbot.delivery.inbox import ConversationMarks
from hangbot.hangfm.wire.chat import read_message
from tests.cases import cases

if TYPE_CHECKING:
    from hangbot.bot.ports import ChatHistory

Row = dict[str, Any]
ROOM = Conversation("room")


@dataclass
class Server:
    """A chat server as far as a reader sees it: one group, ids that are not dense, times in seconds.

    Args:
        keeps: How many rows it keeps.
        shows_deleted: Whether a deleted row stands in its lists, as on CometChat.
    """

    keeps: int = 1000
    shows_deleted: bool = False
    now: int = 1_700_000_000
    rows: list[Row] = field(default_factory=list)
    last_id: int = 0
    asked: int = 0

    def say(self, text: str, **more: object) -> None:
        self.last_id += 1
        row = {"id": self.last_id, "sender": "alice", "sentAt": self.now, "data": {"text": text}, **more}
        self.rows = [*self.rows, row][-self.keeps :]

    def change(self, text: str, **marks: object) -> None:
        """Edit or delete a message: an action row says so."""
        self.rows = [{**row, **marks} if row["data"].get("text") == text else row for row in self.rows]
        self.say("", category="action")

    def restart(self, rows: list[Row]) -> None:
        """Forget everything but these rows, as a server does that kept nothing or an older copy."""
        self.rows = rows
        self.last_id = max((row["id"] for row in rows), default=0)

    async def page(
        self,
        _conversation: Conversation,
        *,
        after: int | None = None,
        before: int | None = None,
        most: int = 50,
    ) -> list[ChatMessage]:
        self.asked += 1
        shown = [row for row in self.rows if self.shows_deleted or "deletedAt" not in row]
        if after is not None:
            shown = [row for row in shown if row["id"] > after][:most]
        elif before is not None:
            shown = [row for row in shown if row["id"] < before][-most:]
        else:
            shown = shown[-most:]
        return [message for row in shown if (message := read_message(row))]


class Reader:
    """Reads the server as the bot does, and handles each line at once."""

    def __init__(self, server: Server) -> None:
        self.history = History(cast("ChatHistory", server), ROOM)
        self.position = Position(ConversationMarks(0))

    async def begin(self) -> None:
        self.position = Position.behind(await self.history.newest())

    async def look(self) -> tuple[list[str | None], bool]:
        """What is new in a page, and whether there is more at once."""
        position, page = self.position, await self.history.look(self.position)
        if page.anew:
            position.begin_again(page.rows)
            return [], True
        lines = [row for row in page.rows if is_line(row) and position.is_new(row)]
        for line in lines:
            position.give(line)
        position.read(page.rows)
        for line in lines:
            position.handled(line)
        return [line.text for line in lines], page.more

    async def heard(self) -> list[str | None]:
        """What is new, page after page."""
        lines: list[str | None] = []
        more = True
        while more:
            page, more = await self.look()
            lines += page
        return lines

    def start_again(self) -> None:
        """Go on from disk, as another process."""
        position = self.position
        self.position = Position(ConversationMarks(position.low, witnesses=tuple(position.witnesses)[-100:]))


async def begun(server: Server) -> Reader:
    reader = Reader(server)
    await reader.begin()
    return reader


@pytest.fixture
def server() -> Server:
    server = Server()
    for number in range(3):
        server.say(f"old {number}")
    return server


@pytest_asyncio.fixture
async def reader(server: Server) -> Reader:
    return await begun(server)


async def test_only_what_is_said_from_then_on_is_heard(reader: Reader, server: Server) -> None:
    server.say("one")
    server.say("two")

    assert await reader.heard() == ["one", "two"]
    assert await reader.heard() == []


async def test_a_newest_row_that_cannot_be_read_does_not_bring_the_whole_history_back(server: Server) -> None:
    server.rows.append({"id": 3.5})
    reader = await begun(server)

    server.say("new")

    assert await reader.heard() == ["new"]


async def test_a_server_that_repeats_the_same_full_page_is_not_asked_at_once(server: Server) -> None:
    for number in range(50):
        server.say(f"line {number}")
    page = await server.page(ROOM)
    server.page = AsyncMock(return_value=page)  # type: ignore[method-assign]  # whatever is asked for

    lines, more = await (await begun(server)).look()

    assert (lines, more) == ([], False)


async def test_a_look_is_one_request(reader: Reader, server: Server) -> None:
    before = server.asked

    for _ in range(5):
        server.say("more")
        await reader.look()
        await reader.look()

    assert server.asked - before == 10


async def test_a_crowd_is_followed_page_by_page_at_once(reader: Reader, server: Server) -> None:
    for number in range(170):
        server.say(f"line {number}")

    assert await reader.heard() == [f"line {number}" for number in range(170)]


@pytest.mark.parametrize("within_the_second", [True, False])
async def test_ids_that_start_again_are_told_once_and_hearing_goes_on(
    server: Server, caplog: pytest.LogCaptureFixture, *, within_the_second: bool
) -> None:
    reader = await begun(server)
    server.say("/uptime")
    await reader.heard()

    server.restart([])
    server.now += 0 if within_the_second else 60
    server.say("/uptime")
    server.say("again")

    with caplog.at_level(logging.INFO):
        assert await reader.heard() == ["/uptime", "again"]
        server.say("and on")
        assert await reader.heard() == ["and on"]
    assert [record.__dict__["action"] for record in caplog.records] == ["chat_ids_restarted"]


async def test_an_empty_server_is_told_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    reader = await begun(server)

    server.restart([])
    with caplog.at_level(logging.INFO):
        assert await reader.heard() == []
        before = server.asked
        for _ in range(5):
            await reader.look()
        assert server.asked - before == 5
        server.say("new")

        assert await reader.heard() == ["new"]
    assert [record.__dict__["action"] for record in caplog.records] == ["chat_emptied"]


async def test_where_the_clock_went_back_too_it_is_heard_from_the_next_look(server: Server) -> None:
    reader = await begun(server)

    server.restart([])
    server.now -= 3600
    server.say("might be an old line")
    await reader.heard()
    server.say("new")

    assert await reader.heard() == ["new"]


async def test_ids_that_have_passed_the_last_one_again_are_noticed(reader: Reader, server: Server) -> None:
    server.restart([])
    server.now += 60
    for number in range(8):
        server.say(f"line {number}")

    assert await reader.heard() == [f"line {number}" for number in range(8)]


async def test_an_older_copy_of_the_chat_is_not_heard_again(server: Server) -> None:
    for number in range(120):
        server.now += 1
        server.say(f"long ago {number}")
    reader = await begun(server)
    copy = list(server.rows)
    for number in range(600):
        server.say(f"lost with the server {number}")
    await reader.heard()

    server.now += 60
    server.restart(copy)
    server.say("since")

    assert await reader.heard() == ["since"]


async def test_a_page_that_is_empty_by_mistake_brings_nothing_back(reader: Reader, server: Server) -> None:
    rows, server.rows = server.rows, []
    await reader.heard()

    server.rows = rows
    server.say("new")

    assert await reader.heard() == ["new"]


async def test_a_gap_is_told_with_its_size(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(keeps=10)
    server.say("old")
    reader = await begun(server)

    for number in range(25):
        server.now += 1
        server.say(f"line {number}")

    assert await reader.heard() == [f"line {number}" for number in range(15, 25)]
    (told,) = caplog.records
    assert "up to 15 message(s) of 16 s were not heard" in told.getMessage()
    assert (told.__dict__["action"], told.__dict__["missed"]) == ("chat_gap", 15)


@cases("shows_deleted", ("openchat", False), ("cometchat", True))
async def test_what_is_edited_or_deleted_is_no_new_line(
    server: Server, caplog: pytest.LogCaptureFixture, *, shows_deleted: bool
) -> None:
    server.shows_deleted = shows_deleted
    reader = await begun(server)
    for text in ("stays", "heard, then edited", "heard, then deleted"):
        server.say(text)
    assert len(await reader.heard()) == 3

    server.change("heard, then edited", editedAt=server.now, data={"text": "edited"})
    server.change("heard, then deleted", deletedAt=server.now)
    for text in ("edited at once", "deleted at once"):
        server.say(text)
    server.change("edited at once", editedAt=server.now, data={"text": "other words"})
    server.change("deleted at once", deletedAt=server.now)
    server.say("the last")

    assert await reader.heard() == ["the last"]
    server.change("the last", deletedAt=server.now)
    assert await reader.heard() == []
    assert caplog.records == []


# -- whatever happens, in whatever order

KINDS = st.sampled_from(
    ["say", "say", "say", "look", "edit", "delete", "second", "empty", "copy", "restore", "process"]
)


@given(deeds=st.lists(KINDS, max_size=40), shows_deleted=st.booleans(), keeps=st.sampled_from([3, 60, 1000]))
@settings(deadline=None)
def test_every_line_held_is_heard_once_in_order(deeds: list[str], *, shows_deleted: bool, keeps: int) -> None:
    server = Server(keeps=keeps, shows_deleted=shows_deleted)
    server.say("before it began")
    reader = asyncio.run(begun(server))
    copy, said, due, ever = list(server.rows), ["before it began"], set[str](), {"before it began"}
    server.now += 1
    for number, deed in enumerate([*deeds, "say", "look"]):
        texts = [row["data"]["text"] for row in server.rows if row.get("category") != "action"]
        match deed:
            case "say":
                said.append(f"line {number}")
                due.add(said[-1])
                server.say(said[-1])
            case "edit" | "delete" if texts:
                server.change(texts[-1], **{"editedAt" if deed == "edit" else "deletedAt": server.now})
                due.discard(texts[-1])
            case "second":
                server.now += 1
            case "empty" | "restore":
                # What was said before and not heard yet may be heard where the copy has it.
                server.now += 1
                server.restart(list(copy) if deed == "restore" else [])
                due.clear()
            case "copy":
                copy = list(server.rows)
                server.now += 1
            case "process":
                reader.start_again()
            case "look":
                lines = [str(line) for line in asyncio.run(reader.heard())]
                held = {row["data"]["text"] for row in server.rows}

                assert due & held <= set(lines), "heard all that is there"
                assert ever.isdisjoint(lines), "heard nothing again"
                assert lines == sorted(set(lines), key=said.index), "in order"
                due.clear()
                ever |= set(lines)
            case _:
                pass
