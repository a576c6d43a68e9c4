from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

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
from tests.cases import cases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hangbot.config import Settings
    from hangbot.hangfm.chat import ChatClient
    from hangbot.sandbox import Actor, Fault, Sandbox
    from pytest_hangfm import OpenChat

    Fresh = Callable[..., Awaitable["Chat"]]

BOTH = pytest.mark.parametrize("hangfm_sandbox_options", [{"dialect": "openchat"}, {"dialect": "cometchat"}])
COMETCHAT = pytest.mark.parametrize("hangfm_sandbox_options", [{"dialect": "cometchat"}])


Kind = type[ServiceError]
Answer = tuple[Any, ...]


def own(code: str, message: str = "no") -> dict[str, Any]:
    """A refusal in the chat's own words."""
    return {"error": {"code": code, "message": message}}


@dataclass
class Chat:
    """A client, the sandbox that it speaks to, and a message to its group."""

    sandbox: Sandbox
    client: ChatClient
    line: Outgoing

    def fault(self, point: str, status: int, body: object = "", **more: Any) -> Fault:  # noqa: ANN401  a fault's own
        return self.sandbox.faults.add(point, "status", status=status, body=body, **more)

    def requests(self, method: str, path: str) -> int:
        """How many requests to the chat there were whose path ends so."""
        rows = self.sandbox.journal.events(service="chat", dir="in", kind="http", method=method)
        return sum(row["path"].partition("?")[0].endswith(path) for row in rows)

    def exchanges(self) -> int:
        """How often a token was asked for at the gateway."""
        rows = self.sandbox.journal.events(service="gateway", dir="in")
        return sum("user-token" in row["path"] for row in rows)

    def stored(self) -> list[str | None]:
        return [row.get("muid") for row in self.sandbox.messages if row["category"] == "message"]

    async def put_out(self, how: str = "kick") -> None:
        await getattr(self.sandbox.chat, how)(self.sandbox.bot.uid, self.sandbox.room_uuid)


@pytest.fixture
def line(hangfm_settings: Settings) -> Outgoing:
    return Outgoing("m-1", hangfm_settings.chat_receiver, "hello")


@pytest_asyncio.fixture
async def fresh(hangfm_sandbox: Sandbox, hangfm_open_chat: OpenChat, line: Outgoing) -> Fresh:
    """Opens a client that is no member yet and has no token."""

    async def open_one(**changes: object) -> Chat:
        return Chat(hangfm_sandbox, await hangfm_open_chat(**changes), line)

    return open_one


@pytest_asyncio.fixture
async def chat(hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, line: Outgoing) -> Chat:
    return Chat(hangfm_sandbox, hangfm_chat, line)


@pytest_asyncio.fixture
async def timed(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, line: Outgoing
) -> AsyncIterator[tuple[Chat, ManualClock]]:
    """A client whose time stands still."""
    clock = ManualClock()
    async with open_chat(hangfm_settings, clock=clock) as client:
        yield Chat(hangfm_sandbox, client, line), clock


# -- both servers, end to end


@BOTH
async def test_a_message_is_sent_found_and_read_in_both_dialects(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, line: Outgoing
) -> None:
    async with open_chat(hangfm_settings) as client:
        me = await client.me()
        await client.settings()
        await client.join()
        await client.join()
        found_before = await client.find(line)
        stored = await client.send(line)
        found_after = await client.find(line)
        (read,) = await client.history(most=10)

    assert me["uid"] == hangfm_sandbox.bot.uid
    assert (found_before, found_after) == (False, True)
    assert stored is not None
    assert (read.id, read.muid, read.text, read.sender) == (stored.id, "m-1", "hello", me["uid"])
    (raw,) = [row for row in hangfm_sandbox.messages if row["category"] == "message"]
    assert raw["data"]["metadata"]["chatMessage"]["id"] == "m-1"


@BOTH
async def test_a_direct_message_reaches_one_user_and_is_found_again(chat: Chat, hangfm_user: Actor) -> None:
    message = Outgoing("dm-1", hangfm_user.uid, "between us", direct=True)

    await chat.client.send(message)
    conversation = await chat.client.history(to=message)

    assert await chat.client.find(message)
    assert [(row.text, row.direct) for row in conversation] == [("between us", True)]
    assert "between us" not in [row.text for row in await chat.client.history()]


async def test_every_request_says_whose_it_is_and_none_shows_an_api_key(fresh: Fresh) -> None:
    chat = await fresh(chat_app_id="an-app")

    await chat.client.send(chat.line)

    for row in chat.sandbox.journal.events(service="chat", dir="in", kind="http"):
        assert (row["resource"], row["appId"]) == (chat.client.resource, "an-app")
        assert "apikey" not in str(row).lower()


# -- what goes wrong while a message is sent


def status(number: int, body: object = "", **headers: str) -> dict[str, Any]:
    return {"do": "status", "status": number, "body": body, "headers": headers}


# Which words and statuses refuse a message, the table of the wire says; here one of a kind.
@cases(
    "fault kind stored",
    ("refused", {"do": "refuse"}, ConnectionLost, False),
    ("cut before", {"do": "cut_before_store"}, ConnectionLost, False),
    ("cut after", {"do": "cut_after_store"}, ConnectionLost, True),
    ("hanging", {"do": "hang"}, AckTimeout, False),
    ("late", {"do": "delay", "ms": 60_000}, AckTimeout, True),
    ("garbage", {"do": "garbage"}, Unavailable, False),
    ("503", status(503, "<html>"), Unavailable, False),
    ("an empty 200", status(200), Unavailable, False),
    ("no message", status(200, {"data": None}), Unavailable, False),
    ("what is no message", status(200, {"data": {"uid": 5, "id": []}}), Unavailable, False),
    ("a portal", status(200, "<html>log in"), Unavailable, False),
    ("a log-in page", status(401, "<html>"), Unavailable, False),
    ("a firewall", status(403, "<html>"), Unavailable, False),
    ("no content", status(204), Unavailable, False),
    ("packed by nothing", status(200, "no gzip", **{"Content-Encoding": "gzip"}), ConnectionLost, False),
    ("a redirect", status(302, Location="https://portal/"), Unavailable, False),
    ("the answer to another request", status(417, own("ERR_ALREADY_JOINED")), Unavailable, False),
)
async def test_after_a_lost_answer_asking_tells_whether_the_message_arrived(
    timed: tuple[Chat, ManualClock], fault: dict[str, Any], kind: Kind, *, stored: bool
) -> None:
    chat, clock = timed
    armed = chat.sandbox.faults.add("chat.send", **fault)

    sending = asyncio.create_task(chat.client.send(chat.line), name="send")
    await chat.sandbox.journal.wait_for(lambda row: row.get("fault") == armed.id)
    if kind is AckTimeout:
        await clock.advance(600)
    with pytest.raises(kind) as lost:
        await sending

    assert lost.value.ambiguous
    assert await chat.client.find(chat.line) is stored
    assert chat.stored() == ["m-1"] * stored


@cases(
    "answer kind wait",
    ("429", (429, "", {"Retry-After": "7"}), RateLimited, 7),
    ("forbidden", (400, own("ERR_FORBIDDEN"), {}), Refused, None),
    ("no group", (404, own("ERR_GUID_NOT_FOUND"), {}), NotFound, None),
)
async def test_a_refusal_stores_nothing(answer: Answer, kind: Kind, wait: float | None, chat: Chat) -> None:
    number, body, headers = answer
    chat.fault("chat.send", number, body, headers=headers)

    with pytest.raises(kind) as refused:
        await chat.client.send(chat.line)

    assert not refused.value.ambiguous
    assert (refused.value.retryable, refused.value.retry_after) == (kind is RateLimited, wait)


@pytest.mark.parametrize("deed", ["hang", "garbage", "cut_after_store"])
@pytest.mark.parametrize("name", ["me", "group", "join", "history"])
async def test_all_else_may_be_repeated(name: str, deed: str, timed: tuple[Chat, ManualClock]) -> None:
    chat, clock = timed
    armed = chat.sandbox.faults.add(f"chat.{name}", deed)
    ask: Callable[[], Awaitable[object]] = getattr(chat.client, name)

    asking = asyncio.ensure_future(ask())
    await chat.sandbox.journal.wait_for(lambda row: row.get("fault") == armed.id)
    if deed == "hang":
        await clock.advance(600)
    with pytest.raises(ServiceError) as failed:
        await asking

    assert failed.value.retryable
    await ask()


# -- tokens


async def test_a_token_is_exchanged_at_the_first_call_and_kept(fresh: Fresh) -> None:
    chat = await fresh()

    await asyncio.gather(*(chat.client.me() for _ in range(10)))
    await chat.client.me()

    assert chat.exchanges() == 1


async def test_a_dead_token_is_exchanged_once_however_many_calls_find_it_dead(chat: Chat) -> None:
    chat.sandbox.people.revoke(chat.sandbox.bot.chat_token)
    before = chat.exchanges()

    users = await asyncio.gather(*(chat.client.me() for _ in range(10)))

    assert {user["uid"] for user in users} == {chat.sandbox.bot.uid}
    assert chat.exchanges() - before == 1


async def test_a_token_that_stays_dead_is_exchanged_once_and_then_reported(fresh: Fresh) -> None:
    chat = await fresh(http_concurrency=10)
    await chat.client.me()
    chat.fault("chat.me", 401, own("ERR_NO_AUTH"), times=0)

    ends = await asyncio.gather(*(chat.client.me() for _ in range(10)), return_exceptions=True)

    assert {type(end) for end in ends} == {TokenRejected}
    assert chat.exchanges() == 1 + 1
    assert chat.requests("GET", "/me") == 1 + 10 + 10


@cases(
    "answer kind says",
    ("in trouble", (503, ""), Unreachable, "status 503"),
    (
        "refused",
        (400, {"statusCode": 400, "message": "Not today."}),
        TokenRejected,
        "no chat token: .*Not toda",
    ),
    ("401", (401, {"statusCode": 401, "message": "?"}), TokenRejected, "token exchange"),
)
async def test_an_exchange_fails_for_all_calls(answer: Answer, kind: Kind, says: str, fresh: Fresh) -> None:
    chat = await fresh()
    chat.fault("gateway.token", *answer)

    ends = await asyncio.gather(*(chat.client.send(chat.line) for _ in range(10)), return_exceptions=True)

    assert {type(end) for end in ends} == {kind}
    with pytest.raises(kind, match=says):
        raise next(end for end in ends if isinstance(end, ServiceError))
    assert (chat.exchanges(), chat.stored()) == (1, [])
    assert await chat.client.me()


async def test_a_call_that_is_cancelled_while_it_exchanges_leaves_the_next_one_its_own(fresh: Fresh) -> None:
    chat = await fresh()
    chat.sandbox.faults.add("gateway.token", "hang")
    first = asyncio.create_task(chat.client.me(), name="first")
    await chat.sandbox.journal.wait_for(lambda row: "user-token" in row.get("path", ""))
    second = asyncio.create_task(chat.client.me(), name="second")

    first.cancel()

    assert (await second)["uid"] == chat.sandbox.bot.uid
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_401_that_says_not_joined_is_no_token_problem(fresh: Fresh) -> None:
    chat = await fresh()
    await chat.client.me()
    chat.fault("chat.send", 401, own("ERR_GROUP_NOT_JOINED"))

    await chat.client.send(chat.line)

    assert (chat.exchanges(), chat.requests("POST", "/members"), chat.stored()) == (1, 1, ["m-1"])


async def test_a_401_without_own_words_has_the_token_exchanged_and_no_message_sent_twice(chat: Chat) -> None:
    before = chat.exchanges()
    chat.fault("chat.send", 401, "<html>log in</html>")
    chat.fault("chat.me", 401, "<html>log in</html>")

    with pytest.raises(Unavailable, match="status 401") as unknown:
        await chat.client.send(chat.line)
    exchanged = chat.exchanges() - before

    assert unknown.value.ambiguous
    assert (exchanged, chat.requests("POST", "/messages")) == (1, 1)
    assert await chat.client.me(), "a look is made once more"


async def test_a_401_without_own_words_stays_one_where_no_token_is_to_be_had(chat: Chat) -> None:
    chat.fault("chat.me", 401, "<html>log in</html>")
    chat.fault("gateway.token", 503)

    with pytest.raises(Unavailable, match="status 401"):
        await chat.client.me()


async def test_where_the_gateway_cannot_be_reached_nothing_was_sent(fresh: Fresh) -> None:
    chat = await fresh(gateway_url="http://127.0.0.8:9")

    with pytest.raises(Unreachable, match=r"no connection to http://127\.0\.0\.8:9"):
        await chat.client.send(chat.line)


async def test_a_token_that_the_chat_echoes_is_in_no_error(fresh: Fresh) -> None:
    token = "uid-1_0123456789abcdef"
    chat = await fresh(chat_token=token)
    chat.fault("chat.me", 400, own("ERR_BAD", f"what is {token}?"))

    with pytest.raises(Refused, match=r"what is <masked>\?") as refused:
        await chat.client.me()

    assert token not in f"{refused.value!r} {vars(refused.value)}"


@cases(
    "answer",
    ("in trouble", {"status": 503}),
    ("no uid", {"status": 200, "body": {"data": {}}}),
    ("a list", {"status": 200, "body": {"data": []}}),
    ("401", {"status": 401, "body": own("ERR_NO_AUTH"), "times": 2}),
    ("a log-in page", {"status": 401, "body": "<html>", "times": 2}),
)
async def test_a_chat_works_when_it_says_whose_the_token_is(answer: dict[str, Any], chat: Chat) -> None:
    chat.fault("chat.me", **answer)

    with pytest.raises(ServiceError):
        await chat.client.probe()

    await chat.client.probe()


# -- membership


@BOTH
async def test_a_bot_that_was_put_out_of_the_group_joins_again_and_sends_and_reads(chat: Chat) -> None:
    await chat.put_out()
    await chat.client.history()
    await chat.put_out()
    await chat.client.send(chat.line)

    assert chat.stored() == ["m-1"]


@COMETCHAT
async def test_without_auto_join_a_bot_never_joins_by_itself(fresh: Fresh) -> None:
    chat = await fresh(auto_join=False)
    chat.fault("chat.lookup", 403, own("ERR_FORBIDDEN"))

    with pytest.raises(NotAMember) as refused:
        await chat.client.send(chat.line)
    with pytest.raises(NotAMember):
        await chat.client.find(chat.line)

    assert "Join the group" in refused.value.remedy
    assert chat.requests("POST", "/members") == 0


async def test_a_group_that_keeps_the_bot_out_is_told_from_one_to_be_joined(chat: Chat) -> None:
    await chat.client.send(replace(chat.line, id="m-0"))
    await chat.put_out("ban")
    chat.fault("chat.lookup", 403, own("ERR_FORBIDDEN", "Not a participant."))

    with pytest.raises(
        GroupClosed, match=r"does not let the bot in: chat refused joining .* banned"
    ) as closed:
        await chat.client.send(chat.line)
    with pytest.raises(Refused, match="Not a participant") as unknown:
        await chat.client.find(chat.line)

    assert "let the bot into the group" in closed.value.remedy
    assert not unknown.value.retryable
    assert chat.requests("POST", "/messages") == 2


@cases(
    "fault kind",
    ("cut off", {"do": "cut_before_store"}, Unreachable),
    ("garbage", {"do": "garbage"}, Unreachable),
    ("too often", status(429), RateLimited),
)
async def test_a_failed_join_sends_none(fault: dict[str, Any], kind: type[ServiceError], chat: Chat) -> None:
    chat.fault("chat.send", 400, own("ERR_NOT_A_MEMBER"))
    chat.sandbox.faults.add("chat.join", **fault)

    with pytest.raises(kind) as failed:
        await chat.client.send(chat.line)

    assert not failed.value.ambiguous


async def test_where_joining_shows_that_the_token_is_dead_it_is_that(chat: Chat) -> None:
    chat.fault("chat.send", 400, own("ERR_NOT_A_MEMBER"))
    chat.fault("chat.join", 401, own("ERR_NO_AUTH"), times=2)

    with pytest.raises(TokenRejected):
        await chat.client.send(chat.line)


@pytest.mark.parametrize("stored", [True, False])
@cases("times", ("until it joins", 1), ("all the same", 0))
async def test_a_bot_that_was_put_out_joins_before_it_asks(chat: Chat, times: int, *, stored: bool) -> None:
    if stored:
        await chat.client.send(chat.line)
    await chat.put_out()
    chat.fault("chat.lookup", 403, own("ERR_FORBIDDEN"), times=times)
    before = chat.requests("POST", "/members")

    assert await chat.client.find(chat.line) is stored
    assert chat.requests("POST", "/members") - before == 1


@pytest.mark.parametrize("before", [0, 1])
async def test_a_look_up_that_shows_a_dead_token_is_no_answer(before: int, chat: Chat) -> None:
    for _ in range(before):
        chat.fault("chat.lookup", 403, own("ERR_FORBIDDEN"))
    chat.fault("chat.lookup", 401, own("ERR_NO_AUTH"), times=2)

    with pytest.raises(TokenRejected):
        await chat.client.find(chat.line)


# -- receivers


async def test_a_message_to_nobody_is_refused_and_makes_nobody(chat: Chat) -> None:
    with pytest.raises(NotFound, match="user nobody"):
        await chat.client.send(Outgoing("m-1", "nobody", "hello?", direct=True))

    assert chat.requests("POST", "/messages") == 0


async def test_a_groups_guid_given_as_the_receiver_reaches_the_group(chat: Chat) -> None:
    other = chat.sandbox.add_room("other")
    message = Outgoing("m-1", other.uuid, "over there", direct=True)

    await chat.client.send(message)
    await chat.client.send(replace(message, id="m-2"))

    assert await chat.client.find(message)
    stored = [(row["receiver"], row["receiverType"]) for row in chat.sandbox.messages if row.get("muid")]
    assert stored == [(other.uuid, "group")] * 2
    assert chat.requests("GET", f"/users/{other.uuid}") == 1


# -- looking up, and where that is not to be had


def row(number: int, muid: str | None = None) -> dict[str, Any]:
    return {"id": number, "muid": muid, "sender": "alice", "data": {"text": "hi"}, "sentAt": 1}


def canned(chat: Chat, *pages: list[Any]) -> None:
    """Let the history be these pages, newest first, and the look-up unknown."""
    chat.fault("chat.lookup", 404, "<html>no such page</html>")
    for page in pages:
        chat.fault("chat.history", 200, {"data": page})


async def test_where_the_look_up_is_unknown_the_history_is_searched(chat: Chat, hangfm_user: Actor) -> None:
    elsewhere = Outgoing("m-2", chat.sandbox.add_room("other").uuid, "over there")
    direct = Outgoing("dm-1", hangfm_user.uid, "between us", direct=True)
    sent = [chat.line, elsewhere, direct]
    for message in sent:
        await chat.client.send(message)
    chat.fault("chat.lookup", 404, "<html>", times=0)

    assert [await chat.client.find(message) for message in sent] == [True] * 3
    assert not await chat.client.find(replace(chat.line, id="m-3"))


async def test_a_row_that_cannot_be_read_does_not_end_the_search(chat: Chat) -> None:
    canned(chat, [*(row(number) for number in range(101, 200)), {"id": "none"}], [row(100, "m-1")])

    assert await chat.client.find(chat.line)


@cases("starts", ("no end in reach", range(1901, 0, -100)), ("it does not move", [1, 1]))
async def test_a_search_that_does_not_reach_the_end_does_not_say_no(starts: list[int], chat: Chat) -> None:
    canned(chat, *[[row(number) for number in range(start, start + 100)] for start in starts][:10])

    with pytest.raises(Refused, match="not among the newest messages") as unknown:
        await chat.client.find(chat.line)

    assert not unknown.value.retryable


async def test_an_answer_about_another_message_acknowledges_and_finds_nothing(chat: Chat) -> None:
    first = await chat.client.send(chat.line)
    assert first
    chat.fault("chat.lookup", 200, {"data": first.raw})

    assert not await chat.client.find(replace(chat.line, id="m-2"))
    assert await chat.client.find(chat.line)


async def test_an_answer_that_came_twice_does_not_acknowledge_the_next_message(chat: Chat) -> None:
    twice = await chat.client.send(chat.line)
    assert twice
    chat.fault("chat.send", 200, {"data": twice.raw})

    with pytest.raises(AnswerLost, match="about another message") as lost:
        await chat.client.send(replace(chat.line, id="m-2"))

    assert lost.value.ambiguous


# -- reading


async def test_pages_follow_each_other_and_one_second_is_all_there(chat: Chat, hangfm_user: Actor) -> None:
    start = max((message.id for message in await chat.client.history(most=1)), default=0)
    for number in range(25):
        await hangfm_user.say(f"line {number}")

    heard, after = [], start
    while rows := await chat.client.history(after=after, most=10):
        heard += [message.text for message in rows if message.category == "message"]
        after = rows[-1].id

    assert heard == [f"line {number}" for number in range(25)]


async def test_rows_are_oldest_first_whatever_the_server_thinks(chat: Chat) -> None:
    chat.fault("chat.history", 200, {"data": [row(3), row(1), "nonsense", row(2)]})

    assert [message.id for message in await chat.client.history()] == [1, 2, 3]


@pytest.mark.parametrize("data", [None, {}, "rows", 7])
async def test_an_answer_of_another_kind_is_none(data: object, chat: Chat) -> None:
    chat.fault("chat.history", 200, {"data": data})
    chat.fault("chat.me", 200, {"data": ["me"]})

    with pytest.raises(Unavailable, match="without a list"):
        await chat.client.history()
    with pytest.raises(Unavailable, match="without an object"):
        await chat.client.me()
