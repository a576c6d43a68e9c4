"""What the bot reads of the chat, and what it takes for its own."""

from typing import Any

import pytest

from hangbot.bot.ports import Conversation, Unreadable
from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.chat_history import HistoryReader
from hangbot.hangfm.wire.chat import read_message, read_newest
from hangbot.sandbox import Sandbox
from tests.cases import cases


@pytest.fixture
def reader(hangfm_chat: ChatClient) -> HistoryReader:
    return HistoryReader(hangfm_chat)


async def test_a_page_has_the_rows_of_a_conversation_and_tells_what_is_none(
    reader: HistoryReader, hangfm_chat: ChatClient, hangfm_sandbox: Sandbox
) -> None:
    alice = hangfm_sandbox.users.add("alice")
    await alice.join()
    await hangfm_chat.join()
    await alice.say("hello")
    await alice.dm(hangfm_sandbox.bot.uid, "between us")

    group = await reader.page(Conversation(hangfm_chat.group_id))
    direct = await reader.page(Conversation(alice.uid, direct=True))

    assert [row.text for row in group if not isinstance(row, Unreadable)] == ["hello"]
    assert [row.text for row in direct if not isinstance(row, Unreadable)] == ["between us"]


async def test_the_newest_row_of_each_conversation_is_one_request(
    reader: HistoryReader, hangfm_chat: ChatClient, hangfm_sandbox: Sandbox
) -> None:
    alice = hangfm_sandbox.users.add("alice")
    await alice.join()
    await hangfm_chat.join()
    await alice.say("hello")
    await alice.dm(hangfm_sandbox.bot.uid, "between us")

    newest = await reader.newest_by_conversation()

    keys = {row.conversation.key for row in newest if row}
    assert keys == {f"user_{alice.uid}", f"group_{hangfm_chat.group_id}"}
    assert {row.id for row in newest if row} == {message["id"] for message in hangfm_sandbox.messages}
    assert await reader.newest_by_conversation(page=2) == []


async def test_the_time_of_the_server_is_that_of_its_answers(
    reader: HistoryReader, hangfm_chat: ChatClient, hangfm_sandbox: Sandbox
) -> None:
    await hangfm_sandbox.advance(3600.0)

    await hangfm_chat.me()

    assert abs(reader.server_time() - hangfm_sandbox.clock.now_s()) < 5


LINE = {"chatMessage": {"userUuid": "bot"}}


@cases(
    "row own",
    ("its uid", {"sender": "bot"}, True),
    ("the uid that the token has", {"sender": "token"}, True),
    ("the client's id on it", {"sender": "?", "resource": "$"}, True),
    ("no sender, but its claim", {"data": {"metadata": LINE}}, True),
    ("another's, forged", {"sender": "peer", "data": {"metadata": LINE}}, False),
    ("another's", {"sender": "peer"}, False),
    ("nobody's", {}, False),
)
async def test_its_own_rows_are_known(
    reader: HistoryReader, hangfm_chat: ChatClient, row: dict[str, Any], *, own: bool
) -> None:
    hangfm_chat.own_uids = {"bot", "token"}
    if row.get("resource"):
        row = row | {"resource": hangfm_chat.resource}

    message = read_message({"id": 1} | row)

    assert message is not None
    assert reader.wrote(message) is own


@cases(
    "row",
    ("no object", 5),
    ("no kind", {"conversationWith": {"uid": "a"}, "lastMessage": {"id": 1}}),
    ("no name", {"conversationType": "user", "conversationWith": {}, "lastMessage": {"id": 1}}),
    ("no message", {"conversationType": "user", "conversationWith": {"uid": "a"}}),
)
def test_what_is_no_conversation_is_none(row: object) -> None:
    assert read_newest(row) is None


@cases("number", ("too large for a file", 2**63), ("its digits", str(2**63)), ("below nothing", -1))
def test_an_id_that_no_file_can_keep_is_none(number: object) -> None:
    assert read_message({"id": number}) is None


@pytest.mark.parametrize("row", [{"id": 3.5, "data": {"text": "secret words"}}, [1]])
async def test_a_row_that_cannot_be_read_is_told_without_its_words(
    reader: HistoryReader, hangfm_chat: ChatClient, monkeypatch: pytest.MonkeyPatch, row: object
) -> None:
    async def rows(*_: object, **__: object) -> list[object]:
        return [{"id": 4, "sender": "a"}, row]

    monkeypatch.setattr(hangfm_chat, "rows", rows)

    unreadable, read = await reader.page(Conversation("room"))

    assert isinstance(unreadable, Unreadable)
    assert "the messages of room" in unreadable.where
    assert "secret" not in unreadable.why
    assert not isinstance(read, Unreadable)
