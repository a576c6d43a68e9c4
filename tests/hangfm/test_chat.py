from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.delivery.message import Outgoing
from hangbot.errors import (
    AckTimeout,
    AnswerLost,
    ConnectionLost,
    GroupClosed,
    NotAMember,
    NotFound,
    RateLimited,
    Refused,
    ServiceError,
    TokenRejected,
    Unavailable,
    Unreachable,
)
from hangbot.factory import open_chat
from pytest_hangfm.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from hangbot.config import Settings
    from hangbot.hangfm.chat import ChatClient
    from hangbot.sandbox import Actor, Sandbox
    from pytest_hangfm import OpenChat


@pytest.fixture
def line(hangfm_settings: Settings) -> Outgoing:
    return Outgoing("m-1", hangfm_settings.chat_receiver, "hello")


def exchanges(sandbox: Sandbox) -> int:
    """How often a token was asked for at the gateway."""
    return sum("user-token" in row["path"] for row in sandbox.journal.events(service="gateway", dir="in"))


def requests(sandbox: Sandbox, method: str, path: str) -> list[dict[str, Any]]:
    """The requests to the chat whose path ends so."""
    rows = sandbox.journal.events(service="chat", dir="in", kind="http", method=method)
    return [row for row in rows if row["path"].partition("?")[0].endswith(path)]


# -- both servers, end to end


@pytest.mark.parametrize("hangfm_sandbox_options", [{"dialect": "openchat"}, {"dialect": "cometchat"}])
async def test_a_message_is_sent_found_and_read_in_both_dialects(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, line: Outgoing
) -> None:
    async with open_chat(hangfm_settings) as chat:
        me = await chat.me()
        await chat.settings()
        await chat.join()
        await chat.join()
        found_before = await chat.find(line)
        stored = await chat.send(line)
        found_after = await chat.find(line)
        (read,) = await chat.history(most=10)

    assert me["uid"] == hangfm_sandbox.bot.uid
    assert (found_before, found_after) == (False, True)
    assert stored is not None
    assert (read.id, read.muid, read.text, read.sender) == (stored.id, "m-1", "hello", me["uid"])
    (raw,) = [row for row in hangfm_sandbox.messages if row["category"] == "message"]
    assert raw["data"]["metadata"]["chatMessage"]["id"] == "m-1"


@pytest.mark.parametrize("hangfm_sandbox_options", [{"dialect": "openchat"}, {"dialect": "cometchat"}])
async def test_a_direct_message_reaches_one_user_and_is_found_again(
    hangfm_settings: Settings, hangfm_user: Actor
) -> None:
    message = Outgoing("dm-1", hangfm_user.uid, "between us", direct=True)

    async with open_chat(hangfm_settings) as chat:
        await chat.send(message)
        found = await chat.find(message)
        conversation = await chat.history(to=message)
        room = await chat.history()

    assert found
    assert [row.text for row in conversation] == ["between us"]
    assert conversation[0].direct
    assert "between us" not in [row.text for row in room]


async def test_every_request_says_whose_it_is_and_none_shows_an_api_key(
    hangfm_sandbox: Sandbox, hangfm_open_chat: OpenChat, line: Outgoing
) -> None:
    chat = await hangfm_open_chat(chat_app_id="an-app")
    await chat.join()

    await chat.send(line)

    for row in hangfm_sandbox.journal.events(service="chat", dir="in", kind="http"):
        assert row["resource"] == chat.resource
        assert row["appId"] == "an-app"
        assert "apikey" not in str(row).lower()


# -- what goes wrong while a message is sent


@pytest.mark.parametrize(
    ("fault", "kind", "stored"),
    [
        pytest.param({"do": "refuse"}, ConnectionLost, False, id="refused"),
        pytest.param({"do": "cut_before_store"}, ConnectionLost, False, id="cut before"),
        pytest.param({"do": "cut_after_store"}, ConnectionLost, True, id="cut after"),
        pytest.param({"do": "hang"}, AckTimeout, False, id="hanging"),
        pytest.param({"do": "delay", "ms": 60_000}, AckTimeout, True, id="late"),
        pytest.param({"do": "garbage"}, Unavailable, False, id="garbage"),
        pytest.param({"do": "status", "status": 503, "body": "<html>"}, Unavailable, False, id="503"),
        pytest.param({"do": "status", "status": 200, "body": ""}, Unavailable, False, id="an empty 200"),
        pytest.param({"do": "status", "status": 302}, Unavailable, False, id="a redirect"),
        pytest.param({"do": "status", "status": 404, "body": "<html>"}, Unavailable, False, id="no page"),
        pytest.param({"do": "status", "status": 408}, Unavailable, False, id="408"),
        pytest.param({"do": "status", "status": 403, "body": "<html>"}, Unavailable, False, id="a firewall"),
        pytest.param(
            {"do": "status", "status": 401, "body": "<html>"}, Unavailable, False, id="a log-in page"
        ),
        pytest.param({"do": "status", "status": 413, "body": ""}, Unavailable, False, id="413 of a proxy"),
        pytest.param({"do": "status", "status": 204, "body": ""}, Unavailable, False, id="no content"),
        pytest.param(
            {"do": "status", "status": 200, "headers": {"Content-Encoding": "gzip"}, "body": "no gzip"},
            ConnectionLost,
            False,
            id="packed by nobody",
        ),
        pytest.param(
            {"do": "status", "status": 302, "headers": {"Location": "https://portal/"}},
            Unavailable,
            False,
            id="a redirect to https",
        ),
        pytest.param(
            {"do": "status", "status": 407, "body": "<html>"}, Unavailable, False, id="407 of a proxy"
        ),
        pytest.param(
            {"do": "status", "status": 431, "body": "<html>"}, Unavailable, False, id="431 of a proxy"
        ),
        pytest.param(
            {"do": "status", "status": 200, "body": "<html>log in"}, Unavailable, False, id="a portal"
        ),
        pytest.param(
            {"do": "status", "status": 200, "body": {"data": None}}, Unavailable, False, id="no message"
        ),
        pytest.param(
            {"do": "status", "status": 417, "body": {"error": {"code": "ERR_ALREADY_JOINED"}}},
            Unavailable,
            False,
            id="the answer to another request",
        ),
    ],
)
async def test_after_a_lost_answer_asking_tells_whether_the_message_arrived(
    fault: dict[str, Any],
    kind: type[ServiceError],
    stored: bool,  # noqa: FBT001  a column of the table
    hangfm_sandbox: Sandbox,
    hangfm_settings: Settings,
    line: Outgoing,
) -> None:
    clock = ManualClock()
    armed = hangfm_sandbox.faults.add("chat.send", **fault)

    async with open_chat(hangfm_settings, clock=clock) as chat:
        sending = asyncio.create_task(chat.send(line), name="send")
        await hangfm_sandbox.journal.wait_for(lambda row: row.get("fault") == armed.id)
        if kind is AckTimeout:
            await clock.advance(hangfm_settings.ack_timeout)
        with pytest.raises(kind) as lost:
            await sending

        assert lost.value.ambiguous
        assert await chat.find(line) is stored
    assert sum(row.get("muid") == "m-1" for row in hangfm_sandbox.messages) == stored


@pytest.mark.parametrize(
    ("fault", "kind", "retryable"),
    [
        pytest.param({"status": 429, "headers": {"Retry-After": "7"}}, RateLimited, True, id="429"),
        pytest.param({"status": 413, "body": {"error": {"code": "ERR_BIG"}}}, Refused, False, id="too large"),
        pytest.param(
            {"status": 400, "body": {"error": {"code": "ERR_FORBIDDEN", "message": "no"}}},
            Refused,
            False,
            id="forbidden",
        ),
        pytest.param(
            {"status": 404, "body": {"error": {"code": "ERR_GUID_NOT_FOUND"}}}, NotFound, False, id="no group"
        ),
    ],
)
async def test_a_refusal_says_that_nothing_was_stored(
    fault: dict[str, Any],
    kind: type[ServiceError],
    retryable: bool,  # noqa: FBT001  a column of the table
    hangfm_sandbox: Sandbox,
    hangfm_chat: ChatClient,
    line: Outgoing,
) -> None:
    hangfm_sandbox.faults.add("chat.send", "status", **fault)

    with pytest.raises(kind) as refused:
        await hangfm_chat.send(line)

    assert (refused.value.ambiguous, refused.value.retryable) == (False, retryable)
    assert refused.value.retry_after == (7 if kind is RateLimited else None)


@pytest.mark.parametrize("deed", ["refuse", "hang", "garbage", "cut_before_store", "cut_after_store"])
@pytest.mark.parametrize("point", ["chat.me", "chat.group", "chat.join", "chat.history"])
async def test_every_other_request_fails_in_words_and_can_be_made_again(
    point: str, deed: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    clock = ManualClock()
    armed = hangfm_sandbox.faults.add(point, deed)

    async with open_chat(hangfm_settings, clock=clock) as chat:
        ask: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "chat.me": chat.me,
            "chat.group": chat.group,
            "chat.join": chat.join,
            "chat.history": chat.history,
        }
        asking = asyncio.create_task(ask[point](), name=point)
        await hangfm_sandbox.journal.wait_for(lambda row: row.get("fault") == armed.id)
        if deed == "hang":
            await clock.advance(hangfm_settings.ack_timeout)
        with pytest.raises(ServiceError) as failed:
            await asking

        assert failed.value.retryable
        await ask[point]()


# -- tokens


async def test_a_token_is_exchanged_at_the_first_call_and_kept(
    hangfm_sandbox: Sandbox, hangfm_open_chat: OpenChat
) -> None:
    chat = await hangfm_open_chat()

    await asyncio.gather(*(chat.me() for _ in range(10)))
    await chat.me()

    assert exchanges(hangfm_sandbox) == 1


async def test_a_dead_token_is_exchanged_once_however_many_calls_find_it_dead(
    hangfm_sandbox: Sandbox, hangfm_open_chat: OpenChat
) -> None:
    chat = await hangfm_open_chat(http_concurrency=10)
    await chat.me()
    hangfm_sandbox.people.revoke(hangfm_sandbox.bot.chat_token)
    before = exchanges(hangfm_sandbox)

    users = await asyncio.gather(*(chat.me() for _ in range(10)))

    assert {user["uid"] for user in users} == {hangfm_sandbox.bot.uid}
    assert exchanges(hangfm_sandbox) - before == 1


async def test_a_token_that_stays_dead_is_exchanged_once_and_then_reported(
    hangfm_sandbox: Sandbox, hangfm_open_chat: OpenChat
) -> None:
    chat = await hangfm_open_chat(http_concurrency=10)
    await chat.me()
    refusal = {"error": {"code": "ERR_NO_AUTH", "message": "who?"}}
    hangfm_sandbox.faults.add("chat.me", "status", status=401, body=refusal, times=0)
    before = exchanges(hangfm_sandbox)

    ends = await asyncio.gather(*(chat.me() for _ in range(10)), return_exceptions=True)

    assert {type(end) for end in ends} == {TokenRejected}
    assert exchanges(hangfm_sandbox) - before == 1
    assert len(requests(hangfm_sandbox, "GET", "/me")) == 1 + 10 + 10


async def test_an_exchange_that_fails_fails_for_all_who_waited_for_it_and_nothing_was_sent(
    hangfm_sandbox: Sandbox, hangfm_open_chat: OpenChat, line: Outgoing
) -> None:
    chat = await hangfm_open_chat()
    hangfm_sandbox.faults.add("gateway.token", "status", status=503)

    ends = await asyncio.gather(*(chat.send(line) for _ in range(10)), return_exceptions=True)

    assert {type(end) for end in ends} == {Unreachable}
    assert exchanges(hangfm_sandbox) == 1
    assert hangfm_sandbox.messages == []
    assert await chat.me()


async def test_a_bot_token_that_the_gateway_refuses_is_named_as_that(
    hangfm_sandbox: Sandbox, hangfm_open_chat: OpenChat
) -> None:
    chat = await hangfm_open_chat()
    hangfm_sandbox.people.revoke(hangfm_sandbox.bot.token)

    with pytest.raises(TokenRejected, match="the gateway refused the token exchange"):
        await chat.me()


async def test_a_call_that_is_cancelled_while_it_exchanges_leaves_the_next_one_its_own(
    hangfm_sandbox: Sandbox, hangfm_open_chat: OpenChat
) -> None:
    chat = await hangfm_open_chat()
    hangfm_sandbox.faults.add("gateway.token", "hang")
    first = asyncio.create_task(chat.me(), name="first")
    await hangfm_sandbox.journal.wait_for(lambda row: "user-token" in row.get("path", ""))
    second = asyncio.create_task(chat.me(), name="second")

    first.cancel()

    assert (await second)["uid"] == hangfm_sandbox.bot.uid
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_401_that_says_not_joined_is_no_token_problem(
    hangfm_sandbox: Sandbox, hangfm_open_chat: OpenChat, line: Outgoing
) -> None:
    chat = await hangfm_open_chat()
    await chat.me()
    refusal = {"error": {"code": "ERR_GROUP_NOT_JOINED", "message": "join first"}}
    hangfm_sandbox.faults.add("chat.send", "status", status=401, body=refusal)

    await chat.send(line)

    assert exchanges(hangfm_sandbox) == 1
    assert len(requests(hangfm_sandbox, "POST", "/members")) == 1
    assert [row["muid"] for row in hangfm_sandbox.messages if row["category"] == "message"] == ["m-1"]


async def test_a_token_that_the_chat_echoes_is_in_no_error(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    token = "uid-1_0123456789abcdef"
    body = {"error": {"code": "ERR_BAD", "message": f"what is {token}?"}}
    hangfm_sandbox.faults.add("chat.me", "status", status=400, body=body)

    async with open_chat(hangfm_settings.with_changes(chat_token=token)) as chat:
        with pytest.raises(Refused, match=r"what is <masked>\?") as refused:
            await chat.me()

    assert token not in f"{refused.value!r} {vars(refused.value)}"


# -- membership


@pytest.mark.parametrize("hangfm_sandbox_options", [{"dialect": "openchat"}, {"dialect": "cometchat"}])
async def test_a_bot_that_was_put_out_of_the_group_joins_again_and_sends_and_reads(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, line: Outgoing
) -> None:
    async with open_chat(hangfm_settings) as chat:
        await chat.join()
        await hangfm_sandbox.chat.kick(hangfm_sandbox.bot.uid, hangfm_sandbox.room_uuid)
        await chat.history()
        await hangfm_sandbox.chat.kick(hangfm_sandbox.bot.uid, hangfm_sandbox.room_uuid)
        await chat.send(line)

    assert "m-1" in [row["muid"] for row in hangfm_sandbox.messages]


async def test_a_banned_bot_is_told_so_and_does_not_try_again(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, line: Outgoing
) -> None:
    await hangfm_sandbox.chat.ban(hangfm_sandbox.bot.uid, hangfm_sandbox.room_uuid)
    before = len(requests(hangfm_sandbox, "POST", "/messages"))

    with pytest.raises(Refused, match="banned"):
        await hangfm_chat.send(line)

    assert len(requests(hangfm_sandbox, "POST", "/messages")) - before == 1


@pytest.mark.parametrize("hangfm_sandbox_options", [{"dialect": "cometchat"}])
async def test_without_auto_join_a_bot_never_joins_by_itself(
    hangfm_sandbox: Sandbox, hangfm_open_chat: OpenChat, line: Outgoing
) -> None:
    chat = await hangfm_open_chat(auto_join=False)

    with pytest.raises(NotAMember) as refused:
        await chat.send(line)

    assert "Join the group" in refused.value.remedy
    assert requests(hangfm_sandbox, "POST", "/members") == []


FORBIDDEN = {"error": {"code": "ERR_FORBIDDEN", "message": "Not a participant."}}


@pytest.mark.parametrize("stored", [True, False])
async def test_who_was_put_out_of_the_group_joins_before_it_asks_whether_a_message_arrived(
    stored: bool,  # noqa: FBT001  a row
    hangfm_sandbox: Sandbox,
    hangfm_chat: ChatClient,
    line: Outgoing,
) -> None:
    if stored:
        await hangfm_chat.send(line)
    await hangfm_sandbox.chat.kick(hangfm_sandbox.bot.uid, hangfm_sandbox.room_uuid)
    hangfm_sandbox.faults.add("chat.lookup", "status", status=403, body=FORBIDDEN)
    before = len(requests(hangfm_sandbox, "POST", "/members"))

    found = await hangfm_chat.find(line)

    assert found is stored
    assert len(requests(hangfm_sandbox, "POST", "/members")) - before == 1


async def test_who_is_banned_cannot_ask_whether_a_message_arrived_and_is_told_the_chats_words(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, line: Outgoing
) -> None:
    await hangfm_chat.send(line)
    await hangfm_sandbox.chat.ban(hangfm_sandbox.bot.uid, hangfm_sandbox.room_uuid)
    hangfm_sandbox.faults.add("chat.lookup", "status", status=403, body=FORBIDDEN)

    with pytest.raises(Refused, match="Not a participant") as refused:
        await hangfm_chat.find(line)

    assert not refused.value.retryable


async def test_a_look_up_that_is_refused_although_the_bot_is_a_member_is_replaced_by_the_history(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, line: Outgoing
) -> None:
    await hangfm_chat.send(line)
    hangfm_sandbox.faults.add("chat.lookup", "status", status=403, body=FORBIDDEN, times=0)

    found = await hangfm_chat.find(line)

    assert found


async def test_a_group_that_does_not_let_the_bot_in_is_told_from_one_that_it_only_has_to_join(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, line: Outgoing
) -> None:
    await hangfm_sandbox.chat.ban(hangfm_sandbox.bot.uid, hangfm_sandbox.room_uuid)

    with pytest.raises(
        GroupClosed, match=r"does not let the bot in: chat refused joining .* banned"
    ) as closed:
        await hangfm_chat.send(line)

    assert "let the bot into the group" in closed.value.remedy


@pytest.mark.parametrize("deed", ["cut_before_store", "garbage"])
async def test_where_joining_fails_for_another_reason_nothing_was_sent(
    deed: str, hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, line: Outgoing
) -> None:
    refusal = {"error": {"code": "ERR_NOT_A_MEMBER", "message": "join first"}}
    hangfm_sandbox.faults.add("chat.send", "status", status=400, body=refusal)
    hangfm_sandbox.faults.add("chat.join", deed)

    with pytest.raises(Unreachable, match="not in group"):
        await hangfm_chat.send(line)


# -- whether it works at all


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"status": 503}, id="in trouble"),
        pytest.param({"status": 302, "headers": {"Location": "https://portal/"}}, id="a redirect"),
        pytest.param({"status": 200, "body": "<html>log in</html>"}, id="a portal"),
        pytest.param({"status": 200, "body": {"data": {}}}, id="no uid"),
        pytest.param({"status": 200, "body": {"data": []}}, id="a list"),
        pytest.param({"status": 204, "body": ""}, id="nothing"),
        pytest.param({"status": 401, "body": {"error": {"code": "ERR_NO_AUTH"}}, "times": 2}, id="401"),
        pytest.param({"status": 401, "body": "<html>", "times": 2}, id="a log-in page"),
        pytest.param({"status": 403, "body": "<html>"}, id="a firewall"),
        pytest.param({"status": 429}, id="too many"),
    ],
)
async def test_a_chat_works_when_it_says_whose_the_token_is_and_by_no_other_answer(
    answer: dict[str, Any], hangfm_sandbox: Sandbox, hangfm_chat: ChatClient
) -> None:
    hangfm_sandbox.faults.add("chat.me", "status", **answer)

    with pytest.raises(ServiceError):
        await hangfm_chat.probe()

    await hangfm_chat.probe()


# -- tokens in nobody's words


@pytest.mark.parametrize("words", ["", "<html>log in</html>"])
async def test_a_401_in_nobodys_words_has_the_token_exchanged_and_no_message_sent_twice(
    words: str, hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, line: Outgoing
) -> None:
    await hangfm_chat.me()
    before = exchanges(hangfm_sandbox)
    hangfm_sandbox.faults.add("chat.send", "status", status=401, body=words)

    with pytest.raises(Unavailable, match="status 401") as unknown:
        await hangfm_chat.send(line)

    assert unknown.value.ambiguous
    assert exchanges(hangfm_sandbox) - before == 1
    assert len(requests(hangfm_sandbox, "POST", "/messages")) == 1


async def test_a_gateway_that_refuses_the_exchange_refuses_no_message(
    hangfm_sandbox: Sandbox, hangfm_open_chat: OpenChat, line: Outgoing
) -> None:
    chat = await hangfm_open_chat()
    words = {"statusCode": 400, "message": "Not today."}
    hangfm_sandbox.faults.add("gateway.token", "status", status=400, body=words)

    with pytest.raises(TokenRejected, match=r"no chat token: .*Not today") as refused:
        await chat.send(line)

    assert refused.value.about_token


# -- receivers


async def test_a_message_to_nobody_is_refused_and_makes_nobody(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient
) -> None:
    with pytest.raises(NotFound, match="user nobody"):
        await hangfm_chat.send(Outgoing("m-1", "nobody", "hello?", direct=True))

    assert requests(hangfm_sandbox, "POST", "/messages") == []


async def test_a_groups_guid_given_as_the_receiver_reaches_the_group(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient
) -> None:
    other = hangfm_sandbox.add_room("other")
    message = Outgoing("m-1", other.uuid, "over there", direct=True)

    await hangfm_chat.send(message)
    await hangfm_chat.send(Outgoing("m-2", other.uuid, "again", direct=True))

    assert await hangfm_chat.find(message)
    stored = [(row["receiver"], row["receiverType"]) for row in hangfm_sandbox.messages if row.get("muid")]
    assert stored == [(other.uuid, "group")] * 2
    assert len(requests(hangfm_sandbox, "GET", f"/users/{other.uuid}")) == 1


# -- asking where the look-up is not to be had


def canned(sandbox: Sandbox, *pages: list[Any]) -> None:
    """Let the history be these pages, newest first, and the look-up unknown."""
    sandbox.faults.add("chat.lookup", "status", status=404, body="<html>no such page</html>")
    for page in pages:
        sandbox.faults.add("chat.history", "status", status=200, body={"data": page})


def row(number: int, muid: str | None = None) -> dict[str, Any]:
    return {"id": number, "muid": muid, "sender": "somebody", "data": {"text": "hi"}, "sentAt": 1}


async def test_where_the_look_up_is_unknown_the_history_is_searched(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, line: Outgoing
) -> None:
    await hangfm_chat.send(line)
    hangfm_sandbox.faults.add("chat.lookup", "status", status=404, body="<html>", times=2)

    assert await hangfm_chat.find(line)
    assert not await hangfm_chat.find(Outgoing("m-2", line.to, "never sent"))


async def test_a_row_that_cannot_be_read_does_not_end_the_search(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, line: Outgoing
) -> None:
    newest = [row(number) for number in range(101, 200)]
    canned(hangfm_sandbox, [*newest, {"id": "none"}], [row(100, "m-1")])

    assert await hangfm_chat.find(line)


async def test_the_search_is_in_the_conversation_of_the_message(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, hangfm_user: Actor
) -> None:
    other = hangfm_sandbox.add_room("other")
    direct = Outgoing("dm-1", hangfm_user.uid, "between us", direct=True)
    elsewhere = Outgoing("m-2", other.uuid, "over there")
    await hangfm_chat.send(direct)
    await hangfm_chat.send(elsewhere)
    hangfm_sandbox.faults.add("chat.lookup", "status", status=404, body="<html>", times=2)

    assert await hangfm_chat.find(direct)
    assert await hangfm_chat.find(elsewhere)


async def test_a_search_that_does_not_reach_the_end_does_not_say_no(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, line: Outgoing
) -> None:
    pages = [[row(number) for number in range(start, start + 100)] for start in range(1901, 0, -100)]
    canned(hangfm_sandbox, *pages[:10])

    with pytest.raises(Refused, match="not among the newest messages") as unknown:
        await hangfm_chat.find(line)

    assert not unknown.value.retryable


async def test_a_history_that_does_not_move_is_not_searched_for_ever(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, line: Outgoing
) -> None:
    page = [row(number) for number in range(1, 101)]
    canned(hangfm_sandbox, page, page)

    with pytest.raises(Refused, match="not among the newest messages"):
        await hangfm_chat.find(line)


# -- reading


async def test_pages_follow_each_other_and_messages_of_one_second_are_all_there(
    hangfm_chat: ChatClient, hangfm_user: Actor
) -> None:
    start = max((message.id for message in await hangfm_chat.history(most=1)), default=0)
    for number in range(25):
        await hangfm_user.say(f"line {number}")

    heard, after = [], start
    while rows := await hangfm_chat.history(after=after, most=10):
        heard += [message.text for message in rows if message.category == "message"]
        after = rows[-1].id

    assert heard == [f"line {number}" for number in range(25)]


async def test_rows_are_oldest_first_whatever_the_server_thinks(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient
) -> None:
    page = [row(3), row(1), "nonsense", row(2)]
    hangfm_sandbox.faults.add("chat.history", "status", status=200, body={"data": page})

    assert [message.id for message in await hangfm_chat.history()] == [1, 2, 3]


@pytest.mark.parametrize("data", [None, {}, "rows", 7])
async def test_a_history_that_is_no_list_is_no_answer(
    data: object, hangfm_sandbox: Sandbox, hangfm_chat: ChatClient
) -> None:
    hangfm_sandbox.faults.add("chat.history", "status", status=200, body={"data": data})

    with pytest.raises(Unavailable, match="without a list"):
        await hangfm_chat.history()


async def test_a_profile_that_is_no_object_is_no_answer(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient
) -> None:
    hangfm_sandbox.faults.add("chat.me", "status", status=200, body={"data": ["me"]})

    with pytest.raises(Unavailable, match="without an object"):
        await hangfm_chat.me()


async def test_an_answer_that_came_twice_does_not_acknowledge_the_next_message(
    hangfm_open_chat: OpenChat, line: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await hangfm_open_chat()
    twice = await chat.send(line)
    assert twice
    monkeypatch.setattr(chat._requests, "call", answering(twice.raw))

    with pytest.raises(AnswerLost, match="about another message") as lost:
        await chat.send(replace(line, id="m-2"))

    assert lost.value.ambiguous


async def test_a_look_up_that_finds_another_message_is_no_answer(
    hangfm_open_chat: OpenChat, line: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await hangfm_open_chat()
    other = await chat.send(line)
    assert other
    call = chat._requests.call

    async def by_number(method: str, path: str, **more: Any) -> object:  # noqa: ANN401  passed on as they are
        return other.raw if "/user/messages/" in path else await call(method, path, **more)

    monkeypatch.setattr(chat._requests, "call", by_number)

    found = [await chat.find(replace(line, id=key)) for key in ("m-1", "m-2")]

    assert found == [True, False]


def answering(data: object) -> Callable[..., Coroutine[Any, Any, object]]:
    async def call(*_: object, **__: object) -> object:
        return data

    return call
