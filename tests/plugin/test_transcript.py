import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

from hangbot import ChatClient, GatewayClient, Outgoing
from hangbot.errors import HangbotError
from hangbot.sandbox import Sandbox
from pytest_hangfm import OpenBot, OpenUser, RoomLog
from pytest_hangfm.transcript import describe_frame, transcribe, transcript
from tests.cases import cases

NAMES = {"u-1": "hangbot", "u-2": "alice"}


def name_of(uid: str) -> str:
    return NAMES.get(uid, uid)


def event(t_ms: int, service: str, dir: str, kind: str, **more: object) -> dict[str, Any]:  # noqa: A002  the row's own name
    return {"n": t_ms, "t_ms": t_ms, "service": service, "dir": dir, "kind": kind, **more}


@cases(
    "frame words",
    ("heartbeat", '"primus::ping::17"', "ping::17"),
    ("welcome", '{"welcome":"hi","context":"api"}', "welcome"),
    (
        "action",
        '{"event":"action","params":{"roomUuid":"r","action":"joinRoom"},"messageId":1}',
        "joinRoom #1",
    ),
    (
        "action with parameters",
        '{"event":"action","params":{"songVotes":{"like":true},"action":"voteOnSong"},"messageId":2}',
        'voteOnSong #2 {"songVotes": {"like": true}}',
    ),
    ("answer", '{"context":"response","messageId":2,"state":{}}', "done #2"),
    ("refusal", '{"context":"response","messageId":2,"error":"no song"}', "refuses #2: no song"),
    (
        "room message with a patch",
        '{"message":{"name":"userJoined","statePatch":[{"op":"add","path":"/allUserData/u-2","value":{}}]}}',
        "userJoined (alice)",
    ),
    (
        "room message with parameters",
        '{"message":{"name":"playedOneTimeAnimation","params":{"userUuid":"u-1","animation":"jump"}}}',
        'playedOneTimeAnimation (hangbot) {"animation": "jump"}',
    ),
    ("not in the books", '{"message":"said by a verb"}', '{"message":"said by a verb"}'),
    ("cut short", '{"cut": sho… (9000 characters)', '{"cut": sho… (9000 characters)'),
    ("nested too deep", "[" * 100_000, "[" * 100_000),
)
def test_a_frame_is_told_by_its_name(frame: str, words: str) -> None:
    assert describe_frame(frame, name_of) == words


def test_a_conversation_has_names_and_times_and_a_poll_only_once() -> None:
    poll = {"method": "GET", "path": "/v3.0/groups/r/messages?id=3"}
    sent = {"method": "POST", "path": "/v3.0/messages", "body": {"data": {"text": "pong"}}}
    events = [
        event(1000, "room", "in", "open", uid="u-1"),
        event(1010, "room", "out", "frame", uid="u-1", frame='"primus::ping::17"'),
        *(event(1100 + n, "chat", "in", "http", uid="u-1", **poll) for n in range(5)),
        event(1300, "chat", "in", "http", uid="u-1", **sent),
        event(1310, "chat", "out", "http", status=500, body="busy", fault=1),
        event(1320, "chat", "out", "http", status=200, body="fine"),
        event(1400, "room", "out", "close", uid="u-1", code=1006),
    ]

    assert transcribe(events, name_of) == [
        "   +0.000 s  hangbot is connected to the room",
        "   +0.010 s  room -> hangbot: ping::17",
        "   +0.100 s  hangbot -> chat: GET /v3.0/groups/r/messages  (x 5)",
        "   +0.300 s  hangbot -> chat: POST /v3.0/messages: 'pong'",
        "   +0.310 s  chat answers 500: busy  [fault 1]",
        "   +0.400 s  the room ends hangbot's connection (1006)",
    ]


def test_a_line_is_never_longer_than_a_terminal_is_wide() -> None:
    frame = json.dumps({"event": "action", "params": {"action": "x", "song": "la " * 500}, "messageId": 1})

    (line,) = transcribe([event(0, "room", "in", "frame", uid="u-1", frame=frame)], name_of)

    assert len(line) <= 140


def test_nothing_happened_is_no_line() -> None:
    assert transcribe([], name_of) == []


async def test_a_failure_shows_who_said_and_who_did_what(
    hangfm_sandbox: Sandbox, hangfm_open_bot: OpenBot, hangfm_open_user: OpenUser, hangfm_room_log: RoomLog
) -> None:
    await hangfm_open_bot()
    alice = await hangfm_open_user("alice")
    await alice.dj()
    await alice.say("is anybody here?")

    with pytest.raises(pytest.fail.Exception) as caught:
        await hangfm_room_log.expect("yes", from_=hangfm_sandbox.bot, within=0.01)

    first, said, heading, *done = str(caught.value).splitlines()
    assert (first, said) == ("hangbot did not say 'yes' within 0.01 s:", "  alice: is anybody here?")
    assert heading == "over the wires, in seconds:"
    lines = [line.partition(" s  ")[2] for line in done]
    assert "hangbot -> room: joinRoom #1" in lines
    assert "room -> hangbot: userJoined (alice)" in lines
    assert "room -> hangbot: addedDj" in lines
    assert hangfm_sandbox.bot.token not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", ["refuse", "cut_before_store", "cut_after_store", "hang", "status", "garbage"]
)
async def test_a_request_is_the_bots_also_where_it_was_cut(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient, hangfm_gateway: GatewayClient, fault: str
) -> None:
    hangfm_sandbox.faults.add("chat.send", fault)
    hangfm_sandbox.faults.add("gateway.token", fault)

    message = Outgoing("m-1", hangfm_chat.group_id, "hi")
    for request in (hangfm_chat.send(message), hangfm_gateway.exchange_token()):
        with suppress(HangbotError, TimeoutError):
            async with asyncio.timeout(0.5):
                await request

    lines = transcript(hangfm_sandbox)
    assert any("hangbot -> chat: POST /v3.0/messages: 'hi'" in line for line in lines)
    assert any("hangbot -> gateway: GET " in line for line in lines)
    assert not any("somebody" in line for line in lines)


async def test_a_request_to_what_is_down_too(hangfm_sandbox: Sandbox, hangfm_gateway: GatewayClient) -> None:
    await hangfm_sandbox.restart(60_000, ["gateway"])

    with suppress(HangbotError):
        await hangfm_gateway.exchange_token()

    lines = transcript(hangfm_sandbox)
    assert any("hangbot -> gateway: GET " in line for line in lines)
    assert not any("somebody" in line for line in lines)
