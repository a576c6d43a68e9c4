"""npm `@cometchat/chat-sdk-javascript` 4.2.0, unmodified, in the sandbox, in both dialects."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.interop.conftest import OpenChat, Program

# The first test of a run waits for npm as well.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

CHAT_LINE = {
    "chatMessage": {
        "id": "line-1",
        "message": "hello",
        "userName": "hangbot",
        "color": "#ff9900",
        "badges": [],
    }
}


def test_the_sdk_is_the_published_one(packages: Path) -> None:
    installed = packages / "node_modules" / "@cometchat" / "chat-sdk-javascript"

    version = json.loads((installed / "package.json").read_text(encoding="utf-8"))["version"]
    digest = hashlib.sha256((installed / "CometChat.js").read_bytes()).hexdigest()

    assert version == "4.2.0"
    assert digest == "8dfc1fd4c0638e872ed18be9479b5fb67e9dd4f9161c84d97f9e310439c161ef"


async def test_it_logs_in_with_the_token_of_the_gateway_and_joins(
    open_chat: "OpenChat", sandbox: Sandbox
) -> None:
    chat = await open_chat(sandbox.bot, join=False)

    user = await chat.do("loggedIn")
    found = await chat.do("group", guid=sandbox.room_uuid)
    joined = await chat.do("join", guid=sandbox.room_uuid)
    hosts = {row["host"] for row in chat.heard("request")}

    assert user == {"uid": sandbox.bot.uid, "name": "hangbot", "status": "online"}
    assert await chat.do("status") == "connected"
    assert found == joined | {"hasJoined": False}
    assert joined["guid"] == sandbox.room_uuid
    assert joined["hasJoined"] is True
    made_up = f"{sandbox.app_id}.apiclient-us.cometchat.io"
    assert (made_up in hosts) == (sandbox.dialect == "cometchat")


async def test_joining_twice_is_success_on_openchat_and_an_error_on_cometchat(
    chat: "Program", sandbox: Sandbox
) -> None:
    if sandbox.dialect == "openchat":
        assert (await chat.do("join", guid=sandbox.room_uuid))["hasJoined"] is True
    else:
        assert (await chat.refusal("join", guid=sandbox.room_uuid))["code"] == "ERR_ALREADY_JOINED"


async def test_it_sends_text_with_metadata_custom_messages_replies_and_direct_messages(
    chat: "Program", sandbox: Sandbox
) -> None:
    alice, room = sandbox.users.add("alice"), sandbox.room_uuid

    line = await chat.do("send", to=room, text="hello", metadata=CHAT_LINE, muid="muid-1")
    custom = await chat.do("custom", to=room, type="ChatMessage", data={"message": "old form"})
    reply = await chat.do("send", to=room, text="a reply", parentId=line["id"])
    direct = await chat.do("send", to=alice.uid, kind="user", text="psst")
    again = await chat.do("details", id=line["id"])

    assert (line["text"], line["metadata"], line["muid"]) == ("hello", CHAT_LINE, "muid-1")
    assert (custom["category"], custom["customData"]) == ("custom", {"message": "old form"})
    assert (reply["text"], str(reply["parentId"])) == ("a reply", str(line["id"]))
    assert (direct["receiver"], direct["sender"]) == (alice.uid, sandbox.bot.uid)
    assert again == line
    stored = [message for message in sandbox.messages if message["category"] != "action"]
    assert [message["id"] for message in stored] == [int(row["id"]) for row in (line, custom, reply, direct)]
    assert isinstance(line["id"], int if sandbox.dialect == "openchat" else str)


async def test_it_receives_in_real_time_what_others_say_and_not_its_own_words(
    chat: "Program", sandbox: Sandbox
) -> None:
    alice = sandbox.users.add("alice")

    await alice.join()
    joined = await chat.hears("GroupMemberJoined")
    await chat.do("send", to=sandbox.room_uuid, text="my own words")
    said = await alice.say("hello from alice")
    heard = (await chat.hears("TextMessageReceived"))["value"]
    await alice.dm(sandbox.bot.uid, "psst")
    direct = (await chat.hears("TextMessageReceived"))["value"]
    await alice.leave()
    left = await chat.hears("GroupMemberLeft")

    assert (joined["value"], left["value"]) == (alice.uid, alice.uid)
    assert (heard["text"], heard["sender"], heard["receiver"]) == (
        "hello from alice",
        alice.uid,
        sandbox.room_uuid,
    )
    assert int(heard["id"]) == int(said["id"])
    assert heard["metadata"]["chatMessage"]["userName"] == "alice"
    assert (direct["text"], direct["receiver"]) == ("psst", sandbox.bot.uid)


async def test_what_one_sdk_does_another_one_sees(
    chat: "Program", open_chat: "OpenChat", sandbox: Sandbox
) -> None:
    room = sandbox.room_uuid
    other = await open_chat(sandbox.users.add("alice").person)

    sent = await chat.do("send", to=room, text="frist", metadata=CHAT_LINE)
    await other.hears("TextMessageReceived")
    edited = await chat.do("edit", id=sent["id"], to=room, text="first")
    seen_edited = await other.hears("MessageEdited")
    reacted = await chat.do("react", id=sent["id"], emoji="👍")
    added = await other.hears("MessageReactionAdded")
    unreacted = await chat.do("unreact", id=sent["id"], emoji="👍")
    removed = await other.hears("MessageReactionRemoved")
    await other.do("read", id=sent["id"])
    await chat.hears("MessagesRead")
    deleted = await chat.do("delete", id=sent["id"])
    seen_deleted = await other.hears("MessageDeleted")
    await chat.do("custom", to=room, type="ChatMessage", data={"message": "old form"})
    custom = await other.hears("CustomMessageReceived")

    assert (edited["text"], seen_edited["value"]["text"]) == ("first", "first")
    assert edited["editedAt"] is not None
    assert reacted["reactions"] == [["👍", 1, True]]
    assert unreacted["reactions"] == []
    assert (added["value"], removed["value"]) == ("👍", "👍")
    assert deleted["deletedAt"] is not None
    assert str(seen_deleted["value"]["id"]) == str(sent["id"])
    assert custom["value"]["customData"] == {"message": "old form"}


async def test_somebody_elses_message_is_neither_edited_nor_deleted(
    chat: "Program", sandbox: Sandbox
) -> None:
    alice = sandbox.users.add("alice")
    await alice.join()
    said = await alice.say("mine")

    refusals = [
        await chat.refusal("edit", id=said["id"], to=sandbox.room_uuid, text="yours"),
        await chat.refusal("delete", id=said["id"]),
    ]

    assert all(refusal["code"] for refusal in refusals)
    assert [m["data"]["text"] for m in sandbox.messages if m["id"] == int(said["id"])] == ["mine"]
    assert not any("deletedAt" in message for message in sandbox.messages)


async def test_it_pages_through_the_history_both_ways_and_knows_where_it_ends(
    chat: "Program", sandbox: Sandbox
) -> None:
    room = sandbox.room_uuid
    sent = [await chat.do("send", to=room, text=f"line {n}") for n in range(5)]

    await chat.do("open", **{"as": "back"}, guid=room, perPage=2)
    back = [texts(await chat.do("previous", **{"as": "back"})) for _ in range(4)]
    await chat.do("open", **{"as": "on"}, guid=room, perPage=2, **{"from": sent[1]["id"]})
    onward = [texts(await chat.do("next", **{"as": "on"})) for _ in range(3)]
    pages = [
        row for row in chat.heard("request") if row["path"].endswith("/messages") and row["method"] == "GET"
    ]

    assert back == [["line 3", "line 4"], ["line 1", "line 2"], ["line 0"], []]
    assert onward == [["line 2", "line 3"], ["line 4"], []]
    assert len(pages) == 5  # at either end it stops asking, as `total_pages` 1 told it


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [message["text"] for message in messages]


async def test_direct_messages_are_read_back_too(chat: "Program", sandbox: Sandbox) -> None:
    alice = sandbox.users.add("alice")
    await alice.dm(sandbox.bot.uid, "psst")
    await chat.do("send", to=alice.uid, kind="user", text="what?")

    await chat.do("open", **{"as": "dm"}, uid=alice.uid)
    read = await chat.do("previous", **{"as": "dm"})
    unread = await chat.do("unread")

    assert texts(read) == ["psst", "what?"]
    assert unread["users"] == {alice.uid: 1}


async def test_typing_is_passed_on_by_cometchat_only(
    chat: "Program", open_chat: "OpenChat", sandbox: Sandbox
) -> None:
    other = await open_chat(sandbox.users.add("alice").person)

    await chat.do("typing", guid=sandbox.room_uuid)
    await sandbox.journal.wait_for(
        lambda event: event["dir"] == "in" and "typing_indicator" in str(event.get("frame"))
    )
    await chat.do("send", to=sandbox.room_uuid, text="now said")
    await other.hears("TextMessageReceived")

    typists = [sandbox.bot.uid] if sandbox.dialect == "cometchat" else []
    assert [row["value"] for row in other.heard("TypingStarted")] == typists


async def test_the_member_list_needs_the_meta_that_openchat_does_not_send(
    chat: "Program", sandbox: Sandbox
) -> None:
    if sandbox.dialect == "cometchat":
        assert await chat.do("members", guid=sandbox.room_uuid) == [sandbox.bot.uid]
        return

    chat.start("members", guid=sandbox.room_uuid)
    unhandled = await chat.hears("unhandled")

    assert "pagination" in unhandled["error"]["message"]  # and its promise never settles
